//! Row operations, composed as programs compose them, against the operators of whole layers.

use num_bigint::BigInt;
use proptest::prelude::*;
use spec::qmodel::ActMode;
use spec::{Dyadic, ExpKind, Format, ScaleRule, Scaling};

use super::quotient::Quotients;
use super::reduce::{Reduce, reduce};
use super::*;
use crate::iss::scalar::dyadic::{pack, unpack};
use crate::iss::scalar::{narrow, norm, residual, scale};
use crate::op;
use crate::op::exact::{floor, half_up, power};
use crate::op::input::Coding;

fn step() -> impl Strategy<Value = Dyadic> {
    (1_u16 << 15.., -20..40_i16).prop_map(|(mult, shift)| Dyadic { mult, shift })
}

/// Rows of any width, some of them zero.
fn row(bits: u32) -> impl Strategy<Value = Vec<i64>> {
    (prop::collection::vec(any::<i64>(), 1..100), 0..=bits)
        .prop_map(move |(row, bits)| row.iter().map(|x| if bits == 0 { 0 } else { x >> (64 - bits) }).collect())
}

fn max_abs(x: &[i64]) -> i64 {
    reduce(Reduce::MaxAbs, x, 0, None).unwrap()[0]
}

/// As VQUO: factor, divisor, limit; with an offset, 128 less.
fn quo(a: &[i64], factor: i64, den: i64, limit: i64, offset: Option<i64>) -> Vec<i64> {
    quotient::quotient(a, &Quotients { factor, den, limit, bits: 32, offset }).unwrap()
}

