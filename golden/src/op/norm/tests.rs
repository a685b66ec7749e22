#![allow(clippy::float_arithmetic, reason = "bounds against the real norms")]

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;

const NONE: Dyadic = Dyadic { mult: 0, shift: 0 };
/// 1e-5 as 43980 / 2^32.
const SMALL: Dyadic = Dyadic { mult: 43980, shift: 32 };

#[test]
fn worked_examples() {
    // All alike: 1 everywhere, whatever the shift.
    assert_eq!(rms_norm(&[3, -3, 3], 7, NONE), [1 << 20, -1 << 20, 1 << 20]);
    assert_eq!(rms_norm(&[0, 0], 0, SMALL), [0, 0]);
    assert!(rms_norm(&[], 0, SMALL).is_empty());
    assert_eq!(layer_norm(&[77, 77, 77], 3, NONE), [0, 0, 0]);
    assert!(layer_norm(&[], 3, NONE).is_empty());
    // Mean 1, deviations 2 and -2.
    assert_eq!(layer_norm(&[3, -1], 0, NONE), [1 << 20, -1 << 20]);
    assert_eq!(gain(&[5, -6], &[]), [5, -6]);
    assert_eq!(gain(&[5, -6], &[3, 65535]), [15, -393_210]);
}

#[test]
fn epsilon_in_units_of_the_row() {
    assert_eq!(epsilon(NONE, 100), 0);
    assert_eq!(epsilon(SMALL, 16), 43980);
    assert_eq!(epsilon(SMALL, 8), 1); // 43980 / 2^16 = 0.67
    assert_eq!(epsilon(SMALL, 7), 0); // 0.17
    assert_eq!(epsilon(SMALL, -1000), 0);
    assert_eq!(epsilon(SMALL, 39), 43980 << 46);
    assert_eq!(epsilon(SMALL, 40), 1 << 62);
    assert_eq!(epsilon(SMALL, 1000), 1 << 62);
    assert_eq!(epsilon(Dyadic { mult: 1 << 15, shift: 0 }, -8), 1, "a half goes up");
}

#[test]
fn one_in_a_long_row_of_zeros_is_the_largest_result() {
    let mut row = vec![0; MAX_NORM];
    row[5] = i16::MIN;
    let y = rms_norm(&row, 0, NONE);
    assert_eq!(y[5], -(1 << 28), "sqrt(65536) · 2^20");
    row[5] = 1;
    assert_eq!(rms_norm(&row, -40, NONE)[5], 1 << 28);
    assert_eq!(layer_norm(&row, -40, NONE)[5], 1 << 28);
    row.fill(i16::MIN);
    assert!(rms_norm(&row, 0, NONE).iter().all(|&y| y == -(1 << 20)));
    for (i, x) in row.iter_mut().enumerate() {
        *x = if i % 2 == 0 { i16::MIN } else { i16::MAX };
    }
    assert!(layer_norm(&row, 0, NONE).iter().all(|&y| y.abs() == 1 << 20));
}

#[test]
fn small_deviations_in_a_long_row_keep_the_root_exact() {
    let mut row = vec![30_000; MAX_NORM];
    (row[3], row[4]) = (30_001, 30_001);
    let y = layer_norm(&row, 0, NONE);
    // Deviations 1 - 2^-15 and -2^-15: their mean square is 2^-15 · (1 - 2^-15).
    let real = libm::sqrt((1.0 - 1.0 / 32768.0) * 32768.0);
    assert!((libm::ldexp(f64::from(y[3]), -20) / real - 1.0).abs() < 1.0 / 8192.0, "{}", y[3]);
}

/// The formulas of the page, without limits on width.
fn exact(x: &[i16], shift: i32, eps: Dyadic, centre: bool) -> Vec<BigInt> {
    let largest = x.iter().map(|x| i32::from(*x).abs()).max().unwrap();
    if largest == 0 {
        return vec![0.into(); x.len()];
    }
    let l = (0..=24).find(|l| largest << l >= 1 << 24).unwrap();
    let round = |num: BigInt, den: BigInt| {
        (BigRational::new(num, den) + BigRational::new(1.into(), 2.into())).floor().to_integer()
    };
    let n = BigInt::from(x.len());
    let wide: Vec<BigInt> = x.iter().map(|&x| BigInt::from(x) << l).collect();
    let mean = if centre { round(wide.iter().sum(), n.clone()) } else { 0.into() };
    let wide: Vec<BigInt> = wide.into_iter().map(|x| x - &mean).collect();
    let largest = wide.iter().map(|x| x.magnitude().clone()).max().unwrap();
    let up = if largest.bits() == 0 { 0 } else { 25_i32.saturating_sub(largest.bits() as i32).max(0) };
    let wide: Vec<BigInt> = wide.into_iter().map(|x| x << up).collect();
    let e = 2 * (shift + l + up) - i32::from(eps.shift);
    let e = round(BigInt::from(eps.mult) << e.max(0), BigInt::from(1) << (-e).max(0)).min(BigInt::from(1) << 62);
    let rms = (wide.iter().map(|x| x * x).sum::<BigInt>() / n + e).sqrt().max(1.into());
    wide.into_iter().map(|x| round(x << 20, rms.clone())).collect()
}

proptest! {
    #[test]
    fn equal_the_formulas(
        row in prop::collection::vec(any::<i16>(), 1..80),
        down in 0..16_u32, offset in -200..200_i16, shift in -20..40_i32, with_eps in any::<bool>(),
    ) {
        let row: Vec<i16> = row.iter().map(|&x| (x >> down).saturating_add(offset)).collect();
        let eps = if with_eps { SMALL } else { NONE };
        for centre in [false, true] {
            let found = if centre { layer_norm(&row, shift, eps) } else { rms_norm(&row, shift, eps) };
            let found: Vec<BigInt> = found.into_iter().map(BigInt::from).collect();
            prop_assert_eq!(found, exact(&row, shift, eps, centre));
        }
    }

    /// Within 2^-15 of the largest result, of the real norm; epsilon too.
    #[test]
    fn stay_near_the_real_norms(
        row in prop::collection::vec(-32767..=32767_i16, 2..200), shift in 0..30_i32, offset in -30000..30000_i16,
    ) {
        let offset_row: Vec<i16> = row.iter().map(|&x| (x / 16).saturating_add(offset)).collect();
        for (row, centre) in [(&row, false), (&offset_row, true)] {
            let found = if centre { layer_norm(row, shift, SMALL) } else { rms_norm(row, shift, SMALL) };
            let real: Vec<f64> = row.iter().map(|&x| libm::ldexp(f64::from(x), -shift)).collect();
            let n = real.len() as f64;
            let mean = if centre { real.iter().sum::<f64>() / n } else { 0.0 };
            let square = real.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let rms = libm::sqrt(square + 43980.0 / 4294967296.0);
            let largest = real.iter().map(|x| (x - mean).abs()).fold(0.0, f64::max) / rms;
            for (found, x) in found.iter().zip(&real) {
                let found = libm::ldexp(f64::from(*found), -20);
                if largest < 1.0 / 64.0 {
                    // Epsilon may be saturated.
                    prop_assert!(found.abs() <= 1.0 / 64.0);
                    continue;
                }
                prop_assert!((found - (x - mean) / rms).abs() <= largest / 32768.0 + 1.0 / 1048576.0, "{found}");
            }
        }
    }
}
