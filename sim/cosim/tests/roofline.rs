//! How near programs come to their roofline: preset `base`, a bus of 128 bits, a memory latency of 30 cycles.

use golden::iss;
use golden::layers::random::{Coding, Shape, random_layer, random_model};
use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::fast::{Fast, Options};
use sim::lower::program::{Job, LinearInput, decode, linear, lower, roofline};
use sim::memory::Timing;
use spec::isa::{OutputKind, Program};
use spec::qmodel::QActs;
use spec::{Config, Dyadic, Format, RowScale, Tensor};

fn base() -> (Config, Accelerator) {
    let config = Config::from_toml(hdl::presets::preset("base").unwrap()).unwrap();
    assert_eq!(config.bus.data_bits, 128);
    let design = Design::new(top(&config).unwrap());
    let accelerator = Accelerator::new(&design, Timing::latency(30)).unwrap();
    (config, accelerator)
}

/// Roofline fraction of a run whose results are those of the instruction-set simulator.
fn fraction(accelerator: &mut Accelerator, program: &Program, name: &str) -> f64 {
    accelerator.start(program).unwrap();
    accelerator.finish_run(20_000_000, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    let run = iss::run(program, &mut iss::Blind).unwrap();
    for kind in [OutputKind::Tokens, OutputKind::Logits, OutputKind::Steps] {
        for row in 0..program.output(kind).map_or(0, |o| o.rows) {
            assert!(accelerator.output(program, kind, row) == run.output(kind, row).ok(), "{name}: {kind:?} {row}");
        }
    }
    let counters = accelerator.counters().unwrap();
    let (cycles, least) = (counters.get("cycles").unwrap(), roofline(program));
    let fraction = least as f64 / cycles as f64;
    println!("{name}: {least} of {cycles} cycles, {fraction:.4}; {counters:?}");
    assert!(fraction <= 1.0);
    fraction
}

fn layer_program(config: &Config, format: Format, m: usize, k: usize, n: usize) -> Program {
    let layer = random_layer(n, k, Coding::new(format), 1);
    let data = (0..m * k).map(|i| (i * 37 % 255) as i8).map(|v| v.max(-127)).collect();
    let step = Dyadic { mult: 1 << 15, shift: 20 };
    let acts = QActs { codes: Tensor::new(m, k, data), scales: vec![RowScale { step, zp: 128 }; m] };
    linear(config, &layer, &LinearInput::Codes(&acts)).unwrap()
}

#[test]
fn decode_of_linear_layers() {
    let (config, mut accelerator) = base();
    for format in [Format::W8a8, Format::W4a8] {
        for (k, n) in [(288, 288), (288, 768), (768, 288), (576, 576)] {
            let program = layer_program(&config, format, 1, k, n);
            let name = format!("{} 1x{k}x{n}", format.name());
            let fraction = fraction(&mut accelerator, &program, &name);
            assert!(fraction >= 0.90, "{name}: {fraction}");
        }
    }
}

#[test]
fn prefill_of_linear_layers() {
    let (config, mut accelerator) = base();
    for (format, k, n) in [(Format::W8a8, 576, 576), (Format::W4a8, 576, 576)] {
        let program = layer_program(&config, format, 128, k, n);
        let name = format!("{} 128x{k}x{n}", format.name());
        let fraction = fraction(&mut accelerator, &program, &name);
        assert!(fraction >= 0.95, "{name}: {fraction}");
    }
}

#[test]
#[ignore = "three million cycles of the whole machine: several minutes"]
fn prefill_of_larger_linear_layers() {
    let (config, mut accelerator) = base();
    for (format, k, n) in [(Format::W8a8, 2048, 768), (Format::W4a8, 2048, 768), (Format::W4a8, 768, 2048)] {
        let program = layer_program(&config, format, 128, k, n);
        let name = format!("{} 128x{k}x{n}", format.name());
        let fraction = fraction(&mut accelerator, &program, &name);
        assert!(fraction >= 0.95, "{name}: {fraction}");
    }
}

/// The shape of a model of 15 million parameters, of which the head has 9.
const SHAPE: Shape =
    Shape { hidden: 288, ffn: 768, blocks: 6, heads: 6, kv_heads: 6, head_dim: 48, vocab: 32_000, positions: 256 };

/// The token that follows a prompt of 48, as the difference of two programs, in the fast simulator; the program of the token
/// alone takes about as long.
#[test]
fn decoded_token_of_a_model_of_15_million_parameters_fast() {
    let config = Config::from_toml(hdl::presets::preset("base").unwrap()).unwrap();
    let fast = Fast::new(&config).unwrap();
    let run = |program: &Program| {
        let options = Options { values: false, ..Options::default() };
        fast.run(program, Timing::latency(30), options).unwrap().cycles
    };
    let prompt: Vec<u32> = (0..48).collect();
    for format in [Format::W8a8, Format::W4a8] {
        let model = random_model(&SHAPE, &[Coding::new(format)], 1);
        let [before, after] =
            [1, 2].map(|tokens| lower(&config, &model, &Job { prompt: &prompt, tokens, logits: false }).unwrap());
        let cycles = run(&after) - run(&before);
        let token = decode(&config, &model, 7, 48, false).unwrap();
        let alone = run(&token);
        let fraction = roofline(&token) as f64 / cycles as f64;
        println!("{} token: {} of {cycles} cycles, {fraction:.4}; alone {alone}", format.name(), roofline(&token));
        assert!((0.80..=1.0).contains(&fraction), "{fraction}");
        assert!(cycles.abs_diff(alone) < cycles / 100, "{alone} cycles alone");
    }
}

#[test]
#[ignore = "two million cycles of the whole machine: several minutes"]
fn decoded_token_of_a_model_of_15_million_parameters() {
    let (config, mut accelerator) = base();
    for format in [Format::W8a8, Format::W4a8] {
        let model = random_model(&SHAPE, &[Coding::new(format)], 1);
        let program = decode(&config, &model, 7, 48, false).unwrap();
        let fraction = fraction(&mut accelerator, &program, &format!("{} token", format.name()));
        assert!(fraction >= 0.80, "{fraction}");
    }
}
