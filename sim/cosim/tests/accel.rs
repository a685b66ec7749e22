//! The whole accelerator runs a program: what it writes to memory is what the instruction-set simulator writes.

use golden::iss;
use golden::layers::random::{Coding, Shape, random_model};
use golden::layers::{KvCache, Layers};
use golden::load::open;
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model};
use golden::sample::greedy;
use hdl::rtl::{Design, Header};
use hdl::unit::top::top;
use sim::accel::{Accelerator, Counters};
use sim::engine::frame::Frame;
use sim::lower::program::{Job, lower, roofline};
use sim::memory::Timing;
use spec::isa::{Field, Instr, Op, OutputKind, Program, Queue};
use spec::{Config, Dataflow, Format, Scaling};

const TALE: &str = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.\n\
    One day he went into the forest to cut wood, and there he met a little grey man who wished him good day.\n";

fn small(formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.pe.formats = formats.to_vec();
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

fn design(config: &Config) -> Design {
    Design::new(top(config).unwrap_or_else(|e| panic!("{e}")))
}

fn machine(config: &Config, timing: Timing) -> Accelerator {
    Accelerator::new(&design(config), timing).unwrap_or_else(|e| panic!("{e}"))
}

/// Starts a program, waits for its end and compares all its outputs with those of the instruction-set simulator.
fn compare(accelerator: &mut Accelerator, program: &Program, most: u64) -> Counters {
    let run = iss::run(program, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
    accelerator.start(program).unwrap_or_else(|e| panic!("{e}"));
    accelerator.finish_run(most, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    let mut values = 0;
    for kind in [OutputKind::Tokens, OutputKind::Steps, OutputKind::Logits] {
        let rows = program.output(kind).map_or(0, |o| o.rows);
        for row in 0..rows {
            let (found, expected) = (accelerator.output(program, kind, row).unwrap(), run.output(kind, row).unwrap());
            let differ = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
            assert_eq!(differ, 0, "{kind:?}, row {row}: {differ} of {}", expected.len());
            assert_eq!(found.len(), expected.len());
            values += found.len();
        }
    }
    assert!(values > 0, "a program has outputs");
    let counters = accelerator.counters().unwrap();
    assert_eq!(counters.get("cycles"), Some(counters.causes()), "{counters:?}");
    let (cycles, least) = (counters.get("cycles").unwrap(), roofline(program));
    assert!(0 < least && least <= cycles, "{least} cycles at least, {cycles} measured");
    assert_eq!(counters.get("instructions"), Some(program.instrs.len() as u64));
    counters
}

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };

fn random_program(config: &Config, coding: Coding, seed: u64) -> Program {
    let model = random_model(&SHAPE, &[coding], seed);
    lower(config, &model, &Job { prompt: &[3, 1, 4], tokens: 2, logits: true }).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn random_models_in_several_formats_on_fast_and_slow_memories() {
    for (format, seed) in
        [(Format::W8a8, None), (Format::W4a8, Some(1)), (Format::Mxfp4, Some(2)), (Format::Nvfp4, None)]
    {
        let mut formats = vec![Format::W8a8];
        formats.extend(Some(format).filter(|f| *f != Format::W8a8));
        let config = small(&formats);
        let program = random_program(&config, Coding::new(format), 1);
        let mut accelerator = machine(&config, Timing { stall_seed: seed, ..Timing::latency(20) });
        accelerator.bench.stepper.randomize(7);
        accelerator.reset().unwrap();
        compare(&mut accelerator, &program, 4_000_000);
        // The same machine again: nothing of the first run is left over.
        compare(&mut accelerator, &program, 4_000_000);
    }
}

#[test]
fn random_models_on_arrays_that_keep_sums() {
    for (rows, cols, seed) in [(8, 8, None), (5, 3, Some(4))] {
        let mut config = small(&[Format::W8a8, Format::W4a4]);
        (config.array.rows, config.array.cols) = (rows, cols);
        config.array.dataflow = Dataflow::Os;
        config.array.preload_rows = 1;
        config.validate().unwrap_or_else(|e| panic!("{e}"));
        let mut accelerator = machine(&config, Timing { stall_seed: seed, ..Timing::latency(20) });
        accelerator.bench.stepper.randomize(7);
        accelerator.reset().unwrap();
        for format in config.pe.formats.clone() {
            let coding = Coding { scaling: Scaling::Channel, ..Coding::new(format) };
            compare(&mut accelerator, &random_program(&config, coding, 1), 4_000_000);
        }
    }
}

#[test]
fn the_shipped_model_in_int8() {
    let model = open("fairy").unwrap();
    let options = PtqOptions { recipe: Some(Recipe::usual(Format::W8a8)), ..PtqOptions::new(Format::W8a8) };
    let q = quantize_model(&model, &options, &Windows::from_text(TALE, &model, "tale").unwrap()).unwrap();
    let config = small(&[Format::W8a8]);
    let prompt = &model.tokenizer.encode(TALE).unwrap()[..3];
    let mut accelerator = machine(&config, Timing::latency(20));
    let mut cycles = Vec::new();
    for tokens in [2, 3] {
        let program = lower(&config, &q, &Job { prompt, tokens, logits: true }).unwrap();
        let counters = compare(&mut accelerator, &program, 20_000_000);
        println!("{tokens} tokens: {counters:?}");
        // The model itself says the same.
        let layers = Layers::new(&q).unwrap();
        let (mut cache, mut ids) = (KvCache::default(), prompt.to_vec());
        for token in 0..tokens {
            let logits = layers.next(&ids, &mut cache).unwrap();
            let row = accelerator.output(&program, OutputKind::Logits, token as u32).unwrap();
            assert!(row == logits.rows.row(0), "logits of token {token}");
            let next = greedy(logits.rows.row(0));
            assert_eq!(accelerator.output(&program, OutputKind::Tokens, token as u32).unwrap(), [i64::from(next)]);
            ids = vec![next];
        }
        cycles.push((counters.get("cycles").unwrap(), counters.get("read_beats").unwrap()));
    }
    let (token, beats) = (cycles[1].0 - cycles[0].0, cycles[1].1 - cycles[0].1);
    println!("a token: {token} cycles, {beats} beats read");
    assert!(beats < token && token < 2 * beats, "{token} cycles for {beats} beats");
}

#[test]
fn a_soft_reset_ends_a_run_at_any_time() {
    let config = small(&[Format::W8a8]);
    let program = random_program(&config, Coding::new(Format::W8a8), 1);
    let mut accelerator = machine(&config, Timing { stall_seed: Some(3), ..Timing::latency(20) });
    for cycles in [1, 7, 40, 41, 42, 43, 500, 2000, 7001] {
        accelerator.start(&program).unwrap();
        for _ in 0..cycles {
            accelerator.cycle(&mut |_| {}).unwrap();
        }
        accelerator.write("CONTROL", 2).unwrap();
        accelerator.wait_until_idle(10_000).unwrap();
        assert!(accelerator.memory.is_idle(), "after {cycles} cycles");
        assert_eq!(accelerator.read("STATUS").unwrap(), 0, "neither done nor in error");
    }
    compare(&mut accelerator, &program, 4_000_000);
}

#[test]
#[ignore = "two hundred runs: minutes"]
fn a_reset_in_any_cycle_leaves_nothing_behind() {
    const TINY: Shape =
        Shape { hidden: 8, ffn: 9, blocks: 1, heads: 2, kv_heads: 1, head_dim: 4, vocab: 9, positions: 8 };
    let config = small(&[Format::W8a8]);
    let model = random_model(&TINY, &[Coding::new(Format::W8a8)], 1);
    let program = lower(&config, &model, &Job { prompt: &[3, 1], tokens: 2, logits: true }).unwrap();
    let mut accelerator = machine(&config, Timing { stall_seed: Some(3), ..Timing::latency(20) });
    let counters = compare(&mut accelerator, &program, 4_000_000);
    let whole = counters.get("cycles").unwrap();
    let mut random = 1_u64;
    for turn in 0..200 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let cycles = (random >> 33) % (whole + 100);
        accelerator.start(&program).unwrap();
        for _ in 0..cycles {
            accelerator.cycle(&mut |_| {}).unwrap();
        }
        accelerator.reset().unwrap();
        assert_eq!(accelerator.read("STATUS").unwrap(), 0, "reset after {cycles} cycles");
        let again = compare(&mut accelerator, &program, 4_000_000);
        assert_eq!(again.get("instructions"), counters.get("instructions"), "turn {turn}: reset after {cycles} cycles");
    }
}

/// Starts a program that must end with that error; then the machine is idle and computes again.
fn fails(accelerator: &mut Accelerator, program: &Program, name: &str, addr: u32) -> u32 {
    accelerator.start(program).unwrap();
    must_fail(accelerator, name, addr)
}

fn must_fail(accelerator: &mut Accelerator, name: &str, addr: u32) -> u32 {
    let error = accelerator.finish_run(4_000_000, &mut |_| {}).expect_err(name).to_string();
    assert!(error.contains(&format!("accelerator: {name}: ")), "{error}");
    assert_eq!(accelerator.read("ERROR_ADDR").unwrap(), addr, "{error}");
    accelerator.wait_until_idle(10_000).unwrap();
    let status = accelerator.read("STATUS").unwrap();
    assert_eq!(status & 7, 4, "an error, not done, not busy");
    accelerator.read("ERROR_DETAIL").unwrap()
}

#[test]
fn errors_end_a_run_and_the_next_one_is_sound() {
    let config = small(&[Format::W8a8]);
    let program = random_program(&config, Coding::new(Format::W8a8), 1);
    let mut accelerator = machine(&config, Timing::latency(20));
    let first = |op: Op| program.instrs.iter().find(|i| i.op() == op).unwrap().get(Field::Addr) as u32;
    for (op, name) in [(Op::Ldw, "read"), (Op::St, "write")] {
        let addr = first(op);
        accelerator.memory.plant_error(addr..addr + 1, 2);
        fails(&mut accelerator, &program, name, addr);
        accelerator.memory.clear_errors();
        compare(&mut accelerator, &program, 4_000_000);
    }
    let with = |instrs: Vec<Instr>| Program { instrs, ..program.clone() };
    let halt = Instr::new(Op::Halt, &[]).unwrap();
    let beside = Instr::new(Op::Ldw, &[(Field::Addr, 4), (Field::Words, 1)]).unwrap();
    fails(&mut accelerator, &with(vec![beside, halt]), "load", 0);
    let beside = Instr::new(Op::St, &[(Field::Addr, 4), (Field::Bytes, 1)]).unwrap();
    fails(&mut accelerator, &with(vec![beside, halt]), "store", 0);
    // An opcode that no instruction has, where the first one is fetched some cycles later.
    let halts = with(vec![halt]);
    accelerator.start(&halts).unwrap();
    let place = halts.memory_bytes().next_multiple_of(4096) as u32;
    accelerator.memory.memory.write(place, &[0xff; 16]);
    must_fail(&mut accelerator, "opcode", 0xff);
    // A token that no one gives: vec waits for mm and holds the instruction.
    accelerator.write("WATCHDOG", 500).unwrap();
    let waits = Instr::new(Op::Vpar, &[(Field::N, 1)]).unwrap().waiting(Queue::Mm);
    let detail = fails(&mut accelerator, &with(vec![waits, halt]), "watchdog", 0);
    assert_eq!(detail, 0x0012_0000, "{detail:#010x}");
    accelerator.write("WATCHDOG", 1 << 20).unwrap();
    compare(&mut accelerator, &program, 4_000_000);
}

#[test]
fn every_cycle_is_the_same_in_verilator() {
    let config = small(&[Format::W8a8, Format::W4a8]);
    let program = random_program(&config, Coding::new(Format::W4a8), 2);
    let design = design(&config);
    let mut accelerator = Accelerator::new(&design, Timing { stall_seed: Some(5), ..Timing::latency(30) }).unwrap();
    accelerator.record().unwrap();
    accelerator.start(&program).unwrap();
    for _ in 0..3000 {
        accelerator.cycle(&mut |_| {}).unwrap();
    }
    accelerator.write("CONTROL", 2).unwrap();
    accelerator.wait_until_idle(10_000).unwrap();
    compare(&mut accelerator, &program, 4_000_000);
    let record = accelerator.take_record();
    let sources = design.emit(&Header::default()).unwrap();
    let stimulus = |cycle: u64, _: &Frame, frame: &mut [u64]| {
        let recorded = record.inputs.get(cycle as usize);
        frame.copy_from_slice(recorded.unwrap_or(&vec![0; frame.len()]));
        recorded.is_some()
    };
    let judge = |cycle: u64, _: (&Frame, &[u64]), (frame, found): (&Frame, &[u64])| {
        let recorded = &record.outputs[cycle as usize];
        match frame.fields.iter().find(|f| f.get_limbs(found) != f.get_limbs(recorded)) {
            Some(field) => Err((field.name.clone(), field.hex(recorded))),
            None => Ok(frame.fields.len() as u64),
        }
    };
    let verdict = cosim::unit::drive(&design, &sources, stimulus, judge).unwrap();
    assert!(verdict.matched(), "{:?}", verdict.first);
    assert_eq!(verdict.cycles_checked, record.inputs.len() as u64);
}
