//! One layer of a net to codes and scales: the steps of channels, then the scales of blocks, then the codes.
//!
//! Each choice is made with the rounded outcome of the one before it: scales are chosen over the step that the hardware
//! sees, `weight_step · align / 2^15`, and codes are computed with the rounded scales.

use rayon::prelude::*;
use spec::model::QLayer;
use spec::qmodel::{ActMode, QLinear, Requant};
use spec::{Dyadic, Operand, RequantMode, Scaling, Tensor};

use super::code::{dyadic, round_half_up, value};
use super::gptq::Rounder;
use super::grid::Grid;
use super::net::NetLinear;
use super::scales::{Scales, channel_step, row_scales, wanted_units};

/// Alignment factor of the channel with the largest step.
const ALIGN_ONE: f64 = (1u32 << 15) as f64;

/// Steps, scales and codes of a layer; what remains is to write them down.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Codes and scales mean what this says.
    pub grid: Grid,
    /// Step of the channel with the largest.
    pub weight_step: Dyadic,
    /// Factor of each channel `[n]`.
    pub align: Vec<u16>,
    /// Scale of each block `[n, blocks]`; no columns where there is one step a channel.
    pub scales: Tensor<u8>,
    /// Codes `[n, k]`.
    pub codes: Tensor<i8>,
}

/// Codes of a row from its weights and the units of its blocks.
type Round<'a> = dyn Fn(&[f32], &[f64]) -> Vec<i8> + Sync + 'a;

impl Fitted {
    /// Rounds every weight to the nearest code.
    pub fn nearest(weight: &Tensor<f32>, grid: Grid, how: Scales) -> Self {
        let block = grid.block(weight.cols);
        let stretch = |_: usize| 1.0;
        Self::rounded(weight, grid, how, &stretch, &|row, units| {
            let code = |(k, &w): (usize, &f32)| {
                let unit = units[k / block];
                if unit == 0.0 { 0 } else { grid.encode(f64::from(w) / unit) }
            };
            row.iter().enumerate().map(code).collect()
        })
    }

    /// Rounds weights so that outputs change least; of the stretches of its scales each channel takes the best.
    pub fn by_outputs(weight: &Tensor<f32>, how: Scales, rounder: &Rounder, grid: Grid, stretches: &[f64]) -> Self {
        let best = |n: usize| {
            let row = weight.row(n);
            let wanted = wanted_units(grid, row, how);
            let mut best = (f64::INFINITY, 1.0);
            for &stretch in stretches.iter().filter(|_| stretches.len() > 1) {
                let step = channel_step(grid, &wanted, stretch);
                let scales = row_scales(grid, row, &wanted, step, how, stretch);
                let error = rounder.cost(row, &block_units(grid, step, &scales));
                if error < best.0 {
                    best = (error, stretch);
                }
            }
            best.1
        };
        let chosen: Vec<f64> = (0..weight.rows).into_par_iter().map(best).collect();
        Self::rounded(weight, grid, how, &|n| chosen[n], &|row, units| rounder.row(row, units).0)
    }

    fn rounded(
        weight: &Tensor<f32>,
        grid: Grid,
        how: Scales,
        stretch: &(dyn Fn(usize) -> f64 + Sync),
        round: &Round,
    ) -> Self {
        let all = || (0..weight.rows).into_par_iter();
        let wanted: Vec<Vec<f64>> = all().map(|n| wanted_units(grid, weight.row(n), how)).collect();
        let steps: Vec<f64> = all().map(|n| channel_step(grid, &wanted[n], stretch(n))).collect();
        let weight_step = dyadic(steps.iter().copied().fold(0.0, f64::max));
        let align_of = |&step: &f64| round_half_up(step / value(weight_step) * ALIGN_ONE).min(ALIGN_ONE) as u16;
        let align: Vec<u16> = steps.iter().map(align_of).collect();
        let row = |n: usize| {
            let step = channel_value(weight_step, align[n]);
            let scales = row_scales(grid, weight.row(n), &wanted[n], step, how, stretch(n));
            let codes = round(weight.row(n), &block_units(grid, step, &scales));
            (scales, codes)
        };
        let rows: Vec<(Vec<u8>, Vec<i8>)> = all().map(row).collect();
        let (scales, codes): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let scales = Tensor::new(weight.rows, grid.scaling.blocks(weight.cols), scales.concat());
        Self { grid, weight_step, align, scales, codes: Tensor::new(weight.rows, weight.cols, codes.concat()) }
    }

    /// The real value of one integer of a code in each block of channel `n`.
    pub fn units(&self, n: usize) -> Vec<f64> {
        block_units(self.grid, channel_value(self.weight_step, self.align[n]), self.scales.row(n))
    }

    /// The weights that the codes stand for `[n, k]`.
    pub fn weights(&self) -> Tensor<f32> {
        let (n, k) = (self.codes.rows, self.codes.cols);
        let block = self.grid.block(k);
        let row = |n: usize| {
            let units = self.units(n);
            let real = move |(k, &c): (usize, &i8)| (f64::from(self.grid.integer(c)) * units[k / block]) as f32;
            self.codes.row(n).iter().enumerate().map(real)
        };
        Tensor::new(n, k, (0..n).into_par_iter().flat_map_iter(row).collect())
    }

    /// The layer of a model in integers.
    pub fn layer(self, linear: &NetLinear, acts: ActMode) -> QLayer {
        let grid = self.grid;
        let counts_scales = matches!(grid.scaling, Scaling::Group32 | Scaling::Group16);
        let block = grid.block(self.codes.cols);
        let sum = |n: usize| {
            let term = |(k, &c): (usize, &i8)| {
                let factor = if counts_scales { i32::from(*self.scales.at(n, k / block)) } else { 1 };
                grid.integer(c) * factor
            };
            self.codes.row(n).iter().enumerate().map(term).sum()
        };
        let sum = (0..self.codes.rows).map(sum).collect();
        let shift = i32::from(self.weight_step.shift) + grid.scaling.guard_bits();
        let step = Dyadic { shift: shift.clamp(-128, 127) as i16, ..self.weight_step };
        QLayer {
            linear: QLinear {
                name: linear.name.clone(),
                format: grid.format,
                weight: self.codes,
                align: self.align,
                sum,
                requant: Requant { mode: RequantMode::Dynamic, step },
            },
            weight_step: self.weight_step,
            scaling: grid.scaling,
            scales: self.scales,
            acts,
            rotation: linear.rotation,
        }
    }
}

/// The real values of one integer in the blocks of a channel of that step; one where the channel is one block.
fn block_units(grid: Grid, step: f64, scales: &[u8]) -> Vec<f64> {
    match grid.scaling {
        Scaling::Channel => vec![step],
        _ => scales.iter().map(|&s| grid.unit(s) * step).collect(),
    }
}

/// The step of a channel as the hardware sees it.
fn channel_value(weight_step: Dyadic, align: u16) -> f64 {
    value(weight_step) * f64::from(align) / ALIGN_ONE
}

/// Whether a format's inputs can have a zero point.
pub fn can_be_asymmetric(grid: Grid) -> bool {
    grid.format.act() == Operand::Int8 && grid.scaling != Scaling::Mx32
}
