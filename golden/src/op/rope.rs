//! Rotary position embedding of narrowed queries and keys.

use spec::model::ROPE_BITS;

/// Rotates every head of a row: `x' = round((x·cos - y·sin) / 2^14)`, `y' = round((y·cos + x·sin) / 2^14)` for the pairs
/// `x = row[i]`, `y = row[i + head_dim / 2]` of each head.
///
/// `row` `[heads · head_dim]`; `cos`, `sin` `[head_dim / 2]` of the token's position, with [`ROPE_BITS`] places. The
/// result has the row's step and 17 bits signed (a rotation lengthens a component by sqrt(2) at most). Rounded half up;
/// error at most half an LSB, beside that of the tables (2^-15 a table entry, `|row| / 2^15 · sqrt(2)` in all).
///
/// # Panics
/// If `head_dim` is odd or does not divide the row, or the tables are not of `head_dim / 2`.
///
/// **Source**: RoFormer, arXiv 2104.09864, equation 34, in the half-split order of Llama checkpoints; NUMERICS 2.
pub fn rotate(row: &[i16], head_dim: usize, cos: &[i16], sin: &[i16]) -> Vec<i32> {
    let half = head_dim / 2;
    assert!(2 * half == head_dim && row.len().is_multiple_of(head_dim.max(1)), "{} in heads of {head_dim}", row.len());
    assert!(cos.len() == half && sin.len() == half, "tables of {} and {} for {half} pairs", cos.len(), sin.len());
    let round = |sum: i64| ((sum + (1 << (ROPE_BITS - 1))) >> ROPE_BITS) as i32;
    let mut rotated = vec![0; row.len()];
    for (head, out) in row.chunks_exact(head_dim.max(1)).zip(rotated.chunks_exact_mut(head_dim.max(1))) {
        for i in 0..half {
            let (x, y) = (i64::from(head[i]), i64::from(head[i + half]));
            let (cos, sin) = (i64::from(cos[i]), i64::from(sin[i]));
            out[i] = round(x * cos - y * sin);
            out[i + half] = round(y * cos + x * sin);
        }
    }
    rotated
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real rotation")]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quarter_turns_and_halves() {
        assert_eq!(rotate(&[5, 7, -3, 9], 4, &[1 << 14, 1 << 14], &[0, 0]), [5, 7, -3, 9]);
        assert_eq!(rotate(&[5, 7, -3, 9], 4, &[0, 0], &[1 << 14, -(1 << 14)]), [3, 9, 5, -7]);
        // Two heads; halves go up on both sides of zero.
        assert_eq!(rotate(&[1, 0, -1, 0], 2, &[1 << 13], &[0]), [1, 0, 0, 0]);
        assert!(rotate(&[], 2, &[0], &[0]).is_empty());
    }

    #[test]
    fn extremes_fit_17_bits() {
        let eighth = 11585; // 2^14 / sqrt(2)
        assert_eq!(rotate(&[32767, -32767], 2, &[eighth], &[eighth]), [46339, 0], "below 2^16");
    }

    proptest! {
        #[test]
        fn equals_the_exact_rational(x in any::<i16>(), y in any::<i16>(), cos in any::<i16>(), sin in any::<i16>()) {
            let big = |a: i16, b: i16| BigInt::from(a) * b;
            let exact = |sum: BigInt| {
                let half = BigRational::new(1.into(), 2.into());
                (BigRational::new(sum, BigInt::from(1 << 14)) + half).floor().to_integer()
            };
            let found = rotate(&[x, y], 2, &[cos], &[sin]);
            prop_assert_eq!(BigInt::from(found[0]), exact(big(x, cos) - big(y, sin)));
            prop_assert_eq!(BigInt::from(found[1]), exact(big(y, cos) + big(x, sin)));
        }

        #[test]
        fn stays_near_the_real_rotation(x in -32767..=32767_i16, y in -32767..=32767_i16, angle in -4.0..4.0_f64) {
            let table = |v: f64| libm::floor(v * 16384.0 + 0.5) as i16;
            let found = rotate(&[x, y], 2, &[table(libm::cos(angle))], &[table(libm::sin(angle))]);
            let (x, y) = (f64::from(x), f64::from(y));
            let real = [x * libm::cos(angle) - y * libm::sin(angle), y * libm::cos(angle) + x * libm::sin(angle)];
            let bound = 0.5 + libm::sqrt(2.0) * libm::hypot(x, y) / 32768.0;
            for (found, real) in found.iter().zip(real) {
                prop_assert!((f64::from(*found) - real).abs() <= bound, "{found} for {real}");
            }
        }
    }
}
