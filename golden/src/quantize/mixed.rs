//! Mixed precision: each linear layer gets the weights it needs, the whole stays within a number of bytes.
//!
//! How much a layer matters is measured once: the divergence of the model's predictions when that layer alone is in 4
//! bits. What another choice for it would cost follows from its rounding error, weighted by `diag(X·Xᵀ)`. Choices are
//! then bought in the order of what a byte gains, so that a larger number of bytes never means a coarser layer.

use rayon::prelude::*;
use spec::{Format, ScaleRule, Scaling, Tensor};

use super::eval::Windows;
use super::fit::Fitted;
use super::grid::Grid;
use super::measure::measure;
use super::net::{Net, NetLinear};
use super::ptq::{PtqOptions, quantize_showing};
use super::scales::Scales;
use super::sim::{Sim, SimLinear};
use crate::error::Error;
use crate::load::model::Model;

/// What a layer can be, from the fewest bytes to the most; inputs are INT8 in all of them.
pub const CHOICES: [Grid; 4] = [
    Grid { format: Format::W4a8, scaling: Scaling::Channel },
    Grid { format: Format::W4a8, scaling: Scaling::Group32 },
    Grid { format: Format::W4a8, scaling: Scaling::Group16 },
    Grid { format: Format::W8a8, scaling: Scaling::Channel },
];

/// The choice in which sensitivity is measured.
const PROBE: usize = 1;

/// Multiplications that measuring sensitivity may cost: it bounds the tokens.
const BUDGET: u64 = 1 << 36;

/// Fewest tokens on which it is measured.
const FEWEST: u64 = 128;

/// What is to be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Bytes of all linear layers, at most.
    Bytes(u64),
    /// Perplexity on the calibration windows, at most.
    Ppl(f64),
}

/// Bytes of a linear layer `[n, k]`, as [`spec::model::QLayer::packed_bytes`] has them with symmetric activations: codes
/// (whole bytes a channel), scales of blocks, 2 for each channel's alignment.
pub fn layer_bytes(grid: Grid, n: usize, k: usize) -> u64 {
    let codes = (k * grid.format.weight().bits() as usize).div_ceil(8);
    (n * (codes + grid.scaling.blocks(k) + 2)) as u64
}

/// Bytes of all linear layers in the formats of the options.
pub fn bytes(model: &Model, options: &PtqOptions) -> u64 {
    let layers = model.config.linears();
    options.codings(model).iter().zip(layers).map(|(coding, (_, n, k))| layer_bytes(coding.grid, n, k)).sum()
}

/// How much each layer matters, and what to buy in which order.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// Output and input width of each layer.
    shapes: Vec<(usize, usize)>,
    /// Layer and its next choice, the best first.
    steps: Vec<(usize, usize)>,
}

impl Ladder {
    /// Measures a checkpoint on calibration windows; `done` is told how many of how many layers are.
    ///
    /// # Errors
    /// [`Error::Input`] if it is quantized already or cannot take the windows.
    pub fn new(model: &Model, calibration: &Windows, done: &mut dyn FnMut(usize, usize)) -> Result<Self, Error> {
        calibration.check(&model.config)?;
        let net = Net::new(model)?;
        let windows = probes(&net, calibration);
        let exact = Sim::exact(&net);
        let mut importance: Vec<Vec<f64>> = net.linears().map(|l| vec![0.0; l.weight.cols]).collect();
        let mut truth = Vec::new();
        for ids in windows.inputs() {
            let mut see = |layer: usize, x: &Tensor<f32>| add_squares(&mut importance[layer], x);
            truth.push(exact.logits_seeing(ids, &mut see));
        }
        let linears: Vec<&NetLinear> = net.linears().collect();
        let mut costs = Vec::new();
        for (layer, linear) in linears.iter().enumerate() {
            let errors: Vec<f64> =
                CHOICES.iter().map(|&grid| rounding_error(linear, grid, &importance[layer])).collect();
            let coarse = rounded(linear, CHOICES[PROBE], &importance[layer]);
            let damage = divergence(&net, layer, &coarse, &windows, &truth);
            let a_unit = if errors[PROBE] > 0.0 { damage / errors[PROBE] } else { 0.0 };
            costs.push(errors.iter().map(|e| e * a_unit).collect::<Vec<f64>>());
            done(layer + 1, linears.len());
        }
        let shapes: Vec<_> = linears.iter().map(|l| (l.weight.rows, l.weight.cols)).collect();
        let steps = steps(&shapes, &costs);
        Ok(Self { shapes, steps })
    }

