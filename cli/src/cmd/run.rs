//! `systole run`: text from a model.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use golden::layers::{KvCache, Layers};
use golden::load::{self, Model};
use golden::quantize::{Cache, Llama, fixed_logits};
use golden::sample::{Ratio, Sampler, Sampling};
use serde_json::json;
use spec::model::QModel;

use crate::args::hardware::OptionalHardwareArgs;
use crate::args::numeric::{self, Arithmetic, Choice};
use crate::args::quantized::QuantizedArgs;
use crate::error::Error;
use crate::output::Output;
use crate::report::Report;
use crate::text::Text;
use crate::whole::{MEM_LATENCY, check_tokens, ends, latency};

mod hardware;

/// Configuration of the hardware where none is named.
const PRESET: &str = "small";

/// Let a model write text, in integers from the embedding to the drawn token
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole run --model fairy --format w8a8 --prompt \"Once upon a time\"\n  \
    systole run --model fairy.q --prompt \"The king\" --tokens 200 --temperature 0.8 --top-p 0.9 --seed 7\n  \
    systole run --model ~/models/SmolLM2-135M --format w4a8 --prompt \"The capital of France\" --json\n  \
    systole run --preset base --model fairy --prompt \"The king\" --tokens 8 --engine step --check\n\n\
    The most likely token is taken each time, or with --temperature a seeded draw: the same seed gives the same text.\n\
    The engines step, fast and rtl run the generated accelerator, which always takes the most likely token.")]
pub struct Args {
    #[command(flatten)]
    hardware: OptionalHardwareArgs,
    /// Hugging Face directory of a Llama model, QModel file, or `fairy`, the model inside this program
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Number format, or fp32 for the floating-point reference [default: a QModel's own, otherwise the configuration's
    /// first]
    #[arg(long, value_name = "FORMAT", value_parser = numeric::arithmetic())]
    format: Option<Arithmetic>,
    #[command(flatten)]
    quantized: QuantizedArgs,
    /// Text to continue
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Most tokens to write; the model may end its text earlier
    #[arg(long, value_name = "N", default_value_t = 64)]
    tokens: usize,
    /// What computes
    #[arg(long, value_name = "ENGINE", value_enum, default_value = "golden")]
    engine: Engine,
    /// Compare all tokens and logits of the hardware with golden's; exit code 1 if one differs
    #[arg(long)]
    check: bool,
    /// Cycles from a read's address to its first data, in the memory behind the accelerator
    #[arg(long, value_name = "CYCLES", value_parser = latency, default_value = MEM_LATENCY)]
    mem_latency: u32,
    /// Stall the memory's channels at random, by this seed
    #[arg(long, value_name = "SEED")]
    stall_seed: Option<u64>,
    /// Start the accelerator's registers and memories at random values, by this seed
    #[arg(long, value_name = "SEED")]
    random_start: Option<u64>,
    /// Draw tokens: logits are divided by this; 0 takes the most likely one
    #[arg(long, value_name = "T", default_value = "0")]
    temperature: Ratio,
    /// Draw from the so many most likely tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw from the most likely tokens that have this share of the probability
    #[arg(long, value_name = "P", default_value = "1")]
    top_p: Ratio,
    /// Seed of the draws
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The integer model that hardware is checked against
    Golden,
    /// The fast simulator
    Fast,
    /// The generated accelerator in the step simulator, cycle by cycle
    Step,
    /// The generated Verilog under Verilator, beside the step simulator
    Rtl,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Golden => "golden",
            Self::Fast => "fast",
            Self::Step => "step",
            Self::Rtl => "rtl",
        }
    }
}

