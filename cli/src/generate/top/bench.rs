//! The top's test bench: a memory, software, a protocol monitor.

use hdl::rtl::Design;
use spec::{Config, regs};

use super::super::testbench::{fill, state};
use super::super::{File, GENERATOR};
use super::stimulus::{Stimulus, bits};

const BENCH: &str = include_str!("top_tb.v");
const MONITOR: &str = include_str!("axi_monitor.v");

/// The bench, its monitor and its tables.
pub fn bench(config: &Config, design: &Design, stimulus: &Stimulus) -> Vec<File> {
    let top = &design.top.name;
    let (data, bytes) = (config.bus.data_bits, config.beat_bytes());
    let lane_bits = bytes.trailing_zeros();
    let (memory, beats) = stimulus.memory_hex(bytes as usize);
    let (beat_bits, results) = (bits(beats), stimulus.results.len() as u32);
    let offset = |name: &str| format!("{:03x}", regs::register(name).map_or(0, |r| r.offset));
    let text = fill(
        BENCH,
        &[
            ("@TOP@", top.clone()),
            ("@PREFIX@", config.design.prefix.clone()),
            ("@WHAT@", stimulus.what.clone()),
            ("@GENERATOR@", GENERATOR.to_string()),
            ("@HASH@", config.hash()),
            ("@DATA@", data.to_string()),
            ("@DATA_LESS@", (data - 1).to_string()),
            ("@DATA_MSB@", (data - 1).to_string()),
            ("@STRB_MSB@", (bytes - 1).to_string()),
            ("@BYTES@", bytes.to_string()),
            ("@LANE_BITS@", lane_bits.to_string()),
            ("@LANE_MSB@", (lane_bits - 1).to_string()),
            ("@BEATS@", beats.to_string()),
            ("@LAST_BEAT@", (beats - 1).to_string()),
            ("@BEAT_MSB@", (beat_bits - 1).to_string()),
            ("@PLACE_MSB@", (beat_bits + lane_bits - 1).to_string()),
            ("@RESULTS@", results.to_string()),
            ("@LAST_RESULT@", results.max(2).saturating_sub(1).to_string()),
            ("@RESULT_MSB@", (bits(results) - 1).to_string()),
            ("@CODE@", format!("{:08x}", spec::isa::image::code_addr(&stimulus.program))),
            ("@LENGTH@", stimulus.program.instrs.len().to_string()),
            ("@SYST@", format!("{:08x}", regs::ID)),
            ("@ID@", offset("ID")),
            ("@PROGRAM_ADDR@", offset("PROGRAM_ADDR")),
            ("@PROGRAM_LENGTH@", offset("PROGRAM_LENGTH")),
            ("@IRQ_ENABLE@", offset("IRQ_ENABLE")),
            ("@CONTROL@", offset("CONTROL")),
            ("@STATUS@", offset("STATUS")),
            ("@ERROR_ADDR@", offset("ERROR_ADDR")),
            ("@CYCLES@", format!("{:03x}", regs::counter_offset(0))),
            ("@STATE@", state(design)),
        ],
    );
    vec![
        File::new(format!("tb_{top}.v"), text),
        File::new(format!("{}_axi_monitor.v", config.design.prefix), monitor(config)),
        File::new(format!("tb_{top}_memory.hex"), memory),
        File::new(format!("tb_{top}_results.hex"), stimulus.results_hex()),
    ]
}

/// The protocol monitor for the Config's bus.
fn monitor(config: &Config) -> String {
    let (data, bytes) = (config.bus.data_bits, config.beat_bytes());
    let (r_bits, w_bits) = (data + 3, data + bytes + 1);
    fill(
        MONITOR,
        &[
            ("@PREFIX@", config.design.prefix.clone()),
            ("@GENERATOR@", GENERATOR.to_string()),
            ("@HASH@", config.hash()),
            ("@DATA_MSB@", (data - 1).to_string()),
            ("@STRB_MSB@", (bytes - 1).to_string()),
            ("@BYTES@", bytes.to_string()),
            ("@R_BITS@", r_bits.to_string()),
            ("@R_MSB@", (r_bits - 1).to_string()),
            ("@W_BITS@", w_bits.to_string()),
            ("@W_MSB@", (w_bits - 1).to_string()),
        ],
    )
}
