//! `systole lower`: a model, a prompt and a machine become a program.

use std::path::PathBuf;

use serde_json::json;
use spec::isa::container;

use crate::args::hardware::HardwareArgs;
use crate::args::numeric::{self, Choice};
use crate::args::quantized::QuantizedArgs;
use crate::error::Error;
use crate::output::Output;
use crate::report::Report;
use crate::whole::Whole;

/// Make the program that lets the accelerator continue a prompt
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  systole lower --preset small --model fairy --prompt \"Once upon a time\" --tokens 8 -o fairy.prog\n  \
    systole lower --config mine.toml --model fairy.q --prompt \"The king\" --tokens 32 -o king.prog\n  \
    systole disasm fairy.prog --no-data | less"
)]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Hugging Face directory of a Llama model, QModel file, or `fairy`, the model inside this program
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Number format [default: a QModel's own, otherwise the configuration's first]
    #[arg(long, value_name = "FORMAT", value_parser = numeric::choice())]
    format: Option<Choice>,
    #[command(flatten)]
    quantized: QuantizedArgs,
    /// Text to continue
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Tokens to generate, each the most likely one
    #[arg(long, value_name = "N", default_value_t = 16)]
    tokens: usize,
    /// Write the logits of every generated token to memory too
    #[arg(long)]
    logits: bool,
    /// Program file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// For a model, prompt or configuration that cannot be used, or a file that cannot be written.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let config = args.hardware.load()?;
    let whole = Whole::load(config, &args.model, args.format, &args.quantized, output)?;
    let prompt = whole.model.tokenizer.encode(&args.prompt)?;
    let program = whole.program(&prompt, args.tokens, args.logits)?;
    let bytes = container::to_bytes(&program);
    tool::write_atomic(&args.output, &bytes)?;
    let file = args.output.display().to_string();
    let (instrs, memory) = (program.instrs.len(), program.memory_bytes());
    let text = format!(
        "{file}: {} tokens of prompt, {} generated: {instrs} instructions, {memory} bytes of memory, configuration {}",
        prompt.len(),
        args.tokens,
        whole.config.hash()
    );
    let json = json!({
        "file": file, "prompt_tokens": prompt.len(), "tokens": args.tokens, "instructions": instrs,
        "memory_bytes": memory, "file_bytes": bytes.len(), "config_hash": whole.config.hash(),
    });
    Ok(Report::done(text, json))
}
