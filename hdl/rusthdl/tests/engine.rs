//! The engine as a rust-hdl block: cycle for cycle what the step simulator does, and Verilog that yosys takes.

mod common;

use std::fs;
use std::time::Duration;

use common::config;
use hdl::rtl::Design;
use hdl_rusthdl::{Engine, Error};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rust_hdl::prelude::{Block, generate_verilog, simulate};
use sim::step::Stepper;
use spec::stream::Command;
use spec::{Config, Format, PeKind};

fn on_bus(data_bits: u32) -> Config {
    let mut config = config(PeKind::Mac, Format::W8a8, 4, true);
    config.bus.data_bits = data_bits;
    config.validate().unwrap();
    config
}

/// Beats that are commands to fill buffers and their random payload, so that the engine has something to do.
fn beats<const D: usize>(random: &mut ChaCha8Rng) -> Vec<Vec<u64>> {
    let limbs = D.div_ceil(64);
    let mut beats = Vec::new();
    // Last comes an unknown operation, which the engine must report.
    let fill = (0..8).map(|word| Command::Acts { half: false, format: 0, base: word, count: 1 }.encode());
    for command in fill.chain([0xF]) {
        for part in 0..128_usize.div_ceil(D) {
            let bits = command >> (part * D);
            let bits = if D < 128 { bits & ((1 << D) - 1) } else { bits };
            let all = [bits as u64, (bits >> 64) as u64];
            beats.push((0..limbs).map(|k| all.get(k).copied().unwrap_or(0)).collect());
        }
        let payload = random.next_u64() & if D < 64 { (1 << D) - 1 } else { u64::MAX };
        beats.push((0..limbs).map(|k| if k == 0 { payload } else { 0 }).collect());
    }
    beats
}

fn same_as_stepper<const D: usize>() {
    let config = on_bus(D as u32);
    let mut stepper = Stepper::new(&Design::new(hdl::unit::engine::engine(&config).unwrap())).unwrap();
    let mut block = Engine::<D>::new(&config).unwrap();
    block.connect_all();
    let port = |name: &str| stepper.input(name).unwrap();
    let (rst, valid, data, ready) =
        (port("rst_ni"), port("s_axis_tvalid"), port("s_axis_tdata"), port("m_axis_tready"));
    let out = |name: &str| stepper.output(name).unwrap();
    let outputs = ["s_axis_tready", "m_axis_tvalid", "m_axis_tlast", "idle_o", "error_o", "stall_o"].map(out);
    let mut random = ChaCha8Rng::seed_from_u64(D as u64);
    let beats = beats::<D>(&mut random);
    let (mut sent, mut errors) = (0, 0);
    for cycle in 0..400 {
        let running = cycle >= 3;
        let offered = running && sent < beats.len() && random.next_u32() % 3 > 0;
        let take = random.next_u32() % 2 == 0;
        let beat = beats.get(sent).cloned().unwrap_or_default();
        stepper.set(rst, running.into());
        stepper.set(valid, offered.into());
        stepper.set_limbs(data, &beat);
        stepper.set(ready, take.into());
        block.rst_ni.next = running;
        block.s_axis_tvalid.next = offered;
        block.s_axis_tdata.next = 0_u64.into();
        for k in (0..beat.len()).rev() {
            let above = if D > 64 { block.s_axis_tdata.next << 64_u64 } else { 0_u64.into() };
            block.s_axis_tdata.next = above | rust_hdl::prelude::Bits::from(beat[k]);
        }
        block.m_axis_tready.next = take;
        block.clock.next = false.into();
        assert!(simulate(&mut block, 100));
        stepper.settle();
        let ours = outputs.map(|port| stepper.get(port));
        let flags = [&block.s_axis_tready, &block.m_axis_tvalid, &block.m_axis_tlast, &block.idle_o, &block.error_o];
        let [a, b, c, d, e] = flags.map(|signal| u64::from(signal.val()));
        assert_eq!([a, b, c, d, e, block.stall_o.val().to_u64()], ours, "cycle {cycle}");
        sent += usize::from(offered && ours[0] == 1);
        errors += ours[4];
        stepper.tick();
        block.clock.next = true.into();
        assert!(simulate(&mut block, 100));
    }
    assert_eq!(sent, beats.len(), "all beats are taken");
    assert!(errors > 0, "the unknown operation is reported");
    assert_eq!(block.cycles(), 400);
}

#[test]
fn the_block_does_what_the_step_simulator_does() {
    same_as_stepper::<32>();
    same_as_stepper::<64>();
    same_as_stepper::<128>();
    same_as_stepper::<512>();
}

#[test]
fn a_bus_of_another_width_is_refused() {
    let message = match Engine::<64>::new(&on_bus(32)) {
        Err(error @ Error::Invalid(_)) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("accepted"),
    };
    assert_eq!(message, "bus.data_bits = 32: allowed 64; use Engine<32>, or set bus.data_bits = 64");
}

#[test]
fn the_verilog_of_the_block_is_complete() {
    let mut block = Engine::<32>::new(&on_bus(32)).unwrap();
    block.connect_all();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("block.v"), generate_verilog(&block)).unwrap();
    let script = "read_verilog block.v; hierarchy -check -top top; proc; check -assert";
    let yosys = tool::Command::tool(&tool::YOSYS).unwrap().args(["-q", "-p", script]);
    yosys.cwd(folder.path()).timeout(Duration::from_secs(120)).run().unwrap();
}
