//! The residual stream: 16-bit rows whose steps are powers of two, and the addition of a branch.

use super::narrow::{Narrow, bits, round_shift};

/// A row of the residual stream, `|code| <= 32767`: real value `code / 2^shift`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residual {
    /// Codes `[n]`.
    pub codes: Vec<i16>,
    /// Binary places.
    pub shift: i32,
}

/// `x + y`, in 64 bits at a common step, narrowed to 16 bits.
///
/// With `s` the places of `x` and step `mult / 2^k` of the branch, `w = y · mult` (32 bits) has `k` places. The common
/// `e = min(max(s, k), s + 31, k + 16)`: an operand with fewer places is shifted left, exactly (below 2^47); one with
/// more, right, rounded half up. The sum (48 bits) goes to `round(sum / 2^n)` saturated to ±32767 at `e - n` places,
/// `n = max(bits(max |sum|) - 15, e - max(s, k))`; a negative n shifts left, so that no places are lost.
///
/// Error: half an LSB of the result (one where it saturates) plus half of `2^-e` where an operand was shifted right:
/// then the other one is 2^15 times coarser, or 0.
///
/// # Panics
/// If the rows have different lengths.
///
/// **Source**: NUMERICS 2, residual add, over 16-bit operands with a branch step that is any dyadic.
pub fn add(x: &Residual, y: &Narrow) -> Residual {
    assert_eq!(x.codes.len(), y.codes.len(), "a branch has the length of the residual stream");
    let (s, k) = (x.shift, i32::from(y.step.shift));
    let finest = s.max(k);
    let e = finest.min(s + 31).min(k + 16);
    let mult = i64::from(y.step.mult);
    let sums: Vec<i64> = x
        .codes
        .iter()
        .zip(&y.codes)
        .map(|(&x, &y)| place(x.into(), e - s) + place(i64::from(y) * mult, e - k))
        .collect();
    let max = sums.iter().fold(0, |max, a| max.max(a.unsigned_abs()));
    let n = (bits(max) as i32 - 15).max(e - finest);
    let codes = sums.iter().map(|&sum| place(sum, -n).clamp(-32767, 32767) as i16).collect();
    Residual { codes, shift: e - n }
}

/// `a · 2^up`, rounded half up where `up` is negative.
fn place(a: i64, up: i32) -> i64 {
    if up >= 0 { a << up } else { round_shift(a, up.unsigned_abs()) }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;
    use spec::Dyadic;

    use super::*;

    fn branch(codes: &[i16], mult: u16, shift: i16) -> Narrow {
        Narrow { codes: codes.to_vec(), step: Dyadic { mult, shift } }
    }

    #[test]
    fn worked_examples() {
        // 3/4 + 5·32768/2^17 = 2 in steps of 2^-17: 18 bits of 262144 - 15 leave 2^13.
        let x = Residual { codes: vec![3, 0], shift: 2 };
        let sum = add(&x, &branch(&[5, -1], 1 << 15, 17));
        assert_eq!(sum, Residual { codes: vec![16384, -2048], shift: 13 });
        // The largest rounds to 2^15 and saturates.
        let sum = add(&Residual { codes: vec![0, 0], shift: 0 }, &branch(&[1, 32767], 65535, 0));
        assert_eq!(sum, Residual { codes: vec![1, 32767], shift: -16 });
        // Nothing added to nothing keeps the finer places.
        let zero = Residual { codes: vec![0], shift: 3 };
        assert_eq!(add(&zero, &branch(&[0], 1 << 15, 20)), Residual { codes: vec![0], shift: 20 });
    }

    #[test]
    fn extremes_fit_48_bits() {
        for (s, k) in [(0, 31), (0, 100), (16, 0), (100, 0), (0, 0), (-128, 127), (127, -128)] {
            let x = Residual { codes: vec![-32767, 32767, 32767], shift: s };
            let sum = add(&x, &branch(&[-32767, 32767, -32767], 65535, k));
            assert!(sum.codes.iter().any(|c| c.unsigned_abs() >= 1 << 14), "{s} {k}: {sum:?}");
            assert!(sum.shift <= s.max(k.into()));
        }
    }

    proptest! {
        #[test]
        fn error_is_half_an_lsb_and_what_was_shifted_out(
            rows in prop::collection::vec((any::<i16>(), any::<i16>()), 1..20),
            mult in 1_u16 << 15.., s in -60..60_i32, k in -60..60_i16, low in 0..15_u32,
        ) {
            let x = Residual { codes: rows.iter().map(|r| (r.0 >> low).max(-32767)).collect(), shift: s };
            let y = branch(&rows.iter().map(|r| r.1.max(-32767)).collect::<Vec<_>>(), mult, k);
            let sum = add(&x, &y);
            let power = |e: i32| {
                let two_to = BigRational::from_integer(BigInt::from(1) << e.unsigned_abs());
                if e < 0 { two_to.recip() } else { two_to }
            };
            let e = s.max(k.into()).min(s + 31).min(i32::from(k) + 16);
            let half = BigRational::new(1.into(), 2.into());
            let shifted_out = if e < s.max(k.into()) { half.clone() * power(-e) } else { power(0) - power(0) };
            let lsb = power(-sum.shift);
            for ((&x, &y), &code) in x.codes.iter().zip(&y.codes).zip(&sum.codes) {
                let real = BigRational::from_integer(x.into()) * power(-s)
                    + BigRational::from_integer(BigInt::from(y) * mult) * power(-i32::from(k));
                let error = BigRational::from_integer(code.into()) * &lsb - real;
                let size = if error < power(0) - power(0) { -error } else { error };
                let bound = if code.unsigned_abs() == 32767 { power(0) } else { half.clone() };
                prop_assert!(size <= bound * &lsb + &shifted_out);
            }
        }
    }
}
