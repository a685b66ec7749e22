//! VMLP, VMUL, VMLS, VADD, VADS: products and sums of elements, exact in 64 bits.

use crate::iss::fault::{Result, narrow, refuse};

/// Most bits of a second factor, its sign included.
pub const FACTOR_BITS: u32 = 17;

/// `a[i] · b[i]`, the second factor of [`FACTOR_BITS`] bits; `second` names it in an error.
///
/// # Errors
/// For a second factor of more bits, or a product of more than 64.
pub fn multiply(a: &[i64], b: impl Iterator<Item = i64>, second: &str) -> Result<Vec<i64>> {
    const MOST: i64 = (1 << (FACTOR_BITS - 1)) - 1;
    let product = |(i, (&a, b)): (usize, (&i64, i64))| {
        if !(-MOST - 1..=MOST).contains(&b) {
            let cure = "shift it down, or let it be the first factor";
            return refuse(format!("{second}[{i}]"), b, format!("{}..={MOST}", -MOST - 1), cure);
        }
        narrow(i, i128::from(a) * i128::from(b))
    };
    a.iter().zip(b).enumerate().map(product).collect()
}

/// `a[i] · factor`, the factor unsigned of 16 bits: the lowest of a scalar.
///
/// # Errors
/// For a product of more than 64 bits.
pub fn scale(a: &[i64], factor: u16) -> Result<Vec<i64>> {
    a.iter().enumerate().map(|(i, &a)| narrow(i, i128::from(a) * i128::from(factor))).collect()
}

/// `a[i] + b[i]`.
///
/// # Errors
/// For a sum of more than 64 bits.
pub fn add(a: &[i64], b: impl Iterator<Item = i64>) -> Result<Vec<i64>> {
    a.iter().zip(b).enumerate().map(|(i, (&a, b))| narrow(i, i128::from(a) + i128::from(b))).collect()
}
