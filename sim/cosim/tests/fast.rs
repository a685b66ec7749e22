//! The fast simulator beside the step simulator: every cycle's cause, every beat, every retired instruction, all of memory.

mod fast_support;

use fast_support::beside::{compare, small};
use fast_support::programs::{legal_program, random};
use golden::layers::random::{Coding, Shape, random_model};
use golden::load::open;
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sim::fast::{Fast, Options};
use sim::lower::program::{Job, decode, decode_bare, lower, lower_bare};
use sim::memory::Timing;
use spec::isa::{Field, Instr, Machine, Op, Program, Queue, Segment};
use spec::model::QModel;
use spec::qmodel::ActMode;
use spec::{Config, Dataflow, Format, Operand, Scaling};

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };

fn model(coding: Coding, seed: u64) -> QModel {
    random_model(&SHAPE, &[coding], seed)
}

fn program(config: &Config, model: &QModel, prompt: &[u32]) -> Program {
    let job = Job { prompt, tokens: 2, logits: true };
    let program = lower(config, model, &job).unwrap_or_else(|e| panic!("{e}"));
    same_but_memory(&program, &lower_bare(config, model, &job).unwrap_or_else(|e| panic!("{e}")));
    program
}

/// A program without what memory holds differs in nothing else.
fn same_but_memory(program: &Program, bare: &Program) {
    let mut emptied = program.clone();
    emptied.segments.iter_mut().for_each(|segment| segment.data.clear());
    assert!(*bare == emptied, "another program, or memory that holds something");
}

#[test]
fn latencies_bandwidths_and_stalls() {
    let config = small(&[Format::W8a8]);
    let program = program(&config, &model(Coding::new(Format::W8a8), 1), &[3, 1, 4]);
    for (latency, seed, beats) in
        [(20, None, (1, 1)), (1, None, (1, 1)), (30, Some(1), (1, 1)), (7, Some(2), (2, 3)), (100, Some(3), (1, 4))]
    {
        let timing = Timing { stall_seed: seed, beats_per_cycles: beats, ..Timing::latency(latency) };
        compare(&config, &program, timing, Options::default());
    }
    // Without values only what depends on the index can differ, and nothing does here.
    let run = compare(&config, &program, Timing::latency(20), Options { values: false, ..Options::default() });
    assert!(!run.is_exact && run.memory.is_none());
}

#[test]
fn every_format_and_scaling() {
    for (i, format) in Format::ALL.into_iter().filter(|&f| f != Format::Pot8).enumerate() {
        for &scaling in format.scalings() {
            let zero_point = format.act() == Operand::Int8 && scaling != Scaling::Mx32;
            let acts = if zero_point && i % 2 == 0 { ActMode::Asymmetric } else { ActMode::Symmetric };
            let coding = Coding { format, scaling, acts, is_rotated: i % 2 == 1 };
            let mut formats = vec![Format::W8a8];
            formats.extend(Some(format).filter(|&f| f != Format::W8a8));
            if format == Format::W8a8 && scaling != Scaling::Channel {
                formats.push(Format::W4a8);
            }
            let config = small(&formats);
            let program = program(&config, &model(coding, 2 + i as u64), &[7, 30, 2]);
            let timing = Timing { stall_seed: (i % 2 == 0).then_some(i as u64), ..Timing::latency(5 + 10 * i as u32) };
            compare(&config, &program, timing, Options::default());
        }
    }
}

#[test]
fn odd_configurations() {
    let codings = [Coding::new(Format::W4a8), Coding::new(Format::W8a8), Coding::new(Format::Mxfp4)];
    let formats = [Format::W8a8, Format::W4a8, Format::Mxfp4];
    for (i, (rows, cols, data_bits, preload)) in
        [(5, 3, 32, 1), (5, 12, 128, 2), (8, 16, 512, 8), (4, 4, 64, 4), (1, 1, 32, 1), (16, 8, 256, 3)]
            .into_iter()
            .enumerate()
    {
        let mut config = small(&formats);
        (config.array.rows, config.array.cols, config.bus.data_bits) = (rows, cols, data_bits);
        config.array.preload_rows = preload;
        config.pe.product_register = i % 2 == 0;
        (config.vec.dividers, config.vec.quotient_bits) = [(1, 1), (4, 2), (2, 4), (16, 1), (3, 3), (32, 1)][i];
        config.vec.lanes = [1, 4, 8, 2, 4, 8][i];
        (config.dma.outstanding, config.dma.burst_beats) = [(1, 1), (8, 16), (4, 64), (2, 3), (16, 256), (5, 8)][i];
        config.buffer.weight_tiles = 2 + i as u32 % 3;
        config.validate().unwrap_or_else(|e| panic!("{e}"));
        let shape = Shape { hidden: 36, ffn: 50, heads: 6, kv_heads: 2, head_dim: 10, ..SHAPE };
        let model = random_model(&shape, &codings, u64::from(rows * cols));
        let program = program(&config, &model, &[9, 8, 7, 6, 5]);
        let timing = Timing { stall_seed: (i % 2 == 1).then_some(i as u64), ..Timing::latency(12 * i as u32) };
        compare(&config, &program, timing, Options::default());
    }
}

