//! Exponentials of arguments that are not positive: softmax's and the sigmoid's.

use spec::model::EXP_BITS;
use spec::{Dyadic, ExpKind};

/// What stands for 1.
pub const ONE: u32 = 1 << EXP_BITS;

/// From so many octaves on, every exponential rounds to 0.
const OCTAVES: u128 = 18;

/// `round(2^15 · log2 e)`.
const LOG2_E: u128 = 47274;

/// `round(2^12 · a)` of the polynomial `2^-f = 1 - f/2 - a·f·(1 - f)`: of all multiples of 2^-12 the one with the least
/// largest error, 0.00192.
const CURVE: u64 = 705;

/// The exponential `2^16 · exp(-d · step)` of arguments `d >= 0` with a step; what depends on the step only is here.
#[derive(Clone, Copy, Debug)]
pub struct Exponential {
    kind: ExpKind,
    /// Arguments above give 0.
    last: u64,
    /// `poly`: octaves of an LSB, as `factor / 2^shift` of 1/65536. `shift`: LSBs of an octave, of `d << shift`.
    factor: u128,
    shift: i32,
}

impl Exponential {
    /// For arguments with that step.
    ///
    /// `poly`: `c = round(mult · 47274 / 2^15)`, 17 bits. `shift`: `m = mult + (mult >> 1) - (mult >> 4)`, which is
    /// `1.4375 · mult`, and `t = round(2^(k + j) / m)` LSBs an octave with the least `j >= 0` for which `t >= 16`.
    ///
    /// # Panics
    /// If the step's mantissa is 0.
    pub fn new(kind: ExpKind, step: Dyadic) -> Self {
        assert!(step.mult > 0, "a step is positive");
        let mult = u128::from(step.mult);
        match kind {
            ExpKind::Poly => {
                let factor = (mult * LOG2_E + (1 << 14)) >> 15;
                let (shift, top) = (i32::from(step.shift) - EXP_BITS as i32, OCTAVES << EXP_BITS);
                Self { kind, last: last(top, shift, factor), factor, shift }
            }
            ExpKind::Shift => {
                let m = mult + (mult >> 1) - (mult >> 4);
                let (mut t, mut j) = (octave(m, step.shift.into()), 0);
                while t < 16 {
                    j += 1;
                    t = octave(m, i32::from(step.shift) + j);
                }
                Self { kind, last: last(OCTAVES.saturating_mul(t), -j, 1), factor: t, shift: j }
            }
        }
    }

    /// `round(2^16 · exp(-d · step))`, 0..=2^16: 2^16 for `d = 0`, never rising with `d`.
    ///
    /// `poly`: `u = round(d · c / 2^(k - 16))` in 1/65536 octaves, `z` its whole octaves and `f` the rest;
    /// `v = 2^44 - f · 2^27 - 705 · f · (2^16 - f)`, the only product of variables of 16 by 16 bits;
    /// `e = round(v / 2^(28 + z))`. Error at most 0.0020 of 1.
    ///
    /// `shift`: `u = floor(d · 2^(16 + j) / t)`, `e = round((2^17 - f) / 2^(z + 1))`: the paper's
    /// `(t - r/2) >> q` over `t`, `q` the quotient, `r` the remainder, with 16 guard bits. Error at most 0.0625 of 1,
    /// 0.047 where the step is below 0.01.
    ///
    /// Products and quotients fit 64 bits unless the step is below 2^-40. All roundings half up but the floor named.
    ///
    /// **Source**: `poly` I-BERT, arXiv 2101.01321, section 3.5, on base 2; `shift` DI-Exp, arXiv 2405.17849;
    /// NUMERICS 2.
    pub fn at(&self, d: u64) -> u32 {
        if d == 0 {
            return ONE;
        }
        if d > self.last {
            return 0;
        }
        let u = match self.kind {
            ExpKind::Poly => self.octaves(d),
            ExpKind::Shift => self.quotient(d),
        };
        let (z, f) = (u >> EXP_BITS, u & u64::from(ONE - 1));
        match self.kind {
            ExpKind::Poly => {
                let v = (1 << 44) - (f << 27) - CURVE * f * ((1 << 16) - f);
                ((v + (1 << (27 + z))) >> (28 + z)) as u32
            }
            ExpKind::Shift => (((1 << 17) - f + (1 << z)) >> (z + 1)) as u32,
        }
    }

    /// `round(d · c / 2^shift)`, below `18 · 2^16 + 1` for arguments up to the last.
    fn octaves(&self, d: u64) -> u64 {
        match self.shift {
            up @ ..=0 => (d * self.factor as u64) << -up,
            // d · c < 18 · 2^56
            down @ 1..=40 => (d * self.factor as u64 + (1 << (down - 1))) >> down,
            down => ((u128::from(d) * self.factor + (1 << (down - 1))) >> down) as u64,
        }
    }

    /// `floor(d · 2^(16 + j) / t)`, below `18 · 2^16`.
    fn quotient(&self, d: u64) -> u64 {
        if self.factor < 1 << 40 {
            // d · 2^j < 18 · t
            ((d << self.shift) << EXP_BITS) / self.factor as u64
        } else {
            (((u128::from(d) << self.shift) << EXP_BITS) / self.factor) as u64
        }
    }
}

/// `round(2^k / m)`, `k <= 127`, `m > 2`; 0 for powers below 1.
///
/// An odd `m` has no halves to round, so that its own half may be floored.
fn octave(m: u128, k: i32) -> u128 {
    if k < 0 { 0 } else { ((1 << k) + m / 2) / m }
}

/// The largest `d` with `d · factor < top · 2^shift`; 2^64 - 1 where it is beyond.
fn last(top: u128, shift: i32, factor: u128) -> u64 {
    let bound = match shift {
        // 2^-shift · d passes top as soon as d is 1.
        ..=-100 => 1,
        down @ -99..0 => top.div_ceil(factor << -down),
        // 21 + 100 bits
        up @ 0..=100 => (top << up).div_ceil(factor),
        _ => u128::MAX,
    };
    u64::try_from(bound - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
