//! Codes of one value: rounding to each operand format, and normalised steps.

use std::sync::LazyLock;

use spec::{Dyadic, Operand};

use crate::num;

/// Largest exponent field a row's scale carries; see `spec::stream::row_word`.
const SHIFTS: std::ops::RangeInclusive<i32> = -128..=127;

/// The normalised step next to a positive value: 16 significant bits, rounded half up, the shift held in -128..=127.
///
/// Zero, and what is not a positive number, gives the step 1.
pub fn dyadic(value: f64) -> Dyadic {
    if !(value > 0.0 && value.is_finite()) {
        return Dyadic { mult: 1 << 15, shift: 15 };
    }
    // value = fraction · 2^exponent with the fraction in [0.5, 1).
    let (fraction, exponent) = libm::frexp(value);
    let (mut mult, mut shift) = (round_half_up(libm::ldexp(fraction, 16)) as u32, 16 - exponent);
    if mult == 1 << 16 {
        (mult, shift) = (1 << 15, shift - 1);
    }
    Dyadic { mult: mult as u16, shift: shift.clamp(*SHIFTS.start(), *SHIFTS.end()) as i16 }
}

/// The value of a step.
pub fn value(step: Dyadic) -> f64 {
    libm::ldexp(f64::from(step.mult), -i32::from(step.shift))
}

/// To the nearest integer, halves upwards.
pub fn round_half_up(x: f64) -> f64 {
    libm::floor(x + 0.5)
}

/// Logits in steps of 2^-16, rounded half up and held within ±2^46: what [`crate::sample`] draws from.
pub fn fixed_logits(logits: &[f32]) -> (Vec<i64>, Dyadic) {
    let most = libm::ldexp(1.0, 46);
    let fixed = |&x: &f32| round_half_up(libm::ldexp(f64::from(x), 16)).clamp(-most, most) as i64;
    (logits.iter().map(fixed).collect(), Dyadic { mult: 1 << 15, shift: 31 })
}

/// The largest integer a quantizer uses: INT8 127, INT4 7, E2M1 12 (the value 6), PoT 64 (the value 1), sums of two
/// PoT 128 (the value 2).
pub const fn top(operand: Operand) -> i32 {
    match operand {
        Operand::Int8 => 127,
        Operand::Int4 => 7,
        Operand::E2m1 => 12,
        Operand::Pot4 => 64,
        Operand::Pot8 => num::pot8::MAX_INT as i32,
    }
}

/// The integer of one of the operand's codes.
///
/// # Panics
/// If the operand has no such code; codes from files are checked when they are read.
pub fn integer(operand: Operand, code: i8) -> i32 {
    i32::from(num::decode(operand, code).unwrap_or_else(|| panic!("{} has no code {code}", operand.name())))
}

/// The code whose integer is nearest to `x`, a value in steps of that integer.
///
/// INT8 and INT4 round halves up and saturate at ±127 and ±7. E2M1 rounds halves to the even code and saturates at the
/// value 6. PoT rounds halves up and saturates at the value 1, sums of two PoT at 2.
pub fn encode(operand: Operand, x: f64) -> i8 {
    match operand {
        Operand::Int8 | Operand::Int4 => {
            let top = f64::from(top(operand));
            round_half_up(x).clamp(-top, top) as i8
        }
        Operand::E2m1 => signed(x, e2m1_magnitude(x.abs())),
        Operand::Pot4 => signed(x, pot4_magnitude(x.abs(), x > 0.0)),
        Operand::Pot8 => pot8(x),
    }
}

/// The code of a magnitude: as many codes lie below it as middles between neighbours do; a tie goes to the even code.
fn e2m1_magnitude(x: f64) -> i8 {
    let below = [x > 0.5, x >= 1.5, x > 2.5, x >= 3.5, x > 5.0, x >= 7.0, x > 10.0];
    below.iter().map(|&b| i8::from(b)).sum()
}

/// As [`e2m1_magnitude`], where codes fall as magnitudes rise; `up` says whether a tie goes to the larger magnitude.
fn pot4_magnitude(x: f64, up: bool) -> i8 {
    let passes = |middle: f64| if up { x >= middle } else { x > middle };
    let below: i8 = [0.5, 1.5, 3.0, 6.0, 12.0, 24.0, 48.0].iter().map(|&m| i8::from(passes(m))).sum();
    if below == 0 { 0 } else { 8 - below }
}

/// Codes of the integers nearest to `i / 2 + 1/4`, at place `i + 256`.
///
/// Middles between neighbours are halves of integers, and a tie goes up, so that all numbers from `i / 2` to before the next
/// half have the same code.
static POT8: LazyLock<[i8; 513]> =
    LazyLock::new(|| std::array::from_fn(|place| num::pot8::nearest(2 * (place as i64 - 256) + 1, 256)));

