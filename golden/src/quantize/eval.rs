//! Perplexity over fixed windows of tokens or over a text.

use std::path::Path;

use rayon::prelude::*;
use serde_json::Value;
use spec::Problem;

use super::forward::{Cache, Llama};
use crate::error::{Error, clip, no_problems};
use crate::load::checkpoint::read_text;
use crate::load::config::ModelConfig;
use crate::load::model::Model;

/// Most ids of a text's window that are predicted.
const TEXT_WINDOW: usize = 256;

/// Windows of token ids; every id but a window's first is predicted from those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Where they come from, for messages.
    pub source: String,
    /// The windows.
    pub ids: Vec<Vec<u32>>,
}

/// A perplexity and what it was taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perplexity {
    /// `exp(mean negative log-likelihood)`.
    pub ppl: f64,
    /// Mean negative log-likelihood of a predicted token, in nats.
    pub nll: f64,
    /// Number of predicted tokens.
    pub tokens: usize,
}

impl Windows {
    /// Reads windows JSON: `{"ids": [[bos, id, ...], ...]}`; other fields are ignored.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] if it is not that.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let source = path.display().to_string();
        Self::from_json(&read_text(path, "give a windows JSON file")?, &source)
    }

    /// As [`Windows::from_file`], from the text; `source` names it in messages.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn from_json(text: &str, source: &str) -> Result<Self, Error> {
        let shape = "{\"ids\": [[bos, id, ...], ...]}";
        let cure = "give a windows JSON file";
        let bad = |field: &str, value: String| Problem::new(format!("{source}: {field}"), clip(&value), shape, cure);
        let value: Value = serde_json::from_str(text).map_err(|e| Error::Input(vec![bad("JSON", e.to_string())]))?;
        let Some(Value::Array(list)) = value.get("ids") else {
            return Err(Error::Input(vec![bad("ids", "missing".into())]));
        };
        let (mut ids, mut problems) = (Vec::new(), Vec::new());
        for (w, window) in list.iter().enumerate() {
            let Value::Array(window) = window else {
                problems.push(bad(&format!("ids[{w}]"), window.to_string()));
                continue;
            };
            let id = |v: &Value| v.as_u64().and_then(|id| u32::try_from(id).ok());
            match window.iter().position(|v| id(v).is_none()) {
                Some(i) => problems.push(bad(&format!("ids[{w}][{i}]"), window[i].to_string())),
                None => ids.push(window.iter().filter_map(id).collect()),
            }
        }
        no_problems(problems)?;
        Ok(Self { source: source.to_string(), ids })
    }

    /// Cuts a text into windows.
    ///
    /// The rule: each line, its end included, is tokenised by itself; of the ids of all lines, windows of
    /// `L = min(256, max_position_embeddings)` follow one another, each with the model's beginning-of-sequence token in
    /// front (a model without one predicts one token less a window). A rest shorter than L is left out, unless it is all
    /// there is.
    ///
    /// # Errors
    /// [`Error::Input`] if the text has no tokens.
    pub fn from_text(text: &str, model: &Model, source: &str) -> Result<Self, Error> {
        let mut stream = Vec::new();
        for line in text.split_inclusive('\n') {
            stream.extend(model.tokenizer.encode_plain(line)?);
        }
        if stream.is_empty() {
            return Err(Error::input(source, "no tokens", "a text of at least one token", "give another text"));
        }
        let length = TEXT_WINDOW.min(model.config.max_position_embeddings);
        let bos = model.config.bos_token_id;
        let window = |part: &[u32]| bos.into_iter().chain(part.iter().copied()).collect();
        let mut ids: Vec<Vec<u32>> = stream.chunks_exact(length).map(window).collect();
        if ids.is_empty() {
            ids.push(window(&stream));
        }
        let windows = Self { source: source.to_string(), ids };
        windows.check(&model.config)?;
        Ok(windows)
    }

    /// Reads a file: windows JSON if it is a JSON object, otherwise a text.
    ///
    /// # Errors
    /// As [`Windows::from_file`] and [`Windows::from_text`].
    pub fn from_any(path: &Path, model: &Model) -> Result<Self, Error> {
        let source = path.display().to_string();
        let text = read_text(path, "give a text or a windows JSON file")?;
        if text.trim_start().starts_with('{') {
            Self::from_json(&text, &source)
        } else {
            Self::from_text(&text, model, &source)
        }
    }

    /// At most `count` of the windows, evenly spaced.
    pub fn spread(mut self, count: usize) -> Self {
        let (all, keep) = (self.ids.len(), count.min(self.ids.len()));
        self.ids = (0..keep).map(|i| std::mem::take(&mut self.ids[i * all / keep])).collect();
        self
    }

    /// What the model is fed: each window without its last id.
    pub fn inputs(&self) -> impl Iterator<Item = &[u32]> {
        self.ids.iter().map(|w| w.split_last().map_or(&[][..], |(_, inputs)| inputs))
    }

    /// Checks that a model can take every window.
    ///
    /// # Errors
    /// [`Error::Input`] with every window that is empty, too long, or has ids outside the vocabulary.
    pub fn check(&self, config: &ModelConfig) -> Result<(), Error> {
        let mut problems = Vec::new();
        if self.ids.is_empty() {
            let field = format!("{}: ids", self.source);
            problems.push(Problem::new(field, "no windows", "at least one window", "give windows of token ids"));
        }
        for (w, ids) in self.ids.iter().enumerate() {
            let field = format!("{}: ids[{w}]", self.source);
            // The last id is predicted only, so it needs no position.
            let most = config.max_position_embeddings.saturating_add(1);
            if !(2..=most).contains(&ids.len()) {
                let allowed = format!("2..={most} (max_position_embeddings + 1)");
                problems.push(Problem::new(field, format!("{} ids", ids.len()), allowed, "cut windows to that length"));
            } else if let Some(i) = ids.iter().position(|&id| id as usize >= config.vocab_size) {
                let allowed = format!("0..={} (vocab_size of config.json)", config.vocab_size - 1);
                let cure = "use windows made with this model's tokenizer";
                problems.push(Problem::new(format!("{field}[{i}]"), ids[i], allowed, cure));
            }
        }
        no_problems(problems)
    }
}

