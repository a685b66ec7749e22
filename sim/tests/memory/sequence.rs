//! The front as a whole: programs from memory, with units for `mm` and `vec` that the test plays.

use std::collections::VecDeque;
use std::sync::Arc;

use hdl::rtl::Module;
use hdl::unit::front::front;
use sim::memory::{Channel, SparseMemory, Timing};
use spec::Config;
use spec::isa::{Field, Instr, Op, Queue};

use crate::maker::shaped;
use crate::player::{Job, PROGRAM, Player, op, place, random_job};
use crate::rig::{Rig, Rng, limbs, timings};

/// Runs a job to its end; gives the cycles and how many instructions retired by the design's own count.
fn run(rig: &mut Rig, job: Job, rng: &mut Rng, slow: u64) -> u64 {
    let mut player = Player::new(&job.instrs);
    let mut words = job.wanted.words;
    let mut params = job.wanted.params.into_iter();
    let (mut sent, mut counted, mut quiet) = (0, 0, 0);
    let mut started = false;
    let start = rig.memory.cycle();
    loop {
        rig.set("start_i", (!started).into());
        started = true;
        rig.set("program_addr_i", PROGRAM.into());
        rig.set("program_length_i", job.instrs.len() as u64 + 3);
        rig.set("watchdog_limit_i", 60_000);
        rig.set("index_i", 6);
        let weight_ready = rng.one_in(slow);
        rig.set("weight_ready_i", weight_ready.into());
        let mut readies = [false; 4];
        let mut retires = [false; 4];
        for q in [1, 2] {
            let name = Queue::ALL[q].name();
            readies[q] = rng.one_in(slow);
            rig.set(&format!("{name}_ready_i"), readies[q].into());
            if let Some((_, left)) = player.at_work[q].front_mut() {
                retires[q] = *left == 0;
                *left = left.saturating_sub(1);
            }
            rig.set(&format!("{name}_retire_i"), retires[q].into());
        }
        let valid = sent < job.out.len() && rng.one_in(slow);
        if valid {
            rig.set("out_valid_i", 1);
            rig.set_limbs("out_data_i", &limbs(&job.out[sent]));
        }
        rig.cycle();
        sent += usize::from(valid && rig.get("out_ready_o") == 1);
        retires[0] = rig.get("load_retire_o") == 1;
        retires[3] = rig.get("store_retire_o") == 1;
        // The front's own queues start where the test does not see it: at the latest when they retire.
        for q in [0, 3] {
            if retires[q] {
                player.start(q, 0);
            }
        }
        for q in 0..4 {
            if retires[q] {
                player.retire(q, &job.instrs);
            }
        }
        for q in [1, 2] {
            let name = Queue::ALL[q].name();
            if readies[q] && rig.get(&format!("{name}_valid_o")) == 1 {
                let field = rig.bytes(&format!("{name}_instr_o"));
                assert_eq!(field, player.waiting[q][0].1.encode().to_le_bytes(), "queue {name}");
                player.start(q, rng.below(20));
            }
        }
        if weight_ready && rig.get("weight_valid_o") == 1 {
            let word = words.pop_front().expect("a word too many");
            assert_eq!(rig.bytes_up("weight_o")[..word.len()], word[..]);
        }
        let lanes = rig.get("param_write_o");
        let data = rig.bytes_up("param_data_o");
        for lane in (0..64).filter(|lane| lanes >> lane & 1 == 1) {
            let value = i32::from_le_bytes(data[4 * lane..4 * lane + 4].try_into().unwrap());
            assert_eq!(Some((rig.get("param_addr_o") as usize + lane, value)), params.next());
        }
        counted += rig.get("retired_o");
        quiet = if retires.contains(&true) { 0 } else { quiet + 1 };
        for error in ["load_error_o", "store_error_o", "read_error_o", "write_error_o", "opcode_error_o", "watchdog_o"]
        {
            assert_eq!(rig.get(error), 0, "{error}");
        }
        assert!(quiet < 20_000, "stuck: detail {:#010x}", rig.get("detail_o"));
        if rig.get("done_o") == 1 {
            break;
        }
    }
    let left: usize = player.waiting.iter().map(VecDeque::len).sum::<usize>()
        + player.at_work.iter().map(VecDeque::len).sum::<usize>();
    assert_eq!((left, words.len(), params.next(), sent), (0, 0, None, job.out.len()));
    assert_eq!(counted, job.instrs.len() as u64);
    if let Some(info) = job.instrs.iter().rev().find(|i| i.op() == Op::Info) {
        assert_eq!(rig.get("tag_o"), info.get(Field::Tag) as u64);
    }
    for (addr, bytes) in &job.stored {
        let mut held = vec![0; bytes.len()];
        rig.memory.memory.read(*addr, &mut held);
        assert_eq!(held, *bytes, "store to {addr:#x}");
    }
    assert_eq!(rig.get("running_o"), 0);
    rig.memory.cycle() - start
}

