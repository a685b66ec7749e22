//! VSHR: a row by a power of two.

use crate::iss::fault::{Result, narrow};

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
        let a = i128::from(a);
        match places {
            ..=0 => narrow(i, a << -places),
            _ => Ok(((a + (1 << (places - 1))) >> places) as i64),
        }
    };
    let bound = |x: i64| if saturates { x.clamp(-32767, 32767) } else { x };
    a.iter().enumerate().map(|item| place(item).map(bound)).collect()
}
