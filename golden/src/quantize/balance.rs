//! The factors and the rotation with which a pair of layers loses least to rounding.
//!
//! Factors have the form `amax(x)^a / amax(w)^(1-a)`; each pair takes the strength `a` whose rounded product comes
//! closest to the exact one on calibration inputs, or none.
//!
//! **Source**: SmoothQuant, arXiv 2211.10438.

use rayon::prelude::*;
use spec::{Operand, ScaleRule, Tensor};

use super::act::Coding;
use super::fit::Fitted;
use super::matmul::linear;
use super::net::NetLinear;
use super::scales::Scales;
use super::sim::hadamard;

/// Strengths that are tried.
const STRENGTHS: [f64; 9] = [0.15, 0.25, 0.35, 0.45, 0.5, 0.55, 0.65, 0.75, 0.85];

/// Only an error this much lower than without factors is worth them: for 8-bit inputs, which rarely need them and whose
/// weights can only lose, and for 4-bit inputs.
const WORTH_FACTORS: [f64; 2] = [0.35, 0.98];

/// The same of a rotation at run time, for 8-bit and for 4-bit inputs.
const WORTH_ROTATION: [f64; 2] = [0.7, 0.98];

/// Smallest part of a pair's largest factor.
const SPREAD: f64 = 1.0 / 4096.0;

/// Layers that read one input, and that input.
pub struct Balance<'a> {
    x: &'a Tensor<f32>,
    layers: &'a [(&'a NetLinear, Coding)],
    /// Which factor an input has.
    source: &'a (dyn Fn(usize) -> usize + Sync),
    /// Length of the rotation that is folded into the weights behind the factors; 1 for none.
    folded: usize,
}

/// What a pair takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Balanced {
    /// Factors of the inputs' sources; `None` for all 1.
    pub factors: Option<Vec<f64>>,
    /// Length of the rotation at run time; 1 for none.
    pub rotation: usize,
}

impl<'a> Balance<'a> {
    /// Layers whose inputs have the factors that `source` names, and behind them a rotation of that length, folded into
    /// the weights; 1 for none.
    pub fn new(
        x: &'a Tensor<f32>,
        layers: &'a [(&'a NetLinear, Coding)],
        source: &'a (dyn Fn(usize) -> usize + Sync),
        folded: usize,
    ) -> Self {
        Self { x, layers, source, folded }
    }

    /// Of factors of every strength (where `smooth`), with and without a rotation, what loses least.
    ///
    /// Errors count for more where something had to be done for them: factors and rotations must be worth it.
    pub fn best(&self, smooth: bool, rotation: usize) -> Balanced {
        let narrow = usize::from(self.layers.iter().any(|(_, c)| c.grid.format.act() != Operand::Int8));
        let (for_factors, for_rotation) = (WORTH_FACTORS[narrow], WORTH_ROTATION[narrow]);
        let exact: Vec<Tensor<f32>> = self.layers.iter().map(|(l, _)| linear(self.x, &l.weight.data)).collect();
        let strengths: &[f64] = if smooth { &STRENGTHS } else { &[] };
        let factors: Vec<Option<Vec<f64>>> =
            [None].into_iter().chain(strengths.iter().map(|&a| Some(self.factors(a)))).collect();
        let mut best = (f64::INFINITY, Balanced { factors: None, rotation: 1 });
        for length in if rotation > 1 { vec![1, rotation] } else { vec![1] } {
            for factors in &factors {
                let mut cost = 0.0;
                for ((layer, coding), exact) in self.layers.iter().zip(&exact) {
                    cost += self.error(layer, *coding, exact, factors.as_deref(), length);
                }
                cost /= if factors.is_some() { for_factors } else { 1.0 } * if length > 1 { for_rotation } else { 1.0 };
                if cost < best.0 {
                    best = (cost, Balanced { factors: factors.clone(), rotation: length });
                }
            }
        }
        best.1
    }

    /// `amax(x)^a / amax(w)^(1-a)` of each source, their geometric mean 1.
    fn factors(&self, a: f64) -> Vec<f64> {
        let count = (0..self.x.cols).map(self.source).max().map_or(0, |c| c + 1);
        let (mut of_x, mut of_w) = (vec![0.0f64; count], vec![0.0f64; count]);
        let widen = |top: &mut Vec<f64>, rows: &Tensor<f32>| {
            for row in rows.data.chunks_exact(rows.cols) {
                for (c, v) in row.iter().enumerate() {
                    let place = (self.source)(c);
                    top[place] = top[place].max(f64::from(v.abs()));
                }
            }
        };
        widen(&mut of_x, self.x);
        self.layers.iter().for_each(|(l, _)| widen(&mut of_w, &l.weight));
        let floor = |v: &[f64]| v.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE) * 1e-3;
        let (least_x, least_w) = (floor(&of_x), floor(&of_w));
        let log = |(x, w): (&f64, &f64)| a * libm::log(x.max(least_x)) - (1.0 - a) * libm::log(w.max(least_w));
        let logs: Vec<f64> = of_x.iter().zip(&of_w).map(log).collect();
        let mut sum = 0.0;
        for l in &logs {
            sum += l;
        }
        let mean = sum / count as f64;
        let half = -libm::log(SPREAD) / 2.0;
        logs.iter().map(|l| libm::exp((l - mean).clamp(-half, half))).collect()
    }

    /// The squared error of a layer's rounded product over the square of the exact one.
    fn error(
        &self,
        layer: &NetLinear,
        coding: Coding,
        exact: &Tensor<f32>,
        factors: Option<&[f64]>,
        rotation: usize,
    ) -> f64 {
        let (mut x, mut weight) = (self.x.clone(), layer.weight.clone());
        if let Some(factors) = factors {
            let inverse: Vec<f64> = factors.iter().map(|s| 1.0 / s).collect();
            scale_inputs(&mut x, &inverse, self.source);
            scale_inputs(&mut weight, factors, self.source);
        }
        for length in [self.folded, rotation] {
            hadamard(&mut x, length);
            hadamard(&mut weight, length);
        }
        coding.act().apply(&mut x);
        let rounded = Fitted::nearest(&weight, coding.grid, Scales::Widest(ScaleRule::RoundUpToGrid)).weights();
        let y = linear(&x, &rounded.data);
        let (mut miss, mut power) = (0.0, 0.0);
        for (a, b) in y.data.iter().zip(&exact.data) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            miss += (a - b) * (a - b);
            power += b * b;
        }
        if power > 0.0 { miss / power } else { miss }
    }
}

/// Multiplies every input's weights (or the inputs themselves) by the factor of its source.
pub fn scale_inputs(rows: &mut Tensor<f32>, factors: &[f64], source: &(dyn Fn(usize) -> usize + Sync)) {
    let k = rows.cols;
    rows.data.par_chunks_exact_mut(k).for_each(|row| {
        for (c, w) in row.iter_mut().enumerate() {
            *w = (f64::from(*w) * factors[source(c)]) as f32;
        }
    });
}
