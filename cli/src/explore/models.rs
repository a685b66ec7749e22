//! Models in formats: quantized, judged, and what they say.

use golden::layers::{KvCache, Layers};
use golden::load::model::Weights;
use golden::load::{self, Model};
use golden::quantize::{Recipe, Windows, measure, perplexity, self_written};
use golden::sample::greedy;
use spec::model::QModel;

use super::journal::{Judged, nine_digits};
use super::points::Workload;
use super::sweep::{Judge, Sweep};
use crate::args::numeric::Choice;
use crate::args::quantized::QuantizedArgs;
use crate::args::work::random;
use crate::error::Error;
use crate::output::Output;

/// Seed of the text that a model is judged on; that of the text it is calibrated on is 0.
const JUDGE_SEED: u64 = 1;

/// Seed of prompts: the usual one of `--seed`.
const PROMPT_SEED: u64 = 1;

/// Name of the recipe that is usually good for a format.
const USUAL: &str = "usual";

/// A model that was opened, with the texts that it needs.
pub struct Opened {
    model: Model,
    recipe: Option<String>,
    calibration: Option<Windows>,
    windows: Option<Windows>,
    fp32: Option<f64>,
    over: String,
}

impl Opened {
    /// Opens a model, and has it write the texts that were not given.
    ///
    /// # Errors
    /// For a model or text that cannot be used.
    pub fn new(sweep: &Sweep, source: &str, output: &Output) -> Result<Self, Error> {
        let model = load::open(source)?;
        let quantized = QuantizedArgs::of(None, sweep.calib.clone());
        let is_float = matches!(model.weights, Weights::Float(_));
        let calibration = is_float.then(|| quantized.calibration(&model, output)).transpose()?;
        let windows = match &sweep.judge {
            Judge::Nothing => None,
            Judge::File(path) => Some(Windows::from_any(path, &model)?),
            Judge::SelfWritten if is_float => Some(self_written(&model, JUDGE_SEED, &|_, _| {})?),
            Judge::SelfWritten => None,
        };
        let windows = windows.map(|windows| windows.spread(sweep.windows));
        if let Some(windows) = &windows {
            windows.check(&model.config)?;
        }
        let fp32 = windows.as_ref().filter(|_| is_float).map(|w| perplexity(&model, w)).transpose()?;
        let over = match &windows {
            Some(w) => format!("{} windows of {}", w.ids.len(), w.source),
            None => "nothing".into(),
        };
        Ok(Self {
            model,
            recipe: sweep.recipe.clone(),
            calibration,
            windows,
            fp32: fp32.map(|p| nine_digits(p.ppl)),
            over,
        })
    }

    /// The model in integers.
    ///
    /// # Errors
    /// For a format that it cannot take, or does not have.
    pub fn integers(&self, choice: Choice, output: &Output) -> Result<QModel, Error> {
        let Some(calibration) = &self.calibration else {
            return QuantizedArgs::of(None, None).integers(&self.model, Some(choice), output);
        };
        // Trying recipes takes longer than thousands of points.
        let recipe = match (self.recipe.as_deref().unwrap_or(USUAL), choice) {
            (USUAL, Choice::Even(format)) => Recipe::usual(format).name(),
            (USUAL, Choice::Mixed) => "best".into(),
            (name, _) => name.into(),
        };
        QuantizedArgs::of(Some(recipe), None).quantize(&self.model, choice, calibration, output)
    }

    /// Its perplexity.
    ///
    /// # Errors
    /// For windows that it cannot take.
    pub fn judged(&self, q: &QModel) -> Result<Judged, Error> {
        let measured = self.windows.as_ref().map(|windows| measure(q, None, windows)).transpose()?;
        Ok(Judged {
            recipe: q.options.recipe.clone(),
            perplexity: measured.map(|m| nine_digits(m.integer.ppl)),
            perplexity_fp32: self.fp32,
            over: self.over.clone(),
        })
    }

    /// The first `count` tokens of the prompt: those of `systole simulate --prompt-tokens`.
    pub fn prompt(&self, count: u32) -> Vec<u32> {
        let mut random = random(PROMPT_SEED);
        (0..count).map(|_| (random() % self.model.config.vocab_size.max(1) as u64) as u32).collect()
    }

    /// The tokens that the accelerator will find behind the prompt and read again: golden's, which are its own.
    ///
    /// # Errors
    /// For work that the model's positions do not hold.
    pub fn found(&self, q: &QModel, work: Workload) -> Result<Vec<u32>, Error> {
        let Workload::Prompt { prompt, tokens } = work else { return Ok(Vec::new()) };
        let most = self.model.config.max_position_embeddings as u64;
        // Longer ones are refused when they are lowered.
        if tokens < 2 || u64::from(prompt) + u64::from(tokens) - 1 > most {
            return Ok(Vec::new());
        }
        let layers = Layers::new(q)?;
        let (mut cache, mut ids, mut found) = (KvCache::default(), self.prompt(prompt), Vec::new());
        for _ in 1..tokens {
            let next = greedy(layers.next(&ids, &mut cache)?.rows.row(0));
            found.push(next);
            ids = vec![next];
        }
        Ok(found)
    }
}
