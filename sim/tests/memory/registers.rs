//! The register block: every register by its table, under any interleaving of the five channels.

use std::collections::VecDeque;

use hdl::unit::axil_regs::{axil_regs, config_words};
use sim::memory::{SparseMemory, Timing};
use spec::regs::{self, Access, REGISTERS};

use crate::rig::{Rig, Rng, config};

#[derive(Clone, Copy, Debug)]
enum Op {
    Write { addr: u32, data: u32, strobes: u8 },
    Read { addr: u32 },
}

/// A host that gives addresses and data in any order and takes answers when it likes.
struct Host {
    rig: Rig,
    rng: Rng,
    /// How rarely it does anything on a channel.
    slow: u64,
}

impl Host {
    fn new(slow: u64, seed: u64) -> Self {
        let module = axil_regs(&config(64)).unwrap_or_else(|e| panic!("{e}"));
        // The block is a slave; the rig's memory stays unconnected.
        let rig = Rig::new(module, SparseMemory::new(), Timing::latency(1));
        Self { rig, rng: Rng(seed), slow }
    }

    /// Runs ops; writes and reads go their own ways, each in order. Gives the responses of writes, data and responses of
    /// reads.
    fn run(&mut self, ops: &[Op]) -> (Vec<u64>, Vec<(u32, u64)>) {
        let mut addrs: VecDeque<u32> = VecDeque::new();
        let mut datas: VecDeque<(u32, u8)> = VecDeque::new();
        let mut reads: VecDeque<u32> = VecDeque::new();
        for op in ops {
            match *op {
                Op::Write { addr, data, strobes } => {
                    addrs.push_back(addr);
                    datas.push_back((data, strobes));
                }
                Op::Read { addr } => reads.push_back(addr),
            }
        }
        let wanted = (addrs.len(), reads.len());
        let (mut writes_done, mut reads_done) = (Vec::new(), Vec::new());
        let (mut aw, mut w, mut ar) = (false, false, false);
        let mut held: [Option<(u64, u64)>; 2] = [None; 2];
        for cycle in 0.. {
            assert!(cycle < 4000 + 400 * ops.len(), "stuck: {} and {}", writes_done.len(), reads_done.len());
            if (writes_done.len(), reads_done.len()) == wanted {
                break;
            }
            let slow = self.slow;
            let rng = &mut self.rng;
            aw = !addrs.is_empty() && (aw || rng.one_in(slow));
            w = !datas.is_empty() && (w || rng.one_in(slow));
            ar = !reads.is_empty() && (ar || rng.one_in(slow));
            let (b_ready, r_ready) = (rng.one_in(slow), rng.one_in(slow));
            if aw {
                self.rig.set("aw_valid_i", 1);
                self.rig.set("aw_addr_i", addrs[0].into());
            }
            if w {
                self.rig.set("w_valid_i", 1);
                self.rig.set("w_data_i", datas[0].0.into());
                self.rig.set("w_strb_i", datas[0].1.into());
            }
            if ar {
                self.rig.set("ar_valid_i", 1);
                self.rig.set("ar_addr_i", reads[0].into());
            }
            self.rig.set("b_ready_i", b_ready.into());
            self.rig.set("r_ready_i", r_ready.into());
            self.rig.set("busy_i", 0);
            self.rig.cycle_alone();
            let rig = &self.rig;
            if aw && rig.get("aw_ready_o") == 1 {
                addrs.pop_front();
                aw = false;
            }
            if w && rig.get("w_ready_o") == 1 {
                datas.pop_front();
                w = false;
            }
            if ar && rig.get("ar_ready_o") == 1 {
                reads.pop_front();
                ar = false;
            }
            let b = (rig.get("b_valid_o") == 1).then(|| (rig.get("b_resp_o"), 0));
            let r = (rig.get("r_valid_o") == 1).then(|| (rig.get("r_data_o"), rig.get("r_resp_o")));
            for ((held, now), ready) in held.iter_mut().zip([b, r]).zip([b_ready, r_ready]) {
                assert!(held.is_none() || *held == now, "an answer changed while it waited: {held:?}, {now:?}");
                *held = now.filter(|_| !ready);
            }
            writes_done.extend(b.filter(|_| b_ready).map(|b| b.0));
            reads_done.extend(r.filter(|_| r_ready).map(|r| (r.0 as u32, r.1)));
            assert!(writes_done.len() <= wanted.0 && reads_done.len() <= wanted.1, "an answer too many");
        }
        (writes_done, reads_done)
    }

