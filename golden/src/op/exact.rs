//! Integers without limits, against which operators are tested.

use num_bigint::BigInt;
use num_rational::BigRational;

/// `floor(num / den)`.
pub fn floor(num: impl Into<BigInt>, den: impl Into<BigInt>) -> BigInt {
    BigRational::new(num.into(), den.into()).floor().to_integer()
}

/// `ceil(num / den)`.
pub fn ceil(num: impl Into<BigInt>, den: impl Into<BigInt>) -> BigInt {
    BigRational::new(num.into(), den.into()).ceil().to_integer()
}

/// `num / den`, rounded half up.
pub fn half_up(num: impl Into<BigInt>, den: impl Into<BigInt>) -> BigInt {
    let half = BigRational::new(1.into(), 2.into());
    (BigRational::new(num.into(), den.into()) + half).floor().to_integer()
}

/// `2^e`, and 1 for negative powers.
pub fn power(e: i32) -> BigInt {
    BigInt::from(1) << e.max(0)
}
