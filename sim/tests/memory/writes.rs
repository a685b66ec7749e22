//! The writer: exactly the bytes of its commands, and done only when the memory has answered.

use hdl::unit::burst::Bursts;
use hdl::unit::dma_write::dma_write;
use sim::memory::{Channel, SparseMemory, Timing};

use crate::rig::{Rig, Rng, WIDTHS, config, limbs, timings};

/// Writes: address and bytes, none of which overlap.
fn transfers(rng: &mut Rng, beat: u32, count: u32) -> Vec<(u32, u32)> {
    (0..count)
        .map(|i| {
            let addr = 0x1_0000 * (i + 1) + 4096 - beat * rng.below(20) as u32;
            let bytes = if i % 3 == 0 { 1 + rng.below(u64::from(beat)) } else { 1 + rng.below(100 * u64::from(beat)) };
            (addr, bytes as u32)
        })
        .collect()
}

/// Runs commands with bytes of `rng`; the memory then holds them and nothing else.
fn run(rig: &mut Rig, commands: &[(u32, u32)], slow: u64, rng: &mut Rng) -> u64 {
    let beat = rig.bench.inputs.field("in_data_i").unwrap().width / 8;
    let mut want = rig.memory.memory.clone();
    let mut beats = Vec::new();
    for &(addr, bytes) in commands {
        let padded: Vec<u8> = (0..bytes.next_multiple_of(beat)).map(|_| rng.next() as u8).collect();
        want.write(addr, &padded[..bytes as usize]);
        beats.extend(padded.chunks(beat as usize).map(<[u8]>::to_vec));
    }
    let (mut given, mut sent, mut done, mut quiet) = (0, 0, 0, 0);
    let start = rig.memory.cycle();
    while done < commands.len() || rig.get("idle_o") == 0 {
        let offer = given < commands.len() && (slow < 2 || !rng.one_in(3));
        if offer {
            rig.set("cmd_valid_i", 1);
            rig.set("cmd_beat_i", u64::from(commands[given].0 / beat));
            rig.set("cmd_bytes_i", commands[given].1.into());
        }
        let valid = sent < beats.len() && (slow < 2 || rng.one_in(slow));
        if valid {
            rig.set("in_valid_i", 1);
            rig.set_limbs("in_data_i", &limbs(&beats[sent]));
        }
        rig.cycle();
        given += usize::from(offer && rig.get("cmd_ready_o") == 1);
        let moved = valid && rig.get("in_ready_o") == 1;
        sent += usize::from(moved);
        quiet = if moved || rig.get("done_o") == 1 { 0 } else { quiet + 1 };
        if rig.get("done_o") == 1 {
            let (addr, bytes) = commands[done];
            for i in 0..bytes {
                assert_eq!(rig.memory.memory.get(addr + i), want.get(addr + i), "command {done}, byte {i}");
            }
            done += 1;
        }
        assert!(quiet < 5000, "stuck: {given} commands given, {sent} beats sent, {done} done");
    }
    for &(addr, bytes) in commands {
        for i in 0..bytes + 4 * beat {
            let at = addr - 2 * beat + i;
            assert_eq!(rig.memory.memory.get(at), want.get(at), "{at:#x}, command at {addr:#x}");
        }
    }
    rig.memory.cycle() - start
}

fn rig(data_bits: u32, bursts: Bursts, timing: Timing) -> Rig {
    let module = dma_write(&config(data_bits), bursts).unwrap_or_else(|e| panic!("{e}"));
    Rig::new(module, SparseMemory::filled(0x77), timing)
}

#[test]
fn random_transfers_write_their_bytes_and_no_others() {
    let mut rng = Rng(1);
    for data_bits in WIDTHS {
        for (i, timing) in timings(u64::from(data_bits)).into_iter().enumerate() {
            let bursts =
                [(8, 16), (1, 1), (2, 256), (16, 4), (3, 7)].map(|(outstanding, beats)| Bursts { outstanding, beats });
            for bursts in [bursts[i % 5], bursts[(i + 2) % 5]] {
                let mut rig = rig(data_bits, bursts, timing);
                let commands = transfers(&mut rng, data_bits / 8, 16);
                run(&mut rig, &commands, 1 + (i as u64 % 3) * 2, &mut rng);
                assert_eq!((rig.get("error_o"), rig.memory.is_idle()), (0, true));
            }
        }
    }
}

#[test]
fn long_transfers_run_at_the_bus() {
    for latency in [1, 30] {
        let mut rig = rig(64, Bursts { outstanding: 8, beats: 16 }, Timing::latency(latency));
        let cycles = run(&mut rig, &[(0x10_000, 8 * 500)], 1, &mut Rng(1));
        assert!(cycles <= 500 + 16 + u64::from(latency) + 16, "latency {latency}: {cycles} cycles");
    }
}

#[test]
fn the_first_error_is_told_with_the_address_of_its_burst() {
    let mut rig = rig(32, Bursts { outstanding: 4, beats: 16 }, Timing::latency(20));
    rig.memory.plant_error(0x1_0050..0x1_0054, 2);
    rig.memory.plant_error(0x1_0090..0x1_0094, 3);
    run(&mut rig, &[(0x1_0000, 400)], 1, &mut Rng(1));
    assert_eq!((rig.get("error_o"), rig.get("error_addr_o"), rig.get("error_resp_o")), (1, 0x1_0040, 2));
}

#[test]
fn nothing_is_done_before_the_memory_answers() {
    let mut rig = rig(32, Bursts { outstanding: 4, beats: 4 }, Timing::latency(5));
    rig.memory.hang(Channel::B, 2);
    for cycle in 0..400 {
        rig.set("cmd_valid_i", u64::from(cycle == 0));
        rig.set("cmd_bytes_i", 48);
        rig.set("in_valid_i", 1);
        rig.cycle();
        assert_eq!(rig.get("done_o"), 0);
    }
    assert_eq!((rig.get("idle_o"), rig.memory.write_beats), (0, 12));
}

#[test]
fn reset_at_any_time_and_flush_at_any_time_leave_a_writer_that_works() {
    let mut rng = Rng(4);
    for round in 0..120 {
        let timing = timings(round)[round as usize % 7];
        let mut rig = rig(32, Bursts { outstanding: 4, beats: 8 }, timing);
        let commands = transfers(&mut rng, 4, 4);
        for _ in 0..5 + rng.below(200) {
            rig.set("cmd_valid_i", 1);
            rig.set("cmd_beat_i", 0x100_0000 + rng.below(3000));
            rig.set("cmd_bytes_i", rng.below(300));
            rig.set("in_valid_i", rng.below(2));
            rig.cycle();
        }
        let flushes = rng.one_in(2);
        if flushes {
            for cycle in 0.. {
                rig.set("flush_i", 1);
                rig.set("cmd_valid_i", 1);
                rig.set("cmd_bytes_i", 64);
                rig.cycle();
                assert!(cycle < 5000, "round {round}: the writer is not idle");
                if rig.get("idle_o") == 1 {
                    break;
                }
            }
            assert!(rig.memory.is_idle(), "round {round}");
        }
        rig.reset(!flushes);
        run(&mut rig, &commands, 2, &mut rng);
    }
}
