//! Sums of two powers of two in 8 bits: a code of [`super::pot4`] in bits 3..=0 and one in bits 7..=4.
//!
//! The 256 codes have 79 values. Quantizers use one code of each: a single term where one suffices, otherwise a sum before a
//! difference, with the larger power in the low bits; hardware takes all codes.

/// The largest integer: 64 times the value 2.
pub const MAX_INT: i16 = 128;

/// 64 times the value of a code, any byte; exact, -128..=128.
pub fn decode(code: i8) -> i16 {
    let [low, high] = [code as u8 & 15, code as u8 >> 4].map(|term| term_of(term as i16));
    low + high
}

/// 64 times the value of one term 0..=15.
fn term_of(term: i16) -> i16 {
    match term {
        0 | 8 => 0,
        1..=7 => 64 >> (term - 1),
        _ => -(64 >> (term - 9)),
    }
}

/// The quantizers' code of an integer -128..=128, `None` where it is no sum of two powers.
pub fn code(int: i16) -> Option<i8> {
    let magnitude = int.unsigned_abs() as i16;
    if magnitude == 0 {
        return Some(0);
    }
    let sign = if int < 0 { 8 } else { 0 };
    // The high term: none, then its sign that of the low one, then the other one.
    let mut form = 0;
    while form < 3 {
        let mut low = 1;
        while low <= 7 {
            let mut high = if form == 0 { 7 } else { low };
            while high <= 7 {
                let (is_same, second) = match form {
                    0 => (true, 0),
                    1 => (true, term_of(high)),
                    _ => (false, term_of(high)),
                };
                if term_of(low) + if is_same { second } else { -second } == magnitude {
                    let term = if form == 0 { 0 } else { high + if is_same { sign } else { 8 - sign } };
                    return Some((16 * term + low + sign) as u8 as i8);
                }
                high += 1;
            }
            low += 1;
        }
        form += 1;
    }
    None
}

/// The code nearest to `num / den` in value: a tie goes up (towards +infinity), saturated at 2.
///
/// # Panics
/// If `den <= 0`.
pub fn nearest(num: i64, den: i64) -> i8 {
    assert!(den > 0, "a ratio is rounded over a positive denominator, not {den}");
    let (num, den) = (128 * i128::from(num), i128::from(den));
    let mut below = None;
    for (int, code) in (-MAX_INT..=MAX_INT).filter_map(|int| Some((int, code(int)?))) {
        // A value wins below the middle between it and the next one, in units of 1/128.
        if let Some((last, code)) = below
            && num < i128::from(last + int) * den
        {
            return code;
        }
        below = Some((int, code));
    }
    below.map_or(0, |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::num::pot4;

    #[test]
    fn every_code_is_the_sum_of_its_terms() {
        for byte in 0..=255_u8 {
            let [low, high] = [byte & 15, byte >> 4].map(|term| pot4::decode(term as i8).unwrap());
            assert_eq!(decode(byte as i8), low + high, "{byte:#04x}");
        }
    }

    #[test]
    fn every_value_has_one_code_of_the_quantizers() {
        let values: BTreeSet<i16> = (i8::MIN..=i8::MAX).map(decode).collect();
        assert_eq!(values.len(), 79);
        for int in -200..=200 {
            assert_eq!(code(int).is_some(), values.contains(&int), "{int}");
            assert!(code(int).is_none_or(|code| decode(code) == int), "{int}");
        }
        // One term where that suffices, sums before differences, the larger power in the low bits.
        for (int, byte) in
            [(0, 0x00), (64, 0x01), (-64, 0x09), (128, 0x11), (48, 0x32), (63, 0xf1), (-63, 0x79), (-3, 0xfe)]
        {
            assert_eq!(code(int), Some(byte as u8 as i8), "{int}");
        }
    }

    #[test]
    fn nearest_of_every_value_is_its_code() {
        for int in -128..=128 {
            assert!(code(int).is_none_or(|code| nearest(int.into(), 64) == code), "{int}");
        }
    }

    #[test]
    fn nearest_is_nearest_and_ties_go_up() {
        for num in -2200_i64..=2200 {
            let value = |code: i8| 8 * i64::from(decode(code));
            let best = (i8::MIN..=i8::MAX).min_by_key(|&c| ((value(c) - num).abs(), -value(c))).unwrap();
            let found = nearest(num, 512);
            assert_eq!(value(found), value(best), "{num}/512");
            assert_eq!(code(decode(found)), Some(found));
        }
        // 112 lies between 96 and 128, 1/2 between 0 and 1.
        for (num, den, int) in [(112, 64, 128), (-112, 64, -96), (1, 128, 1), (-1, 128, 0)] {
            assert_eq!(decode(nearest(num, den)), int);
        }
    }

    #[test]
    fn nearest_saturates_at_two() {
        for (num, int) in [(2, 128), (3, 128), (i64::MAX, 128), (-3, -128), (i64::MIN, -128)] {
            assert_eq!(decode(nearest(num, 1)), int);
        }
    }
}
