//! SNAR: how far a row is shifted to have 16 bits, and what its LSB is worth then.

use super::dyadic::{pack, unpack};
use crate::iss::fault::{Result, within};
use crate::op::narrow::bits;
use spec::Dyadic;

/// `n = max(0, bits(largest) - 15)`, and the step with `n` binary places fewer, down to -128; see [`crate::op::narrow`].
///
/// # Errors
/// For a negative magnitude, and a scalar that is not a dyadic.
pub fn narrowing(largest: i64, step: i64) -> Result<[i64; 2]> {
    let largest = within("S[a]", largest, 0, i64::MAX, "give the row's largest magnitude")?;
    let step = unpack("S[b]", step)?;
    let n = bits(largest as u64).saturating_sub(15) as i16;
    let shift = step.shift.saturating_sub(n).max(-128);
    Ok([n.into(), pack(Dyadic { shift, ..step })])
}
