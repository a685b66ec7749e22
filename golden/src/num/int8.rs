//! INT8: two's complement, quantised to the symmetric range -127..=127.

use super::round_half_up;

/// Largest magnitude a quantizer gives.
pub const MAX: i8 = 127;

/// The integer of a code: itself, -128 included.
pub fn decode(code: i8) -> i16 {
    i16::from(code)
}

/// The code nearest to `num / den`: rounded half up, saturated to -127..=127.
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
        for code in i8::MIN..=i8::MAX {
            assert_eq!(decode(code), code as i16);
        }
    }

    #[test]
    fn nearest_of_every_code_is_that_code() {
        for code in -127..=127_i8 {
            assert_eq!(nearest(i64::from(code) * 12, 12), code);
            assert_eq!(nearest(i64::from(code) * 12 - 6, 12), code, "a half goes up to {code}");
            let below = if code == -127 { -127 } else { code - 1 };
            assert_eq!(nearest(i64::from(code) * 12 - 7, 12), below);
        }
    }

    #[test]
    fn nearest_saturates_symmetrically() {
        assert_eq!(nearest(-128, 1), -127);
        assert_eq!(nearest(255, 2), 127);
        assert_eq!(nearest(i64::MIN, 1), -127);
        assert_eq!(nearest(i64::MAX, 1), 127);
        assert_eq!(nearest(i64::MIN, i64::MAX), -1);
    }
}
