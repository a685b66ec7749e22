//! Resets in any cycle, and registers that start with anything: the run that follows has the same results and counters.

use golden::iss;
use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::{Accelerator, Counters};
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use spec::isa::{OutputKind, Program};
use spec::{Config, Format};

const SHAPE: Shape = Shape { hidden: 6, ffn: 5, blocks: 1, heads: 1, kv_heads: 1, head_dim: 4, vocab: 9, positions: 4 };
/// Resets, every second one through the registers.
const RESETS: u64 = 200;

fn config() -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    (config.array.rows, config.array.cols) = (4, 4);
    config.pe.formats = vec![Format::W8a8, Format::Mxfp4];
    config.validate().unwrap();
    config
}

fn program(config: &Config) -> Program {
    let model = random_model(&SHAPE, &[Coding::new(Format::Mxfp4), Coding::new(Format::W8a8)], 5);
    lower(config, &model, &Job { prompt: &[3, 1], tokens: 1, logits: true }).unwrap()
}

/// Results in memory, all of them, and counters.
fn run(accelerator: &mut Accelerator, program: &Program) -> (Vec<Vec<i64>>, Counters) {
    accelerator.start(program).unwrap();
    accelerator.finish_run(1_000_000, &mut |_| {}).unwrap();
    let mut rows = Vec::new();
    for kind in [OutputKind::Tokens, OutputKind::Steps, OutputKind::Logits] {
        let count = program.output(kind).map_or(0, |o| o.rows);
        rows.extend((0..count).map(|row| accelerator.output(program, kind, row).unwrap()));
    }
    (rows, accelerator.counters().unwrap())
}

fn expected(program: &Program) -> Vec<Vec<i64>> {
    let run = iss::run(program, &mut iss::Blind).unwrap();
    let mut rows = Vec::new();
    for kind in [OutputKind::Tokens, OutputKind::Steps, OutputKind::Logits] {
        rows.extend((0..program.output(kind).map_or(0, |o| o.rows)).map(|row| run.output(kind, row).unwrap()));
    }
    rows
}

/// A number below `below`, the same for the same index.
fn draw(index: u64, below: u64) -> u64 {
    (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9) % below
}

#[test]
fn a_reset_in_any_cycle_leaves_nothing_behind() {
    let config = config();
    let program = program(&config);
    let rows = expected(&program);
    let design = Design::new(top(&config).unwrap());
    let mut accelerator = Accelerator::new(&design, Timing::latency(12)).unwrap();
    let (first, counters) = run(&mut accelerator, &program);
    assert_eq!(first, rows);
    let cycles = counters.get("cycles").unwrap();
    let (mut in_run, mut soft) = (0, 0);
    for index in 0..RESETS {
        accelerator.start(&program).unwrap();
        let stop = draw(index, cycles);
        for _ in 0..stop {
            accelerator.cycle(&mut |_| {}).unwrap();
        }
        in_run += u64::from(!accelerator.interrupt());
        if index % 2 == 0 {
            accelerator.reset().unwrap();
        } else {
            soft += 1;
            accelerator.write("CONTROL", 2).unwrap();
            accelerator.wait_until_idle(10_000).unwrap();
            assert_eq!(accelerator.read("STATUS").unwrap(), 0, "soft reset after {stop} cycles");
        }
        assert!(accelerator.memory.is_idle(), "reset {index} after {stop} cycles");
        let again = run(&mut accelerator, &program);
        assert_eq!(again, (rows.clone(), counters.clone()), "reset {index} after {stop} cycles");
    }
    assert_eq!((in_run, soft), (RESETS, RESETS / 2), "every reset comes while the program runs");
}

#[test]
fn registers_and_memories_may_start_with_anything() {
    let config = config();
    let program = program(&config);
    let design = Design::new(top(&config).unwrap());
    let rows = expected(&program);
    let mut counters = None;
    for seed in 0..8 {
        let mut accelerator = Accelerator::new(&design, Timing::latency(12)).unwrap();
        accelerator.bench.stepper.randomize(seed);
        accelerator.reset().unwrap();
        let found = run(&mut accelerator, &program);
        assert_eq!(found.0, rows, "seed {seed}");
        assert_eq!(*counters.get_or_insert(found.1.clone()), found.1, "seed {seed}");
    }
}
