//! Codes, scales and steps of every format against exact rationals.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::num;

const STEP: Dyadic = Dyadic { mult: 0xc001, shift: 40 };

fn ratio(num: impl Into<BigInt>, den: impl Into<BigInt>) -> BigRational {
    BigRational::new(num.into(), den.into())
}

fn power(e: i32) -> BigRational {
    let two_to = BigRational::from_integer(BigInt::from(1) << e.unsigned_abs());
    if e < 0 { two_to.recip() } else { two_to }
}

fn value(step: Dyadic) -> BigRational {
    ratio(step.mult, 1) * power(-i32::from(step.shift))
}

/// Rounded half up, then saturated.
fn integer(x: BigRational, most: i64) -> i64 {
    let rounded = (x + ratio(1, 2)).floor().to_integer();
    i64::try_from(rounded.clamp((-most).into(), most.into())).unwrap()
}

/// The code of the least distance, ties to the even one, by trying all; the sign of `x` where that is 0.
fn e2m1_code(x: &BigRational) -> i8 {
    let zero = ratio(0, 1);
    let magnitude = if *x < zero { -x.clone() } else { x.clone() };
    let distance = |code: i8| {
        let off = ratio(e2m1::decode(code).unwrap(), 2) - &magnitude;
        if off < zero { -off } else { off }
    };
    let code = (0..8).min_by(|&a, &b| distance(a).cmp(&distance(b)).then((a % 2).cmp(&(b % 2)))).unwrap();
    if *x < zero { code + 8 } else { code }
}

/// The E4M3 code of the least distance, ties to the even one, by trying all.
fn e4m3_code(x: &BigRational) -> u8 {
    let distance = |code: u8| {
        let off = ratio(e4m3::decode(code).unwrap(), 512) - x;
        if off < ratio(0, 1) { -off } else { off }
    };
    (0..=0x7e).min_by(|&a, &b| distance(a).cmp(&distance(b)).then((a % 2).cmp(&(b % 2)))).unwrap()
}

/// A step has 16 significant bits.
fn assert_step(found: Dyadic, exact: &BigRational) {
    let error = value(found) / exact - ratio(1, 1);
    assert!(found.mult >= 1 << 15 && error < ratio(1, 65_535) && error > ratio(-1, 65_535), "{found:?} for {exact}");
}

fn codings() -> impl Iterator<Item = Coding> {
    Format::ALL.into_iter().flat_map(|format| {
        format.scalings().iter().flat_map(move |&scaling| {
            ScaleRule::ALL.map(|rule| Coding { format, scaling, acts: ActMode::Symmetric, rule, rotation: 1 })
        })
    })
}

