//! SRES: the common step of the residual stream and a branch.

use super::dyadic::unpack_step;
use crate::iss::fault::{Result, within};

/// Most places of a VSHR.
const MOST: i64 = 63;

/// VSHR amounts of the row `x` and of the branch times its mantissa, the places `e` of their sum, and how far these are from the
/// finer operand's (0 or less).
///
/// `x` has `s` binary places, the branch's step `k`; `e = min(max(s, k), s + 31, k + 16)` as in
/// [`crate::op::residual::add`]. Amounts end at 63, where nothing is left of either.
///
/// # Errors
/// For places of more than 16 bits, and a scalar that is not a step.
pub fn alignment(s: i64, step: i64) -> Result<[i64; 4]> {
    let s = within("S[a]", s, -0x8000, 0x7fff, "give the binary places of the row")?;
    let k = i64::from(unpack_step("S[b]", step)?.shift);
    let e = s.max(k).min(s + 31).min(k + 16);
    Ok([(s - e).min(MOST), (k - e).min(MOST), e, e - s.max(k)])
}
