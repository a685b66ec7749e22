//! `systole run`: text from a model.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use golden::layers::{KvCache, Layers};
use golden::load::{self, Model, Tokenizer};
use golden::quantize::{Cache, Llama, fixed_logits};
use golden::sample::{Ratio, Sampler, Sampling};
use serde_json::json;
use spec::model::QModel;

use crate::args::numeric::{self, Arithmetic};
use crate::args::quantized::QuantizedArgs;
use crate::error::Error;
use crate::output::Output;
use crate::report::Report;

/// Let a model write text, in integers from the embedding to the drawn token
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole run --model fairy --format w8a8 --prompt \"Once upon a time\"\n  \
    systole run --model fairy.q --prompt \"The king\" --tokens 200 --temperature 0.8 --top-p 0.9 --seed 7\n  \
    systole run --model ~/models/SmolLM2-135M --format w4a8 --prompt \"The capital of France\" --json\n\n\
    The most likely token is taken each time, or with --temperature a seeded draw: the same seed gives the same text.")]
pub struct Args {
    /// Hugging Face directory of a Llama model, QModel file, or `fairy`, the model inside this program
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Number format, or fp32 for the floating-point reference [default: a QModel's own, otherwise w8a8]
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
    /// The step simulator
    Step,
    /// The generated Verilog
    Rtl,
}

/// A model that gives the next token.
enum Writer<'m> {
    Integers(Box<Layers<'m>>, KvCache, Sampler),
    Float(Llama<'m>, Cache, Sampler),
}

/// Runs the command.
///
/// # Errors
/// For a model, prompt or number of tokens that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    if args.engine != Engine::Golden {
        let name = args.engine.to_possible_value().map_or_else(String::new, |v| v.get_name().to_string());
        let cure = "use --engine golden; single layers run in the hardware with `systole cosim` and `systole simulate`";
        return Err(Error::input("--engine", name, "golden, until whole models run in the hardware", cure));
    }
    let sampling = Sampling { temperature: args.temperature, top_k: args.top_k, top_p: args.top_p, seed: args.seed };
    let sampler = Sampler::new(sampling)?;
    let progress = output.spinner(&format!("reading {}", args.model));
    let model = load::open(&args.model)?;
    progress.finish_and_clear();
    let prompt = model.tokenizer.encode(&args.prompt)?;
    check_tokens(args, &model, prompt.len())?;
    let quantized: Option<QModel> = match args.format {
        Some(Arithmetic::Fp32) => None,
        Some(Arithmetic::Integers(format)) => Some(args.quantized.integers(&model, Some(format), output)?),
        None => Some(args.quantized.integers(&model, None, output)?),
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
        "engine": "golden",
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

/// Checks that the positions of the model hold the prompt and all tokens but the last, which is not read.
fn check_tokens(args: &Args, model: &Model, prompt: usize) -> Result<(), Error> {
    let most = (model.config.max_position_embeddings + 1).saturating_sub(prompt);
    if most == 0 {
        model.config.check_ids(&vec![0; prompt], 0)?;
    }
    if (1..=most).contains(&args.tokens) {
        return Ok(());
    }
    let allowed = format!("1..={most} after a prompt of {prompt} (max_position_embeddings)");
    Err(Error::input("--tokens", args.tokens, &allowed, "write fewer tokens"))
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
    // A text that begins anew is at its end too.
    let ends = |id: u32| model.config.eos_token_ids.contains(&id) || model.config.bos_token_id == Some(id);
    let mut is_ended = ends(next);
    while !is_ended {
        ids.push(next);
        output.stream(text.add(next)?)?;
        if ids.len() == args.tokens {
            break;
        }
        next = writer.next(&[next])?;
        is_ended = ends(next);
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

/// The text of tokens as they come.
struct Text<'m> {
    tokenizer: &'m Tokenizer,
    ids: Vec<u32>,
    /// Length of the prompt's text in front.
    prompt_bytes: usize,
    /// What was written so far.
    whole: String,
    /// Bytes of it that were shown.
    shown: usize,
}

impl<'m> Text<'m> {
    fn new(tokenizer: &'m Tokenizer, prompt: &[u32]) -> Result<Self, Error> {
        let prompt_bytes = tokenizer.decode(prompt)?.len();
        Ok(Self { tokenizer, ids: prompt.to_vec(), prompt_bytes, whole: String::new(), shown: 0 })
    }

    /// Adds a token: what can be shown now. Bytes that are no character yet wait for the next token.
    fn add(&mut self, id: u32) -> Result<&str, Error> {
        self.ids.push(id);
        let text = self.tokenizer.decode(&self.ids)?;
        self.whole = text.get(self.prompt_bytes..).unwrap_or_default().to_string();
        let from = self.shown;
        if !self.whole.ends_with('\u{fffd}') {
            self.shown = self.whole.len();
        }
        Ok(self.whole.get(from..self.shown).unwrap_or_default())
    }

    /// What was not shown yet.
    fn rest(&self) -> &str {
        self.whole.get(self.shown..).unwrap_or_default()
    }
}