    /// Number of steps from the fewest bytes to the most.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is nothing to choose.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The layers after so many steps.
    pub fn after(&self, steps: usize) -> Vec<Grid> {
        let mut chosen = vec![CHOICES[0]; self.shapes.len()];
        for &(layer, choice) in &self.steps[..steps] {
            chosen[layer] = CHOICES[choice];
        }
        chosen
    }

    /// Bytes of layers.
    pub fn bytes(&self, layers: &[Grid]) -> u64 {
        layers.iter().zip(&self.shapes).map(|(&grid, &(n, k))| layer_bytes(grid, n, k)).sum()
    }

    /// The layers for a number of bytes: steps in order, those that no longer fit left out.
    ///
    /// # Errors
    /// [`Error::Input`] if even the smallest do not fit.
    pub fn within(&self, target: u64) -> Result<Vec<Grid>, Error> {
        let mut chosen = self.after(0);
        let least = self.bytes(&chosen);
        if least > target {
            let allowed = format!("at least {least}, all layers in 4 bits a channel");
            return Err(Error::input("target bytes", target, allowed, "give more bytes"));
        }
        let mut stuck = vec![false; chosen.len()];
        for &(layer, choice) in &self.steps {
            let old = std::mem::replace(&mut chosen[layer], CHOICES[choice]);
            if stuck[layer] || self.bytes(&chosen) > target {
                (chosen[layer], stuck[layer]) = (old, true);
            }
        }
        Ok(chosen)
    }
}

/// Options for a mixed model: those given, with a format for each layer that keeps the target.
///
/// A target of bytes is compared with `w4a8` where that fits too: the one with the lower perplexity on the calibration
/// windows is taken. A target of perplexity takes the fewest bytes that keep it, found by halving.
///
/// # Errors
/// As [`Ladder::new`] and [`Ladder::within`]; [`Error::Input`] if no choice keeps the perplexity.
pub fn choose(
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    ladder: &Ladder,
    target: Target,
) -> Result<PtqOptions, Error> {
    let with = |layers: Vec<Grid>| PtqOptions { layers, ..options.clone() };
    let ppl = |options: &PtqOptions| -> Result<f64, Error> {
        let q = quantize_showing(model, options, calibration, &mut |_, _| {})?;
        Ok(measure(&q, None, calibration)?.integer.ppl)
    };
    match target {
        Target::Bytes(target) => {
            let mixed = with(ladder.within(target)?);
            let even = PtqOptions::new(Format::W4a8);
            let even = with(even.codings(model).into_iter().map(|coding| coding.grid).collect());
            if bytes(model, &even) > target || ppl(&mixed)? <= ppl(&even)? { Ok(mixed) } else { Ok(even) }
        }
        Target::Ppl(target) => {
            let best = ppl(&with(ladder.after(ladder.len())))?;
            if best > target {
                let allowed = format!("at least {best:.4}, all layers in 8 bits");
                return Err(Error::input("target perplexity", target, allowed, "give a higher one"));
            }
            let (mut low, mut high) = (0, ladder.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                if ppl(&with(ladder.after(middle)))? <= target { high = middle } else { low = middle + 1 }
            }
            Ok(with(ladder.after(high)))
        }
    }
}

