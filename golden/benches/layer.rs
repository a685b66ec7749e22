//! Speed of the linear layers of a forward pass: one token and many, every format; and of the coding of their inputs.

use criterion::{BenchmarkId, Criterion, Throughput};
use golden::layer::PreparedLayer;
use golden::num;
use golden::op::input::{Coding, InputRow, input};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spec::model::QLayer;
use spec::qmodel::{ActMode, QLinear, Requant};
use spec::{Dyadic, Format, RequantMode, ScaleRule, Scaling, Tensor};

const STEP: Dyadic = Dyadic { mult: 40_000, shift: 30 };

/// A layer of random codes.
fn layer(format: Format, scaling: Scaling, n: usize, k: usize) -> QLayer {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let codes: Vec<i8> = num::codes(format.weight()).collect();
    let weight: Vec<i8> = (0..n * k).map(|_| codes[rng.next_u32() as usize % codes.len()]).collect();
    let blocks = scaling.blocks(k);
    let scales: Vec<u8> = (0..n * blocks).map(|_| (rng.next_u32() % 16) as u8).collect();
    let counts = matches!(scaling, Scaling::Group32 | Scaling::Group16);
    let int = |i: usize| i32::from(num::decode(format.weight(), weight[i]).expect("a code"));
    let factor = |n: usize, i: usize| match scaling.block() {
        Some(block) if counts => i32::from(scales[n * blocks + i / block]),
        _ => 1,
    };
    let sum = (0..n).map(|n| (0..k).map(|i| int(n * k + i) * factor(n, i)).sum()).collect();
    let step = Dyadic { shift: STEP.shift + scaling.guard_bits() as i16, ..STEP };
    let linear = QLinear {
        name: "layer".into(),
        format,
        weight: Tensor::new(n, k, weight),
        align: vec![1 << 14; n],
        sum,
        requant: Requant { mode: RequantMode::Dynamic, step },
    };
    let scales = Tensor::new(n, blocks, scales);
    QLayer { linear, weight_step: STEP, scaling, scales, acts: ActMode::Symmetric, rotation: 1 }
}

/// A wide row, as norms and gates give them: some 40 bits.
fn row(k: usize, seed: u64) -> Vec<i64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..k).map(|_| (rng.next_u64() as i64) >> 24).collect()
}

fn formats() -> impl Iterator<Item = (Format, Scaling)> {
    Format::ALL.into_iter().map(|format| (format, format.scalings()[0]))
}

fn bench(c: &mut Criterion) {
    let (n, k, tokens) = (768, 288, 64);
    let mut group = c.benchmark_group(format!("layer {k} -> {n}"));
    group.sample_size(20);
    for (format, scaling) in formats() {
        let layer = layer(format, scaling, n, k);
        let prepared = PreparedLayer::new(&layer, ScaleRule::Floor).expect("codes are the format's");
        let rows: Vec<InputRow> = (0..tokens).map(|seed| prepared.input(&row(k, seed), STEP)).collect();
        group.throughput(Throughput::Elements((n * k) as u64));
        group.bench_function(BenchmarkId::new("token", format.name()), |b| b.iter(|| prepared.aligned(&rows[0])));
        group.throughput(Throughput::Elements(tokens * (n * k) as u64));
        group.bench_function(BenchmarkId::new("64 tokens", format.name()), |b| b.iter(|| prepared.aligned_rows(&rows)));
    }
    group.finish();

    let mut group = c.benchmark_group("head 288 -> 32000");
    group.sample_size(20).throughput(Throughput::Elements(288 * 32_000));
    let layer = layer(Format::W8a8, Scaling::Channel, 32_000, 288);
    let prepared = PreparedLayer::new(&layer, ScaleRule::Floor).expect("codes are the format's");
    let one = prepared.input(&row(288, 1), STEP);
    group.bench_function("token w8a8", |b| b.iter(|| prepared.aligned(&one)));
    group.finish();

    let mut group = c.benchmark_group(format!("input {n}"));
    group.sample_size(20).throughput(Throughput::Elements(n as u64));
    let z = row(n, 3);
    for (format, scaling) in formats() {
        let coding = Coding { format, scaling, acts: ActMode::Symmetric, rule: ScaleRule::Floor, rotation: 1 };
        group.bench_function(format.name(), |b| b.iter(|| input(&z, STEP, &coding)));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
