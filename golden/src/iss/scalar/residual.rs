//! SRES: the common step of the residual stream and a branch.

use super::dyadic::unpack_step;
use crate::iss::fault::{Result, within};

/// VSHR amounts of the row `x` and of the branch times its mantissa, and the places `e` of their sum.
///
/// `x` has `places` binary places, the branch those of its step; `e = min(max(s, k), s + 31, k + 16)` as in
/// [`crate::op::residual::add`].
///
/// # Errors
/// For places of more than 16 bits, and a scalar that is not a step.
pub fn alignment(places: i64, step: i64) -> Result<[i64; 3]> {
    let s = within("S[a]", places, -0x8000, 0x7fff, "give the binary places of the row")?;
    let k = i64::from(unpack_step("S[b]", step)?.shift);
    let e = s.max(k).min(s + 31).min(k + 16);
    Ok([s - e, k - e, e])
}
