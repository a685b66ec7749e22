//! Outputs of linear layers in integers beside the checkpoint's, channel by channel.

use std::ops::ControlFlow;

use spec::model::QModel;
use spec::{Scaling, Tensor};

use crate::layers::WideRow;
use crate::load::config::ModelConfig;
use crate::quantize::code::value;
use crate::quantize::forward::Observe;
use crate::quantize::ptq::longest_rotation;
use crate::quantize::recipe::Technique;
use crate::quantize::rotate::length;
use crate::quantize::sim::hadamard;

/// The error of a linear layer's outputs over all windows.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerError {
    /// Name.
    pub name: String,
    /// Signal over error of the aligned outputs against the floating-point model's, in decibels.
    pub sqnr_db: f64,
    /// The channel with the least.
    pub worst: usize,
    /// Its signal over error, in decibels.
    pub worst_db: f64,
}

/// Sums over the outputs x of a layer in floating point and y in integers, for each channel.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    xx: Vec<f64>,
    xy: Vec<f64>,
    yy: Vec<f64>,
    /// Of `(x - y)^2`.
    error: Vec<f64>,
}

impl Channels {
    pub fn of(x: &Tensor<f32>, y: &Tensor<f32>) -> Self {
        let zeros = || vec![0.0; x.cols];
        let mut sums = Self { xx: zeros(), xy: zeros(), yy: zeros(), error: zeros() };
        for (x, y) in x.data.chunks_exact(x.cols).zip(y.data.chunks_exact(x.cols)) {
            for (c, (&x, &y)) in x.iter().zip(y).enumerate() {
                let (x, y) = (f64::from(x), f64::from(y));
                sums.xx[c] += x * x;
                sums.xy[c] += x * y;
                sums.yy[c] += y * y;
                sums.error[c] += (x - y) * (x - y);
            }
        }
        sums
    }

    pub fn add(&mut self, other: &Self) {
        let add = |to: &mut [f64], from: &[f64]| to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
        add(&mut self.xx, &other.xx);
        add(&mut self.xy, &other.xy);
        add(&mut self.yy, &other.yy);
        add(&mut self.error, &other.error);
    }

    pub fn measured(&self, name: String) -> LayerError {
        let moves = ["q_proj", "k_proj", "v_proj", "up_proj"].iter().any(|part| name.ends_with(part));
        let error = |c: usize| {
            // The least of |x - f·y|^2 over all factors f.
            let least = self.xx[c] - if self.yy[c] > 0.0 { self.xy[c] * self.xy[c] / self.yy[c] } else { 0.0 };
            if moves { least.max(0.0) } else { self.error[c] }
        };
        let (mut signal, mut noise, mut worst, mut worst_db) = (0.0, 0.0, 0, f64::INFINITY);
        for c in 0..self.xx.len() {
            let error = error(c);
            signal += self.xx[c];
            noise += error;
            let db = decibels(self.xx[c], error);
            if db < worst_db {
                (worst, worst_db) = (c, db);
            }
        }
        LayerError { name, sqnr_db: decibels(signal, noise), worst, worst_db }
    }
}

/// Decibels, held within ±200: a layer of zeros without error has the most.
fn decibels(signal: f64, noise: f64) -> f64 {
    if noise <= signal * 1e-20 {
        return 200.0;
    }
    (10.0 * libm::log10(signal / noise)).max(-200.0)
}

/// Outputs of the linear layers in the order in which they run.
pub(super) struct Outputs(pub Vec<Tensor<f32>>);

impl Observe for Outputs {
    fn output(&mut self, _: &str, y: &Tensor<f32>) -> ControlFlow<()> {
        self.0.push(y.clone());
        ControlFlow::Continue(())
    }
}

/// Rotations that a recipe folds into weights: the outputs in front of them are the checkpoint's, rotated.
///
/// A Hadamard rotation is its own inverse. Values are rotated last, behind the factors of their channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    /// Outputs of `v`, in blocks of so many channels; 1 for none.
    values: usize,
    /// Outputs of `o` and `down`.
    residual: usize,
}