    fn read(&mut self, addr: u32) -> (u32, u64) {
        self.run(&[Op::Read { addr }]).1[0]
    }

    fn read_named(&mut self, name: &str) -> u32 {
        let (data, resp) = self.read(regs::register(name).unwrap().offset);
        assert_eq!(resp, 0, "{name}");
        data
    }

    fn write(&mut self, addr: u32, data: u32) -> u64 {
        self.run(&[Op::Write { addr, data, strobes: 15 }]).0[0]
    }

    fn write_named(&mut self, name: &str, data: u32) {
        assert_eq!(self.write(regs::register(name).unwrap().offset, data), 0, "{name}");
    }

    /// One cycle with an input set.
    fn pulse(&mut self, inputs: &[(&str, u64)]) {
        for (name, value) in inputs {
            self.rig.set(name, *value);
        }
        self.rig.cycle_alone();
    }
}

#[test]
fn every_register_reads_its_reset_value_or_the_configuration() {
    let mut host = Host::new(1, 1);
    for register in REGISTERS {
        let words = config_words(&config(64));
        let word = words.iter().find(|(name, _)| *name == register.name).map_or(register.reset, |(_, word)| *word);
        // These tell what was last kept, which reset leaves as it is.
        if !["ERROR_ADDR", "ERROR_DETAIL"].contains(&register.name) {
            assert_eq!(host.read_named(register.name), word, "{}", register.name);
        }
    }
    assert_eq!(host.read_named("ID"), 0x5359_5354);
    let hash = u64::from(host.read_named("CONFIG_HASH_HI")) << 32 | u64::from(host.read_named("CONFIG_HASH_LO"));
    assert_eq!(format!("{hash:016x}"), config(64).hash());
    for i in 0..regs::COUNTER_COUNT as u32 {
        assert_eq!((host.read(regs::counter_offset(i)), host.read(regs::counter_offset(i) + 4)), ((0, 0), (0, 0)));
    }
}

#[test]
fn addresses_outside_the_table_and_writes_to_what_is_only_read_are_refused() {
    let mut host = Host::new(1, 1);
    for addr in 0..regs::WINDOW_BYTES {
        let register = REGISTERS.iter().find(|r| r.offset == addr);
        let counter = (0..2 * regs::COUNTER_COUNT as u32).any(|i| regs::FIRST_COUNTER + 4 * i == addr);
        let (_, resp) = host.read(addr);
        assert_eq!(resp, if register.is_some() || counter { 0 } else { 2 }, "read of {addr:#x}");
        let writable = register.is_some_and(|r| r.access != Access::Read);
        assert_eq!(host.write(addr, 0), if writable { 0 } else { 2 }, "write to {addr:#x}");
    }
}

#[test]
fn writes_land_by_bytes_under_any_interleaving() {
    let writable = ["PROGRAM_ADDR", "PROGRAM_LENGTH", "WATCHDOG"];
    for (slow, seed) in [(1, 1), (2, 2), (5, 3), (2, 4)] {
        let mut host = Host::new(slow, seed);
        let mut model: Vec<u32> = writable.iter().map(|name| regs::register(name).unwrap().reset).collect();
        for _ in 0..60 {
            let mut ops = Vec::new();
            for _ in 0..1 + host.rng.below(6) {
                let which = host.rng.below(3) as usize;
                let (data, strobes) = (host.rng.next() as u32, host.rng.below(16) as u8);
                ops.push(Op::Write { addr: regs::register(writable[which]).unwrap().offset, data, strobes });
                for byte in (0..4).filter(|byte| strobes >> byte & 1 == 1) {
                    let mask = 0xff << (8 * byte);
                    model[which] = model[which] & !mask | data & mask;
                }
                // Reads that run beside: only their answers count.
                ops.push(Op::Read { addr: host.rng.below(0x70) as u32 & !3 });
            }
            let (responses, reads) = host.run(&ops);
            assert!(responses.iter().all(|resp| *resp == 0) && reads.len() == ops.len() / 2);
            for (name, want) in writable.iter().zip(&model) {
                assert_eq!(host.read_named(name), *want, "{name}");
            }
            assert_eq!(host.rig.get("program_addr_o"), u64::from(model[0]));
        }
    }
}

