//! VACC: sums of the accumulator, their zero point completed, aligned to one step.

use crate::iss::fault::{Result, narrow, refuse};
use crate::num::round_half_up;

/// `round(P · factor[i] / 2^places)`, half up.
///
/// `P = sums[i]`, and where a zero point is given `P = sums[i] + (128 - zp) · weights[i]`. `factors` 0..=65535; `places` is 15 less
/// the guard bits.
///
/// # Errors
/// For a factor outside 16 bits, a zero point outside 0..=255, or a result of more than 64 bits.
pub fn align(sums: &[i64], factors: &[i32], places: u32, zero_point: Option<(i64, &[i32])>) -> Result<Vec<i64>> {
    if let Some((zp, _)) = zero_point
        && !(0..=255).contains(&zp)
    {
        return refuse("S[s]", zp, "0..=255", "give the zero point of the row");
    }
    let aligned = |(i, (&sum, &factor)): (usize, (&i64, &i32))| {
        if !(0..=0xffff).contains(&factor) {
            return refuse(format!("PB[b + {i}]"), factor, "0..=65535", "alignment factors have 16 bits unsigned");
        }
        let completion = zero_point.map_or(0, |(zp, weights)| i128::from(128 - zp) * i128::from(weights[i]));
        narrow(i, round_half_up((i128::from(sum) + completion) * i128::from(factor), 1 << places))
    };
    sums.iter().zip(factors).enumerate().map(aligned).collect()
}
