//! A layer against the definition in unbounded integers, and the refusal of what breaks a bound.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;
use spec::{Dyadic, Format, RequantMode};

use super::*;
use crate::gemm::{Shape, random_layer};
use crate::num;

/// Aligned sums `[n]` of a row from the definition: the sum over `q - zp`, times the factor, rounded half up.
fn aligned_by_definition(layer: &QLinear, acts: &QActs, m: usize) -> Vec<BigInt> {
    let zero = BigInt::from(128) - BigInt::from(acts.scales[m].zp);
    let channel = |n: usize| {
        let terms = acts.codes.row(m).iter().zip(layer.weight.row(n)).map(|(&a, &w)| {
            let a = BigInt::from(num::decode(layer.format.act(), a).unwrap()) + &zero;
            a * BigInt::from(num::decode(layer.format.weight(), w).unwrap())
        });
        let exact = BigRational::new(terms.sum::<BigInt>() * layer.align[n], 128.into());
        (exact + BigRational::new(1.into(), 2.into())).floor().to_integer()
    };
    (0..layer.weight.rows).map(channel).collect()
}

fn operands(format: Format, mode: RequantMode, seed: u64) -> (QLinear, QActs) {
    let zero_points = format.act() == Operand::Int8 && seed % 2 == 1;
    random_layer(Shape { m: 5, k: 19, n: 7 }, format, mode, zero_points, seed).unwrap()
}

#[test]
fn every_format_and_mode_follows_the_definition() {
    for format in Format::PLAIN {
        for mode in RequantMode::ALL {
            for seed in 0..6 {
                let (layer, acts) = operands(format, mode, seed);
                let prepared = Prepared::new(&layer, &acts).unwrap();
                let rows = linear(&layer, &acts).unwrap();
                assert_eq!((rows.codes.rows, rows.codes.cols, rows.scales.len()), (5, 7, 5));
                for m in 0..5 {
                    let aligned = prepared.aligned_row(m);
                    let exact = aligned_by_definition(&layer, &acts, m);
                    assert_eq!(aligned.iter().map(|&a| BigInt::from(a)).collect::<Vec<_>>(), exact);
                    let row = requantise(mode, &aligned, acts.scales[m].step, layer.requant.step);
                    assert_eq!(rows.codes.row(m), row.codes);
                    assert_eq!(rows.scales[m], row.scale);
                }
            }
        }
    }
}

#[test]
fn longest_extreme_layer_keeps_its_widths() {
    let weight = Tensor::new(2, MAX_K, [vec![-128; MAX_K], vec![127; MAX_K]].concat());
    let layer = QLinear {
        name: "extreme".into(),
        format: Format::W8a8,
        weight,
        align: vec![1 << 15, 0],
        sum: vec![-128 * MAX_K as i32, 127 * MAX_K as i32],
        requant: Requant { mode: RequantMode::Asymmetric, step: Dyadic { mult: 1 << 15, shift: 30 } },
    };
    let step = Dyadic { mult: u16::MAX, shift: 20 };
    let acts = QActs {
        codes: Tensor::new(2, MAX_K, [vec![-128; MAX_K], vec![127; MAX_K]].concat()),
        scales: vec![RowScale { step, zp: 255 }, RowScale { step, zp: 0 }],
    };
    let prepared = Prepared::new(&layer, &acts).unwrap();
    assert_eq!(prepared.completed_sum(0, 0), 255 * 128 * MAX_K as i32);
    assert_eq!(prepared.completed_sum(1, 0), -255 * 128 * MAX_K as i32);
    assert_eq!(prepared.aligned_row(0), [(255 * 128 * MAX_K as i64) << 8, 0]);
    let rows = prepared.rows();
    assert_eq!(rows.codes.data, [127, -128, -128, 127]);
    assert_eq!(rows.scales.iter().map(|s| s.zp).collect::<Vec<_>>(), [0, 255]);
}