#[test]
fn a_run_starts_counts_and_interrupts() {
    let mut host = Host::new(1, 1);
    host.write_named("IRQ_ENABLE", 1);
    host.rig.set("aw_valid_i", 1);
    host.rig.set("aw_addr_i", 0x40);
    host.rig.set("w_valid_i", 1);
    host.rig.set("w_data_i", 1);
    host.rig.set("w_strb_i", 1);
    let mut starts = 0;
    for _ in 0..6 {
        host.pulse(&[("b_ready_i", 1)]);
        starts += host.rig.get("start_o");
    }
    assert_eq!(starts, 1);
    let mut counts = [0_u32; regs::STALLS.len()];
    for cycle in 0..1000_u64 {
        let cause = (cycle * cycle / 7) % 8;
        counts[cause as usize] += 1;
        let moved = [("read_i", cycle % 2), ("write_i", u64::from(cycle % 5 == 0)), ("retired_i", cycle % 5)];
        host.pulse(&[&[("busy_i", 1), ("run_i", 1), ("cause_i", cause)], &moved[..]].concat());
    }
    assert_eq!(host.rig.get("irq_o"), 0);
    host.pulse(&[("done_i", 1), ("tag_i", 77)]);
    host.pulse(&[]);
    host.pulse(&[]);
    assert_eq!(host.rig.get("irq_o"), 1);
    assert_eq!((host.read_named("STATUS"), host.read_named("IRQ_STATUS")), (0b010, 1));
    let counter = |host: &mut Host, i: usize| host.read(regs::counter_offset(i as u32)).0;
    assert_eq!(counter(&mut host, 0), 1000);
    for (i, count) in counts.into_iter().enumerate() {
        assert_eq!(counter(&mut host, i + 1), count, "{}", regs::STALLS[i].0);
    }
    let others: Vec<u32> = (9..12).map(|i| counter(&mut host, i)).collect();
    assert_eq!(others, [500, 200, 2000]);
    host.write_named("IRQ_STATUS", 2);
    assert_eq!(host.read_named("IRQ_STATUS"), 1);
    host.write_named("IRQ_STATUS", 1);
    assert_eq!((host.read_named("IRQ_STATUS"), host.rig.get("irq_o")), (0, 0));
}

#[test]
fn the_first_error_is_kept_until_the_next_start() {
    let mut host = Host::new(1, 1);
    let error = |code: u64, addr: u64| {
        [("error_i", 1), ("error_code_i", code), ("error_addr_i", addr), ("error_detail_i", !addr & 0xffff)]
    };
    host.pulse(&error(2, 0x1234));
    host.pulse(&error(6, 0x5678));
    assert_eq!((host.read_named("STATUS"), host.read_named("ERROR_ADDR")), (0x0204, 0x1234));
    assert_eq!((host.read_named("ERROR_DETAIL"), host.read_named("IRQ_STATUS")), (!0x1234 & 0xffff, 2));
    host.write_named("CONTROL", 1);
    assert_eq!(host.read_named("STATUS"), 0);
    host.pulse(&error(6, 0x5678));
    assert_eq!((host.read_named("STATUS"), host.read_named("ERROR_ADDR")), (0x0604, 0x5678));
    host.write_named("CONTROL", 2);
    assert_eq!(host.read_named("STATUS"), 0);
}

#[test]
fn the_high_word_of_a_counter_is_that_of_its_low_word() {
    let mut host = Host::new(1, 1);
    // Counters are cleared in the first cycle out of reset.
    assert_eq!(host.read(regs::counter_offset(0)).0, 0);
    let counter = host.rig.bench.stepper.signal("u_counters.cycles_q").unwrap();
    host.rig.bench.stepper.set(counter, 0x12_ffff_ffff);
    let low = host.read(regs::counter_offset(0)).0;
    for _ in 0..5 {
        host.pulse(&[("run_i", 1)]);
    }
    assert_eq!((low, host.read(regs::counter_offset(0) + 4).0), (0xffff_ffff, 0x12));
    assert_eq!((host.read(regs::counter_offset(0)).0, host.read(regs::counter_offset(0) + 4).0), (4, 0x13));
}