fn pot8(x: f64) -> i8 {
    POT8[(libm::floor(2.0 * x).clamp(-256.0, 256.0) + 256.0) as usize]
}

/// Zero has one code, without a sign.
fn signed(x: f64, code: i8) -> i8 {
    if x < 0.0 && code != 0 { code | 8 } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_nearest_to_its_own_integer() {
        for operand in [Operand::E2m1, Operand::Pot4] {
            for code in 0..16 {
                let expected = if code == 8 { 0 } else { code };
                assert_eq!(encode(operand, f64::from(integer(operand, code))), expected, "{operand:?} {code}");
            }
        }
        for code in i8::MIN..=i8::MAX {
            let int = integer(Operand::Pot8, code);
            assert_eq!(Some(encode(Operand::Pot8, f64::from(int))), num::pot8::code(int as i16), "{int}");
        }
        for operand in [Operand::Int8, Operand::Int4] {
            let top = top(operand) as i8;
            assert!((-top..=top).all(|code| encode(operand, f64::from(code)) == code));
            assert_eq!(encode(operand, 1000.0), top);
            assert_eq!(encode(operand, -1000.0), -top);
        }
    }

    #[test]
    fn ties_follow_each_format() {
        // E2M1 integers are twice the value: 0.25 lies between 0 and 0.5, and goes to the even code.
        for (value, code) in [(0.25, 0), (0.75, 2), (1.25, 2), (1.75, 4), (2.5, 4), (3.5, 6), (5.0, 6), (99.0, 7)] {
            assert_eq!(encode(Operand::E2m1, 2.0 * value), code, "{value}");
            assert_eq!(encode(Operand::E2m1, -2.0 * value), if code == 0 { 0 } else { code | 8 }, "-{value}");
        }
        for (integer, code) in
            [(0.5, 7), (0.49, 0), (48.0, 1), (47.9, 2), (100.0, 1), (-3.0, 8 | 6), (3.0, 5), (-0.5, 0)]
        {
            assert_eq!(encode(Operand::Pot4, integer), code, "{integer}");
        }
        assert_eq!(encode(Operand::Int8, 2.5), 3);
        assert_eq!(encode(Operand::Int8, -2.5), -2);
    }

    #[test]
    fn codes_are_those_of_the_integer_quantizers() {
        for sixteenths in -3000i32..=3000 {
            let (x, num) = (f64::from(sixteenths) / 16.0, i64::from(sixteenths));
            assert_eq!(encode(Operand::Int8, x), num::int8::nearest(num, 16));
            assert_eq!(encode(Operand::Int4, x), num::int4::nearest(num, 16));
            // The integer quantizers take the value, of which the code's integer is a multiple, and may sign a zero.
            let unsigned_zero = |code: i8| if code == 8 { 0 } else { code };
            assert_eq!(encode(Operand::E2m1, x), unsigned_zero(num::e2m1::nearest(num, 32)), "{x}");
            assert_eq!(encode(Operand::Pot4, x), unsigned_zero(num::pot4::nearest(num, 1024)), "{x}");
            assert_eq!(encode(Operand::Pot8, x), num::pot8::nearest(num, 1024), "{x}");
        }
    }

    #[test]
    fn logits_keep_their_value_to_half_a_step() {
        let (fixed, step) = fixed_logits(&[1.0, -2.5, 0.1, f32::MAX, f32::MIN]);
        assert_eq!((fixed, value(step)), (vec![65_536, -163_840, 6554, 1 << 46, -1 << 46], 1.0 / 65_536.0));
    }

    #[test]
    fn steps_are_normalised() {
        assert_eq!(dyadic(1.0), Dyadic { mult: 1 << 15, shift: 15 });
        assert_eq!(dyadic(0.0), Dyadic { mult: 1 << 15, shift: 15 });
        // 65535.5 / 65536 rounds up to a power of two.
        assert_eq!(dyadic(65535.5 / 65536.0), Dyadic { mult: 1 << 15, shift: 15 });
        assert_eq!(dyadic(65535.0 / 65536.0), Dyadic { mult: 65535, shift: 16 });
        assert_eq!(dyadic(1e-300).shift, 127);
        assert_eq!(dyadic(1e300).shift, -128);
        for value_in in [1e-20, 0.013, 0.7, 3.0, 1e9] {
            let step = dyadic(value_in);
            assert!(step.mult >= 1 << 15);
            assert!((value(step) / value_in - 1.0).abs() <= 1.0 / 65536.0);
        }
    }
}