const SHAPES: [(u32, u32, u32, u32); 5] =
    [(8, 8, 2, 64), (4, 4, 1, 32), (16, 16, 2, 128), (8, 32, 1, 256), (5, 12, 5, 512)];

fn design(shape: (u32, u32, u32, u32)) -> (Config, Arc<Module>) {
    let config = shaped(shape.0, shape.1, shape.2, shape.3);
    let module = front(&config).unwrap_or_else(|e| panic!("{e}"));
    (config, module)
}

#[test]
fn random_programs_keep_every_order() {
    for (number, shape) in SHAPES.into_iter().enumerate() {
        let (config, module) = design(shape);
        for (i, timing) in timings(number as u64).into_iter().enumerate() {
            let job = random_job(&config, 120, 10 * number as u64 + i as u64);
            let mut rig = Rig::new(module.clone(), job.memory.clone(), timing);
            let mut rng = Rng(i as u64);
            run(&mut rig, job, &mut rng, 1 + i as u64 % 3);
            // And again, another program, without a reset.
            let job = random_job(&config, 40, 900 + i as u64);
            rig.memory.memory = job.memory.clone();
            run(&mut rig, job, &mut rng, 1 + i as u64 % 3);
        }
    }
}

/// Runs a few instructions for so many cycles with units that never retire; the watchdog has a limit.
fn left_alone(module: &Arc<Module>, instrs: &[Instr], limit: u64, cycles: u64, hang: Option<Channel>) -> Rig {
    let mut memory = SparseMemory::new();
    place(&mut memory, instrs);
    let mut rig = Rig::new(module.clone(), memory, Timing::latency(5));
    if let Some(channel) = hang {
        rig.memory.hang(channel, 0);
    }
    for cycle in 0..cycles {
        rig.set("start_i", u64::from(cycle == 0));
        rig.set("program_addr_i", PROGRAM.into());
        rig.set("program_length_i", instrs.len() as u64);
        rig.set("watchdog_limit_i", limit);
        rig.set("weight_ready_i", 1);
        rig.set("out_valid_i", 1);
        rig.cycle();
    }
    rig
}

#[test]
fn the_watchdog_says_which_queue_waits_for_what() {
    let (_, module) = design((8, 8, 2, 64));
    let mm = op(Op::Mm).waiting(Queue::Load).waiting(Queue::Store);
    let vec = op(Op::Vpar).waiting(Queue::Mm);
    let rig = left_alone(&module, &[mm, vec, op(Op::Halt)], 300, 250, None);
    assert_eq!((rig.get("watchdog_o"), rig.get("running_o")), (0, 1));
    let rig = left_alone(&module, &[mm, vec, op(Op::Halt)], 300, 400, None);
    assert_eq!(rig.get("watchdog_o"), 1);
    // mm holds an instruction that waits for load and store, vec one that waits for mm.
    assert_eq!(rig.get("detail_o"), 0x0012_1900);
    assert_eq!(rig.get("tokens_wait_o"), 1);
    let rig = left_alone(&module, &[mm, vec, op(Op::Halt)], 0, 3000, None);
    assert_eq!(rig.get("watchdog_o"), 0, "no limit");
    // A unit that never retires.
    let rig = left_alone(&module, &[op(Op::Ldp), op(Op::Halt)], 300, 500, None);
    assert_eq!((rig.get("watchdog_o"), rig.get("running_o")), (0, 0), "a load needs no one else");
}

#[test]
fn a_hung_memory_is_told_not_kept_silent() {
    let (_, module) = design((8, 8, 2, 64));
    let program = [op(Op::Ldp), Instr::new(Op::St, &[(Field::Addr, 0x100), (Field::Bytes, 8)]).unwrap(), op(Op::Halt)];
    for (channel, detail) in [(Channel::R, 0), (Channel::Ar, 0), (Channel::B, 0x2000_0000), (Channel::W, 0x2000_0000)] {
        let rig = left_alone(&module, &program, 300, 800, Some(channel));
        assert_eq!((rig.get("watchdog_o"), rig.get("detail_o")), (1, detail), "{channel:?}");
    }
}

