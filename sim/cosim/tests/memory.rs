//! The front of the accelerator and its register block: step simulator and Verilator agree in every output of every cycle.

use cosim::unit::{Judgement, drive};
use hdl::rtl::{Design, Header};
use hdl::unit::axil_regs::axil_regs;
use hdl::unit::front::front;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sim::engine::Bench;
use sim::engine::bench::RESET;
use sim::engine::frame::Frame;
use sim::memory::{AxiMemory, AxiPorts, SparseMemory, Timing};
use spec::isa::{Field, Instr, Op, Queue};
use spec::{Config, Format};

const PROGRAM: u32 = 0x10_0000;

fn config(rows: u32, cols: u32, preload_rows: u32, data_bits: u32) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.array = spec::config::Array { rows, cols, preload_rows, ..config.array };
    config.bus.data_bits = data_bits;
    config.pe.formats = vec![Format::W8a8, Format::W4a8];
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

/// Replays recorded inputs in both models; every output of every cycle must be the recorded one in both.
fn replay(design: &Design, inputs: &[Vec<u64>], outputs: &[Vec<u64>]) {
    let sources = design.emit(&Header::default()).unwrap();
    let stimulus = |cycle: u64, _: &Frame, frame: &mut [u64]| match inputs.get(cycle as usize) {
        Some(recorded) => {
            frame.copy_from_slice(recorded);
            true
        }
        None => false,
    };
    let judge = |cycle: u64, _: (&Frame, &[u64]), (frame, found): (&Frame, &[u64])| -> Judgement {
        let recorded = &outputs[cycle as usize];
        match frame.fields.iter().find(|f| f.get_limbs(found) != f.get_limbs(recorded)) {
            Some(field) => Err((field.name.clone(), field.hex(recorded))),
            None => Ok(frame.fields.len() as u64),
        }
    };
    let verdict = drive(design, &sources, stimulus, judge).unwrap();
    assert!(verdict.matched(), "{:?}", verdict.first);
    assert_eq!(verdict.cycles_checked, inputs.len() as u64);
}

/// A program of all that the front executes.
fn program(config: &Config, rng: &mut ChaCha8Rng) -> Vec<Instr> {
    let mut below = |n: u32| i64::from(rng.next_u32() % n);
    let beat = i64::from(config.beat_bytes());
    let mut program = Vec::new();
    for i in 0..60 {
        let addr = (Field::Addr, beat * (4096 / beat - below(9) + 512 * below(4)));
        let (rows, cols) = (config.array.rows, config.array.cols);
        let instr = match i % 6 {
            0 => Instr::new(Op::Ldw, &[addr, (Field::Words, 1 + below(30)), (Field::Format, below(2))]),
            1 | 2 => {
                let direct = below(2);
                let (most, width) = if direct == 1 { (rows, cols) } else { (cols, rows) };
                let dim = 1 + below(100);
                let fields = [
                    addr,
                    (Field::Tokens, 1 + below(most)),
                    (Field::Dim, dim),
                    (Field::Stride, (dim + beat - 1) / beat),
                    (Field::Mode, direct),
                    (Field::Tiles, (dim + i64::from(width) - 1) / i64::from(width)),
                ];
                Instr::new(Op::Ldh, &fields)
            }
            3 => Instr::new(
                Op::Ldp,
                &[
                    addr,
                    (Field::N, 1 + below(70)),
                    (Field::Type, below(5)),
                    (Field::Indirect, below(2)),
                    (Field::Stride, beat),
                ],
            ),
            4 => Instr::new(Op::St, &[addr, (Field::Bytes, 1 + below(300))]),
            _ => Instr::new(if below(2) == 0 { Op::Mm } else { Op::Vpar }, &[]).map(|i| i.signalling(Queue::Load)),
        };
        program.push(instr.unwrap_or_else(|e| panic!("{e}")));
    }
    program.push(Instr::new(Op::Halt, &[]).unwrap());
    program
}

