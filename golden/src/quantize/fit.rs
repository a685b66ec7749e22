//! One layer of a net to codes and scales: the steps of channels, then the scales of blocks, then the codes.
//!
//! Each choice is made with the rounded outcome of the one before it: scales are chosen over the step that the hardware
//! sees, `weight_step · align / 2^15`, and codes are computed with the rounded scales.

use rayon::prelude::*;
use spec::model::QLayer;
use spec::qmodel::{ActMode, QLinear, Requant};
use spec::{Dyadic, Operand, RequantMode, ScaleRule, Scaling, Tensor};

use super::code::{dyadic, round_half_up, value};
use super::grid::{Grid, floor_log2};
use super::net::NetLinear;

/// Alignment factor of the channel with the largest step.
const ALIGN_ONE: f64 = (1u32 << 15) as f64;

/// How scales are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scales {
    /// From the largest magnitude of each block; MX by a rule.
    Widest(ScaleRule),
}

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

impl Fitted {
    /// Rounds every weight to the nearest code.
    pub fn nearest(weight: &Tensor<f32>, grid: Grid, how: Scales) -> Self {
        let mut fitted = Self::scaled(weight, grid, how);
        let block = grid.block(weight.cols);
        let row = |n: usize| {
            let units = fitted.units(n);
            let code = move |(k, &w): (usize, &f32)| {
                let unit = units[k / block];
                if unit == 0.0 { 0 } else { grid.encode(f64::from(w) / unit) }
            };
            weight.row(n).iter().enumerate().map(code)
        };
        let codes = (0..weight.rows).into_par_iter().flat_map_iter(row).collect();
        fitted.codes = Tensor::new(weight.rows, weight.cols, codes);
        fitted
    }

    /// Steps and scales alone; codes are empty.
    pub fn scaled(weight: &Tensor<f32>, grid: Grid, how: Scales) -> Self {
        let rows = |f: &(dyn Fn(usize) -> f64 + Sync)| (0..weight.rows).into_par_iter().map(f).collect::<Vec<_>>();
        let steps = rows(&|n| channel_step(grid, weight.row(n), how));
        let weight_step = dyadic(steps.iter().copied().fold(0.0, f64::max));
        let align_of = |&step: &f64| round_half_up(step / value(weight_step) * ALIGN_ONE).min(ALIGN_ONE) as u16;
        let align: Vec<u16> = steps.iter().map(align_of).collect();
        let row = |n: usize| row_scales(grid, weight.row(n), channel_value(weight_step, align[n]), how);
        let scales = (0..weight.rows).into_par_iter().flat_map_iter(row).collect();
        let scales = Tensor::new(weight.rows, grid.scaling.blocks(weight.cols), scales);
        Self { grid, weight_step, align, scales, codes: Tensor::new(0, weight.cols, Vec::new()) }
    }

    /// The real value of one integer of a code in each block of channel `n`.
    pub fn units(&self, n: usize) -> Vec<f64> {
        let step = channel_value(self.weight_step, self.align[n]);
        match self.grid.scaling {
            Scaling::Channel => vec![step],
            _ => self.scales.row(n).iter().map(|&s| self.grid.unit(s) * step).collect(),
        }
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

/// The step of a channel as the hardware sees it.
fn channel_value(weight_step: Dyadic, align: u16) -> f64 {
    value(weight_step) * f64::from(align) / ALIGN_ONE
}

/// The step that a channel should have: its largest block then has the largest scale there is.
fn channel_step(grid: Grid, row: &[f32], how: Scales) -> f64 {
    let unit = |block: &[f32]| block_unit(grid, block, how);
    row.chunks(grid.block(row.len())).map(unit).fold(0.0, f64::max) / grid.largest_unit()
}

/// The scales of the blocks of a channel of that step; none where the channel is one block.
fn row_scales(grid: Grid, row: &[f32], step: f64, how: Scales) -> Vec<u8> {
    if grid.scaling == Scaling::Channel {
        return Vec::new();
    }
    let scale = |block: &[f32]| {
        let unit = block_unit(grid, block, how);
        if unit == 0.0 || step == 0.0 { 0 } else { grid.scale_for(unit / step) }
    };
    row.chunks(grid.block(row.len())).map(scale).collect()
}

/// The unit of a block by itself, not rounded; MX: a power of two, up to rounding.
fn block_unit(grid: Grid, block: &[f32], how: Scales) -> f64 {
    let Scales::Widest(rule) = how;
    let widest = f64::from(block.iter().fold(0.0f32, |top, w| top.max(w.abs())));
    if widest == 0.0 {
        return 0.0;
    }
    match grid.scaling {
        Scaling::Mx32 => libm::ldexp(1.0, mx_exponent(widest, rule) - grid.format.weight().int_frac_bits() as i32),
        _ => widest / grid.top(),
    }
}

/// The exponent of the scale of an MX block with that largest magnitude, above 0.
pub fn mx_exponent(widest: f64, rule: ScaleRule) -> i32 {
    let floor = floor_log2(widest) - 2;
    let limit = match rule {
        ScaleRule::Floor => return floor,
        ScaleRule::NoClip => 6.0,
        ScaleRule::RoundUpToGrid => 7.0,
    };
    if widest > libm::ldexp(limit, floor) { floor + 1 } else { floor }
}

/// Whether a format's inputs can have a zero point.
pub fn can_be_asymmetric(grid: Grid) -> bool {
    grid.format.act() == Operand::Int8 && grid.scaling != Scaling::Mx32
}
