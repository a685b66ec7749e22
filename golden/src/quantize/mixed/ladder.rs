//! How much each layer matters, and what to buy for it in which order.

use rayon::prelude::*;
use spec::{Format, ScaleRule, Scaling, Tensor};

use super::layer_bytes;
use crate::error::Error;
use crate::load::model::Model;
use crate::quantize::eval::Windows;
use crate::quantize::fit::Fitted;
use crate::quantize::grid::Grid;
use crate::quantize::net::{Net, NetLinear};
use crate::quantize::scales::Scales;
use crate::quantize::sim::{Sim, SimLinear};

const fn grid(format: Format, scaling: Scaling) -> Grid {
    Grid { format, scaling }
}

/// What a layer can be, from the fewest bytes to the most; of codes that take equal bytes it has those that round it best.
/// Inputs are INT8 in all of them.
pub const LEVELS: [&[Grid]; 4] = [
    &[grid(Format::W4a8, Scaling::Channel), grid(Format::Fp4a8, Scaling::Channel)],
    &[grid(Format::W4a8, Scaling::Group32)],
    &[grid(Format::W4a8, Scaling::Group16)],
    &[grid(Format::W8a8, Scaling::Channel)],
];

/// The level at which sensitivity is measured.
const PROBE: usize = 1;

/// Multiplications that measuring sensitivity may cost: it bounds the tokens.
const BUDGET: u64 = 1 << 36;

/// Fewest tokens on which it is measured.
const FEWEST: u64 = 128;

/// The levels of all layers, and the order in which they are bought.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// Output and input width of each layer.
    shapes: Vec<(usize, usize)>,
    /// What each layer has at each level.
    grids: Vec<[Grid; LEVELS.len()]>,
    /// Layer and its next level, the best first.
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
        let (mut grids, mut costs) = (Vec::new(), Vec::new());
        for (layer, linear) in linears.iter().enumerate() {
            let best: [(Grid, f64); LEVELS.len()] = LEVELS.map(|level| best(linear, level, &importance[layer]));
            let coarse = rounded(linear, best[PROBE].0, &importance[layer]);
            let damage = divergence(&net, layer, &coarse, &windows, &truth);
            let a_unit = if best[PROBE].1 > 0.0 { damage / best[PROBE].1 } else { 0.0 };
            grids.push(best.map(|(grid, _)| grid));
            costs.push(best.map(|(_, error)| error * a_unit));
            done(layer + 1, linears.len());
        }
        let shapes: Vec<_> = linears.iter().map(|l| (l.weight.rows, l.weight.cols)).collect();
        let steps = steps(&shapes, &costs);
        Ok(Self { shapes, grids, steps })
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
        let mut chosen: Vec<Grid> = self.grids.iter().map(|levels| levels[0]).collect();
        for &(layer, level) in &self.steps[..steps] {
            chosen[layer] = self.grids[layer][level];
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
        for &(layer, level) in &self.steps {
            let old = std::mem::replace(&mut chosen[layer], self.grids[layer][level]);
            if stuck[layer] || self.bytes(&chosen) > target {
                (chosen[layer], stuck[layer]) = (old, true);
            }
        }
        Ok(chosen)
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

/// Of a level, what rounds a layer best; and its error.
fn best(linear: &NetLinear, level: &[Grid], importance: &[f64]) -> (Grid, f64) {
    let mut found = (level[0], f64::INFINITY);
    for &grid in level {
        let error = rounding_error(linear, grid, importance);
        if error < found.1 {
            found = (grid, error);
        }
    }
    found
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
fn steps(shapes: &[(usize, usize)], costs: &[[f64; LEVELS.len()]]) -> Vec<(usize, usize)> {
    let mut all: Vec<(f64, usize, usize)> = Vec::new();
    for (layer, (&(n, k), cost)) in shapes.iter().zip(costs).enumerate() {
        let size = |level: usize| layer_bytes(LEVELS[level][0], n, k) as f64;
        let mut at = 0;
        while at + 1 < LEVELS.len() {
            let gain = |to: usize| (cost[at] - cost[to]) / (size(to) - size(at)).max(1.0);
            let best = (at + 1..LEVELS.len()).fold(at + 1, |best, to| if gain(to) > gain(best) { to } else { best });
            all.push((gain(best), layer, best));
            at = best;
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    all.into_iter().map(|(_, layer, level)| (layer, level)).collect()
}
