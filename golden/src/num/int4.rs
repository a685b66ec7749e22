//! INT4: two's complement, quantised to the symmetric range -7..=7.

use super::round_half_up;

/// Largest magnitude a quantizer gives.
pub const MAX: i8 = 7;

/// The integer of a code -8..=7: itself; `None` for anything else.
pub fn decode(code: i8) -> Option<i16> {
    (-8..=7).contains(&code).then_some(i16::from(code))
}

/// The code nearest to `num / den`: rounded half up, saturated to -7..=7.
///
/// # Panics
/// If `den <= 0`.
pub fn nearest(num: i64, den: i64) -> i8 {
    let code = round_half_up(i128::from(num), i128::from(den));
    code.clamp(-i128::from(MAX), i128::from(MAX)) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_value() {
        let ints: Vec<i16> = (-8..=7).filter_map(decode).collect();
        assert_eq!(ints, [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn nearest_rounds_half_up_and_saturates() {
        let nearest_halves: Vec<i8> = (-17..=17).map(|n| nearest(n, 2)).collect();
        let expected: Vec<i8> = [-7, -7].into_iter().chain((-14..=14).map(|n: i8| (n + 1) >> 1)).collect();
        assert_eq!(nearest_halves[1..31], expected[..30]);
        assert_eq!(nearest(-15, 2), -7);
        assert_eq!(nearest(15, 2), 7);
        assert_eq!(nearest(i64::MIN, 1), -7);
        assert_eq!(nearest(i64::MAX, 1), 7);
    }
}
