//! VQUO: a row over one denominator, exact short quotients.

use crate::iss::fault::{Result, refuse};

/// How numerators become codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotients {
    /// Factor of every numerator, 1 and up; below 2^47.
    pub factor: i64,
    /// What is divided by, 1 and up.
    pub den: i64,
    /// Largest magnitude of a result (before the zero point's 128 is taken off); 0 for any.
    pub limit: i64,
    /// Bits of magnitude that a quotient has at most, 1..=32.
    pub bits: u32,
    /// With a zero point: what is added to a value before it is multiplied; the result is 128 less.
    pub offset: Option<i64>,
}

/// `clamp(round(a · factor / den), ±limit)`, half up; with an offset `clamp(round((a + offset) · factor / den), ±limit) - 128`.
///
/// # Errors
/// For a denominator below 1, a factor below 1, and a quotient of more than `bits` bits.
pub fn quotient(a: &[i64], q: &Quotients) -> Result<Vec<i64>> {
    if q.den < 1 {
        return refuse("S[s]", q.den, ">= 1", "divide by max(1, range)");
    }
    let (offset, less) = q.offset.map_or((0, 0), |offset| (offset, 128));
    let code = |(i, &a): (usize, &i64)| {
        let rounded = rounded(i128::from(a) + i128::from(offset), q);
        if rounded.unsigned_abs() >> q.bits > 0 {
            let allowed = format!("{} bits of magnitude", q.bits);
            return refuse(format!("quotient[{i}]"), rounded, allowed, "allow more bits, or divide by the row's range");
        }
        let limit = if q.limit == 0 { i64::MAX } else { q.limit };
        Ok((rounded as i64).clamp(-limit, limit) - less)
    };
    a.iter().enumerate().map(code).collect()
}

/// `floor((2·z·factor + den) / (2·den))`, in 64 bits where those suffice.
fn rounded(z: i128, q: &Quotients) -> i128 {
    let (num, den) = (2 * z * i128::from(q.factor) + i128::from(q.den), 2 * i128::from(q.den));
    match (i64::try_from(num), i64::try_from(den)) {
        (Ok(num), Ok(den)) => num.div_euclid(den).into(),
        _ => num.div_euclid(den),
    }
}