/// What the text of each format says, in rationals: codes, block scales, step, clipped codes.
fn expected(z: &[i64], step: Dyadic, coding: &Coding) -> (Vec<i8>, Vec<u8>, BigRational, usize) {
    let t = BigInt::from(largest(z).max(1));
    let over = |num: i64, den: &BigInt| ratio(num, den.clone());
    let (mut codes, mut blocks, mut clipped) = (Vec::new(), Vec::new(), 0);
    let reaches = |x: BigRational, edge: BigRational| x >= edge || x <= -edge;
    let step = value(step);
    let length = coding.scaling.block().unwrap_or(z.len());
    match (coding.format.act(), coding.scaling) {
        (Operand::Int8, _) => {
            codes.extend(z.iter().map(|&z| integer(over(127, &t) * ratio(z, 1), 127) as i8));
            return (codes, blocks, step * ratio(t, 127), 0);
        }
        (Operand::Int4, Scaling::Channel) => {
            codes.extend(z.iter().map(|&z| integer(over(7, &t) * ratio(z, 1), 7) as i8));
            return (codes, blocks, step * ratio(t, 7), 0);
        }
        (Operand::E2m1, Scaling::Channel) => {
            codes.extend(z.iter().map(|&z| e2m1_code(&(over(6, &t) * ratio(z, 1)))));
            return (codes, blocks, step * ratio(t, 12), 0);
        }
        _ => {}
    }
    let highest = e8m0::exponent(coding.rule, largest(z));
    for part in z.chunks(length) {
        let a = ratio(largest(part), 1);
        match coding.scaling {
            Scaling::Mx32 => {
                let e = e8m0::exponent(coding.rule, largest(part));
                let values = || part.iter().map(|&z| ratio(z, 1) / power(e));
                codes.extend(values().map(|x| e2m1_code(&x)));
                clipped += values().filter(|x| reaches(x.clone(), ratio(7, 1))).count();
                blocks.push(if largest(part) == 0 { 255 } else { u8::try_from(highest - e).unwrap() });
            }
            Scaling::Nv16 => {
                let code = e4m3_code(&(a * over(448, &t))).max(1);
                let e = ratio(e4m3::decode(code).unwrap(), 512);
                let values = || part.iter().map(|&z| over(6 * 448, &t) * ratio(z, 1) / &e);
                codes.extend(values().map(|x| e2m1_code(&x)));
                clipped += values().filter(|x| reaches(x.clone(), ratio(7, 1))).count();
                blocks.push(code);
            }
            _ => {
                let g = integer(a * over(255, &t), 255).max(1);
                let values = || part.iter().map(|&z| over(255 * 7, &t) * ratio(z, g));
                codes.extend(values().map(|x| integer(x, 7) as i8));
                clipped += values().filter(|x| integer(x.clone(), i64::MAX).abs() > 7).count();
                blocks.push(g as u8);
            }
        }
    }
    let unit = match coding.scaling {
        Scaling::Mx32 => power(highest - 1),
        Scaling::Nv16 => ratio(t, 2 * 6 * 448 * 512),
        _ => ratio(t, 255 * 7),
    };
    (codes, blocks, step * unit, clipped)
}

fn check(z: &[i64], coding: &Coding) {
    let row = input(z, STEP, coding);
    let (codes, blocks, step, clipped) = expected(z, STEP, coding);
    assert_eq!(row.codes, codes, "{coding:?} {z:?}");
    assert_eq!(row.blocks, blocks, "{coding:?} {z:?}");
    assert_eq!(row.clipped, clipped, "{coding:?} {z:?}");
    assert_eq!(row.scale.zp, SYMMETRIC_ZP);
    assert_step(row.scale.step, &step);
    assert!(row.codes.iter().all(|&c| num::decode(coding.format.act(), c).is_some()));
}

#[test]
fn rows_of_zeros_have_a_step() {
    for coding in codings() {
        let row = input(&[0; 40], STEP, &coding);
        assert_eq!(row.codes, [0; 40], "{coding:?}");
        assert!(row.scale.step.mult >= 1 << 15);
        let block = match coding.scaling {
            _ if !coding.format.acts_have_blocks() => continue,
            Scaling::Mx32 => 255,
            _ => 1,
        };
        assert_eq!(row.blocks, vec![block; coding.scaling.blocks(40)], "{coding:?}");
    }
}

#[test]
fn largest_rows_are_coded() {
    let most = MAX_Z as i64;
    for coding in codings() {
        check(&[most, -most, most / 3, 0, 1], &coding);
        check(&[vec![-most; 32], vec![1; 20]].concat(), &coding);
    }
}

#[test]
fn codes_beyond_the_edge_are_counted() {
    let count = |z: &[i64], format: Format, rule| {
        let coding = Coding { format, scaling: format.scalings()[0], acts: ActMode::Symmetric, rule, rotation: 1 };
        input(z, STEP, &coding).clipped
    };
    // The floor rule's scale is a quarter of 2^30: 7.4 and -7 scales are clipped, the last one lies below 7.
    let z = [1900 << 20, -1792 << 20, 1791 << 20, 5 << 20];
    let found = ScaleRule::ALL.map(|rule| count(&z, Format::Mxfp4, rule));
    assert_eq!(found, [2, 0, 0]);
    // A group whose range is 1.4 of T / 255 has the factor 1, and its largest value 9.8 units of the code.
    let mut z = [0; 40];
    (z[0], z[33], z[34]) = (255 << 20, 14 << 17, 11 << 17);
    assert_eq!(count(&z, Format::W4a4, ScaleRule::Floor), 0, "factor 2");
    (z[33], z[34]) = (11 << 17, -9 << 17);
    assert_eq!(count(&z, Format::W4a4, ScaleRule::Floor), 2);
    assert_eq!(count(&z, Format::W8a8, ScaleRule::Floor), 0);
}