proptest! {
    #[test]
    fn a_narrowed_row(a in row(62), step in step()) {
        let [n, narrowed] = narrow::narrowing(max_abs(&a), pack(step)).unwrap();
        let codes = shift::shift(&a, n, true).unwrap();
        let expected = op::narrow::narrow(&a, step);
        prop_assert_eq!(codes, expected.codes.iter().map(|&c| i64::from(c)).collect::<Vec<_>>());
        prop_assert_eq!(unpack("S", narrowed).unwrap(), expected.step);
    }

    #[test]
    fn a_norm(x in prop::collection::vec(any::<i16>(), 1..100), low in 0..16_u32, shift in -40..60_i32, eps in 0..40_i16, has_eps: bool) {
        let x: Vec<i16> = x.iter().map(|x| x.max(&-32767) >> low).collect();
        let eps = Dyadic { mult: if has_eps { 43981 } else { 0 }, shift: eps };
        let wide: Vec<i64> = x.iter().map(|&x| x.into()).collect();
        let left = norm::headroom(max_abs(&wide)).unwrap();
        let shifted = shift::shift(&wide, left, false).unwrap();
        let squares = reduce(Reduce::Squares, &shifted, 0, None).unwrap()[0];
        let rms = norm::root_mean(squares, pack(eps), i64::from(shift) - left, x.len() as i64).unwrap();
        let y = quo(&shifted, 1 << 20, rms, 0, None);
        let expected = op::norm::rms_norm(&x, shift, eps);
        prop_assert_eq!(y, expected.iter().map(|&y| i64::from(y)).collect::<Vec<_>>());
    }

    #[test]
    fn an_aligned_row(
        p in prop::collection::vec((any::<i64>(), 0..=1_u16 << 15, -(1_i32 << 23)..1 << 23), 1..50), bits in 1..58_u32,
        scaling in prop::sample::select(Scaling::ALL.to_vec()), zp in prop::option::of(any::<u8>()),
    ) {
        let guard = scaling.guard_bits();
        let bits = bits.min(if guard > 0 { 38 } else { 57 });
        let sums: Vec<i64> = p.iter().map(|p| p.0 >> (64 - bits)).collect();
        let factors: Vec<i32> = p.iter().map(|p| p.1.into()).collect();
        let weights: Vec<i32> = p.iter().map(|p| p.2).collect();
        let zero_point = zp.map(|zp| (i64::from(zp), &weights[..]));
        let found = align::align(&sums, &factors, (15 - guard) as u32, zero_point).unwrap();
        for (i, &found) in found.iter().enumerate() {
            let sum = sums[i] + zp.map_or(0, |zp| (128 - i64::from(zp)) * i64::from(weights[i]));
            prop_assert_eq!(found, op::align::align_wide(sum, p[i].1, guard));
        }
    }

    #[test]
    fn a_row_in_8_bits(a in row(60), act in step(), layer in step()) {
        let top = max_abs(&a).max(1);
        let expected = op::requant::dynamic(&a, act, layer);
        let codes: Vec<i64> = expected.codes.iter().map(|&c| c.into()).collect();
        prop_assert_eq!(quo(&a, 127, top, 127, None), codes);
        prop_assert_eq!(scale::scaled(top, [pack(act), pack(layer)], 127, 0).unwrap(), pack(expected.scale.step));
        let [up, down] = reduce(Reduce::Range, &a, 0, None).unwrap();
        let range = (up + down).max(1);
        let expected = op::requant::asymmetric(&a, act, layer);
        let codes: Vec<i64> = expected.codes.iter().map(|&c| c.into()).collect();
        prop_assert_eq!(quo(&a, 255, range, 255, Some(down)), codes);
        prop_assert_eq!(quo(&[0], 255, range, 255, Some(down)), vec![i64::from(expected.scale.zp) - 128]);
    }

    /// All codes of inputs, their scale bytes and steps.
    #[test]
    fn a_row_in_4_bits(z in row(60), step in step(), rule in prop::sample::select(ScaleRule::ALL.to_vec()), blanks in any::<u64>()) {
        let z: Vec<i64> = z.iter().enumerate().map(|(i, &z)| if blanks >> (i / 16) & 1 == 1 { 0 } else { z }).collect();
        let top = max_abs(&z).max(1);
        let one = pack(Dyadic { mult: 1 << 15, shift: 15 });
        for format in [Format::W4a4, Format::Fp4, Format::Mxfp4, Format::Nvfp4] {
            for &scaling in format.scalings() {
                let coding = Coding { format, scaling, acts: ActMode::Symmetric, rule, rotation: 1 };
                let expected = op::input::input(&z, step, &coding);
                let blocks = block::largest(&z, scaling.block().unwrap_or(z.len())).unwrap();
                let highest = e(&block::exponents(&blocks, rule).unwrap());
                let (kind, scales, levels, places, t) = match (format, scaling.block()) {
                    (Format::W4a4, None) => (code::Kind::Int4, vec![], 7, 0, top),
                    (Format::W4a4, Some(block)) => (code::Kind::Int4Groups(block), quo(&blocks, 255, top, 255, None), 255 * 7, 0, top),
                    (Format::Fp4, _) => (code::Kind::E2m1, vec![], 12, 0, top),
                    (Format::Mxfp4, _) => (code::Kind::Mx, block::exponents(&blocks, rule).unwrap(), 1, 1, 1),
                    _ => (code::Kind::Nv, block::e4m3_scales(&blocks, top).unwrap(), 21, 17, top),
                };
                let found = code::code(&z, kind, top, highest, &scales).unwrap();
                prop_assert_eq!(found.codes, expected.codes.iter().map(|&c| i64::from(c)).collect::<Vec<_>>(), "{:?}", coding);
                prop_assert_eq!(found.scales, expected.blocks, "{:?}", coding);
                let mut found = scale::scaled(t, [pack(step), one], levels, places).unwrap();
                if kind == code::Kind::Mx {
                    found = scale::step_product(found, scale::power(-highest)).unwrap();
                }
                prop_assert_eq!(found, pack(expected.scale.step), "{:?}", coding);
            }
        }
    }

    #[test]
    fn a_softmax(scores in prop::collection::vec(-(1_i32 << 22)..1 << 22, 1..80), step in step(), exp in prop::sample::select(ExpKind::ALL.to_vec()), top in prop::sample::select(vec![127_u16, 32639])) {
        let wide: Vec<i64> = scores.iter().map(|&s| s.into()).collect();
        let largest = reduce(Reduce::Max, &wide, 0, None).unwrap()[0];
        let exps = curve::exponentials(&wide, largest, exp, step).unwrap();
        let sum = reduce(Reduce::Sum, &exps, 0, None).unwrap()[0];
        let shares = quo(&exps, top.into(), sum, 0, None);
        let expected = op::softmax::softmax(&scores, step, exp, top);
        prop_assert_eq!(shares, expected.iter().map(|&p| i64::from(p)).collect::<Vec<_>>());
    }

    #[test]
    fn a_gated_row(rows in prop::collection::vec((any::<i16>(), any::<i16>()), 1..50), gate in step(), up in step(), exp in prop::sample::select(ExpKind::ALL.to_vec()), bits in 8..=15_u32) {
        let narrow = |codes: Vec<i16>, step| op::narrow::Narrow { codes, step };
        let (g, u): (Vec<i16>, Vec<i16>) = rows.iter().map(|r| (r.0.max(-32767), r.1.max(-32767))).unzip();
        let wide = |row: &[i16]| row.iter().map(|&x| i64::from(x)).collect::<Vec<_>>();
        let sigma = curve::sigmoids(&wide(&g), bits.into(), exp, gate).unwrap();
        let h = arith::multiply(&wide(&g), sigma.into_iter(), "VB[b]").unwrap();
        let h = arith::multiply(&h, wide(&u).into_iter(), "VB[b]").unwrap();
        let (expected, product) = op::swiglu::swiglu(&narrow(g, gate), &narrow(u, up), exp, bits);
        prop_assert_eq!(h, expected);
        let found = scale::step_product(scale::step_product(pack(gate), pack(up)).unwrap(), scale::power(bits.into())).unwrap();
        prop_assert_eq!(found, pack(product));
    }

    #[test]
    fn a_rotated_head(head in prop::collection::vec((any::<i16>(), any::<i16>(), any::<i16>(), any::<i16>()), 1..30)) {
        let column = |f: fn(&(i16, i16, i16, i16)) -> i16| head.iter().map(f).collect::<Vec<_>>();
        let (p, q, c, t) = (column(|h| h.0), column(|h| h.1), column(|h| h.2), column(|h| h.3));
        let row = [p, q].concat();
        let table: Vec<i32> = c.iter().chain(&t).map(|&x| x.into()).collect();
        let wide: Vec<i64> = row.iter().map(|&x| x.into()).collect();
        let expected = op::rope::rotate(&row, row.len(), &c, &t);
        prop_assert_eq!(rope::rotate(&wide, &table).unwrap(), expected.iter().map(|&x| i64::from(x)).collect::<Vec<_>>());
    }

    #[test]
    fn a_transformed_row(log in 0..6_u32, blocks in 1..4_usize, seed in prop::collection::vec(any::<i32>(), 128)) {
        let mut row: Vec<i64> = (0..blocks << log).map(|i| seed[i % 128].into()).collect();
        let mut found = row.clone();
        for stage in 0..log {
            found = hadamard::butterfly(&found, stage).unwrap();
        }
        op::hadamard::hadamard(&mut row, 1 << log);
        prop_assert_eq!(found, row);
    }

    #[test]
    fn a_residual_sum(rows in prop::collection::vec((any::<i16>(), any::<i16>()), 1..40), low in 0..15_u32, branch in step(), s in -60..60_i32) {
        let x: Vec<i16> = rows.iter().map(|r| r.0.max(-32767) >> low).collect();
        let y: Vec<i16> = rows.iter().map(|r| r.1.max(-32767)).collect();
        let wide = |row: &[i16]| row.iter().map(|&x| i64::from(x)).collect::<Vec<_>>();
        let [of_x, of_y, e, beside] = residual::alignment(s.into(), pack(branch)).unwrap();
        let y_mult = arith::scale(&wide(&y), branch.mult).unwrap();
        let sum = arith::add(&shift::shift(&wide(&x), of_x, false).unwrap(), shift::shift(&y_mult, of_y, false).unwrap().into_iter()).unwrap();
        let n = (i64::from(op::narrow::bits(max_abs(&sum) as u64)) - 15).max(beside);
        let codes = shift::shift(&sum, n, true).unwrap();
        let expected = op::residual::add(&op::residual::Residual { codes: x, shift: s }, &op::narrow::Narrow { codes: y, step: branch });
        prop_assert_eq!(codes, wide(&expected.codes));
        prop_assert_eq!(e - n, i64::from(expected.shift));
    }

    #[test]
    fn a_cached_row(a in row(60), ratio in step(), limit in prop::sample::select(vec![7_i64, 127])) {
        let found = fix::fix(&a, ratio, limit).unwrap();
        let expected: Vec<i64> = a.iter().map(|&a| op::fixed::fixed(a, ratio).clamp(-limit, limit)).collect();
        prop_assert_eq!(found, expected);
    }

    /// 15-bit probabilities as two codes of 8 bits.
    #[test]
    fn a_split_probability(p in 0..=32639_i64) {
        let high = shift::shift(&[p], 8, false).unwrap()[0];
        let low = i64::from(p as u8 as i8);
        prop_assert_eq!(256 * high + low, p);
        prop_assert!((0..=127).contains(&high));
    }

    /// Against integers without limits: shifts, quotients, products, and that whatever leaves 64 bits is refused.
    #[test]
    fn exact_or_refused(a in any::<i64>(), places in -60..80_i64, factor in 1..1_i64 << 46, den in 1..i64::MAX, up in 0..63_u32, b in any::<i32>()) {
        let a = a >> up;
        let den = (den >> up).max(1);
        let held = |exact: BigInt| i64::try_from(exact).ok();
        let amount = places.clamp(-40, 63);
        let exact = if amount < 0 { BigInt::from(a) << -amount } else { floor(BigInt::from(a) * 2 + power(amount as i32), power(amount as i32 + 1)) };
        prop_assert_eq!(shift::shift(&[a], places, false).ok().map(|x| x[0]), held(exact));
        let exact = half_up(BigInt::from(a) * factor, den);
        let short = if exact.magnitude().bits() <= 32 { held(exact) } else { None };
        let found = quotient::quotient(&[a], &Quotients { factor, den, limit: 0, bits: 32, offset: None });
        prop_assert_eq!(found.ok().map(|x| x[0]), short);
        prop_assert_eq!(arith::scale(&[a], b as u16).ok().map(|x| x[0]), held(BigInt::from(a) * (b as u16)));
        prop_assert_eq!(arith::add(&[a], [i64::from(b) << 32].into_iter()).ok().map(|x| x[0]), held(BigInt::from(a) + (i64::from(b) << 32)));
        let factor = b >> 15;
        prop_assert_eq!(arith::multiply(&[a], [factor.into()].into_iter(), "b").ok().map(|x| x[0]), held(BigInt::from(a) * factor));
        let sum = held(BigInt::from(a) + den);
        prop_assert_eq!(reduce(Reduce::Sum, &[a, den], 0, None).ok().map(|x| x[0]), sum);
        let squares = held(BigInt::from(a) * a + BigInt::from(den) * den);
        prop_assert_eq!(reduce(Reduce::Squares, &[a, den], 0, None).ok().map(|x| x[0]), squares);
    }

    /// A reduction in parts is that of the whole.
    #[test]
    fn reductions_continue(x in prop::collection::vec(-50..50_i64, 2..40), cut in 1..40_usize, first in 0..1000_i64) {
        let (head, tail) = x.split_at(cut.min(x.len() - 1));
        for kind in [Reduce::MaxAbs, Reduce::Max, Reduce::Range, Reduce::Sum, Reduce::Squares, Reduce::ArgMax] {
            let whole = reduce(kind, &x, first, None).unwrap();
            let start = reduce(kind, head, first, None).unwrap();
            let parts = reduce(kind, tail, first + head.len() as i64, Some(start)).unwrap();
            prop_assert_eq!(parts, whole, "{:?}", kind);
        }
        let [max, at] = reduce(Reduce::ArgMax, &x, first, None).unwrap();
        prop_assert_eq!(x.iter().position(|&x| x == max), Some((at - first) as usize));
        let [up, down] = reduce(Reduce::Range, &x, 0, None).unwrap();
        prop_assert!(up >= 0 && down >= 0 && x.iter().all(|&x| -down <= x && x <= up));
    }
}

