//! Softmax of I-ViT, for models with 8-bit scores.

use spec::Dyadic;

use super::shift_exp::{SUM_TOP, ShiftExp};

/// `p = (e · floor((2^31 - 1) / min(Σ e, 2^31 - 1))) >> (32 - bits)`, with `e` of `x - max x` and n = 15.
///
/// `x` `[t]` with a step; the result `[t]` has `bits - 1` binary places, 0..=2^(bits-1) - 1 (saturated), `bits` 2..=16.
/// Everything is rounded down, so that the sum stays below 1: by an LSB an element at most, and by the part
/// `Σ e / 2^31` of it that the rounded reciprocal loses. `e · factor` fits 62 bits.
///
/// # Panics
/// If the step's mantissa is 0, or `bits` outside its range.
///
/// **Source**: Shiftmax, I-ViT, arXiv 2207.01405; NUMERICS 3.
pub fn shiftmax(x: &[i32], step: Dyadic, bits: u32) -> Vec<u16> {
    assert!((2..=16).contains(&bits), "probabilities of 2 to 16 bits, not {bits}");
    let Some(max) = x.iter().copied().max() else { return Vec::new() };
    let exp = ShiftExp::new(step, (1, 1), 15);
    let exps: Vec<i64> = x.iter().map(|&x| exp.at(i64::from(x) - i64::from(max))).collect();
    let sum = exps.iter().fold(0, |sum: i64, e| (sum + e).min(SUM_TOP));
    exps.iter().map(|&e| share(e, sum, bits)).collect()
}

/// The share `e / sum` with `bits - 1` places, by the paper's reciprocal; `sum` at most [`SUM_TOP`].
pub(crate) fn share(e: i64, sum: i64, bits: u32) -> u16 {
    let top = (1 << (bits - 1)) - 1;
    ((e * (SUM_TOP / sum)) >> (32 - bits)).min(top) as u16
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against real softmax")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::super::exact::floor;
    use super::*;

    #[test]
    fn worked_examples() {
        // t = 16: e = 2^19 and, an octave below, 2^18.
        let step = Dyadic { mult: 1 << 15, shift: 19 };
        assert_eq!(shiftmax(&[9, 9], step, 8), [63, 63]);
        assert_eq!(shiftmax(&[9, -2], step, 8), [85, 42], "x' = -11 - 6 + 1 = -16");
        assert_eq!(shiftmax(&[7], step, 8), [127]);
        assert!(shiftmax(&[], step, 8).is_empty());
        assert_eq!(shiftmax(&[i32::MIN, i32::MAX], step, 16), [0, 32760], "the reciprocal is rounded down");
    }

    proptest! {
        #[test]
        fn equals_the_formula_and_stays_near(
            x in prop::collection::vec(-128..128_i32, 1..200), bits in prop::sample::select(vec![8_u32, 16]), shift in 17..21_i16,
        ) {
            let step = Dyadic { mult: 1 << 15, shift };
            let p = shiftmax(&x, step, bits);
            let max = *x.iter().max().unwrap();
            let exp = ShiftExp::new(step, (1, 1), 15);
            let exps: Vec<BigInt> = x.iter().map(|&x| exp.at((x - max).into()).into()).collect();
            let sum: BigInt = exps.iter().sum();
            let real: Vec<f64> = x.iter().map(|x| libm::exp(libm::ldexp(f64::from(x - max), 15 - i32::from(shift)))).collect();
            let total: f64 = real.iter().sum();
            for ((p, e), real) in p.iter().zip(exps).zip(real) {
                let exact = floor(e * floor(SUM_TOP, sum.clone().min(SUM_TOP.into())), BigInt::from(1) << (32 - bits));
                prop_assert_eq!(BigInt::from(*p), exact);
                let error = libm::ldexp(f64::from(*p), 1 - bits as i32) - real / total;
                prop_assert!(error.abs() <= 0.13 + libm::ldexp(1.0, 1 - bits as i32), "{error}");
            }
        }
    }
}
