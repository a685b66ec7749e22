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
    let depth = depth.max(2);
    let doc = format!(
        "Memory of {depth} words of {width} bits; synchronous read, latency 1 cycle.\n\
         A read of the word being written gives the old word."
    );
    let mut m = ModuleBuilder::new(module_name(config, &format!("ram_{width}x{depth}")), doc);
    let write_i = m.input("write_i", Ty::bit());
    let waddr_i = m.input("waddr_i", Ty::u(addr_bits(depth)));
    let wdata_i = m.input("wdata_i", Ty::u(width));
    let read_i = m.input("read_i", Ty::bit());
    let raddr_i = m.input("raddr_i", Ty::u(addr_bits(depth)));
    let mem = m.memory("mem", width, depth);
    let rdata_q = m.memory_ports(mem, (&write_i, &waddr_i, &wdata_i), None, (&read_i, &raddr_i), "rdata_q");
    m.output_is("rdata_o", &rdata_q);
    m.build()
}