#[test]
fn partial_sums_past_k_are_zero() {
    let (layer, acts) = operands(Format::W4a8, RequantMode::Dynamic, 2);
    let prepared = Prepared::new(&layer, &acts).unwrap();
    assert_eq!(prepared.shape(), (5, 19, 7));
    assert_eq!(prepared.partial_sum(1, 2, 16..24), prepared.partial_sum(1, 2, 16..19));
    assert_eq!(prepared.partial_sum(1, 2, 24..32), 0);
    assert_eq!(prepared.partial_sums(1, 8..16)[3], prepared.partial_sum(1, 3, 8..16));
    let dot = crate::op::matmul::dot(layer.format, &acts.codes.row(1)[8..16], &layer.weight.row(3)[8..16]);
    assert_eq!(prepared.partial_sum(1, 3, 8..16), dot.unwrap());
}

/// Breaks one thing in a good pair and expects a message that starts with the field.
fn refused(field: &str, format: Format, spoil: impl Fn(&mut QLinear, &mut QActs)) {
    let (mut layer, mut acts) = operands(format, RequantMode::Dynamic, 4);
    check(&layer, &acts).unwrap();
    spoil(&mut layer, &mut acts);
    let message = check(&layer, &acts).unwrap_err().to_string();
    assert!(message.starts_with(field), "{message}");
    assert_eq!(linear(&layer, &acts).unwrap_err().to_string(), message);
}

#[test]
fn what_breaks_a_bound_is_refused() {
    let w8a8 = Format::W8a8;
    refused("align[3] = 32769", w8a8, |l, _| l.align[3] = (1 << 15) + 1);
    refused("align.len = 6", w8a8, |l, _| l.align.truncate(6));
    refused("sum[6]", w8a8, |l, _| l.sum[6] += 1);
    refused("sum.len = 0", w8a8, |l, _| l.sum.clear());
    refused("act.cols = 20", w8a8, |_, a| a.codes = Tensor::filled(5, 20, 0));
    refused("act.rows = 0", w8a8, |_, a| a.codes = Tensor::filled(0, 19, 0));
    refused("act.scales.len = 4", w8a8, |_, a| a.scales.truncate(4));
    refused("act.scales[2].step.mult = 32767", w8a8, |_, a| a.scales[2].step.mult = 32767);
    refused("act.scales[2].step.shift = 128", w8a8, |_, a| a.scales[2].step.shift = 128);
    refused("requant.step.mult = 0", w8a8, |l, _| l.requant.step.mult = 0);
    refused("requant.step.shift = -129", w8a8, |l, _| l.requant.step.shift = -129);
    refused("act.scales[1].zp = 7", Format::Fp4, |_, a| a.scales[1].zp = 7);
    refused("weight[20] = 16", Format::Fp4, |l, _| l.weight.data[20] = 16);
    refused("weight[20] = -1", Format::Pot4, |l, _| l.weight.data[20] = -1);
    refused("weight[0] = 8", Format::W4a8, |l, _| l.weight.data[0] = 8);
    refused("act[94] = -128", Format::Fp4, |_, a| a.codes.data[94] = -128);
    refused("act.data.len = 94", w8a8, |_, a| a.codes.data.truncate(94));
    refused("weight.data.len = 132", w8a8, |l, _| l.weight.data.truncate(132));
    refused("weight.rows = 0", w8a8, |l, _| l.weight = Tensor::filled(0, 19, 0));
    refused("weight.cols = 0", w8a8, |l, _| l.weight = Tensor::filled(7, 0, 0));
    refused("weight.cols = 65536", w8a8, |l, _| l.weight = Tensor::filled(7, 65536, 0));
}

proptest! {
    /// The sums of K tiles of any height add up to the layer's.
    #[test]
    fn tiles_add_up(seed in any::<u64>(), height in 1..25_usize, which in 0..Format::PLAIN.len()) {
        let (layer, acts) = operands(Format::PLAIN[which], RequantMode::Dynamic, seed);
        let prepared = Prepared::new(&layer, &acts).unwrap();
        for (row, col) in [(0, 0), (4, 6), (2, 3)] {
            let tiles = (0..19).step_by(height).map(|k| prepared.partial_sum(row, col, k..k + height));
            prop_assert_eq!(tiles.sum::<i32>(), prepared.partial_sum(row, col, 0..19));
        }
    }
}
