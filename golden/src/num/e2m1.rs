//! FP4 E2M1: sign, two bits of exponent, one of mantissa; no infinity, no NaN.
//!
//! **Source**: OCP Microscaling Formats (MX) Specification 1.0, clause 5.3.3.

/// Twice the magnitude of codes 0..=7: 0, .5, 1, 1.5, 2, 3, 4, 6.
const TWICE: [i16; 8] = [0, 1, 2, 3, 4, 6, 8, 12];

/// Twice the value of a code 0..=15, exact; the negative zero, code 8, is 0. `None` for anything else.
pub fn decode(code: i8) -> Option<i16> {
    match code {
        0..=7 => Some(TWICE[code as usize]),
        8..=15 => Some(-TWICE[code as usize - 8]),
        _ => None,
    }
}

/// The code nearest to `num / den`: to nearest, ties to the even code, saturated at 6.
///
/// A negative ratio keeps its sign even where it rounds to zero (code 8), as IEEE 754 has it; that code computes as 0.
///
/// # Panics
/// If `den <= 0`.
pub fn nearest(num: i64, den: i64) -> i8 {
    assert!(den > 0, "a ratio is rounded over a positive denominator, not {den}");
    let sign = if num < 0 { 8 } else { 0 };
    let (magnitude, den) = (4 * i128::from(num).abs(), i128::from(den));
    // Code `low` wins up to the middle between its value and the next one's, in quarters.
    for low in 0..7 {
        let middle = i128::from(TWICE[low] + TWICE[low + 1]) * den;
        if magnitude < middle || (magnitude == middle && low % 2 == 0) {
            return low as i8 + sign;
        }
    }
    7 + sign
}

/// The least magnitudes that get the codes 1..=7, for numbers whose value is `z · num / den`.
///
/// One division a code instead of one a number: a row or block shares its ratio. `0 < num < 2^64`, `0 < den < 2^120`;
/// limits from 2^64 on are held as [`u64::MAX`], which exceeds every |z|.
///
/// # Panics
/// If a bound is broken.
pub fn limits(num: u128, den: u128) -> [u64; 7] {
    assert!(0 < num && num < 1 << 64 && 0 < den && den < 1 << 120, "a ratio of positive integers, not {num} / {den}");
    std::array::from_fn(|low| {
        // Code `low` wins up to z = middle/4 · den/num; where both are as near, the even one does.
        let (middle, quarters) = ((TWICE[low] + TWICE[low + 1]) as u128 * den, 4 * num);
        let limit = if low % 2 == 0 { middle / quarters + 1 } else { middle.div_ceil(quarters) };
        u64::try_from(limit).unwrap_or(u64::MAX)
    })
}

/// The least magnitude that the edge clips, for numbers whose value is `z · num / den`: a value of 7 or more is nearer to 8,
/// the next one if the format had it (and the even one of a tie), than to 6.
///
/// Bounds and panics as those of [`limits`].
pub fn beyond(num: u128, den: u128) -> u64 {
    assert!(0 < num && num < 1 << 64 && 0 < den && den < 1 << 120, "a ratio of positive integers, not {num} / {den}");
    u64::try_from((7 * den).div_ceil(num)).unwrap_or(u64::MAX)
}

/// The code of `z`, given the [`limits`] of its ratio: what [`nearest`] gives of `z · num`, `den`.
///
/// `|z| < 2^63`.
pub fn code(z: i64, limits: &[u64; 7]) -> i8 {
    let magnitude = z.unsigned_abs();
    let sign = if z < 0 { 8 } else { 0 };
    limits.iter().map(|&limit| i8::from(magnitude >= limit)).sum::<i8>() + sign
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From the fields of the format: subnormals at exponent 0, bias 1.
    fn twice_from_fields(code: i8) -> i16 {
        let (exponent, mantissa) = (i16::from(code >> 1) & 3, i16::from(code) & 1);
        let twice = if exponent == 0 { mantissa } else { (2 + mantissa) << (exponent - 1) };
        if code & 8 == 0 { twice } else { -twice }
    }

    #[test]
    fn every_code_is_what_its_fields_say() {
        for code in 0..16 {
            assert_eq!(decode(code), Some(twice_from_fields(code)), "code {code}");
        }
        assert_eq!(decode(8), Some(0), "negative zero computes as zero");
    }

    #[test]
    fn nearest_of_every_value_is_its_code() {
        for code in (0..16).filter(|&c| c != 8) {
            assert_eq!(nearest(decode(code).unwrap().into(), 2), code);
        }
    }

    #[test]
    fn ties_go_to_the_even_code() {
        // (value in quarters, code): .25, .75, 1.25, 1.75, 2.5, 3.5, 5
        for (quarters, code) in [(1, 0), (3, 2), (5, 2), (7, 4), (10, 4), (14, 6), (20, 6)] {
            assert_eq!(nearest(quarters, 4), code, "{quarters}/4");
            assert_eq!(nearest(-quarters, 4), code + 8, "-{quarters}/4");
        }
    }

    #[test]
    fn nearest_is_nearest_over_a_sweep() {
        for num in -2048_i64..=2048 {
            let code = nearest(num, 256);
            let error = |c: i8| (i64::from(twice_from_fields(c)) * 128 - num).abs();
            let best = (0..16).map(error).min().unwrap();
            assert_eq!(error(code), best, "{num}/256 -> {code}");
        }
    }

    #[test]
    fn nearest_saturates_at_six() {
        for (num, code) in [(7, 7), (i64::MAX, 7), (-7, 15), (i64::MIN, 15)] {
            assert_eq!(nearest(num, 1), code);
        }
        assert_eq!(nearest(0, i64::MAX), 0);
        assert_eq!(nearest(-1, i64::MAX), 8);
    }

    #[test]
    fn limits_beyond_every_number_give_the_codes_below() {
        let far = limits(1, 1 << 119);
        assert_eq!(far, [u64::MAX; 7]);
        assert_eq!([code(i64::MAX, &far), code(-i64::MAX, &far), code(0, &far)], [0, 8, 0]);
    }

    #[test]
    fn the_edge_clips_from_seven_on() {
        for (num, den) in [(1, 1), (3, 7), (7, 3), (1, 100), (6 * 448 * 512, 12_345)] {
            let least = beyond(num, den);
            assert!(u128::from(least) * num >= 7 * den && u128::from(least - 1) * num < 7 * den, "{num} / {den}");
        }
        assert_eq!(beyond(1, 1 << 119), u64::MAX);
    }

    proptest! {
        #[test]
        fn codes_by_limits_are_the_nearest(num in 1..64_i64, den in 1..100_000_i64, by in -300..300_i64, at in 0..8_i64) {
            let limits = limits(num as u128, den as u128);
            // Near the middles, where rounding decides, and anywhere else.
            let near = [1, 3, 5, 7, 10, 14, 20, 30][at as usize] * den / (4 * num);
            for z in [near + by.signum(), -near + by.signum(), near, by * den / 100] {
                prop_assert_eq!(code(z, &limits), nearest(z * num, den), "{} · {} / {}", z, num, den);
            }
        }
    }
}
