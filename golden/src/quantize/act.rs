//! What quantisation does to the inputs of linear layers, in floating point: the values that the codes stand for.
//!
//! The rules are those of golden's input quantisers; here they serve the search for recipes, which needs no exact ties.

use rayon::prelude::*;
use spec::qmodel::ActMode;
use spec::{Format, Operand, ScaleRule, Scaling, Tensor};

use super::code::{encode, integer, round_half_up, top};
use super::grid::{Grid, e4m3};
use super::scales::mx_exponent;

/// How a linear layer is coded: its weights and its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Codes and scales of the weights.
    pub grid: Grid,
    /// Its input symmetric, or with a zero point.
    pub mode: ActMode,
    /// How MX blocks of its input choose their scale.
    pub rule: ScaleRule,
}

impl Coding {
    /// What happens to its input.
    pub fn act(&self) -> Act {
        let blocks = if self.grid.format.acts_have_blocks() { self.grid.scaling } else { Scaling::Channel };
        Act { operand: self.grid.format.act(), blocks, mode: self.mode, rule: self.rule }
    }
}

/// How the input of a linear layer is coded; layers with equal ones share an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    operand: Operand,
    blocks: Scaling,
    mode: ActMode,
    rule: ScaleRule,
}

impl Act {
    /// Replaces every row (token) by what its codes stand for.
    pub fn apply(&self, x: &mut Tensor<f32>) {
        x.data.par_chunks_exact_mut(x.cols).for_each(|row| self.row(row));
    }

    fn row(&self, row: &mut [f32]) {
        let widest = amax(row);
        if widest == 0.0 {
            return;
        }
        let top = f64::from(top(self.operand));
        match self.blocks {
            Scaling::Group32 | Scaling::Group16 => {
                for block in row.chunks_mut(self.block()) {
                    let scale = round_half_up(255.0 * amax(block) / widest).max(1.0);
                    self.codes(block, scale * widest / (255.0 * top));
                }
            }
            Scaling::Mx32 => {
                for block in row.chunks_mut(self.block()) {
                    let widest = amax(block);
                    if widest > 0.0 {
                        self.codes(block, libm::ldexp(1.0, mx_exponent(widest, self.rule) - 1));
                    }
                }
            }
            Scaling::Nv16 => {
                let grid = Grid { format: Format::Nvfp4, scaling: Scaling::Nv16 };
                for block in row.chunks_mut(self.block()) {
                    let scale = e4m3(grid.scale_for(grid.largest_unit() * amax(block) / widest));
                    self.codes(block, scale * widest / (grid.largest_unit() * top));
                }
            }
            Scaling::Channel if self.mode == ActMode::Asymmetric => asymmetric(row),
            Scaling::Channel => self.codes(row, widest / top),
        }
    }

    fn block(&self) -> usize {
        self.blocks.block().unwrap_or(usize::MAX)
    }

    fn codes(&self, block: &mut [f32], step: f64) {
        let operand = self.operand;
        for x in block {
            *x = (f64::from(integer(operand, encode(operand, f64::from(*x) / step))) * step) as f32;
        }
    }
}

fn asymmetric(row: &mut [f32]) {
    let low = f64::from(row.iter().copied().fold(0.0, f32::min));
    let high = f64::from(row.iter().copied().fold(0.0, f32::max));
    let step = (high - low) / 255.0;
    let zero = round_half_up(-low / step);
    for x in row {
        let code = (round_half_up(f64::from(*x) / step) + zero).clamp(0.0, 255.0);
        *x = ((code - zero) * step) as f32;
    }
}

fn amax(row: &[f32]) -> f64 {
    f64::from(row.iter().fold(0.0f32, |top, x| top.max(x.abs())))
}
