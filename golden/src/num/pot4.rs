//! Powers of two in 4 bits: bit 3 is the sign, code 0 is zero, codes 1..=7 are 1, 1/2, ... 1/64.

/// 64 times the value of a code 0..=15, exact; the negative zero, code 8, is 0. `None` for anything else.
pub fn decode(code: i8) -> Option<i16> {
    match code {
        0 | 8 => Some(0),
        1..=7 => Some(64 >> (code - 1)),
        9..=15 => Some(-(64 >> (code - 9))),
        _ => None,
    }
}

/// The code nearest to `num / den` in value: a tie goes up (towards +infinity), saturated at 1; zero is code 0.
///
/// # Panics
/// If `den <= 0`.
pub fn nearest(num: i64, den: i64) -> i8 {
    assert!(den > 0, "a ratio is rounded over a positive denominator, not {den}");
    let (num, den) = (128 * i128::from(num), i128::from(den));
    // From the smallest value up: a value wins below the middle between it and the next one, in units of 1/128.
    let ascending = [9, 10, 11, 12, 13, 14, 15, 0, 7, 6, 5, 4, 3, 2, 1];
    for pair in ascending.windows(2) {
        let middle: i128 = pair.iter().filter_map(|&code| decode(code)).map(i128::from).sum();
        if num < middle * den {
            return pair[0];
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_power() {
        let ints: Vec<i16> = (0..16).filter_map(decode).collect();
        assert_eq!(ints, [0, 64, 32, 16, 8, 4, 2, 1, 0, -64, -32, -16, -8, -4, -2, -1]);
    }

    #[test]
    fn nearest_of_every_value_is_its_code() {
        for code in (0..16).filter(|&c| c != 8) {
            assert_eq!(nearest(decode(code).unwrap().into(), 64), code);
        }
    }

    #[test]
    fn nearest_is_nearest_and_ties_go_up() {
        for num in -2200_i64..=2200 {
            let code = nearest(num, 2048);
            let value = |c: i8| i64::from(decode(c).unwrap()) * 32;
            let best = (0..16).min_by_key(|&c| ((value(c) - num).abs(), -value(c))).unwrap();
            assert_eq!(value(code), value(best), "{num}/2048");
            assert_ne!(code, 8);
        }
        assert_eq!(nearest(3, 4), 1);
        assert_eq!(nearest(-3, 4), 10);
        assert_eq!(nearest(1, 128), 7);
        assert_eq!(nearest(-1, 128), 0);
    }

    #[test]
    fn nearest_saturates_at_one() {
        for (num, code) in [(2, 1), (i64::MAX, 1), (-2, 9), (i64::MIN, 9)] {
            assert_eq!(nearest(num, 1), code);
        }
    }
}
