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
use sim::engine::Bench;
use sim::engine::run::{End, EngineRun, RunOptions, Start};
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use sim::step::Stepper;
use sim::step::activity::Grain;
use sim::step::saif::Saif;
use spec::activity::Classes;
use spec::{Config, Format};
use std::collections::HashMap;

/// Compares what `stepper` counted over `frames` with the trace of the same frames.
fn compare(design: &Design, stepper: &Stepper, saif: &Saif, frames: &[Vec<u64>]) -> Classes {
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
    compare_saif(design, saif, stepper, &found, frames.len() as u64);
    classes
}

/// The signals of a SAIF file below the scope `top`: toggles, and the time of the lowest bit at 1.
fn saif_signals(text: &str, top: &str) -> HashMap<String, (u64, u64)> {
    let (mut scopes, mut signals) = (Vec::<String>::new(), HashMap::<String, (u64, u64)>::new());
    let number = |text: &str| text.trim_end_matches(')').parse::<u64>().unwrap();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["(INSTANCE", name] => scopes.push(name.replace('\\', "")),
            ["(NET"] => scopes.push(String::new()),
            [")"] => drop(scopes.pop()),
            [name, "(T0", _, "(T1", t1, ref rest @ ..] => {
                let toggles = rest.iter().skip_while(|word| **word != "(TC").nth(1).unwrap();
                let below = scopes.iter().position(|s| s == top).map(|at| &scopes[at + 1..scopes.len() - 1]);
                let name = name.trim_start_matches('(').replace('\\', "");
                let (name, bit) = name.split_once('[').map_or((name.as_str(), "0]"), |(n, b)| (n, b));
                let Some(path) = below.and_then(|scopes| vcd::path(scopes, name)) else { continue };
                let sums = signals.entry(path).or_default();
                sums.0 += number(toggles);
                sums.1 += if bit == "0]" { number(t1) } else { 0 };
            }
            _ => {}
        }
    }
    signals
}

fn text_of(saif: &Saif) -> String {
    let mut text = Vec::new();
    saif.write(&mut text, 1).unwrap();
    String::from_utf8(text).unwrap()
}

/// The SAIF file's toggles of each signal, and the time of its lowest bit at 1, are those of the trace.
fn compare_saif(design: &Design, saif: &Saif, stepper: &Stepper, found: &vcd::Counted, cycles: u64) {
    let text = text_of(saif);
    assert!(text.contains(&format!("(DURATION {cycles})")));
    let signals = saif_signals(&text, &design.top.name);
    let mut compared = 0;
    for counted in stepper.counted().filter(|c| !c.is_constant) {
        let of_saif = vcd::names(&counted.path).iter().find_map(|name| signals.get(name).copied());
        let expected = (found.toggles(&counted.path).unwrap(), found.ones(&counted.path).unwrap());
        assert_eq!(of_saif, Some(expected), "{}", counted.path);
        compared += 1;
    }
    println!("{compared} signals of the SAIF file");
}

/// Verilator's own SAIF file of the same inputs, where a Verilator that writes them is named by `SYSTOLE_VERILATOR_SAIF`.
#[test]
fn verilators_saif() {
    let Some(verilator) = std::env::var_os("SYSTOLE_VERILATOR_SAIF") else {
        println!("skipped: SYSTOLE_VERILATOR_SAIF names no Verilator with --trace-saif (5.036 or newer)");
        return;
    };
    let config = small(2, 3, Format::W4a8);
    let (layer, acts) =
        random_layer(Gemm { m: 9, k: 11, n: 7 }, Format::W4a8, config.requant.modes[0], false, 3).unwrap();
    let program = sim::lower::lower(&config, &layer, &acts).unwrap();
    let design = sim::engine::engine_design(&config).unwrap();
    let options = RunOptions { stall_seed: None, start: Start::Zero, refusals: false };
    let mut run = EngineRun::new(&config, &design, &program, &[], options).unwrap();
    let mut frames = Vec::new();
    while run.step().is_none() {
        frames.push(run.cycle().inputs.clone());
    }
    let mut bench = Bench::new(&design, &[]).unwrap();
    let (mut first, mut outputs) = (HashMap::new(), vec![0; bench.outputs.words]);
    bench.cycle_seen(&frames[0], &mut outputs, |stepper| {
        for (path, port) in stepper.signals() {
            let mut limbs = vec![0; port.limbs()];
            stepper.get_limbs(port, &mut limbs);
            let ones: u64 = limbs.iter().map(|limb| u64::from(limb.count_ones())).sum();
            vcd::names(&path).into_iter().for_each(|name| {
                first.insert(name, ones);
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let theirs = verilate::trace_with(verilator.as_ref(), "saif", folder.path(), &design, &frames);
    let theirs = saif_signals(&std::fs::read_to_string(theirs).unwrap(), "u_dut");
    let ours = saif_signals(&text_of(&saif_of(&design, &frames)), &design.top.name);
    let mut compared = 0;
    for (path, (toggles, ones)) in &ours {
        // Constants and clocks are not in both.
        let Some((their_toggles, their_ones)) = theirs.get(path) else { continue };
        // Verilator takes every bit to have been 0 before the first sample.
        assert_eq!(toggles + first[path], *their_toggles, "{path}");
        // The last sample lasts a cycle here, no time there.
        assert!(ones.abs_diff(*their_ones) <= 1, "{path}: {ones} {their_ones}");
        compared += 1;
    }
    println!("{compared} of {} signals, {} in Verilator's file", ours.len(), theirs.len());
    assert!(10 * compared > 9 * ours.len());
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
    let mut saif = Saif::new(&run.bench.stepper);
    let end = loop {
        let end = run.step_seen(|_, stepper| saif.sample(stepper));
        frames.push(run.cycle().inputs.clone());
        if let Some(end) = end {
            break end;
        }
    };
    assert_eq!(end, End::Done);
    frames.truncate(run.bench.stepper.cycle() as usize);
    let classes = compare(&design, &run.bench.stepper, &saif, &frames);
    assert!(frames.len() > 500 && classes.registers > 50_000 && classes.memory_writes > 100, "{classes:?}");
}

/// The SAIF file of a design on those inputs.
fn saif_of(design: &Design, frames: &[Vec<u64>]) -> Saif {
    let mut bench = Bench::new(design, &[]).unwrap();
    let mut saif = Saif::new(&bench.stepper);
    let mut outputs = vec![0; bench.outputs.words];
    for frame in frames {
        bench.cycle_seen(frame, &mut outputs, |stepper| saif.sample(stepper));
    }
    saif
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
    let saif = saif_of(&design, &frames);
    let classes = compare(&design, &accelerator.bench.stepper, &saif, &frames);
    assert!(frames.len() > 2000 && classes.buses > 1_000_000 && classes.memory_reads > 10_000, "{classes:?}");
}
