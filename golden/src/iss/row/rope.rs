//! VROP: the rotation of a head.

use spec::model::ROPE_BITS;

use crate::iss::fault::{Result, narrow};

/// `x[i] = round((p·c - q·t) / 2^14)` in the first half, `round((q·c + p·t) / 2^14)` in the second.
///
/// `a` `[2n]` holds `p` then `q`, `table` `[2n]` cosines `c` then sines `t`, with 14 binary places. Half up.
///
/// # Errors
/// For a result of more than 64 bits.
pub fn rotate(a: &[i64], table: &[i32]) -> Result<Vec<i64>> {
    let n = a.len() / 2;
    let ((p, q), (c, t)) = (a.split_at(n), table.split_at(n));
    let round = |i: usize, sum: i128| narrow(i, (sum + (1 << (ROPE_BITS - 1))) >> ROPE_BITS);
    let product = |a: i64, b: i32| i128::from(a) * i128::from(b);
    let low = (0..n).map(|i| round(i, product(p[i], c[i]) - product(q[i], t[i])));
    let high = (0..n).map(|i| round(n + i, product(q[i], c[i]) + product(p[i], t[i])));
    low.chain(high).collect()
}
