#![allow(clippy::float_arithmetic, reason = "bounds against the real exponential")]

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;

/// An octave of 65536 LSBs would need a step of ln 2 / 65536; this is the nearest one.
const OCTAVE: Dyadic = Dyadic { mult: 45426, shift: 32 };

fn real(d: u64, step: Dyadic) -> f64 {
    65536.0 * libm::exp(-libm::ldexp(d as f64 * f64::from(step.mult), -i32::from(step.shift)))
}

/// Largest error, of 1, over the arguments.
fn worst(kind: ExpKind, step: Dyadic, arguments: impl Iterator<Item = u64>) -> f64 {
    let exp = Exponential::new(kind, step);
    arguments.map(|d| (f64::from(exp.at(d)) - real(d, step)).abs()).fold(0.0, f64::max) / 65536.0
}

#[test]
fn polynomial_on_every_fraction_of_an_octave() {
    let exp = Exponential { kind: ExpKind::Poly, last: u64::MAX, factor: 1, shift: 0 };
    let mut largest: f64 = 0.0;
    for f in 0..=65536 {
        let error = (f64::from(exp.at(f)) / 65536.0 - libm::exp2(-(f as f64) / 65536.0)).abs();
        largest = largest.max(error);
    }
    assert!((0.00191..0.00192).contains(&largest), "{largest}");
    assert_eq!([exp.at(0), exp.at(65536), exp.at(65535)], [65536, 32768, 32768]);
}

#[test]
fn no_other_curve_is_better() {
    let largest = |curve: i64| {
        let error = |f: i64| {
            let exact = (1 << 44) - (f << 27) - curve * f * (65536 - f);
            (libm::ldexp(exact as f64, -44) - libm::exp2(-(f as f64) / 65536.0)).abs()
        };
        (0..65536).step_by(16).map(error).fold(0.0, f64::max)
    };
    let chosen = largest(CURVE as i64);
    assert!((670..740).filter(|&c| c != CURVE as i64).all(|curve| largest(curve) > chosen));
}

#[test]
fn errors_stay_within_what_is_stated() {
    for shift in 10..60 {
        for mult in [1 << 15, 40000, 45426, 65535] {
            let step = Dyadic { mult, shift };
            // 20 octaves in 40,000 places, so that small steps are seen too
            let stride = (libm::ldexp(14.0 / f64::from(mult), shift.into()) / 40000.0) as u64 + 1;
            let poly = worst(ExpKind::Poly, step, (0..40000).map(|i| i * stride));
            assert!(poly <= 0.0020, "poly {step:?}: {poly}");
            let coarse = worst(ExpKind::Shift, step, (0..40000).map(|i| i * stride));
            let value = libm::ldexp(f64::from(mult), -i32::from(shift));
            assert!(coarse <= if value < 0.01 { 0.047 } else { 0.0625 }, "shift {step:?}: {coarse}");
        }
    }
}

#[test]
fn exponentials_never_rise_and_end_at_zero() {
    for kind in ExpKind::ALL {
        for step in [OCTAVE, Dyadic { mult: 33333, shift: 20 }, Dyadic { mult: 65535, shift: 16 }] {
            let exp = Exponential::new(kind, step);
            let values: Vec<u32> = (0..20 << 16).map(|d| exp.at(d)).collect();
            assert!(values.windows(2).all(|w| w[0] >= w[1]), "{} {step:?}", kind.name());
            assert_eq!(values[0], ONE);
            assert_eq!(*values.last().unwrap(), 0);
            assert_eq!(exp.at(u64::MAX), 0);
        }
    }
}

#[test]
fn every_step_has_an_exponential() {
    for kind in ExpKind::ALL {
        for shift in -128..=127 {
            for mult in [1, 1 << 15, 65535] {
                let exp = Exponential::new(kind, Dyadic { mult, shift });
                assert_eq!(exp.at(0), ONE, "{} {mult} {shift}", kind.name());
                for log in 0..64 {
                    let (low, high) = (exp.at(1 << log), exp.at((1 << log) - 1));
                    assert!(low <= high && high <= ONE, "{} {mult} {shift} at 2^{log}", kind.name());
                }
            }
        }
    }
}

fn floor(num: BigInt, den: BigInt) -> BigInt {
    BigRational::new(num, den).floor().to_integer()
}

fn power(e: i32) -> BigInt {
    BigInt::from(1) << e.max(0)
}

/// The formulas of the page, without limits on width.
fn exact(kind: ExpKind, step: Dyadic, d: u64) -> BigInt {
    let (mult, k) = (BigInt::from(step.mult), i32::from(step.shift));
    let half_up = |num: BigInt, den: BigInt| floor(2 * num + &den, 2 * den);
    match kind {
        ExpKind::Poly => {
            let c = half_up(mult * 47274, power(15));
            let u = half_up(c * d * power(16 - k), power(k - 16));
            let (z, f) = (&u >> 16_u32, u & BigInt::from(65535));
            let v = power(44) - &f * power(27) - 705 * &f * (power(16) - &f);
            let z = u32::try_from(z.min(1000.into())).unwrap();
            half_up(v, BigInt::from(1) << (28 + z))
        }
        ExpKind::Shift => {
            let m = &mult + (&mult >> 1_u32) - (&mult >> 4_u32);
            let t = |j: i32| half_up(power(k + j), &m * power(-k - j));
            let j = (0..).find(|&j| t(j) >= 16.into()).unwrap();
            let u = floor(BigInt::from(d) * power(16 + j), t(j));
            let (z, f) = (&u >> 16_u32, u & BigInt::from(65535));
            let z = u32::try_from(z.min(1000.into())).unwrap();
            half_up(power(17) - f, BigInt::from(2) << z)
        }
    }
}

proptest! {
    #[test]
    fn equals_the_formulas(
        kind in prop::sample::select(ExpKind::ALL.to_vec()),
        mult in 1_u16.., shift in -128..=127_i16, d in any::<u64>(), down in 0..64_u32, octaves in 0..24_000_u64,
    ) {
        let step = Dyadic { mult, shift };
        let exp = Exponential::new(kind, step);
        // Any argument, and one within the first 24 octaves or so
        let near = (u128::from(octaves) << shift.clamp(0, 70)) / (u128::from(mult) * 1000);
        for d in [d >> down, u64::try_from(near).unwrap_or(u64::MAX)] {
            prop_assert_eq!(BigInt::from(exp.at(d)), exact(kind, step, d), "{:?} {:?} {}", kind, step, d);
        }
    }
}
