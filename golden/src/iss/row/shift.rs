//! VSHR: a row by a power of two.

use crate::iss::fault::{Result, narrow};
use crate::op::narrow::round_shift;

/// Most places to the left, as a negative amount.
pub const LEAST: i64 = -40;
/// Most places to the right.
pub const MOST: i64 = 63;

/// `round(a / 2^places)`, half up; a negative amount shifts left, exactly. With `saturates` held within ±32767.
///
/// `a` `[n]`; the amount is held within [`LEAST`]`..=`[`MOST`]; the result has 64 bits.
///
/// # Errors
/// For a value that leaves 64 bits to the left.
pub fn shift(a: &[i64], places: i64, saturates: bool) -> Result<Vec<i64>> {
    let places = places.clamp(LEAST, MOST);
    let place = |(i, &a): (usize, &i64)| {
        if places >= 0 { Ok(round_shift(a, places as u32)) } else { narrow(i, i128::from(a) << -places) }
    };
    let bound = |x: i64| if saturates { x.clamp(-32767, 32767) } else { x };
    a.iter().enumerate().map(|item| place(item).map(bound)).collect()
}