impl Turns {
    /// Those of a quantized model, by the name of its recipe.
    pub fn of(q: &QModel, config: &ModelConfig) -> Self {
        let has = |technique: Technique| q.options.recipe.split('+').any(|name| name == technique.name());
        // A mixed model is rotated as w4a8, whatever its layers are.
        let is_mx = q.options.format != "mixed" && q.linears().any(|l| l.scaling == Scaling::Mx32);
        let most = longest_rotation(if is_mx { Scaling::Mx32 } else { Scaling::Channel });
        Self {
            values: if has(Technique::Heads) { length(config.head_dim, usize::MAX) } else { 1 },
            residual: if has(Technique::Rotate) { length(config.hidden_size, most) } else { 1 },
        }
    }

    /// What the outputs of a layer in integers stand for `[tokens, n]`, in the checkpoint's channels.
    pub fn back(self, layer: &str, rows: &[WideRow]) -> Tensor<f32> {
        let real = |row: &WideRow| -> Vec<f32> {
            let step = value(row.step);
            row.values.iter().map(|&y| (y as f64 * step) as f32).collect()
        };
        let data: Vec<f32> = rows.iter().flat_map(real).collect();
        let mut x = Tensor::new(rows.len(), data.len() / rows.len().max(1), data);
        match layer.rsplit('.').next() {
            Some("v_proj") => hadamard(&mut x, self.values),
            Some("o_proj" | "down_proj") => hadamard(&mut x, self.residual),
            _ => {}
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use spec::Dyadic;

    use super::*;

    #[test]
    fn perfect_and_scaled_outputs_are_told_apart() {
        let x = Tensor::new(2, 3, vec![1.0, 2.0, 0.0, -4.0, 1.0, 0.0]);
        let one = Dyadic { mult: 1 << 15, shift: 16 };
        let row = |values: &[i64]| WideRow { values: values.to_vec(), step: one };
        // In halves: the second channel is 1.5 times what it should be.
        let y = Turns { values: 1, residual: 1 }.back("v_proj", &[row(&[2, 6, 0]), row(&[-8, 3, 0])]);
        let sums = Channels::of(&x, &y);
        let raw = sums.measured("model.layers.0.mlp.down_proj".into());
        // 22 over (1 + 0.25), and 5 over 1.25.
        assert!((raw.sqnr_db - 10.0 * (22.0f64 / 1.25).log10()).abs() < 1e-9, "{raw:?}");
        assert_eq!(raw.worst, 1);
        assert!((raw.worst_db - 10.0 * 4.0f64.log10()).abs() < 1e-9, "{raw:?}");
        let moved = sums.measured("model.layers.0.mlp.up_proj".into());
        assert_eq!((moved.sqnr_db, moved.worst_db), (200.0, 200.0));
        let mut doubled = sums.clone();
        doubled.add(&sums);
        assert_eq!(doubled.measured("lm_head".into()).sqnr_db, raw.sqnr_db);
    }

    #[test]
    fn rotated_outputs_are_turned_back() {
        let step = Dyadic { mult: 1 << 15, shift: 15 };
        // Two heads of two values; the rows are 1, 2 and 3, -5 times sqrt(2) · Hadamard.
        let rows = [WideRow { values: vec![3, -1, -2, 8], step }];
        let turns = Turns { values: 2, residual: 4 };
        let near = |found: Tensor<f32>, wanted: [f32; 4]| {
            assert!(found.data.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        };
        near(turns.back("model.layers.0.self_attn.v_proj", &rows), [1.0, 2.0, 3.0, -5.0].map(|x| x * 2f32.sqrt()));
        near(turns.back("model.layers.0.self_attn.o_proj", &rows), [4.0, -3.0, -2.0, 7.0]);
        near(turns.back("model.layers.0.self_attn.q_proj", &rows), [3.0, -1.0, -2.0, 8.0]);
    }
}
