//! Cycles per second of the fast and the step simulator on a decoded token of the shipped model, 48 positions in:
//! `small`, w8a8, memory latency 30.
//! `cargo bench -p cosim --bench fast`.

#![allow(missing_docs)] // criterion's macro makes a public function

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use golden::load::open;
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model};
use hdl::rtl::Design;
use sim::accel::Accelerator;
use sim::fast::{Fast, Options};
use sim::lower::program::decode;
use sim::memory::Timing;
use spec::{Config, Format};

const TALE: &str = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.";

fn bench(c: &mut Criterion) {
    let model = open("fairy").unwrap_or_else(|e| panic!("{e}"));
    let options = PtqOptions { recipe: Some(Recipe::usual(Format::W8a8)), ..PtqOptions::new(Format::W8a8) };
    let windows = Windows::from_text(TALE, &model, "tale").unwrap_or_else(|e| panic!("{e}"));
    let model = quantize_model(&model, &options, &windows).unwrap_or_else(|e| panic!("{e}"));
    let preset = hdl::presets::preset("small").unwrap_or_default();
    let mut config = Config::from_toml(preset).unwrap_or_else(|e| panic!("{e}"));
    config.pe.formats = vec![Format::W8a8];
    let program = decode(&config, &model, 3, 47, false).unwrap_or_else(|e| panic!("{e}"));
    let timing = Timing::latency(30);
    let fast = Fast::new(&config).unwrap_or_else(|e| panic!("{e}"));
    let run = |options: Options| fast.run(&program, timing, options).unwrap_or_else(|e| panic!("{e}"));
    let cycles = run(Options::default()).cycles;

    let mut group = c.benchmark_group("a token of fairy on small");
    group.throughput(Throughput::Elements(cycles));
    group.bench_function("fast", |b| b.iter(|| run(Options::default()).cycles));
    let clock = Options { values: false, ..Options::default() };
    group.bench_function("fast without values", |b| b.iter(|| run(clock).cycles));
    let design = Design::new(hdl::unit::top::top(&config).unwrap_or_else(|e| panic!("{e}")));
    let mut accelerator = Accelerator::new(&design, timing).unwrap_or_else(|e| panic!("{e}"));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("step", |b| {
        b.iter(|| {
            accelerator.start(&program).unwrap_or_else(|e| panic!("{e}"));
            accelerator.finish_run(10 * cycles, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
