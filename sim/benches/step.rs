//! Cycles per second of the step simulator: the arrays of the presets with new operands in every cycle, and the whole
//! tile engine of `base`, idle inputs toggling. `cargo bench -p sim --bench step`.

#![allow(missing_docs)] // criterion's macro makes a public function

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hdl::rtl::Design;
use sim::step::{Port, Stepper};
use spec::Config;

const BATCH: u64 = 1000;

fn noise(x: u64) -> u64 {
    let z = (x ^ x >> 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (z ^ z >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn config(preset: &str) -> Config {
    let text = hdl::presets::preset(preset).unwrap_or_else(|| panic!("no preset {preset}"));
    Config::from_toml(text).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs `BATCH` cycles with all of `inputs` at new random values, then reads one output so that nothing is in vain.
fn cycles(s: &mut Stepper, inputs: &[Port], output: Port, values: &[u64]) -> u64 {
    let mut sum = 0;
    for cycle in 0..BATCH as usize {
        for (k, input) in inputs.iter().enumerate() {
            s.set_limbs(*input, &values[(cycle * 7 + k * 13) % 4096..][..input.limbs()]);
        }
        s.settle();
        sum ^= s.get(output);
        s.tick();
    }
    sum
}

fn bench(c: &mut Criterion) {
    let values: Vec<u64> = (0..4200).map(noise).collect();
    let mut group = c.benchmark_group("cycles");
    group.throughput(Throughput::Elements(BATCH));
    for preset in ["small", "base", "fp4"] {
        let config = config(preset);
        let top = hdl::unit::array::array(&config).unwrap_or_else(|e| panic!("{e}"));
        let mut s = Stepper::new(&Design::new(top)).unwrap_or_else(|e| panic!("{e}"));
        let inputs: Vec<Port> =
            ["act_i", "swap_i", "weight_i", "load_i"].iter().filter_map(|n| s.input(n).ok()).collect();
        let Ok(output) = s.output("sum_o") else { continue };
        let (rows, cols) = (config.array.rows, config.array.cols);
        group.bench_function(format!("array {rows}x{cols}"), |b| {
            b.iter(|| cycles(&mut s, &inputs, output, &values));
        });
    }
    let top = hdl::unit::engine::engine(&config("base")).unwrap_or_else(|e| panic!("{e}"));
    let design = Design::new(top);
    let mut s = Stepper::new(&design).unwrap_or_else(|e| panic!("{e}"));
    let (Ok(reset), Ok(data), Ok(output)) = (s.input("rst_ni"), s.input("s_axis_tdata"), s.output("m_axis_tdata"))
    else {
        return;
    };
    s.tick();
    s.set(reset, 1);
    group.bench_function("engine base", |b| b.iter(|| cycles(&mut s, &[data], output, &values)));
    group.finish();
    c.bench_function("compile engine base", |b| b.iter(|| Stepper::new(&design).is_ok()));
}

criterion_group!(benches, bench);
criterion_main!(benches);
