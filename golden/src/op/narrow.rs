//! Narrowing: a wide row becomes 16-bit codes with a step that is a power of two times the row's.

use spec::Dyadic;

/// A row of 16-bit codes, `|code| <= 32767`: real value `code · step`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// Codes `[n]`.
    pub codes: Vec<i16>,
    /// What one LSB is worth; its mantissa is the wide row's.
    pub step: Dyadic,
}

/// `code = round(a / 2^n)` with `n = max(0, bits(max |a|) - 15)`, step `step · 2^n`; a row below 2^15 stays as it is.
///
/// `a` is any row of 64-bit values. Rounded half up, then saturated to ±32767, which only a magnitude that rounds to
/// 2^15 reaches. Error at most half an LSB of the result, one where it saturates; the step's shift stops at -128.
///
/// **Source**: aligned sums to 16 bits (NUMERICS 2: norms, residual add and RoPE read at least 16 bits).
pub fn narrow(a: &[i64], step: Dyadic) -> Narrow {
    let max = a.iter().fold(0, |max, a| max.max(a.unsigned_abs()));
    let n = bits(max).saturating_sub(15);
    let codes = a.iter().map(|&a| round_shift(a, n).clamp(-32767, 32767) as i16).collect();
    let shift = (i32::from(step.shift) - n as i32).max(-128) as i16;
    Narrow { codes, step: Dyadic { mult: step.mult, shift } }
}

/// Bits of a magnitude: place of its highest one, counted from 1; 0 for 0.
pub(crate) fn bits(magnitude: u64) -> u32 {
    64 - magnitude.leading_zeros()
}

/// `a / 2^n` rounded half up, without overflow; from `n = 64` on 0.
pub(crate) fn round_shift(a: i64, n: u32) -> i64 {
    match n {
        0 => a,
        // Halves go up, so that one more floor of the doubled quotient plus one is exact.
        1..=63 => ((a >> (n - 1)) + 1) >> 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    const STEP: Dyadic = Dyadic { mult: 40000, shift: 30 };

    #[test]
    fn rows_that_fit_are_kept() {
        let narrow = narrow(&[32767, -32767, 0, 5], STEP);
        assert_eq!(narrow, Narrow { codes: vec![32767, -32767, 0, 5], step: STEP });
        assert!(super::narrow(&[], STEP).codes.is_empty());
        assert_eq!(super::narrow(&[0, 0], STEP), Narrow { codes: vec![0, 0], step: STEP });
    }

    #[test]
    fn halves_go_up_and_the_edge_saturates() {
        let step = Dyadic { mult: 40000, shift: 29 };
        assert_eq!(narrow(&[32768, 3, -3, 1, -1], STEP), Narrow { codes: vec![16384, 2, -1, 1, 0], step });
        assert_eq!(narrow(&[65535, -65535], STEP), Narrow { codes: vec![32767, -32767], step });
        assert_eq!(narrow(&[-65536], STEP).codes, [-16384]);
        assert_eq!(narrow(&[i64::MIN, i64::MAX], STEP).codes, [-16384, 16384]);
        assert_eq!(narrow(&[1 << 40], Dyadic { mult: 1 << 15, shift: -120 }).step.shift, -128);
    }

    proptest! {
        #[test]
        fn equals_the_exact_rational(row in prop::collection::vec(any::<i64>(), 1..20), down in 0..64_u32) {
            let row: Vec<i64> = row.iter().map(|a| a >> down).collect();
            let narrow = narrow(&row, STEP);
            let n = STEP.shift - narrow.step.shift;
            let half = BigRational::new(1.into(), 2.into());
            for (&a, &code) in row.iter().zip(&narrow.codes) {
                let exact = BigRational::new(a.into(), BigInt::from(1) << n) + &half;
                let edge = BigInt::from(32767);
                prop_assert_eq!(BigInt::from(code), exact.floor().to_integer().clamp(-&edge, edge));
            }
            let max = narrow.codes.iter().map(|c| c.unsigned_abs()).max().unwrap();
            prop_assert!(n == 0 || max >= 1 << 14, "15 bits of the largest are kept");
        }
    }
}
