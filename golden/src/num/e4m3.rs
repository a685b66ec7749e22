//! FP8 E4M3 as a scale: positive codes only, four bits of exponent (bias 7), three of mantissa; no infinity.
//!
//! **Source**: OCP 8-bit Floating Point Specification (OFP8) 1.0, E4M3; NVFP4's block scales.

/// Code of the largest value, 448; the next one, 0x7f, is NaN.
pub const MAX_CODE: u8 = 0x7e;

/// `2^9` times the largest value: 229376, 18 bits unsigned.
pub const MAX_INT: i32 = 448 << FRAC_BITS;
const _: () = assert!(MAX_INT < 1 << 18);

/// Binary places of [`decode`]'s integers: the smallest subnormal, `2^-9`, is 1.
pub const FRAC_BITS: u32 = 9;

/// `2^9` times the value of a positive code, exact, 18 bits unsigned; `None` for NaN and for codes with a sign.
pub fn decode(code: u8) -> Option<i32> {
    let (exponent, mantissa) = (u32::from(code >> 3), i32::from(code & 7));
    match code {
        0..=7 => Some(mantissa),
        8..=MAX_CODE => Some((8 + mantissa) << (exponent - 1)),
        _ => None,
    }
}

/// The code nearest to `num / den >= 0`: to nearest, ties to the even code, clamped at 448.
///
/// `num < 2^116`, `0 < den < 2^116`.
///
/// # Panics
/// If a bound is broken.
pub fn nearest(num: u128, den: u128) -> u8 {
    assert!(num < 1 << 116 && 0 < den && den < 1 << 116, "a scale is a ratio of positive integers, not {num} / {den}");
    let num = num << FRAC_BITS;
    if num >= den.saturating_mul(MAX_INT as u128) {
        return MAX_CODE;
    }
    // In units of 2^-9: below 16 every integer has a code; each octave above has 8 codes, 2^shift apart.
    let shift = (num / den).max(8).ilog2() - 3;
    let den = den << shift;
    let (floor, rest) = ((num / den) as u8, num % den);
    let up = 2 * rest > den || (2 * rest == den && floor % 2 == 1);
    // 8..=16 units of this octave: 16 is the first code of the next one.
    floor + u8::from(up) + 8 * shift as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_is_what_its_fields_say() {
        assert_eq!([0, 1, 7, 8, 0x38, MAX_CODE].map(decode), [0, 1, 7, 8, 512, MAX_INT].map(Some));
        for code in 0x08..=MAX_CODE {
            // value = 2^(exponent - 7) · (1 + mantissa/8), in units of 2^-9
            let twice = (1_u64 << (code >> 3)) * u64::from(8 + (code & 7));
            assert_eq!(decode(code).map(|v| 2 * v as u64), Some(twice), "{code:#x}");
        }
        assert!((0..MAX_CODE).all(|c| decode(c) < decode(c + 1)), "ascending");
        assert!((0x7f..=0xff).all(|c| decode(c).is_none()));
    }

    #[test]
    fn every_value_and_every_middle_rounds_as_ieee_754_says() {
        for code in 0..MAX_CODE {
            let (low, high) = (decode(code).unwrap() as u128, decode(code + 1).unwrap() as u128);
            let den = 2 << FRAC_BITS;
            assert_eq!(nearest(2 * low, den), code);
            let even = code + code % 2;
            assert_eq!(nearest(low + high, den), even, "tie above {code:#x}");
            assert_eq!(nearest(1000 * (low + high) - 1, 1000 * den), code);
            assert_eq!(nearest(1000 * (low + high) + 1, 1000 * den), code + 1);
        }
    }

    #[test]
    fn values_above_448_are_clamped() {
        for (num, den) in [(448, 1), (449, 1), (u128::from(u64::MAX), 1), ((1 << 116) - 1, 1)] {
            assert_eq!(nearest(num, den), MAX_CODE);
        }
        assert_eq!(nearest((1 << 116) - 1, (1 << 116) - 1), 0x38);
        assert_eq!(nearest(0, 1), 0);
    }

    proptest! {
        #[test]
        fn nearest_is_nearest(num in 0..500_u128 << 40, den in 1..1_u128 << 45) {
            let code = nearest(num, den);
            let error = |c: u8| (decode(c).unwrap() as i128 * den as i128 - (num << FRAC_BITS) as i128).abs();
            prop_assert_eq!(error(code), (0..=MAX_CODE).map(error).min().unwrap());
        }
    }
}