/// The largest exponent, as a program finds it: at least that of a magnitude of 1.
fn e(exponents: &[i64]) -> i64 {
    exponents.iter().copied().max().unwrap_or(-2).max(-2)
}

#[test]
fn what_is_outside_its_range_is_refused_by_name() {
    let message = |found: crate::iss::fault::Result<Vec<i64>>| found.unwrap_err().to_string();
    let q = Quotients { factor: 127, den: 0, limit: 127, bits: 8, offset: None };
    assert!(message(quotient::quotient(&[1], &q)).starts_with("S[s] = 0: allowed >= 1"));
    let wide = message(quotient::quotient(&[1, 100], &Quotients { den: 10, bits: 7, ..q }));
    assert!(wide.starts_with("quotient[1] = 1270: allowed 7 bits of magnitude"), "{wide}");
    assert!(message(arith::multiply(&[1], [1 << 16].into_iter(), "PB[b]")).starts_with("PB[b][0] = 65536"));
    let step = Dyadic { mult: 1 << 15, shift: 20 };
    assert!(message(curve::exponentials(&[3], 2, ExpKind::Poly, step)).starts_with("VB[a + 0] = 3: allowed at most"));
    assert!(message(curve::exponentials(&[3], 3, ExpKind::Poly, Dyadic { mult: 0, shift: 0 })).contains("step of 0"));
    assert!(message(curve::sigmoids(&[1 << 31], 8, ExpKind::Poly, step)).contains("32 bits signed"));
    assert!(message(curve::sigmoids(&[1], 16, ExpKind::Poly, step)).contains("8..=15"));
    assert!(message(hadamard::butterfly(&[1, 2, 3], 0)).contains("multiple of 2"));
    assert!(message(fix::fix(&[1 << 62], step, 127)).contains("2^62"));
    assert!(message(align::align(&[1], &[-1], 7, None)).contains("0..=65535"));
    assert!(message(align::align(&[1], &[1], 7, Some((256, &[1])))).contains("0..=255"));
    assert!(message(block::exponents(&[-1], ScaleRule::Floor)).contains(">= 0"));
    assert!(message(block::e4m3_scales(&[1], 0)).contains(">= 1"));
    let coded = |kind, top, highest, scale| code::code(&[3], kind, top, highest, &[scale]).unwrap_err().to_string();
    assert!(coded(code::Kind::Int4, 0, 0, 0).contains(">= 1"));
    assert!(coded(code::Kind::Int4Groups(16), 5, 0, 256).contains("0..=255"));
    assert!(coded(code::Kind::Mx, 5, 2, 3).contains("S[s + 1] = 2"));
    assert!(coded(code::Kind::Mx, 5, 2, -258).contains("-2..=62"));
    assert!(coded(code::Kind::Nv, 5, 0, 127).contains("1..=126"));
    assert!(scale::scaled(1 << 62, [pack(step); 2], 1, 0).is_err() && scale::step_product(0, pack(step)).is_err());
    assert!(norm::headroom(1 << 25).is_err() && norm::root_mean(-1, 0, 0, 1).is_err());
    assert!(unpack("S[b]", 1 << 32).unwrap_err().to_string().starts_with("S[b] = 4294967296"));
}