#[test]
fn asymmetric_rows_carry_a_zero_point() {
    let coding = Coding {
        format: Format::W8a8,
        scaling: Scaling::Channel,
        acts: ActMode::Asymmetric,
        rule: ScaleRule::Floor,
        rotation: 1,
    };
    let most = MAX_Z as i64;
    let row = input(&[-most, 0, most], STEP, &coding);
    assert_eq!((row.codes, row.scale.zp, row.blocks), (vec![-128, 0, 127], 128, vec![]));
    let row = input(&[100, 50, 255], STEP, &coding);
    assert_eq!((row.codes, row.scale.zp), (vec![-28, -78, 127], 0));
    assert_step(row.scale.step, &value(STEP));
}

#[test]
fn bad_codings_are_refused() {
    let good = Coding {
        format: Format::Mxfp4,
        scaling: Scaling::Mx32,
        acts: ActMode::Symmetric,
        rule: ScaleRule::Floor,
        rotation: 8,
    };
    assert!(good.check(24).is_ok());
    let starts = |coding: Coding, k, text: &str| {
        let message = coding.check(k).unwrap_err().to_string();
        assert!(message.starts_with(text), "{message}");
    };
    starts(good, 20, "rotation = 8: allowed a power of two that divides K = 20");
    starts(Coding { rotation: 0, ..good }, 24, "rotation = 0");
    starts(Coding { rotation: 3, ..good }, 24, "rotation = 3");
    starts(Coding { scaling: Scaling::Nv16, ..good }, 24, "scaling = nv16: allowed mx32 (mxfp4)");
    starts(Coding { acts: ActMode::Asymmetric, ..good }, 24, "acts = asymmetric: allowed symmetric (mxfp4)");
    let a8 = Coding { format: Format::Mxfp4a8, acts: ActMode::Asymmetric, ..good };
    starts(a8, 24, "acts = asymmetric: allowed symmetric (mxfp4a8)");
    let all = Coding { scaling: Scaling::Channel, acts: ActMode::Asymmetric, rotation: 7, ..good };
    assert_eq!(all.check(24).unwrap_err().to_string().lines().count(), 3);
}

#[test]
fn rotated_rows_are_those_of_their_transform() {
    let z: Vec<i64> = (0..64).map(|i| (i * 7919 % 4001 - 2000) << 20).collect();
    for coding in codings() {
        let mut rotated = z.clone();
        hadamard::hadamard(&mut rotated, 32);
        let row = input(&z, STEP, &Coding { rotation: 32, ..coding });
        assert_eq!(row, input(&rotated, hadamard::step(STEP, 32), &coding));
    }
}

proptest! {
    /// Rows whose blocks have ranges of their own: zeros, near the row's largest, and many binary places below it.
    #[test]
    fn rows_are_what_the_formats_say(
        blocks in prop::collection::vec((0..=60_u32, prop::collection::vec(any::<i64>(), 1..=16)), 1..8), cut in 0..16_usize,
    ) {
        let mut z: Vec<i64> =
            blocks.iter().flat_map(|(bits, part)| (0..16).map(move |i| if *bits == 0 { 0 } else { part[i % part.len()] >> (64 - bits) })).collect();
        z.truncate(z.len() - cut);
        for coding in codings() {
            check(&z, &coding);
        }
    }

    /// Small rows, where ties are frequent.
    #[test]
    fn ties_of_small_rows(z in prop::collection::vec(-60..=60_i64, 1..50)) {
        for coding in codings() {
            check(&z, &coding);
        }
    }
}
