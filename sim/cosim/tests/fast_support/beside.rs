//! A program in the fast simulator beside the step simulator.

use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::accel::profile::Profiler;
use sim::fast::{Fast, FastRun, LEAD_CYCLES, Options, Spent};
use sim::memory::Timing;
use spec::isa::{Field, Op, OutputKind, Program};
use spec::{Config, Format};

/// What both say of a cycle: cause, beats read and written, instructions retired.
type Cycle = (u64, u64, u64, u64);

/// Preset `small` with those formats.
pub fn small(formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.pe.formats = formats.to_vec();
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

/// Runs a program in both and compares cycle by cycle, then all counters, the profile, and all of memory.
pub fn compare(config: &Config, program: &Program, timing: Timing, options: Options) -> FastRun {
    let design = Design::new(top(config).unwrap_or_else(|e| panic!("{e}")));
    let mut accelerator = Accelerator::new(&design, timing).unwrap_or_else(|e| panic!("{e}"));
    compare_on(&mut accelerator, config, program, timing, options)
}

fn compare_on(
    accelerator: &mut Accelerator,
    config: &Config,
    program: &Program,
    timing: Timing,
    options: Options,
) -> FastRun {
    let signals = ["run_i", "cause_i", "read_i", "write_i", "retired_i"]
        .map(|name| accelerator.bench.stepper.signal(&format!("u_regs.{name}")).unwrap());
    let mut expected: Vec<Cycle> = Vec::new();
    let mut profiler = Profiler::new(&accelerator.bench.stepper, program).unwrap();
    let lead = accelerator.memory.cycle();
    accelerator.start(program).unwrap_or_else(|e| panic!("{e}"));
    assert!(!options.values || accelerator.memory.cycle() - lead == LEAD_CYCLES + 1, "cycles of a start");
    let run = accelerator.finish_run(40_000_000, &mut |stepper| {
        let [run, cause, read, write, retired] = signals.map(|signal| stepper.get(signal));
        profiler.see(stepper);
        if run == 1 {
            expected.push((cause, read, write, retired));
        }
    });
    run.unwrap_or_else(|e| panic!("{e}"));
    let mut found: Vec<Cycle> = Vec::new();
    let fast = Fast::new(config).unwrap_or_else(|e| panic!("{e}"));
    let options = Options { lead_cycles: lead + LEAD_CYCLES, ..options };
    let result = fast.run_seen(program, timing, options, |s: &Spent| {
        let retired = s.retires.iter().map(|&r| u64::from(r)).sum();
        found.push((s.cause as u64, s.read.into(), s.write.into(), retired));
    });
    if let Some(at) = (0..expected.len()).find(|&i| found.get(i) != expected.get(i)) {
        let retired: u64 = expected[..at].iter().map(|c| c.3).sum();
        if let Err(e) = &result {
            println!("{e}");
        }
        for i in at.saturating_sub(12)..(at + 5).min(expected.len()) {
            println!("{i}: step {:?}, fast {:?}", expected[i], found.get(i));
        }
        let text = spec::isa::disassemble(program, spec::isa::Shown::Everything);
        let names: Vec<_> = program.instrs.iter().map(|i| i.op().name()).collect();
        println!("{:?}", &names[retired.saturating_sub(8) as usize..(retired as usize + 8).min(names.len())]);
        std::fs::write(std::env::temp_dir().join("fast_differs.s"), text).unwrap();
        panic!("cycle {at} of {}: differs, {retired} instructions retired", expected.len());
    }
    let run = result.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(found.len(), expected.len(), "cycles");
    assert_eq!(run.cycles, expected.len() as u64);
    assert_eq!(run.counters, accelerator.counters().unwrap());
    assert_eq!(run.profile, profiler.profile(&config.hash()));
    if let Some(memory) = &run.memory {
        let mut held = vec![0; program.memory_bytes() as usize];
        accelerator.memory.memory.read(0, &mut held);
        if let Some(at) = (0..held.len()).find(|&i| held[i] != memory[i]) {
            let segment = program.segment_at(at as u32).map_or("none", |s| s.name.as_str());
            panic!("byte {at:#x} of {segment}: step {:#x}, fast {:#x}", held[at], memory[at]);
        }
        for kind in [OutputKind::Tokens, OutputKind::Steps, OutputKind::Logits] {
            for row in 0..program.output(kind).map_or(0, |o| o.rows) {
                assert_eq!(run.output(program, kind, row), accelerator.output(program, kind, row), "{kind:?} {row}");
            }
        }
    }
    if options.values {
        same_without_values(&fast, program, timing, options.lead_cycles, &run);
    }
    run
}

/// What memory holds and what units compute have no part in when a program happens; only which tokens it finds has.
fn same_without_values(fast: &Fast, program: &Program, timing: Timing, lead_cycles: u64, run: &FastRun) {
    let mut bare = program.clone();
    bare.segments.iter_mut().for_each(|segment| segment.data.clear());
    let rows = program.output(OutputKind::Tokens).map_or(0, |o| o.rows);
    let found = (0..rows).filter_map(|row| run.output(program, OutputKind::Tokens, row));
    let tokens: Vec<u32> = found.flatten().map(|id| id as u32).collect();
    let is_chord = |instr: &spec::isa::Instr| instr.find(Field::Chord) == Some(1);
    let scheduled = fast.schedule(&bare, timing, &tokens);
    if program.instrs.iter().any(is_chord) {
        assert!(scheduled.unwrap_err().to_string().contains("depends on values"));
    } else if lead_cycles == LEAD_CYCLES || (timing.stall_seed.is_none() && timing.beats_per_cycles == (1, 1)) {
        // Only a memory that stalls or waits tells when the run began.
        let scheduled = scheduled.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((scheduled.cycles, scheduled.counters), (run.cycles, run.counters.clone()));
        if program.instrs.iter().any(|instr| instr.op() == Op::Sidx) {
            let refused = fast.schedule(&bare, timing, &[]).unwrap_err().to_string();
            assert!(refused.contains("tokens: 0 given"), "{refused}");
        }
    }
}
