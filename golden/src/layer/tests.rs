//! Prepared layers against the operators' definitions, and what is refused.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spec::qmodel::{ActMode, QLinear, Requant};
use spec::{Operand, RequantMode, RowScale, Tensor};

use super::*;
use crate::op::foot;
use crate::op::matmul::{decode_all, dot_ints};

const WEIGHT_STEP: Dyadic = Dyadic { mult: 0x9abc, shift: 33 };

/// Uniform in `low..=high`.
fn pick(rng: &mut ChaCha8Rng, low: i32, high: i32) -> i32 {
    low + (rng.next_u32() % (high - low + 1) as u32) as i32
}

fn codes(rng: &mut ChaCha8Rng, operand: Operand, len: usize, extreme: bool) -> Vec<i8> {
    let range = num::codes(operand);
    let all = |&code: &i8| num::decode(operand, code);
    let lowest = range.clone().min_by_key(all).unwrap();
    let (low, high) = (i32::from(*range.start()), i32::from(*range.end()));
    (0..len).map(|_| if extreme { lowest } else { pick(rng, low, high) as i8 }).collect()
}

fn scales(rng: &mut ChaCha8Rng, scaling: Scaling, len: usize, extreme: bool) -> Vec<u8> {
    let (low, high, top) = match scaling {
        Scaling::Mx32 => (0, 20, 0),
        Scaling::Nv16 => (0, 0x7e, 0x7e),
        _ => (0, 255, 255),
    };
    (0..len).map(|_| if extreme { top } else { pick(rng, low, high) as u8 }).collect()
}

/// A layer of random or extreme codes and scales, and a row for it.
fn random(format: Format, scaling: Scaling, n: usize, k: usize, seed: u64, extreme: bool) -> (QLayer, InputRow) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let blocks = scaling.blocks(k);
    let weight = codes(rng, format.weight(), n * k, extreme);
    let w_scales = scales(rng, scaling, n * blocks, extreme);
    let ints = decode_all("weight", format.weight(), &weight).unwrap();
    let factor = |n: usize, i: usize| match scaling {
        Scaling::Group32 | Scaling::Group16 => i32::from(w_scales[n * blocks + i / scaling.block().unwrap()]),
        _ => 1,
    };
    let sum = |n: usize| (0..k).map(|i| i32::from(ints[n * k + i]) * factor(n, i)).sum();
    let sum = (0..n).map(sum).collect();
    let step = Dyadic { shift: WEIGHT_STEP.shift + scaling.guard_bits() as i16, ..WEIGHT_STEP };
    let align = (0..n).map(|_| if extreme { 1 << 15 } else { pick(rng, 0, 1 << 15) as u16 }).collect();
    let zero_point = format.act() == Operand::Int8 && scaling != Scaling::Mx32;
    let layer = QLayer {
        linear: QLinear {
            name: "layer".into(),
            format,
            weight: Tensor::new(n, k, weight),
            align,
            sum,
            requant: Requant { mode: RequantMode::Dynamic, step },
        },
        weight_step: WEIGHT_STEP,
        scaling,
        scales: Tensor::new(n, blocks, w_scales),
        acts: if zero_point { ActMode::Asymmetric } else { ActMode::Symmetric },
        rotation: 1,
    };
    let zp = if !zero_point {
        128
    } else if extreme {
        255
    } else {
        pick(rng, 0, 255) as u8
    };
    let row = InputRow {
        codes: codes(rng, format.act(), k, extreme),
        scale: RowScale { step: Dyadic { mult: 0xf00d, shift: 20 }, zp },
        blocks: scales(rng, scaling, if format.acts_have_blocks() { blocks } else { 0 }, extreme),
        clipped: 0,
    };
    (layer, row)
}

/// Aligned sums by the operators alone.
fn by_definition(layer: &QLayer, row: &InputRow) -> Vec<i64> {
    let linear = &layer.linear;
    let acts = decode_all("act", linear.format.act(), &row.codes).unwrap();
    let channel = |n: usize| {
        let weights = decode_all("weight", linear.format.weight(), linear.weight.row(n)).unwrap();
        let scales = layer.scales.row(n);
        let sums = |block| foot::block_sums(&acts, &weights, block);
        let p = match layer.scaling {
            Scaling::Channel => i64::from(dot_ints(&acts, &weights)),
            Scaling::Group32 => foot::group(&sums(32), scales, &row.blocks),
            Scaling::Group16 => foot::group(&sums(16), scales, &row.blocks),
            Scaling::Mx32 => foot::mx(&sums(32), scales, &row.blocks, mx_places(linear.format)),
            Scaling::Nv16 => foot::nv(&sums(16), scales, &row.blocks),
        };
        let completed = p + (128 - i64::from(row.scale.zp)) * i64::from(linear.sum[n]);
        align_wide(completed, linear.align[n], layer.scaling.guard_bits())
    };
    (0..linear.weight.rows).map(channel).collect()
}

