//! RMSNorm and LayerNorm of a row of the residual stream, and the gain behind them.
//!
//! **Source**: DI-Norm, arXiv 2405.17849, as NUMERICS 2 closes it: exact root and quotient, epsilon kept.

use spec::Dyadic;
use spec::model::NORM_BITS;

use super::isqrt::isqrt;
use super::narrow::bits;

/// Longest row of a norm.
pub const MAX_NORM: usize = 1 << 16;

/// Place of the highest one of the shifted row's largest magnitude.
const TOP_BIT: i32 = 24;

/// `y = round((x' << 20) / rms)`, `rms = floor(sqrt(floor(Σ x'² / n) + e))` with [`NORM_BITS`] binary places.
///
/// `x` `[n]` stands for `x / 2^shift`, `n` at most [`MAX_NORM`]. `x' = x << l` puts the highest one of the largest
/// magnitude at bit 24, so that `rms >= 2^24 / sqrt(n)` is good to 1 part in 2^16; `e` is [`epsilon`]. A row of zeros
/// gives zeros. `|y| <= sqrt(n) · 2^20 · (1 + 2^-15)`: 30 bits signed at most. Rounded half up; no overflow is possible.
///
/// # Panics
/// If the row is longer than [`MAX_NORM`].
pub fn rms_norm(x: &[i16], shift: i32, eps: Dyadic) -> Vec<i32> {
    let l = headroom(x);
    let squares: u64 = x.iter().map(|&x| (i32::from(x) * i32::from(x)) as u64).sum();
    // Σ (x << l)², exact: x has 16 bits, so that l <= 24 and 2^(16 + 30 + 48) holds the sum.
    let total = u128::from(squares) << (2 * l);
    let rms = root_mean(total, x.len(), epsilon(eps, shift + l));
    x.iter().map(|&x| quotient(i64::from(x) << l, rms)).collect()
}

/// As [`rms_norm`] of `c = x' - round(Σ x' / n)`, shifted left again until its largest magnitude reaches bit 24.
///
/// The mean is taken of the shifted row, 9 places or more below an LSB of `x`: error beside it at most 2^-10 of that LSB.
/// A row of equal values gives zeros. Widths and error of the root as there; `|c| < 2^26`.
///
/// # Panics
/// If the row is longer than [`MAX_NORM`].
pub fn layer_norm(x: &[i16], shift: i32, eps: Dyadic) -> Vec<i32> {
    if x.is_empty() {
        return Vec::new();
    }
    let l = headroom(x);
    let (sum, n) = (x.iter().map(|&x| i64::from(x)).sum::<i64>() << l, x.len() as i64);
    let mean = (2 * sum + n).div_euclid(2 * n);
    let centred = || x.iter().map(|&x| (i64::from(x) << l) - mean);
    let up = match centred().fold(0, |max, c| max.max(c.unsigned_abs())) {
        0 => 0,
        max => (TOP_BIT + 1 - bits(max) as i32).max(0),
    };
    let total = centred().map(|c| ((c << up) * (c << up)) as u128).sum();
    let rms = root_mean(total, x.len(), epsilon(eps, shift + l + up));
    centred().map(|c| quotient(c << up, rms)).collect()
}

/// `z = y · gain`, exact in 47 bits signed; an empty gain is 1 everywhere.
///
/// # Panics
/// If there is a gain for some channels only.
pub fn gain(y: &[i32], gain: &[u16]) -> Vec<i64> {
    if gain.is_empty() {
        return y.iter().map(|&y| i64::from(y)).collect();
    }
    assert_eq!(y.len(), gain.len(), "a norm's gain has one factor a channel");
    y.iter().zip(gain).map(|(&y, &g)| i64::from(y) * i64::from(g)).collect()
}

/// Epsilon in units of squares of `x / 2^places`: `round(eps · 2^(2·places))`, saturated at 2^62; 0 for mantissa 0.
///
/// Only a row whose largest square is below `eps / 2^12` saturates; all its results are below 2^-6.
pub fn epsilon(eps: Dyadic, places: i32) -> u64 {
    const TOP: u64 = 1 << 62;
    let mult = u64::from(eps.mult);
    match 2 * places - i32::from(eps.shift) {
        up @ 0..=46 => (mult << up).min(TOP),
        47.. => {
            if mult == 0 {
                0
            } else {
                TOP
            }
        }
        // Mantissas have 16 bits: 17 places down nothing is left.
        down @ -16..=-1 => (mult + (1 << (-down - 1))) >> -down,
        _ => 0,
    }
}

/// How far left the row goes; 0 for a row of zeros.
fn headroom(x: &[i16]) -> i32 {
    assert!(x.len() <= MAX_NORM, "a norm's row has at most {MAX_NORM} elements, not {}", x.len());
    match x.iter().fold(0, |max, x| max.max(x.unsigned_abs())) {
        0 => 0,
        max => TOP_BIT + 1 - bits(max.into()) as i32,
    }
}

/// `floor(sqrt(floor(total / n) + e))`, at least 1.
fn root_mean(total: u128, n: usize, e: u64) -> i64 {
    let mean = (total / n.max(1) as u128) as u64;
    i64::from(isqrt(mean + e).max(1))
}

/// `(c << 20) / rms` rounded half up; `|c| <= 2^26`, and small enough beside `rms` for 31 bits.
fn quotient(c: i64, rms: i64) -> i32 {
    ((c << (NORM_BITS + 1)) + rms).div_euclid(2 * rms) as i32
}

#[cfg(test)]
mod tests;
