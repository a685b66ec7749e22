//! The values that a row of weights can take: codes, and scales of blocks over the step of the channel.

use spec::{Format, Operand, Scaling};

use super::code::{encode, integer, round_half_up, top};

/// Largest scale code of an NVFP4 block: the E4M3 number 448.
pub const E4M3_TOP: u8 = 0x7e;

/// Integer of the E4M3 number 448, in units of the smallest, 2^-9.
const E4M3_LARGEST: f64 = 229_376.0;

/// Binary places by which sums of MX blocks are shifted up: those further below the largest scale contribute nothing.
pub const fn mx_places(format: Format) -> u32 {
    match format.act() {
        Operand::Int8 => 22,
        Operand::Int4 | Operand::E2m1 | Operand::Pot4 => 24,
    }
}

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
            Scaling::Nv16 => E4M3_LARGEST,
        }
    }

    /// The scale whose unit is nearest to `unit`, of those that are not zero (MX: nearest in the logarithm's floor, that is
    /// the largest power of two that is not above it).
    pub fn scale_for(&self, unit: f64) -> u8 {
        match self.scaling {
            Scaling::Channel => 0,
            Scaling::Group32 | Scaling::Group16 => round_half_up(unit).clamp(1.0, 255.0) as u8,
            Scaling::Mx32 => {
                let places = mx_places(self.format) as i32;
                (places - floor_log2(unit)).clamp(0, places) as u8
            }
            Scaling::Nv16 => {
                let below = (1..E4M3_TOP).rev().find(|&code| e4m3(code) <= unit).unwrap_or(1);
                let above = (below + 1).min(E4M3_TOP);
                // Of two that are equally near, the even code.
                let (low, high) = (unit - e4m3(below), e4m3(above) - unit);
                if high < low || (high == low && above % 2 == 0) { above } else { below }
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

/// The integer of a positive E4M3 code, in units of 2^-9.
fn e4m3(code: u8) -> f64 {
    let (exponent, mantissa) = (i32::from(code >> 3), f64::from(code & 7));
    if exponent == 0 { mantissa } else { libm::ldexp(8.0 + mantissa, exponent - 1) }
}

/// The exponent of the largest power of two that is not above a positive number; -1074 for zero.
pub fn floor_log2(x: f64) -> i32 {
    if x > 0.0 { libm::frexp(x).1 - 1 } else { -1074 }
}