fn combinations() -> impl Iterator<Item = (Format, Scaling)> {
    Format::ALL.into_iter().flat_map(|format| format.scalings().iter().map(move |&scaling| (format, scaling)))
}

fn check(layer: &QLayer, row: &InputRow) {
    let prepared = PreparedLayer::new(layer, ScaleRule::Floor).unwrap();
    let (sums, step) = prepared.aligned(row);
    assert_eq!(sums, by_definition(layer, row), "{} {}", layer.linear.format.name(), layer.scaling.name());
    assert_eq!(step, product(row.scale.step, layer.linear.requant.step));
}

#[test]
fn longest_extreme_layers_stay_exact() {
    for (format, scaling) in combinations() {
        let (layer, row) = random(format, scaling, 2, foot::max_k(scaling), 1, true);
        check(&layer, &row);
    }
}

#[test]
fn large_layers_shared_among_threads_give_the_same() {
    for (format, scaling) in combinations() {
        let (layer, row) = random(format, scaling, 300, 900, 2, false);
        check(&layer, &row);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let refused = |change: fn(&mut QLayer), format: Format, scaling: Scaling, text: &str| {
        let (mut layer, _) = random(format, scaling, 3, 40, 3, false);
        layer.acts = ActMode::Symmetric;
        change(&mut layer);
        let message = PreparedLayer::new(&layer, ScaleRule::Floor).unwrap_err().to_string();
        assert!(message.contains(text), "{text:?} not in {message:?}");
    };
    let group = |change, text| refused(change, Format::W4a8, Scaling::Group32, text);
    group(|l| l.linear.weight.data[41] = 8, "layer: weight[1, 1] = 8: allowed -8..=7 (int4)");
    group(|l| l.linear.align[2] = 32769, "layer: align[2] = 32769: allowed 0..=32768");
    group(|l| l.linear.sum[1] += 1, "layer: sum[1] = ");
    group(|l| l.linear.align.truncate(2), "layer: align.len = 2: allowed 3");
    group(|l| l.linear.weight.data.truncate(2), "layer: weight.data.len = 2: allowed 120");
    group(|l| l.scales = Tensor::new(3, 0, vec![]), "layer: scales.cols = 0: allowed 2");
    group(|l| l.scaling = Scaling::Nv16, "layer: scaling = nv16: allowed group32, group16, channel (w4a8)");
    group(|l| l.rotation = 16, "layer: rotation = 16: allowed a power of two that divides K = 40");
    group(|l| l.weight_step.mult = 3, "layer: weight_step = 3 / 2^33");
    group(|l| l.linear.requant.step.shift = 128, "layer: requant.step = 39612 / 2^128");
    group(|l| l.linear.requant.step.shift += 1, "allowed 39612 / 2^41, weight_step over the guard bits");
    group(|l| l.linear.requant.mode = RequantMode::Static, "layer: requant.mode = static");
    refused(|l| l.scales.data[4] = 127, Format::Nvfp4, Scaling::Nv16, "scales[1, 1] = 127: allowed 0..=126 (e4m3)");
    refused(|l| l.acts = ActMode::Asymmetric, Format::Mxfp4a8, Scaling::Mx32, "layer: acts = asymmetric");
    let long = |l: &mut QLayer| {
        let k = foot::MAX_K_NV + 1;
        *l = random(Format::Nvfp4, Scaling::Nv16, 1, k, 1, true).0;
    };
    refused(long, Format::Nvfp4, Scaling::Nv16, "layer: weight.cols = 19009: allowed 1..=19008 with scaling nv16");
    // All of them, not the first.
    let (mut layer, _) = random(Format::W8a8, Scaling::Channel, 3, 40, 3, false);
    layer.linear.align[0] = u16::MAX;
    layer.rotation = 3;
    layer.weight_step.mult = 0;
    assert_eq!(problems(&layer).len(), 3);
}

proptest! {
    #[test]
    fn prepared_sums_are_those_of_the_operators(n in 1..7_usize, k in 1..600_usize, seed in any::<u64>()) {
        for (format, scaling) in combinations() {
            let (layer, row) = random(format, scaling, n, k, seed, false);
            check(&layer, &row);
        }
    }

    #[test]
    fn many_rows_are_as_each_alone(k in 1..200_usize, rows in 1..20_usize, seed in any::<u64>()) {
        for (format, scaling) in combinations() {
            let (layer, _) = random(format, scaling, 5, k, seed, false);
            let rows: Vec<InputRow> =
                (0..rows).map(|i| random(format, scaling, 1, k, seed ^ i as u64, false).1).collect();
            let prepared = PreparedLayer::new(&layer, ScaleRule::Floor).unwrap();
            let each: Vec<_> = rows.iter().map(|row| prepared.aligned(row)).collect();
            prop_assert_eq!(prepared.aligned_rows(&rows), each);
        }
    }
}
