//! Whole models on the whole accelerator: the model in integers, the hardware that computes it, and the program.

mod check;
mod fast;
mod formats;
mod linear;
mod progress;
mod rtl;
mod step;
mod tables;
mod work;

use golden::load::model::Weights;
use golden::load::{self, Model};
use hdl::rtl::Design;
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use spec::isa::{OutputKind, Program};
use spec::model::QModel;
use spec::profile::Profile;
use spec::verdict::Verdict;
use spec::{Config, Problem};

pub use check::{Expected, check};
pub use fast::simulate_fast;
pub use formats::{offer, offered};
pub use linear::{gemm, of_model};
pub use progress::Progress;
pub use rtl::cosimulate;
pub use step::{Waves, simulate};
pub use tables::{profile_json, profile_text};
pub use work::{Meaning, Work};

use crate::args::numeric::Choice;
use crate::args::quantized::QuantizedArgs;
use crate::error::Error;
use crate::output::Output;

/// Cycles of memory latency where none are given.
pub const MEM_LATENCY: &str = "30";

/// A model in integers and the accelerator that runs it.
pub struct Whole {
    /// The hardware.
    pub config: Config,
    /// Shape and tokenizer.
    pub model: Model,
    /// The model in integers.
    pub q: QModel,
}

/// What the accelerator wrote.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Tokens, those behind the end of the text included.
    pub tokens: Vec<u32>,
    /// Logits of each token, if they were wanted.
    pub logits: Vec<Vec<i64>>,
    /// The step of each row of logits, as S holds it.
    pub steps: Vec<i64>,
}

/// A run of a program.
pub struct Ran {
    /// What it wrote.
    pub written: Written,
    /// Where its cycles went; of a run that was stopped those up to there.
    pub profile: Profile,
    /// Seconds that simulating took.
    pub seconds: f64,
}

impl Written {
    /// Reads the first rows of each output from memory.
    fn read(program: &Program, count: usize, row: impl Fn(OutputKind, u32) -> Option<Vec<i64>>) -> Self {
        let rows = |kind| (0..count as u32).filter_map(|t| row(kind, t)).collect::<Vec<_>>();
        let wants = |kind| program.output(kind).is_some();
        Self {
            tokens: rows(OutputKind::Tokens).into_iter().flatten().map(|id| id as u32).collect(),
            logits: if wants(OutputKind::Logits) { rows(OutputKind::Logits) } else { Vec::new() },
            steps: if wants(OutputKind::Steps) { rows(OutputKind::Steps).concat() } else { Vec::new() },
        }
    }
}

impl Ran {
    /// Simulated cycles a second.
    pub fn rate(&self) -> f64 {
        self.profile.cycles as f64 / self.seconds.max(1e-9)
    }
}

impl Whole {
    /// Opens a model, quantizes it if it is a checkpoint, and has the hardware offer its formats.
    ///
    /// # Errors
    /// For a model, format or configuration that cannot be used.
    pub fn load(
        config: Config,
        source: &str,
        format: Option<Choice>,
        quantized: &QuantizedArgs,
        output: &Output,
    ) -> Result<Self, Error> {
        let progress = output.spinner(&format!("reading {source}"));
        let model = load::open(source)?;
        progress.finish_and_clear();
        Self::of(config, model, format, quantized, output)
    }

    /// As [`Self::load`], of a model that is open.
    ///
    /// # Errors
    /// For a format or configuration that cannot be used.
    pub fn of(
        mut config: Config,
        model: Model,
        format: Option<Choice>,
        quantized: &QuantizedArgs,
        output: &Output,
    ) -> Result<Self, Error> {
        let first = matches!(model.weights, Weights::Float(_)).then(|| Choice::Even(config.pe.formats[0]));
        let q = quantized.integers(&model, format.or(first), output)?;
        offer(&mut config, q.linears().map(|layer| layer.linear.format), output)?;
        Ok(Self { config, model, q })
    }

    /// The accelerator.
    ///
    /// # Errors
    /// For a configuration that it cannot be built for.
    pub fn design(&self) -> Result<Design, Error> {
        Ok(Design::new(hdl::unit::top::top(&self.config)?))
    }

    /// The program of a prompt and so many tokens.
    ///
    /// # Errors
    /// For a prompt, model or configuration that cannot be lowered.
    pub fn program(&self, prompt: &[u32], tokens: usize, logits: bool) -> Result<Program, Error> {
        Ok(lower(&self.config, &self.q, &Job { prompt, tokens, logits })?)
    }

    /// The program that also writes its logits, or, where the memories are too small for that, one that writes tokens alone;
    /// that is said.
    ///
    /// # Errors
    /// As [`Self::program`].
    pub fn checkable(&self, prompt: &[u32], tokens: usize, output: &Output) -> Result<Program, Error> {
        let Err(refused) = self.program(prompt, tokens, true) else { return self.program(prompt, tokens, true) };
        let program = self.program(prompt, tokens, false)?;
        output.remark(&format!("logits are not written to memory and not compared, tokens are: {refused}"));
        Ok(program)
    }

    /// Whether a token ends the text.
    pub fn ends(&self, id: u32) -> bool {
        ends(&self.model, id)
    }
}

/// Whether a token ends the text; a text that begins anew is at its end too.
pub fn ends(model: &Model, id: u32) -> bool {
    model.config.eos_token_ids.contains(&id) || model.config.bos_token_id == Some(id)
}

/// Checks that the positions of the model hold the prompt and all tokens but the last, which is not read.
///
/// # Errors
/// If they do not.
pub fn check_tokens(tokens: usize, model: &Model, prompt: usize) -> Result<(), Error> {
    let most = (model.config.max_position_embeddings + 1).saturating_sub(prompt);
    if most == 0 {
        model.config.check_ids(&vec![0; prompt], 0)?;
    }
    if (1..=most).contains(&tokens) {
        return Ok(());
    }
    let allowed = format!("1..={most} after a prompt of {prompt} (max_position_embeddings)");
    Err(Error::input("--tokens", tokens, &allowed, "write fewer tokens"))
}

/// The memory behind the accelerator.
pub fn timing(latency_cycles: u32, stall_seed: Option<u64>) -> Timing {
    Timing { stall_seed, ..Timing::latency(latency_cycles) }
}

/// Fields of the JSON object that all comparisons have.
pub fn verdict_json(verdict: &Verdict, matched: bool) -> serde_json::Value {
    serde_json::json!({
        "match": matched,
        "cycles": verdict.cycles,
        "cycles_checked": verdict.cycles_checked,
        "golden_values_checked": verdict.golden_values_checked,
        "mismatches": verdict.mismatches,
        "first_mismatch": verdict.first,
    })
}

/// A latency in cycles.
pub fn latency(text: &str) -> Result<u32, String> {
    let most = 100_000;
    let value = text.parse().ok().filter(|cycles| (1..=most).contains(cycles));
    value.ok_or_else(|| Problem::new("--mem-latency", text, format!("1..={most} cycles"), "give a number").to_string())
}
