//! `systole eval`: perplexity.

use std::path::PathBuf;

use golden::load;
use golden::quantize::{Windows, perplexity};
use serde_json::json;

use crate::error::Error;
use crate::output::Output;
use crate::report::{Report, grouped};

/// Perplexity of a model over windows of tokens or a text
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole eval fairy --format fp32 --text tale.txt\n  \
    systole eval ~/models/SmolLM2-135M --format fp32 --windows wikitext.json --json")]
pub struct Args {
    /// Hugging Face directory of a Llama model, or `fairy`, the model inside this program
    model: String,
    /// Arithmetic of the forward pass
    #[arg(long, value_name = "FORMAT", value_parser = ["fp32"])]
    format: String,
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
    let tokens: usize = windows.ids.iter().map(|ids| ids.len().saturating_sub(1)).sum();
    progress.set_message(format!("{} tokens in {} windows", tokens, windows.ids.len()));
    let found = perplexity(&model, &windows)?;
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
        "format": args.format,
        "windows": windows.ids.len(),
        "tokens": found.tokens,
        "ppl_fp32": found.ppl,
        "ppl": found.ppl,
        "delta_percent": 0.0,
        "nll": found.nll,
    });
    Ok(Report { brief, ..Report::done(text, json) })
}
