//! Requantisation: a row of aligned sums becomes 8-bit codes with one step and zero point.
//!
//! **Source**: DI-MatMul, arXiv 2405.17849, over aligned sums (NUMERICS 1 and 2); quotients are exact, rounded half up.

use spec::{Dyadic, RequantMode, RowScale};

use crate::num::{Quotient, round_half_up};
use crate::op::scale::normalise;

/// Zero point of a symmetric row in the unsigned code `stored + 128`.
pub const SYMMETRIC_ZP: u8 = 128;

/// A requantised row: stored bytes `[n]`, and what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QRow {
    /// Stored bytes (`q - 128` where there is a zero point).
    pub codes: Vec<i8>,
    /// Step and zero point; in static mode the ratio that was applied, normalised.
    pub scale: RowScale,
}

/// Requantises a row `a` of aligned sums by the layer's mode; `|a| <= 2^62`, for the fixed ratio 2^39.
///
/// `act` is the step of the row's activations, `layer` the step of [`spec::qmodel::Requant`].
///
/// # Panics
/// If a mantissa of the steps is 0.
pub fn requantise(mode: RequantMode, a: &[i64], act: Dyadic, layer: Dyadic) -> QRow {
    match mode {
        RequantMode::Dynamic => dynamic(a, act, layer),
        RequantMode::Asymmetric => asymmetric(a, act, layer),
        RequantMode::Static => fixed(a, act, layer),
    }
}

/// Dynamic, symmetric: `Y = round(127·A / d)` in -127..=127 with `d = max(1, max |A|)`; step `d·act·layer / 127`.
pub fn dynamic(a: &[i64], act: Dyadic, layer: Dyadic) -> QRow {
    symmetric(a, act, layer, 127)
}

/// As [`dynamic`], for codes in `-levels..=levels`; `|a| <= 2^62`, steps' mantissas and `levels <= 127` leave 2^104.
pub fn symmetric(a: &[i64], act: Dyadic, layer: Dyadic, levels: i8) -> QRow {
    let d = a.iter().map(|a| a.unsigned_abs()).max().unwrap_or(0).max(1);
    let ratio = Quotient::new(levels.into(), d.into(), d);
    let codes = a.iter().map(|&a| ratio.of(a) as i8).collect();
    let step = step(d.into(), act, layer, levels.unsigned_abs().into());
    QRow { codes, scale: RowScale { step, zp: SYMMETRIC_ZP } }
}

/// Dynamic, asymmetric: `q = round(255·(A - amin) / d)` in 0..=255, stored as `q - 128`; the zero point is the q of
/// A = 0; step `d·act·layer / 255`.
///
/// `amin = min(0, min A)`, `amax = max(0, max A)`, `d = max(1, amax - amin)`: zero lies in the range, so that the zero
/// point fits 8 bits.
pub fn asymmetric(a: &[i64], act: Dyadic, layer: Dyadic) -> QRow {
    let amin = a.iter().copied().min().unwrap_or(0).min(0);
    let amax = a.iter().copied().max().unwrap_or(0).max(0);
    let d = amax.abs_diff(amin).max(1);
    let ratio = Quotient::new(255, d.into(), d);
    let q = |a: i64| ratio.of(a - amin);
    let codes = a.iter().map(|&a| (q(a) - 128) as i8).collect();
    QRow { codes, scale: RowScale { step: step(d.into(), act, layer, 255), zp: q(0) as u8 } }
}

/// Static: `Y = round(A · mult / 2^shift)` saturated to -127..=127, with the ratio `act·layer` normalised.
///
/// A shift below 0 counts as 0: the mantissa is at least 2^15, so that every sum but zero saturates in both.
pub fn fixed(a: &[i64], act: Dyadic, layer: Dyadic) -> QRow {
    let ratio = step(1, act, layer, 1);
    // |A · mult| < 2^55, so that every shift from 56 on rounds to zero.
    let den = 1 << ratio.shift.clamp(0, 56);
    let scaled = |a: i64| round_half_up(i128::from(a) * i128::from(ratio.mult), den);
    let codes = a.iter().map(|&a| scaled(a).clamp(-127, 127) as i8).collect();
    QRow { codes, scale: RowScale { step: ratio, zp: SYMMETRIC_ZP } }
}

/// `d · act · layer / levels`, normalised.
fn step(d: u128, act: Dyadic, layer: Dyadic, levels: u32) -> Dyadic {
    let t = d * u128::from(act.mult) * u128::from(layer.mult);
    normalise(t, levels, i32::from(act.shift) + i32::from(layer.shift))
}

#[cfg(test)]
mod tests;
