//! A memory in a module of its own, so that area reports and block-RAM inference see it alone.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty, index_bits};

/// Address bits of a [`ram`] of `depth` words; a depth below 2 counts as 2.
pub fn addr_bits(depth: u32) -> u32 {
    index_bits(depth.max(2))
}

/// `<prefix>_ram_<width>x<depth>`: one write port, one read port, read data one cycle after `read_i`, held.
///
/// Ports: `write_i`, `waddr_i`, `wdata_i`, `read_i`, `raddr_i`, `rdata_o`. Reading the word being written gives the old
/// one.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn ram(config: &Config, width: u32, depth: u32) -> Result<Arc<Module>, Error> {
    memory(config, width, depth, None)
}

/// `<prefix>_ram_<width>x<depth>_lanes<lanes>`: a [`ram`] whose writes choose lanes, `lanes_i`, of `width / lanes` bits.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn lane_ram(config: &Config, width: u32, depth: u32, lanes: u32) -> Result<Arc<Module>, Error> {
    memory(config, width, depth, Some(lanes))
}

fn memory(config: &Config, width: u32, depth: u32, lanes: Option<u32>) -> Result<Arc<Module>, Error> {
    let depth = depth.max(2);
    let mut name = format!("ram_{width}x{depth}");
    let mut doc = format!(
        "Memory of {depth} words of {width} bits; synchronous read, latency 1 cycle.\n\
         A read of the word being written gives the old word."
    );
    if let Some(lanes) = lanes {
        name += &format!("_lanes{lanes}");
        doc += &format!("\nOf a word, the lanes of {} bits that lanes_i marks are written.", width / lanes);
    }
    let mut m = ModuleBuilder::new(module_name(config, &name), doc);
    let write_i = m.input("write_i", Ty::bit());
    let waddr_i = m.input("waddr_i", Ty::u(addr_bits(depth)));
    let wdata_i = m.input("wdata_i", Ty::u(width));
    let lanes_i = lanes.map(|lanes| m.input("lanes_i", Ty::u(lanes)));
    let read_i = m.input("read_i", Ty::bit());
    let raddr_i = m.input("raddr_i", Ty::u(addr_bits(depth)));
    let mem = m.memory("mem", width, depth);
    let write = (&write_i, &waddr_i, &wdata_i);
    let rdata_q = m.memory_ports(mem, write, lanes_i.as_ref(), (&read_i, &raddr_i), "rdata_q");
    m.output_is("rdata_o", &rdata_q);
    m.build()
}
