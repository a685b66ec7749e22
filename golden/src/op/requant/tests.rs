//! Requantisation against exact rationals of unbounded size.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;

const LAYER: Dyadic = Dyadic { mult: 0x9abc, shift: 29 };
const ACT: Dyadic = Dyadic { mult: 0xc001, shift: 21 };
/// Largest magnitude of an aligned sum.
const LARGEST: i64 = 1 << 39;

fn ratio(num: impl Into<BigInt>, den: impl Into<BigInt>) -> BigRational {
    BigRational::new(num.into(), den.into())
}

fn half_up(x: BigRational) -> BigInt {
    (x + ratio(1, 2)).floor().to_integer()
}

fn value(step: Dyadic) -> BigRational {
    scaled(BigRational::from_integer(step.mult.into()), -i32::from(step.shift))
}

fn scaled(x: BigRational, log: i32) -> BigRational {
    let power = BigRational::from_integer(BigInt::from(1) << log.unsigned_abs());
    if log < 0 { x / power } else { x * power }
}

/// The normalised step of a positive value, by searching every shift.
fn normalised(value: &BigRational) -> Dyadic {
    let (low, high) = (BigRational::from_integer((1 << 15).into()), BigRational::from_integer((1 << 16).into()));
    let shift = (-400..400).find(|&s| {
        let x = scaled(value.clone(), s);
        low <= x && x < high
    });
    let shift = shift.expect("tests use values between 2^-384 and 2^415");
    let (mult, shift) = match u32::try_from(half_up(scaled(value.clone(), shift))).unwrap() {
        0x1_0000 => (0x8000, shift - 1),
        mult => (mult as u16, shift),
    };
    Dyadic { mult, shift: shift.clamp(-128, 127) as i16 }
}

fn check_dynamic(a: &[i64], act: Dyadic, layer: Dyadic) {
    let row = dynamic(a, act, layer);
    let d = BigInt::from(a.iter().map(|a| a.unsigned_abs()).max().unwrap().max(1));
    for (&a, &y) in a.iter().zip(&row.codes) {
        assert_eq!(half_up(ratio(127 * BigInt::from(a), d.clone())), y.into(), "127 * {a} / {d}");
    }
    let step = normalised(&(ratio(d, 127) * value(act) * value(layer)));
    assert_eq!(row.scale, RowScale { step, zp: 128 });
}

fn check_asymmetric(a: &[i64], act: Dyadic, layer: Dyadic) {
    let row = asymmetric(a, act, layer);
    let with_zero = || a.iter().copied().chain([0]).map(BigInt::from);
    let (amin, amax) = (with_zero().min().unwrap(), with_zero().max().unwrap());
    let d = (amax - &amin).max(1.into());
    for (&a, &stored) in a.iter().zip(&row.codes) {
        let q = half_up(ratio(255 * (BigInt::from(a) - &amin), d.clone()));
        assert_eq!(q, BigInt::from(stored) + 128, "255 * ({a} - {amin}) / {d}");
    }
    let step = normalised(&(ratio(d.clone(), 255) * value(act) * value(layer)));
    assert_eq!(row.scale.step, step);
    assert_eq!(BigInt::from(row.scale.zp), half_up(ratio(-255 * amin, d)));
}

fn check_static(a: &[i64], act: Dyadic, layer: Dyadic) {
    let row = fixed(a, act, layer);
    let step = normalised(&(value(act) * value(layer)));
    assert_eq!(row.scale, RowScale { step, zp: 128 });
    for (&a, &y) in a.iter().zip(&row.codes) {
        // Without a clamp of the shift: where it counts as 0, every sum but 0 saturates.
        let exact = half_up(BigRational::from_integer(a.into()) * value(step));
        assert_eq!(exact.clamp((-127).into(), 127.into()), y.into(), "{a} * {step:?}");
    }
}

#[test]
fn dynamic_halves_go_up_on_both_sides_of_zero() {
    // 127 * A / 254 is A / 2
    let row = dynamic(&[254, 3, 1, -1, -3, -253, -254], ACT, LAYER);
    assert_eq!(row.codes, [127, 2, 1, 0, -1, -126, -127]);
}

#[test]
fn asymmetric_halves_go_up() {
    // range -170..=340, d = 510: q is (A + 170) / 2
    let row = asymmetric(&[-170, -169, -1, 0, 1, 339, 340], ACT, LAYER);
    assert_eq!(row.codes.iter().map(|&c| i16::from(c) + 128).collect::<Vec<_>>(), [0, 1, 85, 85, 86, 255, 255]);
    assert_eq!(row.scale.zp, 85);
}