/// Runs the front in `step` against the memory and gives the inputs and outputs of every cycle.
fn record(config: &Config, design: &Design, timing: Timing, seed: u64) -> (Vec<Vec<u64>>, Vec<Vec<u64>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bench = Bench::new(design, &[]).unwrap();
    let ports = AxiPorts::plain(&bench.inputs, &bench.outputs);
    let mut memory = SparseMemory::new();
    for addr in 0..0x8000 {
        memory.set(addr, rng.next_u32() as u8);
    }
    for (i, instr) in program(config, &mut rng).iter().enumerate() {
        memory.write(PROGRAM + 16 * i as u32, &instr.encode().to_le_bytes());
    }
    let mut memory = AxiMemory::new(memory, ports.beat_bytes, timing);
    let (mut all_inputs, mut all_outputs) = (Vec::new(), Vec::new());
    let frame = bench.inputs.clone();
    let field = |name: &str| frame.field(name).unwrap_or_else(|| panic!("no input {name}"));
    let mut outputs = vec![0; bench.outputs.words];
    let mut owed = [0_u32; 2];
    let mut done = 0;
    for cycle in 0..60_000_u64 {
        let mut inputs = vec![0; bench.inputs.words];
        let mut set = |name: &str, value: u64| field(name).put(&mut inputs, &[value]);
        set(RESET, u64::from(cycle >= 2));
        set("start_i", u64::from(cycle == 3));
        set("program_addr_i", PROGRAM.into());
        set("program_length_i", 61);
        set("watchdog_limit_i", 20_000);
        set("index_i", 3);
        for name in ["weight_ready_i", "mm_ready_i", "vec_ready_i", "out_valid_i"] {
            set(name, u64::from(!rng.next_u32().is_multiple_of(4)));
        }
        for (owed, name) in owed.iter_mut().zip(["mm_retire_i", "vec_retire_i"]) {
            let retires = *owed > 0 && rng.next_u32().is_multiple_of(9);
            *owed -= u32::from(retires);
            set(name, retires.into());
        }
        let data: Vec<u64> = (0..8).map(|_| rng.next_u64()).collect();
        field("out_data_i").put(&mut inputs, &data);
        if cycle >= 2 {
            ports.put(memory.drive(), &mut inputs);
        }
        bench.cycle(&inputs, &mut outputs);
        if cycle >= 2 {
            memory.observe(|sample| ports.take(&outputs, sample)).unwrap_or_else(|v| panic!("{v}"));
        }
        let get = |name: &str| bench.outputs.field(name).unwrap_or_else(|| panic!("no output {name}")).get(&outputs);
        for (owed, name) in owed.iter_mut().zip(["mm", "vec"]) {
            let ready = field(&format!("{name}_ready_i")).get(&inputs);
            *owed += (get(&format!("{name}_valid_o")) & ready) as u32;
        }
        done += get("done_o");
        assert_eq!(get("load_error_o") + get("store_error_o") + get("watchdog_o"), 0, "cycle {cycle}");
        all_inputs.push(inputs);
        all_outputs.push(outputs.clone());
        if done == 1 && memory.is_idle() {
            return (all_inputs, all_outputs);
        }
    }
    panic!("the program does not end");
}

#[test]
fn the_front_is_the_same_in_both_simulators() {
    for (shape, stall_seed) in [((16, 16, 2, 128), None), ((5, 12, 5, 64), Some(3))] {
        let config = config(shape.0, shape.1, shape.2, shape.3);
        let design = Design::new(front(&config).unwrap_or_else(|e| panic!("{e}")));
        let timing = Timing { stall_seed, ..Timing::latency(20) };
        let (inputs, outputs) = record(&config, &design, timing, 1);
        assert!(inputs.len() > 1000, "{} cycles", inputs.len());
        replay(&design, &inputs, &outputs);
    }
}

#[test]
fn the_register_block_is_the_same_in_both_simulators() {
    let design = Design::new(axil_regs(&config(8, 8, 2, 64)).unwrap_or_else(|e| panic!("{e}")));
    let mut bench = Bench::new(&design, &[]).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut all_inputs, mut all_outputs) = (Vec::new(), Vec::new());
    for cycle in 0..20_000_u64 {
        let mut inputs = vec![0; bench.inputs.words];
        for field in &bench.inputs.fields {
            let random = match field.name.as_str() {
                RESET => u64::from(cycle % 5000 >= 2),
                "aw_addr_i" | "ar_addr_i" => u64::from(rng.next_u32() % 0x100) & !u64::from(rng.next_u32() % 4),
                "error_i" | "done_i" => u64::from(rng.next_u32().is_multiple_of(50)),
                _ => rng.next_u64(),
            };
            field.put(&mut inputs, &[random]);
        }
        let mut outputs = vec![0; bench.outputs.words];
        bench.cycle(&inputs, &mut outputs);
        all_inputs.push(inputs);
        all_outputs.push(outputs);
    }
    replay(&design, &all_inputs, &all_outputs);
}
