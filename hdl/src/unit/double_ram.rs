//! A double buffer: two memories, written and read independently.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::ram::{addr_bits, lane_ram, ram};
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_<name>`: two banks of `depth` words of `width` bits; a write and a read each name their bank.
///
/// Ports: `write_i`, `wbank_i`, `waddr_i`, `wdata_i`, `read_i`, `rbank_i`, `raddr_i`; `rdata_o` one cycle after `read_i`,
/// held until the next read.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn double_ram(config: &Config, name: &str, width: u32, depth: u32) -> Result<Arc<Module>, Error> {
    double(config, name, (width, depth), None)
}

/// A [`double_ram`] whose writes choose lanes, `lanes_i`, of `width / lanes` bits.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn double_lane_ram(config: &Config, name: &str, width: u32, depth: u32, lanes: u32) -> Result<Arc<Module>, Error> {
    double(config, name, (width, depth), Some(lanes))
}

fn double(config: &Config, name: &str, (width, depth): (u32, u32), lanes: Option<u32>) -> Result<Arc<Module>, Error> {
    let doc = format!("Double buffer: two banks of {} words of {width} bits. Read latency 1 cycle.", depth.max(2));
    let bank = match lanes {
        Some(lanes) => lane_ram(config, width, depth, lanes)?,
        None => ram(config, width, depth)?,
    };
    let mut m = ModuleBuilder::new(module_name(config, name), doc);
    let write_i = m.input("write_i", Ty::bit());
    let wbank_i = m.input("wbank_i", Ty::bit());
    let waddr_i = m.input("waddr_i", Ty::u(addr_bits(depth)));
    let wdata_i = m.input("wdata_i", Ty::u(width));
    let lanes_i = lanes.map(|lanes| m.input("lanes_i", Ty::u(lanes)));
    let read_i = m.input("read_i", Ty::bit());
    let rbank_i = m.input("rbank_i", Ty::bit());
    let raddr_i = m.input("raddr_i", Ty::u(addr_bits(depth)));
    let rbank_q = m.pipe_if("rbank_q", &read_i, &rbank_i);
    let data = [!&wbank_i, wbank_i].into_iter().zip([!&rbank_i, rbank_i]).enumerate().map(|(i, (wsel, rsel))| {
        let write = m.wire(&format!("write{i}"), &(&write_i & &wsel));
        let read = m.wire(&format!("read{i}"), &(&read_i & &rsel));
        let mut ports = vec![
            ("write_i", &write),
            ("waddr_i", &waddr_i),
            ("wdata_i", &wdata_i),
            ("read_i", &read),
            ("raddr_i", &raddr_i),
        ];
        ports.extend(lanes_i.iter().map(|lanes| ("lanes_i", lanes)));
        m.instance(&format!("u_bank{i}"), &bank, &ports).out("rdata_o")
    });
    let data: Vec<_> = data.collect();
    m.output_is("rdata_o", &rbank_q.mux(&data[1], &data[0]));
    m.build()
}
