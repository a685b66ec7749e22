//! The reader: every beat of every command, in order, whatever the memory does.

use hdl::unit::burst::Bursts;
use hdl::unit::dma_read::dma_read;
use sim::memory::{SparseMemory, Timing};

use crate::rig::{Rig, Rng, WIDTHS, config, noise, timings};

/// Transfers: first beat's address in bytes and beats.
pub fn transfers(rng: &mut Rng, beat: u32, count: usize) -> Vec<(u32, u32)> {
    let near_edge = |rng: &mut Rng| 0x10_000 + 4096 * rng.below(8) as u32 - beat * rng.below(20) as u32;
    (0..count)
        .map(|i| match i % 4 {
            0 => (near_edge(rng), rng.below(40) as u32),
            1 => (near_edge(rng), 1),
            2 => (0x20_000 + beat * rng.below(1000) as u32, 1 + rng.below(5) as u32),
            _ => (near_edge(rng), 1 + rng.below(150) as u32),
        })
        .collect()
}

pub const STRETCHES: [(u32, u32); 2] = [(0xf000, 0x20_000), (0x2f_000, 0x10_000)];

/// Runs commands through a reader whose ports stand behind `prefix`; `slow` is how rarely the receiver is ready.
fn run(rig: &mut Rig, commands: &[(u32, u32)], slow: u64, rng: &mut Rng) -> u64 {
    let beat = rig.bench.inputs.field("r_data_i").unwrap().width / 8;
    let held = rig.memory.memory.clone();
    let expected: Vec<(u32, bool)> =
        commands.iter().flat_map(|&(addr, n)| (0..n).map(move |i| (addr + i * beat, i + 1 == n))).collect();
    let (mut given, mut taken) = (0, 0);
    let mut quiet = 0;
    let start = rig.memory.cycle();
    while taken < expected.len() || given < commands.len() || rig.get("idle_o") == 0 {
        let offer = given < commands.len() && (slow < 2 || !rng.one_in(3));
        if offer {
            rig.set("cmd_valid_i", 1);
            rig.set("cmd_beat_i", u64::from(commands[given].0 / beat));
            rig.set("cmd_count_i", commands[given].1.into());
        }
        let ready = slow < 2 || rng.one_in(slow);
        rig.set("out_ready_i", ready.into());
        rig.cycle();
        given += usize::from(offer && rig.get("cmd_ready_o") == 1);
        quiet += 1;
        if ready && rig.get("out_valid_o") == 1 {
            quiet = 0;
            let (addr, last) = expected[taken];
            let mut want = vec![0; beat as usize];
            held.read(addr, &mut want);
            assert_eq!(rig.bytes("out_data_o"), want, "beat {taken} at {addr:#x}");
            assert_eq!(rig.get("out_last_o") == 1, last, "beat {taken}");
            taken += 1;
        }
        assert!(quiet < 5000, "stuck: {given} commands given, {taken} beats of {} came", expected.len());
    }
    rig.memory.cycle() - start
}

fn rig(data_bits: u32, bursts: Bursts, timing: Timing) -> Rig {
    let module = dma_read(&config(data_bits), "dma_read", bursts).unwrap_or_else(|e| panic!("{e}"));
    Rig::new(module, noise(&STRETCHES, 5), timing)
}

#[test]
fn random_transfers_come_whole_and_in_order() {
    let mut rng = Rng(1);
    for data_bits in WIDTHS {
        for (i, timing) in timings(u64::from(data_bits)).into_iter().enumerate() {
            let bursts =
                [(8, 16), (1, 1), (2, 256), (16, 4), (3, 7)].map(|(outstanding, beats)| Bursts { outstanding, beats });
            for bursts in [bursts[i % 5], bursts[(i + 2) % 5]] {
                let mut rig = rig(data_bits, bursts, timing);
                let commands = transfers(&mut rng, data_bits / 8, 24);
                run(&mut rig, &commands, 1 + (i as u64 % 3) * 2, &mut rng);
                assert_eq!((rig.get("error_o"), rig.memory.is_idle()), (0, true));
            }
        }
    }
}

#[test]
fn long_and_short_transfers_run_at_the_bus_whatever_the_latency() {
    for data_bits in WIDTHS {
        for latency in [1, 30, 100] {
            let mut rig = rig(data_bits, Bursts { outstanding: 8, beats: 16 }, Timing::latency(latency));
            let cycles = run(&mut rig, &[(0x10_000, 500)], 1, &mut Rng(1));
            assert!(cycles <= 500 + u64::from(latency) + 12, "{data_bits} bits, latency {latency}: {cycles} cycles");
            let mut rig = self::rig(data_bits, Bursts { outstanding: 16, beats: 16 }, Timing::latency(latency));
            let rows: Vec<_> = (0..100).map(|i| (0x10_000 + i * 4 * data_bits, 8)).collect();
            let cycles = run(&mut rig, &rows, 1, &mut Rng(1));
            assert!(cycles <= 800 + u64::from(latency) + 12, "{data_bits} bits, latency {latency}: {cycles} cycles");
        }
    }
}

#[test]
fn the_first_error_is_told_with_its_address_and_the_data_go_on() {
    for (bad, resp) in [(0x10_ff0, 2), (0x11_008, 3)] {
        for timing in timings(3) {
            let mut rig = rig(64, Bursts { outstanding: 4, beats: 16 }, timing);
            rig.memory.plant_error(bad..bad + 1, resp);
            rig.memory.plant_error(0x11_100..0x11_200, 2);
            run(&mut rig, &[(0x10_000, 3), (0x10_f80, 100)], 1, &mut Rng(1));
            assert_eq!(rig.get("error_o"), 1);
            assert_eq!(rig.get("error_addr_o"), u64::from(bad));
            assert_eq!(rig.get("error_resp_o"), u64::from(resp));
        }
    }
}

#[test]
fn reset_at_any_time_and_flush_at_any_time_leave_a_reader_that_works() {
    let mut rng = Rng(4);
    for round in 0..120 {
        let timing = timings(round)[round as usize % 7];
        let mut rig = rig(32, Bursts { outstanding: 4, beats: 8 }, timing);
        let commands = transfers(&mut rng, 4, 6);
        for cycle in 0..5 + rng.below(200) {
            rig.set("cmd_valid_i", 1);
            rig.set("cmd_beat_i", u64::from(commands[cycle as usize % 6].0 / 4));
            rig.set("cmd_count_i", commands[cycle as usize % 6].1.into());
            rig.set("out_ready_i", rng.below(2));
            rig.cycle();
        }
        let flushes = rng.one_in(2);
        if flushes {
            // The memory knows nothing of it: what was asked for is still answered, and taken.
            for cycle in 0.. {
                rig.set("flush_i", 1);
                rig.set("cmd_valid_i", 1);
                rig.set("cmd_count_i", 9);
                rig.cycle();
                assert_eq!(rig.get("out_valid_o"), 0);
                assert!(cycle < 5000, "round {round}: the reader is not idle");
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

#[test]
fn a_memory_of_unwritten_bytes_reads_as_its_filling() {
    let mut rig = Rig::new(
        dma_read(&config(64), "dma_read", Bursts { outstanding: 1, beats: 4 }).unwrap(),
        SparseMemory::filled(0x5a),
        Timing::latency(3),
    );
    run(&mut rig, &[(0x7000, 9)], 1, &mut Rng(1));
    assert_eq!((rig.memory.read_beats, rig.memory.write_beats), (9, 0));
}