/// Windows of few enough tokens.
fn probes(net: &Net, calibration: &Windows) -> Windows {
    let parameters: usize = net.linears().map(|l| l.weight.data.len()).sum();
    let each = parameters as u64 * net.linears().count() as u64;
    let tokens = (BUDGET / each.max(1)).max(FEWEST) as usize;
    let mut windows = calibration.clone();
    let length = windows.ids.iter().map(Vec::len).max().unwrap_or(1);
    windows = windows.spread(tokens.div_ceil(length));
    windows.ids.iter_mut().for_each(|ids| ids.truncate(tokens + 1));
    windows
}

fn add_squares(sums: &mut [f64], x: &Tensor<f32>) {
    for row in x.data.chunks_exact(x.cols) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
}

fn rounded(linear: &NetLinear, grid: Grid, importance: &[f64]) -> Tensor<f32> {
    let how = match grid.format {
        Format::W8a8 => Scales::Widest(ScaleRule::RoundUpToGrid),
        _ => Scales::Search(importance),
    };
    Fitted::nearest(&linear.weight, grid, how).weights()
}

/// `Σ importance · (w - rounded w)²`.
fn rounding_error(linear: &NetLinear, grid: Grid, importance: &[f64]) -> f64 {
    let found = rounded(linear, grid, importance);
    let mut error = 0.0;
    for (w, q) in linear.weight.data.chunks_exact(found.cols).zip(found.data.chunks_exact(found.cols)) {
        for ((w, q), importance) in w.iter().zip(q).zip(importance) {
            let miss = f64::from(*w) - f64::from(*q);
            error += importance * miss * miss;
        }
    }
    error
}

/// Mean divergence of the predictions when one layer has other weights.
fn divergence<'n>(
    net: &'n Net,
    layer: usize,
    weight: &'n Tensor<f32>,
    windows: &Windows,
    truth: &[Tensor<f32>],
) -> f64 {
    let pick = |(i, l): (usize, &'n NetLinear)| SimLinear {
        weight: if i == layer { weight } else { &l.weight },
        rotation: l.rotation,
        act: None,
    };
    let sim = Sim::new(net, net.linears().enumerate().map(pick).collect(), None);
    let (mut sum, mut tokens) = (0.0, 0);
    for (ids, truth) in windows.inputs().zip(truth) {
        let found = sim.logits(ids);
        let rows: Vec<f64> = (0..truth.rows).into_par_iter().map(|t| kl(truth.row(t), found.row(t))).collect();
        for row in rows {
            sum += row;
        }
        tokens += truth.rows;
    }
    sum / tokens as f64
}

/// `Σ p·ln(p / q)` of two rows of logits, in nats.
fn kl(p: &[f32], q: &[f32]) -> f64 {
    let log_sum = |x: &[f32]| {
        let top = f64::from(x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let mut sum = 0.0;
        for &x in x {
            sum += libm::exp(f64::from(x) - top);
        }
        top + libm::log(sum)
    };
    let (of_p, of_q) = (log_sum(p), log_sum(q));
    let mut sum = 0.0;
    for (&p, &q) in p.iter().zip(q) {
        let (p, q) = (f64::from(p) - of_p, f64::from(q) - of_q);
        sum += libm::exp(p) * (p - q);
    }
    sum.max(0.0)
}

/// Steps of all layers by what a byte gains, the most first; a layer's own steps in order, those that gain less than a
/// later one joined to it.
fn steps(shapes: &[(usize, usize)], costs: &[Vec<f64>]) -> Vec<(usize, usize)> {
    let mut all: Vec<(f64, usize, usize)> = Vec::new();
    for (layer, (&(n, k), cost)) in shapes.iter().zip(costs).enumerate() {
        let size = |choice: usize| layer_bytes(CHOICES[choice], n, k) as f64;
        let mut at = 0;
        while at + 1 < CHOICES.len() {
            let gain = |to: usize| (cost[at] - cost[to]) / (size(to) - size(at)).max(1.0);
            let best = (at + 1..CHOICES.len()).fold(at + 1, |best, to| if gain(to) > gain(best) { to } else { best });
            all.push((gain(best), layer, best));
            at = best;
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    all.into_iter().map(|(_, layer, choice)| (layer, choice)).collect()
}
