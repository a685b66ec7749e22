//! SPRD, SSCL, SDYA: steps from steps.

use super::dyadic::{pack, unpack_step};
use crate::iss::fault::{Result, within};
use crate::op::scale::{normalise, power_of_two, product};

/// The product of two steps, normalised; see [`product`].
///
/// # Errors
/// For a scalar that is not a step.
pub fn step_product(a: i64, b: i64) -> Result<i64> {
    Ok(pack(product(unpack_step("S[a]", a)?, unpack_step("S[b]", b)?)))
}

/// `top · a · b / (levels · 2^places)` of two steps, normalised once; see [`normalise`].
///
/// `top` from 1 to below 2^62, `levels` 1..=65535.
///
/// # Errors
/// For values outside these ranges, and a scalar that is not a step.
pub fn scaled(top: i64, steps: [i64; 2], levels: i64, places: i32) -> Result<i64> {
    let top = within("S[a]", top, 1, (1 << 62) - 1, "give max(1, range) of the row")?;
    let levels = within("levels", levels, 1, 0xffff, "give the codes of the format")?;
    let (a, b) = (unpack_step("S[b]", steps[0])?, unpack_step("S[s]", steps[1])?);
    let t = top as u128 * u128::from(a.mult) * u128::from(b.mult);
    Ok(pack(normalise(t, levels as u32, i32::from(a.shift) + i32::from(b.shift) + places)))
}

/// The step `2^-places`: mantissa 2^15, shift `places + 15`, held within -128..=127.
pub fn power(places: i64) -> i64 {
    pack(power_of_two(places.clamp(-256, 256) as i32))
}
