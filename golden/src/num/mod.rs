//! Number formats: the exact integer of every code, and the nearest code to a ratio of integers.

pub mod e2m1;
pub mod e4m3;
pub mod e8m0;
pub mod int4;
pub mod int8;
pub mod pot4;
pub mod pot8;

use std::ops::RangeInclusive;

use spec::Operand;

/// Every code of an operand as [`spec::qmodel`] stores it: INT8 and INT4 as their value, E2M1 and PoT as 0..=15, sums of two
/// PoT as the byte of their code.
pub fn codes(operand: Operand) -> RangeInclusive<i8> {
    match operand {
        Operand::Int8 | Operand::Pot8 => -128..=127,
        Operand::Int4 => -8..=7,
        Operand::E2m1 | Operand::Pot4 => 0..=15,
    }
}

/// The exact integer of a code, or `None` if the operand has no such code.
///
/// The real value is the integer over `2^Operand::int_frac_bits`, in units of the step.
pub fn decode(operand: Operand, code: i8) -> Option<i16> {
    match operand {
        Operand::Int8 => Some(int8::decode(code)),
        Operand::Int4 => int4::decode(code),
        Operand::E2m1 => e2m1::decode(code),
        Operand::Pot4 => pot4::decode(code),
        Operand::Pot8 => Some(pot8::decode(code)),
    }
}

/// `num / den` rounded half up, `floor((2·num + den) / (2·den))`, for negative numbers too.
///
/// Exact for `|num| < 2^125` and `0 < den < 2^125`.
///
/// # Panics
/// If `den <= 0`.
pub fn round_half_up(num: i128, den: i128) -> i128 {
    assert!(den > 0, "a ratio is rounded over a positive denominator, not {den}");
    (2 * num + den).div_euclid(2 * den)
}

/// `z · num / den` rounded half up for many z that share a ratio: in 64 bits where those suffice, otherwise in 128.
#[derive(Clone, Copy, Debug)]
pub struct Quotient {
    num: i64,
    den: i128,
    /// `2·z·num + den` and `2·den` fit 64 bits.
    is_narrow: bool,
}

impl Quotient {
    /// For `|z| <= largest`; results must fit 64 bits.
    ///
    /// # Panics
    /// If `num` or `den` is not positive, or `den >= 2^120`.
    pub fn new(num: i64, den: i128, largest: u64) -> Self {
        assert!(num > 0 && 0 < den && den < 1 << 120, "a ratio of positive integers, not {num} / {den}");
        let most = 2 * i128::from(largest) * i128::from(num) + 2 * den;
        Self { num, den, is_narrow: most <= i64::MAX.into() }
    }

    /// `floor((2·z·num + den) / (2·den))`.
    pub fn of(&self, z: i64) -> i64 {
        if self.is_narrow {
            let den = self.den as i64;
            (2 * z * self.num + den).div_euclid(2 * den)
        } else {
            round_half_up(i128::from(z) * i128::from(self.num), self.den) as i64
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_fits_what_the_vocabulary_says_of_its_operand() {
        for operand in Operand::ALL {
            assert_eq!(codes(operand).count(), 1 << operand.bits());
            let ints: Vec<i16> = codes(operand).map(|c| decode(operand, c).unwrap()).collect();
            let largest = ints.iter().map(|i| i.unsigned_abs()).max().unwrap();
            assert_eq!(u32::from(largest), operand.magnitude(), "{}", operand.name());
            let half = 1 << (operand.int_bits() - 1);
            assert!(ints.iter().all(|&i| -half <= i && i < half), "{} in {} bits", operand.name(), operand.int_bits());
        }
    }

    #[test]
    fn only_codes_decode() {
        for operand in Operand::ALL {
            for code in i8::MIN..=i8::MAX {
                assert_eq!(decode(operand, code).is_some(), codes(operand).contains(&code));
            }
        }
    }

    #[test]
    fn halves_go_up_on_both_sides_of_zero() {
        let rounded: Vec<i128> = (-7..=7).map(|n| round_half_up(n, 2)).collect();
        assert_eq!(rounded, [-3, -3, -2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(round_half_up(-4, 3), -1);
        assert_eq!(round_half_up(-5, 3), -2);
        assert_eq!(round_half_up(5, 3), 2);
        assert_eq!(round_half_up(-3, 6), 0);
    }

    proptest! {
        /// Around the place where 64 bits no longer suffice, and far from it.
        #[test]
        fn a_quotient_is_the_rounded_ratio(
            largest in prop_oneof![1..1000_u64, 1..1_u64 << 62, (i64::MAX / 511 / 2) as u64 - 99..i64::MAX as u64 / 511 + 99],
            num in prop::sample::select(vec![1_i64, 7, 127, 255, 1785]), times in 1..256_i128, part in -1000..=1000_i128,
        ) {
            let z = (i128::from(largest) * part / 1000) as i64;
            let den = i128::from(largest) * times;
            let rounded = round_half_up(i128::from(z) * i128::from(num), den);
            prop_assert_eq!(i128::from(Quotient::new(num, den, largest).of(z)), rounded);
        }
    }
}
