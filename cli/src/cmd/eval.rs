//! `systole eval`: perplexity, and what quantization costs.

use std::path::PathBuf;

use golden::load::model::Weights;
use golden::load::{self, Model};
use golden::quantize::{Measured, Windows, measure_showing, perplexity};
use serde_json::json;
use spec::model::QModel;

use crate::args::numeric::{self, Arithmetic, Choice};
use crate::args::quantized::QuantizedArgs;
use crate::error::Error;
use crate::measured::{self, Evaluated};
use crate::output::Output;
use crate::report::{Report, grouped};

/// Perplexity of a model over windows of tokens or a text, and what its quantization costs
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole eval fairy --format w8a8 --text tale.txt\n  \
    systole eval fairy --compare w8a8,w4a8,mxfp4 --text tale.txt\n  \
    systole eval fairy.q --reference fairy --text tale.txt\n  \
    systole eval ~/models/SmolLM2-135M --format fp32 --windows wikitext.json --json")]
pub struct Args {
    /// Hugging Face directory of a Llama model, QModel file, or `fairy`, the model inside this program
    model: String,
    /// Number format, or fp32 for the floating-point reference alone [default: a QModel's own, otherwise w8a8]
    #[arg(long, value_name = "FORMAT", value_parser = numeric::arithmetic())]
    format: Option<Arithmetic>,
    /// One table of these formats, as in w8a8,w4a8,mixed
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', value_parser = numeric::choice(), conflicts_with = "format")]
    compare: Vec<Choice>,
    #[command(flatten)]
    quantized: QuantizedArgs,
    /// The checkpoint that a QModel file was made from: Hugging Face directory or `fairy`
    #[arg(long, value_name = "MODEL")]
    reference: Option<String>,
    #[command(flatten)]
    source: Source,
}

#[derive(clap::Args)]
#[group(id = "source", required = true, multiple = false)]
struct Source {
    /// Windows JSON: {"ids": [[bos, id, ...], ...]}
    #[arg(long, value_name = "FILE")]
    windows: Option<PathBuf>,
    /// Plain text, cut into windows of 256 tokens
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// For a model, windows or text that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let progress = output.spinner(&format!("reading {}", args.model));
    let model = load::open(&args.model)?;
    let windows = match (&args.source.windows, &args.source.text) {
        (Some(path), _) => Windows::from_file(path)?,
        (None, Some(path)) => {
            let source = path.display().to_string();
            Windows::from_text(&load::checkpoint::read_text(path, "give a text file")?, &model, &source)?
        }
        (None, None) => unreachable!("clap requires one of them"),
    };
    windows.check(&model.config)?;
    let reference = reference(args, &model)?;
    progress.finish_and_clear();
    if let Some(Arithmetic::Fp32) = args.format {
        return float(args, &model, &windows, output);
    }
    if args.compare.is_empty() {
        let format = match args.format {
            Some(Arithmetic::Integers(choice)) => Some(choice),
            Some(Arithmetic::Fp32) | None => None,
        };
        let quantized = args.quantized.integers(&model, format, output)?;
        let float = reference.as_ref().or(is_float(&model).then_some(&model));
        let measured = shown(&quantized, float, &windows, output)?;
        return Ok(measured::report(&args.model, &windows, &Evaluated { quantized, measured }));
    }
    if !is_float(&model) {
        let value = format!("given for {}", args.model);
        let cure = "give the checkpoint, which is quantized to each format";
        return Err(Error::input("--compare", value, "nothing for a QModel, which has one format", cure));
    }
    let calibration = args.quantized.calibration(&model, output)?;
    let mut all = Vec::new();
    for &format in &args.compare {
        let quantized = args.quantized.quantize(&model, format, &calibration, output)?;
        let measured = shown(&quantized, Some(&model), &windows, output)?;
        all.push(Evaluated { quantized, measured });
    }
    Ok(measured::compare(&args.model, &windows, &all))
}

/// Measures with a bar.
fn shown(q: &QModel, float: Option<&Model>, windows: &Windows, output: &Output) -> Result<Measured, Error> {
    let bar = output.bar(windows.ids.len() as u64, &format!("windows in {}", q.options.format));
    let measured = measure_showing(q, float, windows, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(measured)
}

fn is_float(model: &Model) -> bool {
    matches!(model.weights, Weights::Float(_))
}

/// The checkpoint given beside a QModel.
fn reference(args: &Args, model: &Model) -> Result<Option<Model>, Error> {
    let Some(source) = &args.reference else { return Ok(None) };
    if is_float(model) {
        let cure = "leave it away: a checkpoint is its own reference";
        return Err(Error::input("--reference", source, "nothing beside a checkpoint", cure));
    }
    let reference = load::open(source)?;
    if is_float(&reference) {
        return Ok(Some(reference));
    }
    Err(Error::input(
        "--reference",
        format!("{source} (a QModel)"),
        "a checkpoint",
        "give what the QModel was made from",
    ))
}

/// The floating-point reference alone.
fn float(args: &Args, model: &Model, windows: &Windows, output: &Output) -> Result<Report, Error> {
    let progress = output.spinner(&format!("{} windows in FP32", windows.ids.len()));
    let found = perplexity(model, windows)?;
    progress.finish_and_clear();
    let brief = format!("{:.4}", found.ppl);
    let text = format!(
        "perplexity {brief} (FP32), {} tokens predicted in {} windows of {}",
        grouped(found.tokens as u64),
        windows.ids.len(),
        windows.source
    );
    let json = json!({
        "model": args.model,
        "format": "fp32",
        "windows": windows.ids.len(),
        "tokens": found.tokens,
        "ppl_fp32": found.ppl,
        "ppl": found.ppl,
        "delta_percent": 0.0,
        "nll": found.nll,
    });
    Ok(Report { brief, ..Report::done(text, json) })
}
