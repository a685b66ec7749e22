//! What quantization does to a model: loss, agreement of the most likely token, and the error of each linear layer.

mod channels;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use spec::model::QModel;
use spec::{Dyadic, Tensor};

pub use self::channels::LayerError;
use self::channels::{Channels, Outputs, Turns};
use super::code::value;
use super::eval::{Perplexity, Windows};
use super::forward::{Cache, Llama};
use crate::error::Error;
use crate::layers::{Attention, KvCache, Layers, WideRow};
use crate::load::model::Model;
use crate::op::input::InputRow;
use crate::sample::greedy;

/// A model in integers over windows of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Of the model in integers.
    pub integer: Perplexity,
    /// Mean entropy of its predictions, in nats.
    pub entropy: f64,
    /// Keys and values that were larger than their code can be.
    pub saturated: Saturated,
    /// Codes of the inputs of each linear layer, in the order in which they run.
    pub inputs: Vec<Clipped>,
    /// Beside the model in floating point, if there is one.
    pub against: Option<Against>,
}

/// What the edge of a format did to the inputs of a linear layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clipped {
    /// Codes that the edge clipped; see [`InputRow::clipped`].
    pub count: u64,
    /// All codes.
    pub all: u64,
}

/// What caches have seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saturated {
    /// Of each block: keys and values that were too large.
    pub blocks: Vec<[u64; 2]>,
    /// All keys and values of all blocks.
    pub all: u64,
}

impl Saturated {
    /// Keys and values that were too large.
    pub fn count(&self) -> u64 {
        self.blocks.iter().flatten().sum()
    }
}

/// A model in integers beside the same in floating point.
#[derive(Clone, Debug, PartialEq)]
pub struct Against {
    /// Of the model in floating point.
    pub float: Perplexity,
    /// Mean entropy of its predictions, in nats.
    pub entropy: f64,
    /// Share of positions where both think the same token the most likely, 0..=1.
    pub top1: f64,
    /// Mean Kullback-Leibler divergence of the integers' predictions from the floats', in nats.
    pub kl: f64,
    /// Every linear layer, in the order in which they run.
    pub layers: Vec<LayerError>,
}

/// Measures a model in integers over windows, beside the checkpoint it was made from if that is given.
///
/// Where quantization moves factors between layers (queries against keys, values against outputs, up against down), a
/// channel's outputs are a multiple of the checkpoint's: there each channel is compared with the multiple that fits best.
/// Where its recipe folds rotations into weights, its outputs are turned back before.
///
/// # Errors
/// [`Error::Input`] if a model cannot take the windows, the two differ in shape, or the float's logits overflow.
pub fn measure(q: &QModel, float: Option<&Model>, windows: &Windows) -> Result<Measured, Error> {
    measure_showing(q, float, windows, &|_| {})
}

