//! VBLK, VEXN, VE4M: ranges of blocks, and the scales that follow from them.

use spec::ScaleRule;

use crate::iss::fault::{Result, refuse};
use crate::num::{e4m3, e8m0};

/// `max |a|` of every `block` elements; the last block may be short.
///
/// # Errors
/// For a block of 0, or a magnitude of 2^63.
pub fn largest(a: &[i64], block: usize) -> Result<Vec<i64>> {
    if block == 0 {
        return refuse("imm", 0, ">= 1", "give the length of a block");
    }
    a.chunks(block).enumerate().map(|(i, part)| magnitude(part).or_else(|m| super::wide(i, m))).collect()
}

fn magnitude(part: &[i64]) -> std::result::Result<i64, i128> {
    let most = part.iter().map(|a| a.unsigned_abs()).max().unwrap_or(0);
    i64::try_from(most).map_err(|_| most.into())
}

/// Exponent of a block of zeros: 256 places below the least of others, so that its scale byte is 255.
pub const NO_EXPONENT: i64 = -258;

/// E8M0 exponents of blocks whose largest magnitudes are `a`, see [`e8m0::exponent`]; -2..=61, [`NO_EXPONENT`] for 0.
///
/// # Errors
/// For a negative magnitude.
pub fn exponents(a: &[i64], rule: ScaleRule) -> Result<Vec<i64>> {
    let exponent = |(i, &a)| positive(i, a).map(|a| if a == 0 { NO_EXPONENT } else { e8m0::exponent(rule, a).into() });
    a.iter().enumerate().map(exponent).collect()
}

/// E4M3 codes nearest to `448 · a / top`, 1..=0x7e.
///
/// # Errors
/// For a negative magnitude, or a largest one below 1.
pub fn e4m3_scales(a: &[i64], top: i64) -> Result<Vec<i64>> {
    if top < 1 {
        return refuse("S[s]", top, ">= 1", "give max(1, max |z|) of the row");
    }
    let code = |(i, &a)| positive(i, a).map(|a| e4m3::nearest(448 * u128::from(a), top as u128).max(1).into());
    a.iter().enumerate().map(code).collect()
}

fn positive(i: usize, a: i64) -> Result<u64> {
    u64::try_from(a).or_else(|_| refuse(format!("VB[a + {i}]"), a, ">= 0", "give the largest magnitudes of blocks"))
}