#[test]
fn sums_that_stay_in_the_array() {
    for (i, (rows, cols, data_bits)) in [(8, 8, 64), (5, 3, 32), (4, 16, 256), (16, 4, 128)].into_iter().enumerate() {
        let mut config = small(&[Format::W8a8]);
        (config.array.rows, config.array.cols, config.bus.data_bits) = (rows, cols, data_bits);
        (config.array.dataflow, config.array.preload_rows) = (Dataflow::Os, 1);
        config.array.chunk_rows = config.array.chunk_rows.min(rows);
        config.validate().unwrap_or_else(|e| panic!("{e}"));
        let program = program(&config, &model(Coding::new(Format::W8a8), 3 + i as u64), &[3, 1, 4, 1, 5]);
        let timing = Timing { stall_seed: (i % 2 == 1).then_some(i as u64), ..Timing::latency(3 + 11 * i as u32) };
        compare(&config, &program, timing, Options::default());
    }
}

#[test]
fn the_chord_takes_as_long_as_its_step() {
    let config = small(&[Format::W8a8]);
    let mut model = model(Coding::new(Format::W8a8), 4);
    model.options.exp = spec::ExpKind::Shift;
    let program = program(&config, &model, &[20, 21, 22]);
    compare(&config, &program, Timing::latency(20), Options::default());
    let fast = Fast::new(&config).unwrap();
    let refused = fast.run(&program, Timing::latency(20), Options { values: false, ..Options::default() });
    assert!(refused.unwrap_err().to_string().contains("depends on values"));
}

/// What does not belong to [`sim::fast::Sizes`] costs no cycles.
#[test]
fn equal_sizes_take_equal_cycles() {
    let config = small(&[Format::W8a8]);
    let model = model(Coding::new(Format::W8a8), 5);
    let job = Job { prompt: &[3, 1, 4], tokens: 1, logits: false };
    let cycles = |config: &Config| {
        let fast = Fast::new(config).unwrap();
        let program = lower_bare(config, &model, &job).unwrap();
        (fast.sizes().clone(), fast.schedule(&program, Timing::latency(20), &[]).unwrap())
    };
    let (sizes, expected) = cycles(&config);
    let changes: [fn(&mut Config); 4] = [
        |c| c.design.prefix = "other".into(),
        |c| c.requant.lanes = 1,
        |c| c.buffer.channels *= 2,
        |c| c.requant.modes.truncate(1),
    ];
    for change in changes {
        let mut other = config.clone();
        change(&mut other);
        other.validate().unwrap();
        assert_ne!(other, config);
        assert_eq!(cycles(&other), (sizes.clone(), expected.clone()));
    }
    let mut slower = config.clone();
    slower.vec.dividers = 1;
    let (other, found) = cycles(&slower);
    assert!(other != sizes && found.cycles > expected.cycles);
}

