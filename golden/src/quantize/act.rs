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

#[cfg(test)]
mod tests {
    use spec::Dyadic;

    use super::super::code::value;
    use super::*;
    use crate::op::input::{self, InputRow};

    /// The values that a coded row stands for, by the words of its type.
    fn real(row: &InputRow, coding: &Coding) -> Vec<f64> {
        let act = coding.grid.format.act();
        let block = coding.grid.scaling.block().filter(|_| !row.blocks.is_empty()).unwrap_or(row.codes.len());
        let scale = |k: usize| match (row.blocks.get(k / block), coding.grid.scaling) {
            (None, _) => 1.0,
            (Some(&s), Scaling::Mx32) => libm::ldexp(1.0, -i32::from(s)),
            (Some(&s), Scaling::Nv16) => e4m3(s),
            (Some(&s), _) => f64::from(s),
        };
        let offset = 128 - i32::from(row.scale.zp);
        let value_of = |(k, &c): (usize, &i8)| f64::from(integer(act, c) + offset) * scale(k) * value(row.scale.step);
        row.codes.iter().enumerate().map(value_of).collect()
    }

    #[test]
    fn every_coding_is_that_of_goldens_quantisers() {
        let places = 10;
        let step = Dyadic { mult: 1 << 15, shift: 15 + places };
        for format in Format::ALL {
            for &scaling in format.scalings() {
                for rule in ScaleRule::ALL {
                    let coding = Coding { grid: Grid { format, scaling }, mode: ActMode::Symmetric, rule };
                    let own = input::Coding { format, scaling, acts: ActMode::Symmetric, rule, rotation: 1 };
                    for seed in 0..20i64 {
                        // Ranges of blocks differ by up to 2^8.
                        let z = |k: i64| ((seed * 7919 + k * 104_729) % 2001 - 1000) << ((k / 16 + seed) % 8);
                        let z: Vec<i64> = (0..96).map(z).collect();
                        let expected = real(&input::input(&z, step, &own), &coding);
                        let x = z.iter().map(|&z| libm::ldexp(z as f64, -i32::from(places)) as f32).collect();
                        let mut x = Tensor::new(1, 96, x);
                        coding.act().apply(&mut x);
                        let widest = expected.iter().fold(0.0f64, |top, v| top.max(v.abs()));
                        let same = |(a, b): &(&f32, &f64)| (f64::from(**a) - **b).abs() < 1e-4 * widest;
                        let count = x.data.iter().zip(&expected).filter(same).count();
                        // A tie in integers can lie beside it in floating point.
                        assert!(count >= 95, "{} {} {}: {count} of 96", format.name(), scaling.name(), rule.name());
                    }
                }
            }
        }
    }
}
