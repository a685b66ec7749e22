//! Alignment: sums of channels with different steps, brought to the step of the largest channel over 2^guard.

use spec::qmodel::ALIGN_GUARD_BITS;

/// Binary places of an alignment factor: 2^15 stands for the channel with the largest step.
pub const ALIGN_BITS: u32 = 15;

/// `A = P' · align / 2^(15 - guard)`, rounded half up.
///
/// `p` is a completed sum; `align` is 0..=2^15. The result fits 40 bits signed; no overflow is possible.
///
/// **Source**: NUMERICS 1, alignment of channels.
pub fn align(p: i32, align: u16) -> i64 {
    const PLACES: u32 = ALIGN_BITS - ALIGN_GUARD_BITS;
    (i64::from(p) * i64::from(align) + (1 << (PLACES - 1))) >> PLACES
}

/// `A = P · align / 2^(15 - guard)`, rounded half up, for the sums of blocks.
///
/// `|p| < 2^62`; `align` is 0..=2^15; `guard` is that of a [`spec::Scaling`], -48..=14 for other uses. The result fits
/// the bits of `p` and `guard` together, one more where that rounds up; it must fit 64.
///
/// # Panics
/// If `guard` is outside its range or the result leaves 64 bits, which P of [`crate::op::foot`] cannot reach.
///
/// **Source**: NUMERICS 1, alignment of channels; guard bits: [`spec::Scaling::guard_bits`].
pub fn align_wide(p: i64, align: u16, guard: i32) -> i64 {
    assert!((-48..=14).contains(&guard), "aligned sums have -48..=14 guard bits, not {guard}");
    let places = ALIGN_BITS as i32 - guard;
    let aligned = (i128::from(p) * i128::from(align) + (1 << (places - 1))) >> places;
    i64::try_from(aligned).expect("an aligned sum of blocks has 64 bits")
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

    #[test]
    fn extremes_of_block_sums_fit() {
        let most = (1_i64 << 57) - 1; // of 58 bits
        assert_eq!(align_wide(most, 1 << 15, -16), 1 << 41, "rounds up by half a unit");
        assert_eq!(align_wide(-most, 1 << 15, -16), -(1 << 41));
        assert_eq!(align_wide((1 << 39) - 1, 1 << 15, 8), ((1 << 39) - 1) << 8);
        assert_eq!(align_wide(-(1 << 49), 1 << 15, -8), -(1 << 41));
    }

    #[test]
    fn halves_of_block_sums_go_up() {
        let half = 1 << 15;
        assert_eq!([half - 1, half, -half, -half - 1].map(|p| align_wide(p, 1 << 15, -16)), [0, 1, 0, -1]);
    }

    proptest! {
        #[test]
        fn wide_equals_the_exact_rational(
            p in any::<i64>(), bits in 1..58_u32, factor in 0..=1_u16 << 15,
            guard in prop::sample::select(spec::Scaling::ALL.map(spec::Scaling::guard_bits).to_vec()),
        ) {
            let p = p >> (64 - bits).max(if guard > 0 { 24 } else { 6 });
            let exact = BigRational::new(BigInt::from(p) * factor, BigInt::from(1_u64 << (15 - guard)));
            let half = BigRational::new(1.into(), 2.into());
            prop_assert_eq!(BigInt::from(align_wide(p, factor, guard)), (exact + half).floor().to_integer());
        }

        #[test]
        fn both_agree_on_sums_of_32_bits(p in any::<i32>(), factor in 0..=1_u16 << 15) {
            prop_assert_eq!(align_wide(p.into(), factor, 8), align(p, factor));
        }

        #[test]
        fn equals_the_exact_rational(p in any::<i32>(), factor in 0..=1_u16 << 15) {
            let exact = BigRational::new(BigInt::from(p) * factor, BigInt::from(128));
            let half = BigRational::new(1.into(), 2.into());
            prop_assert_eq!(BigInt::from(align(p, factor)), (exact + half).floor().to_integer());
        }
    }
}
