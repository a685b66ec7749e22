//! SLFT, SRMS, SDIV: what a norm needs of a row.

use super::dyadic::unpack;
use crate::iss::fault::{Result, within};
use crate::num::round_half_up;
use crate::op::isqrt::isqrt;
use crate::op::narrow::bits;
use crate::op::norm::epsilon;

/// Bits of a row's largest magnitude after [`headroom`].
const BITS: i64 = 25;

/// The VSHR amount that gives the largest magnitude `a` 25 bits, 0 for 0: `bits(a) - 25`.
///
/// # Errors
/// For a magnitude of more bits, or below 0.
pub fn headroom(a: i64) -> Result<i64> {
    let a = within("S[a]", a, 0, (1 << BITS) - 1, "narrow the row first")?;
    Ok(if a == 0 { 0 } else { i64::from(bits(a as u64)) - BITS })
}

/// `max(1, floor(sqrt(floor(squares / count) + e)))`, `e` being [`epsilon`] of a row with `places` binary places.
///
/// `squares` from 0 on, `count` 1..=65535, `eps` a dyadic whose mantissa may be 0.
///
/// # Errors
/// For values outside these ranges, and where the root leaves 64 bits of its argument.
pub fn root_mean(squares: i64, eps: i64, places: i64, count: i64) -> Result<i64> {
    let squares = within("S[a]", squares, 0, i64::MAX, "give a sum of squares")?;
    let count = within("count", count, 1, 0xffff, "give the length of the row")?;
    let places = within("S[s]", places, -0x8000, 0x7fff, "give the binary places of the shifted row")?;
    let e = epsilon(unpack("S[b]", eps)?, places as i32);
    // Both below 2^63.
    Ok(i64::from(isqrt((squares / count) as u64 + e)).max(1))
}

/// `round(a / count)`, half up.
///
/// # Errors
/// For a count of 0.
pub fn mean(a: i64, count: i64) -> Result<i64> {
    let count = within("imm", count, 1, 0xffff, "give the length of the row")?;
    Ok(round_half_up(a.into(), count.into()) as i64)
}
