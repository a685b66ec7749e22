//! VFIX: a row by a fixed ratio, held within a code's range.

use crate::iss::fault::{Result, refuse};
use crate::op::fixed::fixed;
use spec::Dyadic;

/// `clamp(round(a · mult / 2^shift), ±limit)`, half up; a negative shift multiplies.
///
/// `|a| < 2^62`, `limit` 0..=65535.
///
/// # Errors
/// For a larger `a`.
pub fn fix(a: &[i64], ratio: Dyadic, limit: i64) -> Result<Vec<i64>> {
    let code = |(i, &a): (usize, &i64)| {
        if a.unsigned_abs() >= 1 << 62 {
            return refuse(format!("VB[a + {i}]"), a, "below 2^62 in magnitude", "shift the row down first");
        }
        Ok(fixed(a, ratio).clamp(-limit, limit))
    };
    a.iter().enumerate().map(code).collect()
}
