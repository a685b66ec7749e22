//! VHAD: one stage of Hadamard transforms.

use crate::iss::fault::{Result, narrow, refuse};

/// `(p, q) -> (p + q, p - q)` for elements `2^log` apart, in blocks of `2^(log + 1)`.
///
/// # Errors
/// For a row that is not whole blocks, or a sum of more than 64 bits.
pub fn butterfly(a: &[i64], log: u32) -> Result<Vec<i64>> {
    let half = 1 << log;
    if !a.len().is_multiple_of(2 * half) {
        return refuse("n", a.len(), format!("a multiple of {}", 2 * half), "pad the row to whole blocks");
    }
    let mut x = vec![0; a.len()];
    for (block, (from, to)) in a.chunks_exact(2 * half).zip(x.chunks_exact_mut(2 * half)).enumerate() {
        for i in 0..half {
            let (p, q) = (i128::from(from[i]), i128::from(from[i + half]));
            to[i] = narrow(2 * half * block + i, p + q)?;
            to[i + half] = narrow(2 * half * block + half + i, p - q)?;
        }
    }
    Ok(x)
}