#[test]
fn a_full_counter_holds_the_giver_back() {
    let (_, module) = design((8, 8, 2, 64));
    let mut program = vec![op(Op::Ldp).signalling(Queue::Mm); 255];
    program.push(op(Op::Halt));
    let rig = left_alone(&module, &program, 1000, 12_000, None);
    assert_eq!((rig.get("watchdog_o"), rig.get("running_o")), (0, 0), "255 tokens fit");
    program.insert(0, op(Op::Ldp).signalling(Queue::Mm));
    let rig = left_alone(&module, &program, 1000, 12_000, None);
    assert_eq!((rig.get("watchdog_o"), rig.get("running_o")), (1, 1));
    assert_eq!(rig.get("detail_o"), 0x60, "load is at work and full");
}

#[test]
fn unknown_instructions_and_bad_addresses_are_told() {
    let (_, module) = design((8, 8, 2, 64));
    let mut rig = left_alone(&module, &[op(Op::Sync), op(Op::Halt)], 0, 1, None);
    for code in [0x03, 0x0f, 0x13, 0x21, 0x31, 0xff] {
        rig.reset(true);
        rig.memory.memory.write(PROGRAM + 16, &[code, 0, 0, 0]);
        for cycle in 0..100 {
            rig.set("start_i", u64::from(cycle == 0));
            rig.set("program_addr_i", PROGRAM.into());
            rig.set("program_length_i", 2);
            rig.cycle();
        }
        assert_eq!((rig.get("opcode_error_o"), rig.get("opcode_o"), rig.get("running_o")), (1, code.into(), 1));
    }
    let store = Instr::new(Op::St, &[(Field::Addr, 0x104), (Field::Bytes, 8)]).unwrap();
    let rig = left_alone(&module, &[store, op(Op::Halt)], 0, 200, None);
    assert_eq!((rig.get("store_error_o"), rig.memory.write_beats), (1, 0));
}

#[test]
fn error_responses_reach_the_outside() {
    let (_, module) = design((8, 8, 2, 64));
    let program = [op(Op::Ldp), Instr::new(Op::St, &[(Field::Addr, 0x100), (Field::Bytes, 8)]).unwrap(), op(Op::Halt)];
    for (bad, read, write) in [(0, 1, 0), (0x100, 0, 1), (PROGRAM, 1, 0), (0x5000, 0, 0)] {
        let mut memory = SparseMemory::new();
        place(&mut memory, &program);
        let mut rig = Rig::new(module.clone(), memory, Timing::latency(5));
        rig.memory.plant_error(bad..bad + 8, 2);
        for cycle in 0..200 {
            rig.set("start_i", u64::from(cycle == 0));
            rig.set("program_addr_i", PROGRAM.into());
            rig.set("program_length_i", 3);
            rig.set("out_valid_i", 1);
            rig.cycle();
        }
        assert_eq!((rig.get("read_error_o"), rig.get("write_error_o")), (read, write), "{bad:#x}");
        let addr = if read == 1 { rig.get("read_error_addr_o") } else { rig.get("write_error_addr_o") };
        assert!(read + write == 0 || addr == u64::from(bad), "{bad:#x}: {addr:#x}");
    }
}

#[test]
fn reset_at_any_time_and_flush_at_any_time_leave_a_front_that_works() {
    let (config, module) = design((8, 8, 2, 64));
    let mut rng = Rng(77);
    for round in 0..60 {
        let job = random_job(&config, 30, round);
        let mut rig = Rig::new(module.clone(), job.memory.clone(), timings(round)[round as usize % 7]);
        for cycle in 0..rng.below(900) {
            rig.set("start_i", u64::from(cycle == 0));
            rig.set("program_addr_i", PROGRAM.into());
            rig.set("program_length_i", job.instrs.len() as u64);
            for name in ["weight_ready_i", "mm_ready_i", "vec_ready_i", "out_valid_i"] {
                rig.set(name, rng.below(2));
            }
            rig.cycle();
        }
        let flushes = rng.one_in(2);
        if flushes {
            for cycle in 0.. {
                rig.set("flush_i", 1);
                rig.cycle();
                assert!(cycle < 5000, "round {round}: memory is not idle");
                if rig.get("memory_idle_o") == 1 {
                    break;
                }
            }
            assert!(rig.memory.is_idle(), "round {round}");
        }
        rig.reset(!flushes);
        run(&mut rig, job, &mut rng, 2);
    }
}