#[test]
fn static_halves_go_up_and_saturate() {
    let (act, layer) = (Dyadic { mult: 1 << 15, shift: 15 }, Dyadic { mult: 1 << 15, shift: 16 });
    let row = fixed(&[1, -1, 3, -3, 253, 254, 255, -254, -255, -256, LARGEST, -LARGEST, 0], act, layer);
    assert_eq!(row.codes, [1, 0, 2, -1, 127, 127, 127, -127, -127, -127, 127, -127, 0]);
    assert_eq!(row.scale.step, Dyadic { mult: 1 << 15, shift: 16 });
}

#[test]
fn zero_rows_have_a_defined_scale() {
    let zeros = [0; 3];
    assert_eq!(dynamic(&zeros, ACT, LAYER).codes, [0; 3]);
    assert_eq!(asymmetric(&zeros, ACT, LAYER).codes, [-128; 3]);
    assert_eq!(asymmetric(&zeros, ACT, LAYER).scale.zp, 0);
    assert_eq!(fixed(&zeros, ACT, LAYER).codes, [0; 3]);
    check_dynamic(&zeros, ACT, LAYER);
    check_asymmetric(&zeros, ACT, LAYER);
    check_static(&zeros, ACT, LAYER);
}

#[test]
fn one_sided_rows_keep_zero_in_the_asymmetric_range() {
    let row = asymmetric(&[100, 200], ACT, LAYER);
    assert_eq!((row.codes, row.scale.zp), (vec![0, 127], 0));
    let row = asymmetric(&[-100, -200], ACT, LAYER);
    assert_eq!((row.codes, row.scale.zp), (vec![0, -128], 255));
}

#[test]
fn zero_point_is_the_code_of_zero() {
    let a = [-7, 0, 4];
    let row = asymmetric(&a, ACT, LAYER);
    assert_eq!(i16::from(row.codes[1]) + 128, i16::from(row.scale.zp));
}

#[test]
fn extreme_rows_and_steps() {
    let most = i64::from(i32::MAX) << 8;
    let (low, high) = (Dyadic { mult: u16::MAX, shift: -128 }, Dyadic { mult: 1 << 15, shift: 127 });
    for (act, layer) in [(ACT, LAYER), (low, low), (high, high), (low, high), (high, ACT), (low, ACT)] {
        for a in [[most, -most], [LARGEST, -LARGEST], [most, 0], [-most, 1], [1, -1], [0, 1], [-1, 0]] {
            check_dynamic(&a, act, layer);
            check_asymmetric(&a, act, layer);
            check_static(&a, act, layer);
        }
    }
}

#[test]
fn dispatch_follows_the_mode() {
    let a = [5, -3, 900];
    assert_eq!(requantise(RequantMode::Dynamic, &a, ACT, LAYER), dynamic(&a, ACT, LAYER));
    assert_eq!(requantise(RequantMode::Asymmetric, &a, ACT, LAYER), asymmetric(&a, ACT, LAYER));
    assert_eq!(requantise(RequantMode::Static, &a, ACT, LAYER), fixed(&a, ACT, LAYER));
}

#[test]
fn static_shifts_at_and_past_the_ends() {
    for shift in [-128, -40, -16, -1, 0, 1, 15, 16, 40, 54, 55, 56, 57, 64, 100, 127] {
        for mult in [0x8000, 0x8001, 0xffff] {
            let a = [0, 1, -1, 127, -128, LARGEST, -LARGEST];
            check_static(&a, Dyadic { mult, shift }, Dyadic { mult: 0x8000, shift: 15 });
        }
    }
}

/// Rows whose sizes span all 40 bits, small ranges (where ties are common) included.
fn row() -> impl Strategy<Value = Vec<i64>> {
    (0..40_u32, any::<u64>()).prop_flat_map(|(bits, _)| {
        let most = 1_i64 << bits;
        prop::collection::vec(-most..=most, 1..40)
    })
}

fn step() -> impl Strategy<Value = Dyadic> {
    (1_u16 << 15..=u16::MAX, -128..=127_i16).prop_map(|(mult, shift)| Dyadic { mult, shift })
}

proptest! {
    #[test]
    fn every_mode_equals_exact_rationals(a in row(), act in step(), layer in step()) {
        check_dynamic(&a, act, layer);
        check_asymmetric(&a, act, layer);
        check_static(&a, act, layer);
    }

    #[test]
    fn static_equals_exact_rationals_where_it_does_not_saturate(a in row(), act in step(), k in 20..90_i16) {
        check_static(&a, act, Dyadic { mult: 0xabcd, shift: (k - act.shift).clamp(-128, 127) });
    }
}
