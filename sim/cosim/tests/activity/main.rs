//! Activity as the step simulator counts it is what Verilator's own trace of the same inputs says, signal by signal and
//! class by class.

mod vcd;
mod verilate;

use golden::gemm::{Shape as Gemm, random_layer};
use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::expr::{Expr, Node};
use hdl::rtl::module::{Item, SignalKind};
use hdl::rtl::{Design, Module};
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::engine::run::{End, EngineRun, RunOptions, Start};
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use sim::step::Stepper;
use sim::step::activity::Grain;
use spec::activity::Classes;
use spec::{Config, Format};

/// Compares what `stepper` counted over `frames` with the trace of the same frames.
fn compare(design: &Design, stepper: &Stepper, frames: &[Vec<u64>]) -> Classes {
    let folder = tempfile::tempdir().unwrap();
    let trace = verilate::trace(folder.path(), design, frames);
    let found = vcd::count(&trace, frames.len() as u64);
    let activity = stepper.activity().unwrap();
    assert_eq!(activity.cycles, frames.len() as u64);
    assert_eq!(activity.units.len(), activity.units.iter().map(|u| u.instances).sum::<u64>() as usize);
    let mut expected = Classes::default();
    let mut wrong = Vec::new();
    for counted in stepper.counted() {
        let flips = if counted.is_constant {
            0
        } else {
            found.toggles(&counted.path).unwrap_or_else(|| panic!("{}", counted.path))
        };
        if flips != counted.toggles {
            wrong.push((counted.path.clone(), counted.toggles, flips));
        }
        match counted.kind {
            SignalKind::Reg => expected.registers += flips,
            SignalKind::MemOut => expected.memory_outputs += flips,
            SignalKind::Input if counted.path.contains('.') => {}
            SignalKind::Input | SignalKind::Output => expected.buses += flips,
            SignalKind::Wire => unreachable!("wires are not counted"),
        }
    }
    assert!(wrong.is_empty(), "{} signals, the first: {:?}", wrong.len(), &wrong[..wrong.len().min(8)]);
    let classes = activity.classes();
    (expected.memory_reads, expected.memory_writes) = accesses(design, &found);
    assert_eq!(classes, expected);
    println!("{} signals in the trace: {classes:?}", found.len());
    classes
}

/// Cycles with a read and with a write of all memories below an instance, from their enables in the trace.
fn accesses(design: &Design, found: &vcd::Counted) -> (u64, u64) {
    fn walk(module: &Module, path: &str, found: &vcd::Counted, sums: &mut (u64, u64)) {
        for item in &module.items {
            match item {
                Item::Memory(memory) => {
                    let cycles = |enable: &Expr| match enable.node() {
                        Node::Sig(id, _) => {
                            let path = format!("{path}{}", module.signal(*id).name);
                            found.ones(&path).unwrap_or_else(|| panic!("{path}"))
                        }
                        other => panic!("{path}: {other:?}"),
                    };
                    sums.0 += cycles(&memory.read.enable);
                    sums.1 += cycles(&memory.write.enable);
                }
                Item::Instance(instance) => match instance.grid {
                    None => walk(&instance.module, &format!("{path}{}.", instance.name), found, sums),
                    Some((rows, cols)) => {
                        for place in 0..rows * cols {
                            let place = format!("[{}][{}]", place / cols, place % cols);
                            walk(&instance.module, &format!("{path}{}{place}.", instance.name), found, sums);
                        }
                    }
                },
                _ => {}
            }
        }
    }
    let mut sums = (0, 0);
    walk(&design.top, "", found, &mut sums);
    sums
}

fn small(rows: u32, cols: u32, format: Format) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    (config.array.rows, config.array.cols) = (rows, cols);
    config.pe.kind = format.pe_kind();
    config.pe.formats = vec![format];
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

#[test]
fn the_tile_engine() {
    let config = small(3, 5, Format::W8a8);
    let mode = config.requant.modes[0];
    let shape = Gemm { m: 40, k: 23, n: 17 };
    let (layer, acts) = random_layer(shape, Format::W8a8, mode, false, 5).unwrap();
    let program = sim::lower::lower(&config, &layer, &acts).unwrap();
    let design = sim::engine::engine_design(&config).unwrap();
    let options = RunOptions { stall_seed: Some(3), start: Start::Zero, refusals: false };
    let mut run = EngineRun::new(&config, &design, &program, &[], options).unwrap();
    run.bench.stepper.count_activity(Some(Grain::Instances));
    let mut frames = Vec::new();
    let end = loop {
        let end = run.step();
        frames.push(run.cycle().inputs.clone());
        if let Some(end) = end {
            break end;
        }
    };
    assert_eq!(end, End::Done);
    frames.truncate(run.bench.stepper.cycle() as usize);
    let classes = compare(&design, &run.bench.stepper, &frames);
    assert!(frames.len() > 500 && classes.registers > 50_000 && classes.memory_writes > 100, "{classes:?}");
}

const SHAPE: Shape =
    Shape { hidden: 12, ffn: 20, blocks: 1, heads: 2, kv_heads: 1, head_dim: 6, vocab: 19, positions: 16 };

#[test]
fn the_whole_accelerator() {
    let config = small(4, 4, Format::W8a8);
    let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 1);
    let job = Job { prompt: &[3, 1, 4], tokens: 1, logits: true };
    let program = lower(&config, &model, &job).unwrap_or_else(|e| panic!("{e}"));
    let design = Design::new(top(&config).unwrap_or_else(|e| panic!("{e}")));
    let mut accelerator = Accelerator::new(&design, Timing { stall_seed: Some(5), ..Timing::latency(30) }).unwrap();
    accelerator.bench.stepper.count_activity(Some(Grain::Instances));
    accelerator.record().unwrap();
    accelerator.start(&program).unwrap();
    accelerator.finish_run(1_000_000, &mut |_| {}).unwrap();
    let frames = accelerator.take_record().inputs;
    let classes = compare(&design, &accelerator.bench.stepper, &frames);
    assert!(frames.len() > 2000 && classes.buses > 1_000_000 && classes.memory_reads > 10_000, "{classes:?}");
}
