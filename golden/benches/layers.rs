//! Speed of the integer pass: tokens of a model of 15 million parameters, and the operators between linear layers.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use golden::layers::random::{Coding, Shape, random_model};
use golden::layers::{KvCache, Layers};
use golden::op::narrow::narrow;
use golden::op::norm::rms_norm;
use golden::op::residual::{self, Residual};
use golden::op::rope::rotate;
use golden::op::softmax::softmax;
use golden::op::swiglu::swiglu;
use golden::sample::{Sampling, Weights};
use spec::model::PROB_TOP_15;
use spec::{Dyadic, ExpKind, Format};

const SHAPE: Shape =
    Shape { hidden: 288, ffn: 768, blocks: 6, heads: 6, kv_heads: 6, head_dim: 48, vocab: 32_000, positions: 512 };

/// `2^-12`.
const STEP: Dyadic = Dyadic { mult: 1 << 15, shift: 27 };

fn model(c: &mut Criterion) {
    let mut group = c.benchmark_group("15M parameters");
    group.sample_size(10);
    let prompt: Vec<u32> = (0..256).map(|i| i * 97 % 32_000).collect();
    for format in [Format::W8a8, Format::W4a8, Format::Mxfp4, Format::Nvfp4] {
        let model = random_model(&SHAPE, &[Coding::new(format)], 1);
        let layers = Layers::new(&model).expect("a random model fits its shape");
        let mut cache = KvCache::default();
        layers.next(&prompt, &mut cache).expect("a prompt of 256 tokens");
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("decode after 256 tokens, {}", format.name()), |b| {
            b.iter(|| {
                cache.truncate(256);
                layers.next(&[5], &mut cache)
            });
        });
        group.throughput(Throughput::Elements(prompt.len() as u64));
        group.bench_function(format!("prefill of 256 tokens, {}", format.name()), |b| {
            b.iter(|| layers.next(&prompt, &mut KvCache::default()));
        });
    }
    group.finish();
}

fn operators(c: &mut Criterion) {
    let mut group = c.benchmark_group("operators");
    let noise = |i: usize| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let row: Vec<i16> = (0..768).map(|i| (noise(i) >> 48) as i16).collect();
    let wide: Vec<i64> = (0..768).map(|i| noise(i) as i64 >> 30).collect();
    let scores: Vec<i32> = (0..768).map(|i| (noise(i) >> 46) as i32).collect();
    group.throughput(Throughput::Elements(768));
    group.bench_function("rms_norm", |b| b.iter(|| rms_norm(black_box(&row), 12, STEP)));
    group.bench_function("narrow", |b| b.iter(|| narrow(black_box(&wide), STEP)));
    group.bench_function("rotate", |b| b.iter(|| rotate(black_box(&row), 48, &row[..24], &row[24..48])));
    let (x, y) = (Residual { codes: row.clone(), shift: 12 }, narrow(&wide, STEP));
    group.bench_function("residual add", |b| b.iter(|| residual::add(black_box(&x), &y)));
    for kind in ExpKind::ALL {
        group.bench_function(format!("softmax, {}", kind.name()), |b| {
            b.iter(|| softmax(black_box(&scores), Dyadic { mult: 40_000, shift: 30 }, kind, PROB_TOP_15));
        });
        group.bench_function(format!("swiglu, {}", kind.name()), |b| b.iter(|| swiglu(black_box(&y), &y, kind, 15)));
    }
    let logits: Vec<i64> = (0..32_000).map(|i| noise(i) as i64 >> 40).collect();
    let sampling = Sampling { temperature: "0.8".parse().expect("a number"), ..Sampling::GREEDY };
    group.throughput(Throughput::Elements(32_000));
    group.bench_function("weights of a draw", |b| b.iter(|| Weights::new(black_box(&logits), STEP, &sampling)));
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    operators(&mut criterion);
    model(&mut criterion);
    criterion.final_summary();
}