/// Perplexity of the FP32 model over all predicted tokens of all windows.
///
/// # Errors
/// [`Error::Input`] if the model cannot take the windows, or its logits overflow.
pub fn perplexity(model: &Model, windows: &Windows) -> Result<Perplexity, Error> {
    windows.check(&model.config)?;
    let llama = Llama::new(model)?;
    let sums: Vec<f64> = windows.ids.par_iter().map(|ids| window_nll(&llama, ids)).collect::<Result<_, _>>()?;
    let tokens = windows.ids.iter().map(|ids| ids.len() - 1).sum();
    let nll = sums.iter().fold(0.0, |total, s| total + s) / tokens as f64;
    if !nll.is_finite() {
        let cure = "the model overflows single precision: check its weights";
        return Err(Error::input(format!("{}: loss", windows.source), nll, "a finite number", cure));
    }
    Ok(Perplexity { ppl: libm::exp(nll), nll, tokens })
}

/// Negative log-likelihood of all predicted ids of a window, in nats.
fn window_nll(llama: &Llama, ids: &[u32]) -> Result<f64, Error> {
    let logits = llama.forward(&ids[..ids.len() - 1], &mut Cache::default())?;
    let mut total = 0.0;
    for (t, &id) in ids[1..].iter().enumerate() {
        total += nll(logits.row(t), id as usize);
    }
    Ok(total)
}

/// `-log softmax(logits)[target]`, in double precision.
pub(super) fn nll(logits: &[f32], target: usize) -> f64 {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let mut sum = 0.0;
    for &x in logits {
        sum += libm::exp(f64::from(x) - top);
    }
    libm::log(sum) + top - f64::from(logits[target])
}
