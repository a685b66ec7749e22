//! `systole quantize`: a checkpoint to a QModel file.

use std::path::PathBuf;

use golden::load::{self, qmodel};
use golden::quantize::{PtqOptions, Windows, quantize_model, self_written};
use serde_json::json;
use spec::Format;
use spec::qmodel::ActMode;

use crate::args::numeric;
use crate::error::Error;
use crate::output::Output;
use crate::report::{Report, grouped};

/// Quantize a model to one self-contained QModel file
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole quantize fairy --format w8a8 -o fairy.q\n  \
    systole quantize ~/models/SmolLM2-135M --format w4a8 --acts asymmetric -o smol.q\n  \
    systole quantize fairy --format w8a8 --calib tales.txt -o fairy.q")]
pub struct Args {
    /// Hugging Face directory of a Llama model, or `fairy`, the model inside this program
    model: String,
    /// Number format of weights and activations
    #[arg(long, value_name = "FORMAT", value_parser = numeric::format())]
    format: Format,
    /// Text or windows JSON on which ranges of keys and values are measured; by default text that the model writes
    #[arg(long, value_name = "FILE")]
    calib: Option<PathBuf>,
    /// How the inputs of linear layers are coded
    #[arg(long, value_name = "MODE", value_parser = numeric::acts(), default_value = "symmetric")]
    acts: ActMode,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// For a model or calibration that cannot be used, or a file that cannot be written.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let progress = output.spinner(&format!("reading {}", args.model));
    let model = load::open(&args.model)?;
    let calibration = match &args.calib {
        Some(path) => Windows::from_any(path, &model)?,
        None => self_written(&model, 0, &|done, of| progress.set_message(format!("calibration text {done} of {of}")))?,
    };
    progress.set_message(format!("quantizing {} to {}", args.model, args.format.name()));
    let options = PtqOptions { acts: args.acts, ..PtqOptions::new(args.format) };
    let quantized = quantize_model(&model, &options, &calibration)?;
    let bytes = qmodel::to_bytes(&quantized);
    tool::write_atomic(&args.output, &bytes)?;
    progress.finish_and_clear();
    let parameters: u64 = quantized.linears().map(|l| l.linear.weight.data.len() as u64).sum();
    let layers = quantized.linears().count();
    let file = args.output.display().to_string();
    let text = format!(
        "{file}: {} linear layers, {} weights in {}, {} bytes",
        layers,
        grouped(parameters),
        args.format.name(),
        grouped(bytes.len() as u64)
    );
    let json = json!({
        "file": file,
        "model": args.model,
        "format": args.format.name(),
        "acts": args.acts.name(),
        "layers": layers,
        "weights": parameters,
        "bytes": bytes.len(),
    });
    Ok(Report::done(text, json))
}