/// A model that gives the next token.
enum Writer<'m> {
    Integers(Box<Layers<'m>>, KvCache, Sampler),
    Float(Llama<'m>, Cache, Sampler),
}

/// Runs the command.
///
/// # Errors
/// For a model, prompt, configuration or number of tokens that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    if args.engine != Engine::Golden {
        return hardware::run(args, output);
    }
    let given = [
        ("--check", args.check),
        ("--stall-seed", args.stall_seed.is_some()),
        ("--random-start", args.random_start.is_some()),
    ];
    if let Some((option, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
        let cure = "add --engine step, fast or rtl: golden is what they are compared with";
        return Err(Error::input(option, "given", "with an engine of hardware", cure));
    }
    let config = args.hardware.load(PRESET)?;
    let sampling = Sampling { temperature: args.temperature, top_k: args.top_k, top_p: args.top_p, seed: args.seed };
    let sampler = Sampler::new(sampling)?;
    let progress = output.spinner(&format!("reading {}", args.model));
    let model = load::open(&args.model)?;
    progress.finish_and_clear();
    let prompt = model.tokenizer.encode(&args.prompt)?;
    check_tokens(args.tokens, &model, prompt.len())?;
    let first = || model.checkpoint().is_ok().then(|| Choice::Even(config.pe.formats[0]));
    let quantized: Option<QModel> = match args.format {
        Some(Arithmetic::Fp32) => None,
        Some(Arithmetic::Integers(format)) => Some(args.quantized.integers(&model, Some(format), output)?),
        None => Some(args.quantized.integers(&model, first(), output)?),
    };
    let writer = match &quantized {
        Some(q) => Writer::Integers(Box::new(Layers::new(q)?), KvCache::default(), sampler),
        None => Writer::Float(Llama::new(&model)?, Cache::default(), sampler),
    };
    let written = write(writer, &model, &prompt, args, output)?;
    let seconds = written.decode.as_secs_f64();
    // The first token comes with the prompt; each further one is a pass of its own.
    let rate = if seconds > 0.0 { written.ids.len().saturating_sub(1) as f64 / seconds } else { 0.0 };
    output.remark(&format!(
        "{} tokens, {rate:.1} tokens/s after a prompt of {} tokens in {:.2} s",
        written.ids.len(),
        prompt.len(),
        written.prefill.as_secs_f64(),
    ));
    let json = json!({
        "model": args.model,
        "format": quantized.as_ref().map_or("fp32", |q| &q.options.format),
        "recipe": quantized.as_ref().map(|q| &q.options.recipe),
        "engine": args.engine.name(),
        "prompt": args.prompt,
        "prompt_tokens": prompt.len(),
        "text": written.text,
        "tokens": written.ids,
        "stopped": if written.is_ended { "end" } else { "tokens" },
        "temperature": ratio(args.temperature),
        "seed": args.seed,
        "prefill_seconds": written.prefill.as_secs_f64(),
        "tokens_per_second": rate,
    });
    Ok(Report::done("", json))
}

fn ratio(r: Ratio) -> f64 {
    f64::from(r.num) / f64::from(r.den)
}

/// What was written.
struct Written {
    text: String,
    ids: Vec<u32>,
    is_ended: bool,
    prefill: Duration,
    decode: Duration,
}

fn write(mut writer: Writer, model: &Model, prompt: &[u32], args: &Args, output: &Output) -> Result<Written, Error> {
    let mut text = Text::new(&model.tokenizer, prompt)?;
    output.stream(&args.prompt)?;
    let start = Instant::now();
    let mut next = writer.next(prompt)?;
    let prefill = start.elapsed();
    let start = Instant::now();
    let mut ids = Vec::new();
    let mut is_ended = ends(model, next);
    while !is_ended {
        ids.push(next);
        output.stream(text.add(next)?)?;
        if ids.len() == args.tokens {
            break;
        }
        next = writer.next(&[next])?;
        is_ended = ends(model, next);
    }
    let decode = start.elapsed();
    output.stream(text.rest())?;
    output.stream("\n")?;
    Ok(Written { text: text.whole, ids, is_ended, prefill, decode })
}

impl Writer<'_> {
    /// The token that follows the given ones, which follow all given before.
    fn next(&mut self, ids: &[u32]) -> Result<u32, Error> {
        match self {
            Self::Integers(layers, cache, sampler) => {
                let logits = layers.next(ids, cache)?;
                Ok(sampler.sample(logits.rows.row(0), logits.steps[0]))
            }
            Self::Float(llama, cache, sampler) => {
                let logits = llama.forward(ids, cache)?;
                let last = logits.row(logits.rows - 1);
                if !sampler.is_greedy() {
                    let (fixed, step) = fixed_logits(last);
                    return Ok(sampler.sample(&fixed, step));
                }
                Ok((0..last.len()).rev().max_by(|&a, &b| last[a].total_cmp(&last[b])).unwrap_or(0) as u32)
            }
        }
    }
}
