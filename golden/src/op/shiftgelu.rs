//! GELU of I-ViT, `x · sigma(1.702 x)`.

use spec::Dyadic;

use super::shift_exp::{SUM_TOP, ShiftExp};
use super::shiftmax::share;

/// `y = x · sigma` and its step `step / 2^(bits - 1)`; `sigma` is the share of `exp(x - max)` in
/// `exp(x - max) + exp(-max)`, `max` the row's largest, exponentials of step `1.702 · step` and n = 23.
///
/// `x` `[n]`; `sigma` has `bits - 1` places, 2..=16, rounded down; `y` fits 31 bits. For steps of at least 1/216, where
/// exponentials stay below 2^31, and rows whose largest is below 9: beyond, `exp(-max)` is under the 23 places and the
/// shared maximum costs the small values their sigma. A row below zero has `exp(-max)` above 1, which saturates. Error
/// for rows whose largest is in 0..9: `0.04 + t/128` of `|x|` (t of [`ShiftExp::new`]; the second part is the paper's
/// rounded reciprocal), and an LSB of sigma.
///
/// # Panics
/// If the step's mantissa is 0, or `bits` outside its range.
///
/// **Source**: ShiftGELU, I-ViT, arXiv 2207.01405; NUMERICS 3.
pub fn shiftgelu(x: &[i16], step: Dyadic, bits: u32) -> (Vec<i32>, Dyadic) {
    assert!((2..=16).contains(&bits), "a sigmoid of 2 to 16 bits, not {bits}");
    let max = x.iter().copied().max().map_or(0, i64::from);
    let exp = ShiftExp::new(step, (1702, 1000), 23);
    let zero = exp.at(-max);
    let value = |&x: &i16| {
        let e = exp.at(i64::from(x) - max);
        i32::from(x) * i32::from(share(e, (e + zero).min(SUM_TOP), bits))
    };
    let shift = step.shift.saturating_add(bits as i16 - 1);
    (x.iter().map(value).collect(), Dyadic { mult: step.mult, shift })
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real function")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::super::exact::floor;
    use super::*;

    #[test]
    fn worked_examples() {
        // Step 1/16: t = ceil(16 / 1.702) = 10.
        let step = Dyadic { mult: 1 << 15, shift: 19 };
        let (y, of) = shiftgelu(&[0, 0], step, 8);
        assert_eq!((y, of), (vec![0, 0], Dyadic { mult: 1 << 15, shift: 26 }));
        let (y, _) = shiftgelu(&[48, -48], step, 8);
        assert!(y[0] > 48 * 120 && (-48 * 3..0).contains(&y[1]), "{y:?}");
        assert!(shiftgelu(&[], step, 8).0.is_empty());
        // A row below zero: exp(-max) saturates, and sigma is t/256.
        assert_eq!(shiftgelu(&[i16::MIN], step, 8).0, [-32768 * 5]);
    }

    proptest! {
        #[test]
        fn equals_the_formula_and_stays_near(
            mut x in prop::collection::vec(-127..128_i16, 1..100), bits in prop::sample::select(vec![8_u32, 16]), shift in 19..22_i16,
        ) {
            x[0] = x[0].max(0);
            let step = Dyadic { mult: 1 << 15, shift };
            let (y, of) = shiftgelu(&x, step, bits);
            prop_assert_eq!(of, Dyadic { mult: 1 << 15, shift: shift + bits as i16 - 1 });
            let max = i64::from(*x.iter().max().unwrap());
            let exp = ShiftExp::new(step, (1702, 1000), 23);
            for (&x, &y) in x.iter().zip(&y) {
                let e = BigInt::from(exp.at(i64::from(x) - max));
                let sum = (&e + exp.at(-max)).min(SUM_TOP.into());
                let sigma = floor(e * floor(SUM_TOP, sum), BigInt::from(1) << (32 - bits));
                let sigma = sigma.min((BigInt::from(1) << (bits - 1)) - 1);
                prop_assert_eq!(BigInt::from(y), sigma * x);
                let x = libm::ldexp(f64::from(x), 15 - i32::from(shift));
                let real = x / 2.0 * (1.0 + libm::erf(x / libm::sqrt(2.0)));
                let y = libm::ldexp(f64::from(y), 16 - i32::from(shift) - bits as i32);
                prop_assert!((y - real).abs() <= x.abs() * (0.04 + exp.t() as f64 / 128.0 + libm::ldexp(1.0, 1 - bits as i32)), "{x}: {y} for {real}");
            }
        }
    }
}
