//! LayerNorm of I-BERT and I-ViT, with an exact root.

use spec::Dyadic;

use super::isqrt::isqrt;
use super::scale::normalise;

/// `y = floor(c · floor((2^31 - 1) / s) / 2)` with `c = x - round(Σ x / n)`, `s = floor(sqrt(Σ c²))`, at least 1.
///
/// `x` `[n]`, n at most 2^16; `Σ c²` fits 49 bits. `|y| < 2^30`; what an LSB is worth is [`step`], which holds the
/// `sqrt(n)` that the root of the sum lacks. There is no epsilon; a row of equal values gives zeros. Error: that of the
/// mean (half an LSB of x), of the root (1 part in `s`) and of the reciprocal (`s` parts in 2^31).
///
/// # Panics
/// If the row is longer than 2^16.
///
/// **Source**: I-LayerNorm, I-ViT, arXiv 2207.01405, and I-BERT, arXiv 2101.01321, section 3.6; the ten
/// Newton steps of the former replaced by the exact root (NUMERICS 3).
pub fn i_layer_norm(x: &[i16]) -> Vec<i32> {
    assert!(x.len() <= 1 << 16, "a norm's row has at most 65536 elements, not {}", x.len());
    let n = x.len().max(1) as i64;
    let sum: i64 = x.iter().map(|&x| i64::from(x)).sum();
    let mean = (2 * sum + n).div_euclid(2 * n);
    let squares: u64 = x.iter().map(|&x| (i64::from(x) - mean).pow(2) as u64).sum();
    let factor = ((1_i64 << 31) - 1) / i64::from(isqrt(squares).max(1));
    x.iter().map(|&x| (((i64::from(x) - mean) * factor) >> 1) as i32).collect()
}

/// `sqrt(n) / 2^30`, normalised: the step of [`i_layer_norm`] of `n` elements, 1..=2^16.
///
/// # Panics
/// If `n` is outside its range.
pub fn step(n: usize) -> Dyadic {
    assert!((1..=1 << 16).contains(&n), "a norm's row has 1 to 65536 elements, not {n}");
    normalise(isqrt((n as u64) << 40).into(), 1, 50)
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real norm")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::super::exact::{floor, half_up};
    use super::*;

    #[test]
    fn worked_examples() {
        assert_eq!(i_layer_norm(&[5, 5]), [0, 0]);
        assert!(i_layer_norm(&[]).is_empty());
        // c = 3, -4: s = 5
        assert_eq!(i_layer_norm(&[4, -3, 1, 1]), [644_245_093, -858_993_458, 0, 0].map(|y: i32| y));
        assert_eq!(step(4), Dyadic { mult: 1 << 15, shift: 44 });
        for n in [1, 2, 128, 4096, 65536] {
            let step = step(n);
            let ratio = libm::ldexp(f64::from(step.mult), 30 - i32::from(step.shift)) / libm::sqrt(n as f64);
            assert!((ratio - 1.0).abs() < 1.0 / 32768.0);
        }
    }

    #[test]
    fn largest_rows_fit() {
        let row: Vec<i16> = (0..1 << 16).map(|i| if i % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
        let y = i_layer_norm(&row);
        assert!(y.iter().all(|y| (1 << 21..1 << 23).contains(&y.abs())), "2^30 / sqrt(65536)");
        let mut row = vec![0; 1 << 16];
        row[7] = i16::MAX;
        assert!((1 << 29..1 << 30).contains(&i_layer_norm(&row)[7]));
    }

    proptest! {
        #[test]
        fn equals_the_formula_and_stays_near(row in prop::collection::vec(any::<i16>(), 2..200), down in 0..12_u32) {
            let row: Vec<i16> = row.iter().map(|x| x >> down).collect();
            let y = i_layer_norm(&row);
            let n = row.len();
            let sum: BigInt = row.iter().map(|&x| BigInt::from(x)).sum();
            let mean = half_up(sum, n);
            let centred: Vec<BigInt> = row.iter().map(|&x| x - &mean).collect();
            let root = centred.iter().map(|c| c * c).sum::<BigInt>().sqrt().max(1.into());
            let factor = floor((1_i64 << 31) - 1, root.clone());
            for (c, &y) in centred.iter().zip(&y) {
                prop_assert_eq!(floor(c * &factor, 2), BigInt::from(y));
            }
            let real: Vec<f64> = row.iter().map(|&x| x.into()).collect();
            let mean = real.iter().sum::<f64>() / n as f64;
            let s = libm::sqrt(real.iter().map(|x| (x - mean) * (x - mean)).sum());
            if s > 1.0 {
                for (x, &y) in real.iter().zip(&y) {
                    let error = f64::from(y) / f64::from(1 << 30) - (x - mean) / s;
                    prop_assert!(error.abs() <= 1.6 / (s - 1.0) + s / 2147483648.0, "{error} of {s}");
                }
            }
        }
    }
}
