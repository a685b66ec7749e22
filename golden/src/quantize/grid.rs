//! The values that a row of weights can take: codes, and scales of blocks over the step of the channel.

use spec::{Format, Scaling};

use super::code::{encode, integer, round_half_up, top};
use crate::num::{
    self,
    e4m3::{MAX_CODE, MAX_INT},
};
use crate::op::foot::mx_places;

/// Codes and block scales of the weights of a layer.
///
/// A weight stands for `integer(code) · unit(scale of its block) · step of the channel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Format of the layer.
    pub format: Format,
    /// What scales its blocks.
    pub scaling: Scaling,
}

impl Grid {
    /// Weights that share a scale, at most a whole row of `k`.
    pub fn block(&self, k: usize) -> usize {
        self.scaling.block().unwrap_or(k)
    }

    /// The largest integer of a code that quantizers use.
    pub fn top(&self) -> f64 {
        f64::from(top(self.format.weight()))
    }

    /// What one integer of a code is worth in a block of that scale, in steps of the channel.
    pub fn unit(&self, scale: u8) -> f64 {
        match self.scaling {
            Scaling::Channel => 1.0,
            Scaling::Group32 | Scaling::Group16 => f64::from(scale),
            Scaling::Mx32 => {
                let places = mx_places(self.format) as i32 - i32::from(scale);
                if places < 0 { 0.0 } else { libm::ldexp(1.0, places) }
            }
            Scaling::Nv16 => e4m3(scale),
        }
    }

    /// The largest unit a block can have.
    pub fn largest_unit(&self) -> f64 {
        match self.scaling {
            Scaling::Channel => 1.0,
            Scaling::Group32 | Scaling::Group16 => 255.0,
            Scaling::Mx32 => libm::ldexp(1.0, mx_places(self.format) as i32),
            Scaling::Nv16 => f64::from(MAX_INT),
        }
    }

    /// The largest code of a scale.
    pub fn last_scale(&self) -> u8 {
        match self.scaling {
            Scaling::Channel => 0,
            Scaling::Group32 | Scaling::Group16 => 255,
            Scaling::Mx32 => mx_places(self.format) as u8,
            Scaling::Nv16 => MAX_CODE,
        }
    }

    /// The scale whose unit is nearest to `unit`, of those that are not zero (MX: in the logarithm).
    pub fn scale_for(&self, unit: f64) -> u8 {
        match self.scaling {
            Scaling::Channel => 0,
            Scaling::Group32 | Scaling::Group16 => round_half_up(unit).clamp(1.0, 255.0) as u8,
            Scaling::Mx32 => {
                let places = mx_places(self.format) as i32;
                // The middle between two powers of two is sqrt(2) above the lower.
                (places - floor_log2(unit * core::f64::consts::SQRT_2)).clamp(0, places) as u8
            }
            Scaling::Nv16 => {
                let below = e4m3_below(unit);
                let above = (below + 1).min(MAX_CODE);
                // Of two that are equally near, the even code.
                let (low, high) = (unit - e4m3(below), e4m3(above) - unit);
                if high < low || (high == low && above.is_multiple_of(2)) { above } else { below }
            }
        }
    }

    /// The code nearest to `x`, in integers of the code.
    pub fn encode(&self, x: f64) -> i8 {
        encode(self.format.weight(), x)
    }

    /// The integer of a code.
    pub fn integer(&self, code: i8) -> i32 {
        integer(self.format.weight(), code)
    }

    /// The nearest value of a code to `x`, in integers of the code.
    pub fn nearest(&self, x: f64) -> f64 {
        f64::from(self.integer(self.encode(x)))
    }
}

/// The integer of a positive E4M3 code, in units of 2^-9; 0 for what is no such code.
pub fn e4m3(code: u8) -> f64 {
    f64::from(num::e4m3::decode(code).unwrap_or(0))
}

/// The largest E4M3 code that is not above a number in units of 2^-9; at least 1, the smallest.
fn e4m3_below(unit: f64) -> u8 {
    // From 8 on, each octave holds eight numbers.
    let exponent = (floor_log2(unit) - 3).clamp(0, 14);
    let mantissa = libm::floor(libm::ldexp(unit, -exponent));
    (8.0 * f64::from(exponent) + mantissa).clamp(1.0, f64::from(MAX_CODE)) as u8
}

/// The exponent of the largest power of two that is not above a positive number; -1074 for zero.
pub fn floor_log2(x: f64) -> i32 {
    if x > 0.0 { libm::frexp(x).1 - 1 } else { -1074 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_e4m3_scale_is_found_for_every_unit() {
        let grid = Grid { format: Format::Nvfp4, scaling: Scaling::Nv16 };
        for i in 0..40_000 {
            let unit = libm::exp(f64::from(i) * 13.0 / 40_000.0) * 0.5;
            let miss = |code: u8| (e4m3(code) - unit).abs();
            let best = (1..=MAX_CODE).map(miss).fold(f64::INFINITY, f64::min);
            assert_eq!(miss(grid.scale_for(unit)), best, "{unit}");
        }
        for code in 1..=MAX_CODE {
            assert_eq!(grid.scale_for(e4m3(code)), code);
        }
        assert_eq!(e4m3(MAX_CODE), f64::from(MAX_INT));
    }

    #[test]
    fn scales_of_mx_blocks_are_places_below_the_largest() {
        let grid = Grid { format: Format::Mxfp4, scaling: Scaling::Mx32 };
        for below in 0..=24 {
            let unit = grid.unit(below);
            assert_eq!((grid.scale_for(unit * 0.71), grid.scale_for(unit * 1.41)), (below, below));
        }
        assert_eq!((grid.unit(0), grid.unit(24), grid.unit(25)), (grid.largest_unit(), 1.0, 0.0));
    }
}
