//! Hadamard rotation of a row, block by block.

use spec::Dyadic;

use super::scale::{power_of_two, product};

/// `2^16 / sqrt(2)`, rounded.
const INV_SQRT2: Dyadic = Dyadic { mult: 46341, shift: 16 };

/// Transforms every block of `row` in place by the unnormalised Walsh-Hadamard matrix, `H[i,j] = (-1)^popcount(i & j)`.
///
/// `row` `[n]`, `block` a power of two that divides n; 1 changes nothing. `log2(block)` stages of exact adds, each of
/// which takes one more bit: `|row| < 2^62 / block`. The orthonormal rotation is this over `sqrt(block)`, see [`step`].
///
/// # Panics
/// If `block` is not a power of two that divides the row.
///
/// **Source**: QuaRot, arXiv 2404.00456; NUMERICS 7.
pub fn hadamard(row: &mut [i64], block: usize) {
    assert!(block.is_power_of_two() && row.len().is_multiple_of(block), "{} in blocks of {block}", row.len());
    for part in row.chunks_exact_mut(block) {
        let mut half = 1;
        while half < block {
            for pair in part.chunks_exact_mut(2 * half) {
                let (low, high) = pair.split_at_mut(half);
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (*a + *b, *a - *b);
                }
            }
            half *= 2;
        }
    }
}

/// The step of a row after [`hadamard`]: `step / sqrt(block)`, within 1 part in 2^15.
///
/// # Panics
/// If `block` is not a power of two.
pub fn step(step: Dyadic, block: usize) -> Dyadic {
    assert!(block.is_power_of_two(), "a Hadamard block is a power of two, not {block}");
    let log = block.trailing_zeros();
    let halved = product(step, power_of_two(log as i32 / 2));
    if log.is_multiple_of(2) { halved } else { product(halved, INV_SQRT2) }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real root")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn step_is_divided_by_the_root() {
        for log in 0..16 {
            let from = Dyadic { mult: 54321, shift: 20 };
            let to = step(from, 1 << log);
            let value = |d: Dyadic| libm::ldexp(f64::from(d.mult), -i32::from(d.shift));
            let ratio = value(from) / value(to) / libm::sqrt(libm::ldexp(1.0, log));
            assert!((ratio - 1.0).abs() < 1.0 / 32768.0, "{log}: {ratio}");
            assert!(log % 2 == 1 || ratio == 1.0, "even powers are exact");
        }
    }

    #[test]
    fn largest_values_fit() {
        let mut row = vec![(1 << 62) / 1024 - 1; 1024];
        hadamard(&mut row, 1024);
        assert_eq!(row[0], (1 << 62) - 1024);
        assert!(row[1..].iter().all(|&r| r == 0));
    }

    proptest! {
        #[test]
        fn equals_the_matrix(log in 0..7_u32, blocks in 1..4_usize, seed in prop::collection::vec(any::<i32>(), 200)) {
            let block = 1 << log;
            let row: Vec<i64> = (0..block * blocks).map(|i| i64::from(seed[i % 200]) << (i % 20)).collect();
            let mut found = row.clone();
            hadamard(&mut found, block);
            for (i, &found) in found.iter().enumerate() {
                let of = &row[i / block * block..][..block];
                let sign = |j: usize| 1 - 2 * i64::from(((i % block) & j).count_ones() % 2);
                let exact: BigInt = of.iter().enumerate().map(|(j, &x)| BigInt::from(x) * sign(j)).sum();
                prop_assert_eq!(BigInt::from(found), exact);
            }
        }

        /// H is symmetric and H·H = block · 1.
        #[test]
        fn twice_is_the_row_times_the_block(row in prop::collection::vec(any::<i32>(), 64)) {
            let mut twice: Vec<i64> = row.iter().map(|&x| x.into()).collect();
            hadamard(&mut twice, 32);
            hadamard(&mut twice, 32);
            prop_assert!(row.iter().zip(&twice).all(|(&x, &t)| i64::from(x) * 32 == t));
        }
    }
}
