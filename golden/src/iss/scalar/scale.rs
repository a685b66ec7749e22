//! SPRD, SSCL, SDYA: steps from steps.

use spec::Dyadic;

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

/// `top · step / (levels · 2^places)`, normalised; see [`normalise`]. `top` from 1 on, `levels` 1..=65535.
///
/// # Errors
/// For values outside these ranges, and a scalar that is not a step.
pub fn scaled(top: i64, step: i64, levels: i64, places: i32) -> Result<i64> {
    let top = within("S[a]", top, 1, i64::MAX, "give max(1, range) of the row")?;
    let levels = within("levels", levels, 1, 0xffff, "give the codes of the format")?;
    let Dyadic { mult, shift } = unpack_step("S[b]", step)?;
    Ok(pack(normalise(top as u128 * u128::from(mult), levels as u32, i32::from(shift) + places)))
}

/// The step `2^-places`: mantissa 2^15, shift `places + 15`, held within -128..=127.
pub fn power(places: i64) -> i64 {
    pack(power_of_two(places.clamp(-256, 256) as i32))
}