/// Control alone: random instructions of the vector unit with parameters loaded and results stored between them.
#[test]
fn random_instructions_of_the_vector_unit() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let ops: Vec<Op> = Op::ALL.iter().copied().filter(|op| op.queue() == Queue::Vec).collect();
    for (lanes, dividers, quotient_bits, data_bits, stall_seed) in
        [(4, 4, 2, 64, None), (8, 1, 1, 32, Some(5)), (1, 16, 2, 128, Some(6)), (2, 3, 4, 512, None)]
    {
        let mut config = small(&[Format::W8a8, Format::W4a8]);
        (config.vec.lanes, config.vec.dividers, config.vec.quotient_bits) = (lanes, dividers, quotient_bits);
        config.bus.data_bits = data_bits;
        config.validate().unwrap();
        // The program stands behind what is loaded and stored.
        let data = Segment { name: "data".into(), addr: 0, len: 1 << 19, data: vec![] };
        let mut instrs = vec![Instr::new(Op::Seto, &[(Field::Width, 0)]).unwrap()];
        let (mut width, mut stored) = (0, 0);
        for i in 0..500 {
            let op = ops[if i < ops.len() { i } else { rng.next_u64() as usize % ops.len() }];
            let instr = random(op, &mut rng);
            if op == Op::Seto {
                width = instr.get(Field::Width);
            }
            let n = instr.find(Field::N).unwrap_or(0);
            let results = match op {
                Op::Vrop => 2 * n,
                Op::Vblk => (n as u64).div_ceil(instr.get(Field::Imm) as u64) as i64,
                _ => n,
            };
            if instr.find(Field::To) == Some(2) {
                let addr = stored % 3 * 16 * 4096 + 4096 - 64 * (stored % 2);
                let store = [(Field::Addr, addr), (Field::Bytes, results << width)];
                stored += 1;
                instrs.push(instr);
                instrs.push(Instr::new(Op::St, &store).unwrap());
            } else {
                instrs.push(instr);
            }
            match rng.next_u64() % 16 {
                0 => instrs.push(Instr::new(Op::Sync, &[]).unwrap()),
                1 => instrs.push(Instr::new(Op::Info, &[(Field::Tag, i as i64)]).unwrap()),
                2..5 => {
                    let (n, kind) = (1 + (rng.next_u64() % 90) as i64, (rng.next_u64() % 5) as i64);
                    let indirect = (rng.next_u64() % 2) as i64;
                    let stride =
                        if indirect == 1 { i64::from(config.beat_bytes()) << (rng.next_u64() % 16) } else { 0 };
                    let fields = [
                        (Field::Addr, 4096 * (n % 7)),
                        (Field::N, n),
                        (Field::Dst, n),
                        (Field::Type, kind),
                        (Field::Indirect, indirect),
                        (Field::Stride, stride),
                    ];
                    let load = Instr::new(Op::Ldp, &fields).unwrap().signalling(Queue::Vec);
                    instrs.push(load);
                    instrs.push(random(Op::Vpar, &mut rng).waiting(Queue::Load));
                    // Its results go nowhere near the out stream.
                    let last = instrs.last_mut().unwrap();
                    let fields: Vec<_> = Op::Vpar.spec().fields.iter().map(|f| (f.field, last.get(f.field))).collect();
                    let fields: Vec<_> =
                        fields.into_iter().map(|(f, v)| (f, if f == Field::To { v % 2 * 3 } else { v })).collect();
                    *last = Instr::new(Op::Vpar, &fields).unwrap().waiting(Queue::Load);
                }
                _ => {}
            }
        }
        // IDX is unknown here, so that what is read must not depend on it.
        instrs.retain(|i| i.op() != Op::Sidx);
        instrs.push(Instr::new(Op::Halt, &[]).unwrap());
        let program =
            Program { machine: Machine::new(&config), segments: vec![data], instrs, marks: vec![], outputs: vec![] };
        program.check().unwrap_or_else(|e| panic!("{e}"));
        let timing = Timing { stall_seed, ..Timing::latency(17) };
        compare(&config, &program, timing, Options { values: false, ..Options::default() });
    }
}

#[test]
fn random_programs_compute_the_same() {
    for seed in 0..6 {
        let mut config = small(&[Format::W8a8, Format::W4a8]);
        config.vec.lanes = [4, 8, 1, 2, 4, 8][seed as usize];
        config.bus.data_bits = [64, 32, 128, 512, 64, 256][seed as usize];
        config.validate().unwrap();
        let program = legal_program(&config, seed);
        golden::iss::run(&program, &mut golden::iss::Blind).unwrap_or_else(|e| panic!("{e}"));
        let timing = Timing { stall_seed: (seed % 2 == 0).then_some(seed), ..Timing::latency(9) };
        compare(&config, &program, timing, Options::default());
    }
}

/// A prompt in rows of a chunk on `base`, a decoded token on `small`.
#[test]
fn the_shipped_model() {
    const TALE: &str = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.";
    let model = open("fairy").unwrap();
    let windows = Windows::from_text(TALE, &model, "tale").unwrap();
    for (preset, format) in [("small", Format::W8a8), ("base", Format::W4a8)] {
        let options = PtqOptions { recipe: Some(Recipe::usual(format)), ..PtqOptions::new(format) };
        let q = quantize_model(&model, &options, &windows).unwrap();
        let mut config = Config::from_toml(hdl::presets::preset(preset).unwrap()).unwrap();
        config.pe.formats = if format == Format::W8a8 { vec![format] } else { vec![Format::W8a8, format] };
        let prompt = &model.tokenizer.encode(TALE).unwrap()[..18];
        let program = match preset {
            "small" => decode(&config, &q, prompt[0], 47, false).unwrap(),
            _ => lower(&config, &q, &Job { prompt, tokens: 1, logits: true }).unwrap(),
        };
        let bare = match preset {
            "small" => decode_bare(&config, &q, prompt[0], 47),
            _ => lower_bare(&config, &q, &Job { prompt, tokens: 1, logits: true }),
        };
        same_but_memory(&program, &bare.unwrap());
        let run = compare(&config, &program, Timing::latency(30), Options::default());
        println!(
            "{preset}, {}: {} cycles, {} of them of the roofline",
            format.name(),
            run.cycles,
            run.profile.roofline_cycles
        );
    }
}
