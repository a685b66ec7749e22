//! Alignment: sums of channels with different steps, brought to the step of the largest channel over 2^guard.

use spec::qmodel::ALIGN_GUARD_BITS;

use crate::num::round_half_up;

/// Binary places of an alignment factor: 2^15 stands for the channel with the largest step.
pub const ALIGN_BITS: u32 = 15;

/// `A = P' · align / 2^(15 - guard)`, rounded half up.
///
/// `p` is a completed sum; `align` is 0..=2^15. The result fits 40 bits signed; no overflow is possible.
///
/// **Source**: NUMERICS 1, alignment of channels.
pub fn align(p: i32, align: u16) -> i64 {
    round_half_up(i128::from(p) * i128::from(align), 1 << (ALIGN_BITS - ALIGN_GUARD_BITS)) as i64
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_go_up() {
        assert_eq!(align(1, 64), 1);
        assert_eq!(align(-1, 64), 0);
        assert_eq!(align(-3, 64), -1);
        assert_eq!(align(-1, 65), -1);
        assert_eq!(align(1, 63), 0);
    }

    #[test]
    fn extremes_fit_40_bits() {
        assert_eq!(align(i32::MAX, 1 << 15), (i64::from(i32::MAX)) << 8);
        assert_eq!(align(-i32::MAX, 1 << 15), -(i64::from(i32::MAX)) << 8);
        assert_eq!(align(i32::MAX, 0), 0);
        assert_eq!(align(-i32::MAX, 0), 0);
        assert_eq!(align(i32::MIN, 1 << 15), -(1 << 39));
    }

    proptest! {
        #[test]
        fn equals_the_exact_rational(p in any::<i32>(), factor in 0..=1_u16 << 15) {
            let exact = BigRational::new(BigInt::from(p) * factor, BigInt::from(128));
            let half = BigRational::new(1.into(), 2.into());
            prop_assert_eq!(BigInt::from(align(p, factor)), (exact + half).floor().to_integer());
        }
    }
}