/// As [`measure`]; `done` is told how many windows are done.
///
/// # Errors
/// As [`measure`].
pub fn measure_showing(
    q: &QModel,
    float: Option<&Model>,
    windows: &Windows,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Measured, Error> {
    let layers = Layers::new(q)?;
    windows.check(layers.config())?;
    let llama = float.map(Llama::new).transpose()?;
    if let Some(model) = float.filter(|m| m.config.linears() != layers.config().linears()) {
        let cure = "give the checkpoint that it was made from";
        return Err(Error::input("reference", &model.source, "a model of the same shape", cure));
    }
    let turns = Turns::of(q, layers.config());
    let finished = AtomicUsize::new(0);
    let window = |ids: &Vec<u32>| {
        let sums = Sums::of(&layers, llama.as_ref(), turns, ids);
        done(1 + finished.fetch_add(1, Ordering::Relaxed));
        sums
    };
    let parts: Vec<Sums> = windows.ids.par_iter().map(window).collect::<Result<_, _>>()?;
    let mut sums = parts.into_iter();
    let mut all = sums.next().expect("checked windows are some");
    sums.for_each(|part| all.add(&part));
    let found = all.measured(llama.is_some(), layers.config().linears().into_iter().map(|(name, ..)| name));
    match &found.against {
        Some(against) if !against.float.nll.is_finite() => {
            let cure = "the model overflows single precision: check its weights";
            Err(Error::input(format!("{}: loss", windows.source), against.float.nll, "a finite number", cure))
        }
        _ => Ok(found),
    }
}

/// Sums over positions; windows are added in order.
#[derive(Clone, Debug, Default)]
struct Sums {
    tokens: usize,
    nll: f64,
    entropy: f64,
    saturated: Saturated,
    inputs: Vec<Clipped>,
    float_nll: f64,
    float_entropy: f64,
    same_top: usize,
    kl: f64,
    layers: Vec<Channels>,
}

/// Compares the layers of a pass in integers with outputs of the same layers.
struct Compare {
    outputs: std::vec::IntoIter<Tensor<f32>>,
    turns: Turns,
    layers: Vec<Channels>,
    inputs: Vec<Clipped>,
    saturated: Saturated,
}

impl crate::layers::Observe for Compare {
    fn linear(&mut self, layer: &str, inputs: &[InputRow], sums: &[WideRow]) {
        let count = inputs.iter().map(|row| row.clipped as u64).sum();
        self.inputs.push(Clipped { count, all: inputs.iter().map(|row| row.codes.len() as u64).sum() });
        if let Some(output) = self.outputs.next() {
            self.layers.push(Channels::of(&output, &self.turns.back(layer, sums)));
        }
    }

    fn attention(&mut self, _: usize, seen: &Attention) {
        self.saturated.blocks.push(seen.saturated);
        self.saturated.all += 2 * (seen.cache.keys().len() - seen.first * seen.cache.width()) as u64;
    }
}

impl Sums {
    fn of(layers: &Layers, llama: Option<&Llama>, turns: Turns, ids: &[u32]) -> Result<Self, Error> {
        let inputs = &ids[..ids.len() - 1];
        let mut outputs = Outputs(Vec::new());
        let float = match llama {
            None => None,
            Some(llama) => match llama.observe(inputs, &mut Cache::default(), &mut outputs)? {
                ControlFlow::Continue(logits) => Some(logits),
                ControlFlow::Break(()) => unreachable!("the observer never breaks"),
            },
        };
        let outputs = outputs.0.into_iter();
        let mut compare = Compare { outputs, turns, layers: vec![], inputs: vec![], saturated: Saturated::default() };
        let logits = layers.forward(inputs, &mut KvCache::default(), &mut compare)?;
        let Compare { layers, inputs, saturated, .. } = compare;
        let mut sums = Self { layers, inputs, saturated, ..Self::default() };
        for (t, &id) in ids[1..].iter().enumerate() {
            let row = logits.rows.row(t);
            let float = float.as_ref().map(|float| float.row(t));
            sums.position(row, logits.steps[t], float, id as usize);
        }
        Ok(sums)
    }

    fn position(&mut self, row: &[i64], step: Dyadic, float: Option<&[f32]>, target: usize) {
        let step = value(step);
        let q = log_softmax(row.iter().map(|&a| a as f64 * step).collect());
        self.tokens += 1;
        self.nll -= q[target];
        self.entropy += entropy(&q);
        let Some(float) = float else { return };
        let p = log_softmax(float.iter().map(|&x| f64::from(x)).collect());
        self.float_nll -= p[target];
        self.float_entropy += entropy(&p);
        self.same_top += usize::from(greedy(row) == first_largest(float));
        let mut kl = 0.0;
        for (p, q) in p.iter().zip(&q) {
            kl += libm::exp(*p) * (p - q);
        }
        self.kl += kl;
    }

    fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.nll += other.nll;
        self.entropy += other.entropy;
        for (to, from) in self.saturated.blocks.iter_mut().zip(&other.saturated.blocks) {
            (to[0], to[1]) = (to[0] + from[0], to[1] + from[1]);
        }
        self.saturated.all += other.saturated.all;
        for (to, from) in self.inputs.iter_mut().zip(&other.inputs) {
            (to.count, to.all) = (to.count + from.count, to.all + from.all);
        }
        self.float_nll += other.float_nll;
        self.float_entropy += other.float_entropy;
        self.same_top += other.same_top;
        self.kl += other.kl;
        self.layers.iter_mut().zip(&other.layers).for_each(|(to, from)| to.add(from));
    }

    fn measured(&self, has_float: bool, names: impl Iterator<Item = String>) -> Measured {
        let tokens = self.tokens as f64;
        let perplexity = |nll: f64| Perplexity { ppl: libm::exp(nll / tokens), nll: nll / tokens, tokens: self.tokens };
        let against = has_float.then(|| Against {
            float: perplexity(self.float_nll),
            entropy: self.float_entropy / tokens,
            top1: self.same_top as f64 / tokens,
            kl: self.kl / tokens,
            layers: self.layers.iter().zip(names).map(|(layer, name)| layer.measured(name)).collect(),
        });
        Measured {
            integer: perplexity(self.nll),
            entropy: self.entropy / tokens,
            saturated: self.saturated.clone(),
            inputs: self.inputs.clone(),
            against,
        }
    }
}

/// Natural logarithms of the softmax.
fn log_softmax(mut logits: Vec<f64>) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for &x in &logits {
        sum += libm::exp(x - top);
    }
    let shift = top + libm::log(sum);
    logits.iter_mut().for_each(|x| *x -= shift);
    logits
}

fn entropy(log_p: &[f64]) -> f64 {
    let mut sum = 0.0;
    for &l in log_p {
        sum -= libm::exp(l) * l;
    }
    sum
}

/// Place of the first of the largest.
fn first_largest(row: &[f32]) -> u32 {
    let mut best = 0;
    for (i, x) in row.iter().enumerate() {
        if *x > row[best] {
            best = i;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_and_entropy_of_known_distributions() {
        let mut sums = Sums::default();
        // Integers: 1/2, 1/4, 1/4 in steps of ln 2 (16 bits); floats: 1/3 each.
        let ln_2 = Dyadic { mult: 45_426, shift: 16 };
        sums.position(&[3, 2, 2], ln_2, Some(&[7.0, 7.0, 7.0]), 1);
        assert!((sums.nll - 4.0f64.ln()).abs() < 1e-4);
        assert!((sums.entropy - 1.5 * 2.0f64.ln()).abs() < 1e-4);
        assert!((sums.float_nll - 3.0f64.ln()).abs() < 1e-12);
        assert!((sums.float_entropy - 3.0f64.ln()).abs() < 1e-12);
        // 1/3 · (ln(2/3) + 2 · ln(4/3))
        let kl = ((2.0f64 / 3.0).ln() + 2.0 * (4.0f64 / 3.0).ln()) / 3.0;
        assert!((sums.kl - kl).abs() < 1e-4, "{} {kl}", sums.kl);
        assert_eq!(sums.same_top, 1);
        sums.position(&[1, 2, 2], ln_2, Some(&[7.0, 7.0, 7.0]), 1);
        assert_eq!((sums.same_top, sums.tokens), (1, 2));
    }
}
