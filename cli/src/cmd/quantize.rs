//! `systole quantize`: a checkpoint to a QModel file.

use std::path::PathBuf;

use golden::load::{self, qmodel};
use golden::quantize::{Options, Windows, quantize};
use serde_json::json;
use spec::qmodel::{ActMode, QOptions};
use spec::{Format, RequantMode};

use crate::args::numeric;
use crate::error::Error;
use crate::output::Output;
use crate::report::{Report, grouped};

/// Quantize a model to one self-contained QModel file
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole quantize fairy --format w8a8 -o fairy.q\n  \
    systole quantize ~/models/SmolLM2-135M --format w4a8 --acts asymmetric -o smol.q\n  \
    systole quantize fairy --format w8a8 --requant static --calib tales.txt -o fairy.q")]
pub struct Args {
    /// Hugging Face directory of a Llama model, or `fairy`, the model inside this program
    model: String,
    /// Number format of weights and activations
    #[arg(long, value_name = "FORMAT", value_parser = numeric::format())]
    format: Format,
    /// Text or windows JSON on which the static mode measures ranges
    #[arg(long, value_name = "FILE")]
    calib: Option<PathBuf>,
    /// How finished rows become 8-bit activations
    #[arg(long, value_name = "MODE", value_parser = numeric::requant(), default_value = "dynamic")]
    requant: RequantMode,
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
    if args.requant == RequantMode::Static && args.calib.is_none() {
        let cure = "give --calib FILE, a text or windows JSON, or use --requant dynamic";
        return Err(Error::input("--calib", "none", "a file, for --requant static", cure));
    }
    let progress = output.spinner(&format!("reading {}", args.model));
    let model = load::open(&args.model)?;
    let calibration = match &args.calib {
        Some(path) => Some(Windows::from_any(path, &model)?),
        None => None,
    };
    if calibration.is_some() && args.requant != RequantMode::Static {
        output.remark("--calib is read and checked, but only --requant static measures ranges on it");
    }
    progress.set_message(format!("quantizing {} to {}", args.model, args.format.name()));
    let numeric = QOptions { format: args.format, requant: args.requant, acts: args.acts };
    let quantized = quantize(&model, &Options { numeric, calibration: calibration.as_ref() })?;
    let bytes = qmodel::to_bytes(&quantized);
    tool::write_atomic(&args.output, &bytes)?;
    progress.finish_and_clear();
    let parameters: u64 = quantized.layers.iter().map(|l| l.linear.weight.data.len() as u64).sum();
    let file = args.output.display().to_string();
    let text = format!(
        "{file}: {} linear layers, {} weights in {}, {} bytes",
        quantized.layers.len(),
        grouped(parameters),
        args.format.name(),
        grouped(bytes.len() as u64)
    );
    let json = json!({
        "file": file,
        "model": args.model,
        "format": args.format.name(),
        "requant": args.requant.name(),
        "acts": args.acts.name(),
        "layers": quantized.layers.len(),
        "weights": parameters,
        "bytes": bytes.len(),
    });
    Ok(Report::done(text, json))
}
