//! The whole accelerator under Verilator while it runs whole programs.

use cosim::{Options, Sources, TopCosim, TopRun};
use golden::layers::random::{Coding, Shape, random_model};
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use spec::isa::Program;
use spec::{Config, Format};

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };

fn small(formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.pe.formats = formats.to_vec();
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

fn program(config: &Config, format: Format, seed: u64) -> Program {
    let model = random_model(&SHAPE, &[Coding::new(format)], seed);
    lower(config, &model, &Job { prompt: &[3, 1, 4], tokens: 2, logits: true }).unwrap_or_else(|e| panic!("{e}"))
}

fn build(config: &Config) -> TopCosim {
    TopCosim::new(config, &Sources::Generated, &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// A run that must be the same in all models, all of it.
fn matches(cosim: &TopCosim, program: &Program, timing: Timing, options: &Options) -> TopRun {
    let run = cosim.run(program, timing, options, |_| {}).unwrap_or_else(|e| panic!("{e}"));
    assert!(run.verdict.matched(), "{:#?}", run.verdict.first);
    assert_eq!(run.instructions_checked, program.instrs.len() as u64);
    assert_eq!(run.verdict.cycles_checked, run.verdict.cycles);
    println!(
        "{} cycles, {} values, {:.0} cycles/s, step alone {:.0}",
        run.verdict.cycles,
        run.verdict.golden_values_checked,
        run.cycles_per_second(),
        run.verdict.cycles as f64 / run.step_busy.as_secs_f64()
    );
    run
}

#[test]
fn random_models_are_the_same_in_every_cycle() {
    let config = small(&[Format::W8a8, Format::W4a8]);
    let cosim = build(&config);
    assert!(cosim.has_probes());
    for (format, seed) in [(Format::W8a8, None), (Format::W4a8, Some(5))] {
        let program = program(&config, format, 1);
        let timing = Timing { stall_seed: seed, ..Timing::latency(20) };
        let run = matches(&cosim, &program, timing, &Options::default());
        assert_eq!(run.tokens(&program).len(), 2);
    }
}
