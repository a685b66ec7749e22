//! `systole lower`: a model, a prompt and a machine become a program.

use std::path::PathBuf;

use golden::load;
use serde_json::json;
use sim::lower::program::{Job, lower};
use spec::isa::container;
use spec::{Config, Format};

use crate::args::hardware::HardwareArgs;
use crate::args::numeric::{self, Choice};
use crate::args::quantized::QuantizedArgs;
use crate::error::Error;
use crate::output::Output;
use crate::report::Report;

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
    let mut config = args.hardware.load()?;
    let progress = output.spinner(&format!("reading {}", args.model));
    let model = load::open(&args.model)?;
    progress.finish_and_clear();
    let prompt = model.tokenizer.encode(&args.prompt)?;
    let first = matches!(model.weights, load::model::Weights::Float(_)).then(|| Choice::Even(config.pe.formats[0]));
    let quantized = args.quantized.integers(&model, args.format.or(first), output)?;
    offer(&mut config, quantized.linears().map(|layer| layer.linear.format), output)?;
    let job = Job { prompt: &prompt, tokens: args.tokens, logits: args.logits };
    let program = lower(&config, &quantized, &job)?;
    let bytes = container::to_bytes(&program);
    tool::write_atomic(&args.output, &bytes)?;
    let file = args.output.display().to_string();
    let (instrs, memory) = (program.instrs.len(), program.memory_bytes());
    let text = format!(
        "{file}: {} tokens of prompt, {} generated: {instrs} instructions, {memory} bytes of memory, configuration {}",
        prompt.len(),
        args.tokens,
        config.hash()
    );
    let json = json!({
        "file": file, "prompt_tokens": prompt.len(), "tokens": args.tokens, "instructions": instrs,
        "memory_bytes": memory, "file_bytes": bytes.len(), "config_hash": config.hash(),
    });
    Ok(Report::done(text, json))
}

/// Adds the formats that the model needs and the configuration does not offer.
fn offer(config: &mut Config, formats: impl Iterator<Item = Format>, output: &Output) -> Result<(), Error> {
    let mut added = Vec::new();
    for format in formats.chain([Format::W8a8]) {
        if !config.pe.formats.contains(&format) {
            config.pe.formats.push(format);
            added.push(format.name());
        }
    }
    if !added.is_empty() {
        let names: Vec<_> = config.pe.formats.iter().map(|f| format!("{:?}", f.name())).collect();
        output.remark(&format!("the configuration as with --set 'pe.formats=[{}]'", names.join(", ")));
    }
    Ok(config.validate()?)
}
