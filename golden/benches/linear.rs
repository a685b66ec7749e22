//! Speed of golden on the linear layer by which utilisation is measured: 512 tokens, 576 -> 576 channels.

use criterion::{Criterion, Throughput};
use golden::gemm::{Shape, random_layer};
use golden::linear::linear;
use spec::{Format, RequantMode};

fn bench(c: &mut Criterion) {
    let shape = Shape { m: 512, k: 576, n: 576 };
    let mut group = c.benchmark_group(format!("linear {shape}"));
    group.sample_size(10).throughput(Throughput::Elements((shape.m * shape.k * shape.n) as u64));
    for format in [Format::W8a8, Format::Fp4] {
        let operands = random_layer(shape, format, RequantMode::Dynamic, false, 1);
        let (layer, acts) = operands.expect("the shape can be computed");
        group.bench_function(format.name(), |b| b.iter(|| linear(&layer, &acts)));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
