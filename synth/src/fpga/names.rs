//! Names that a hardware engineer knows for what stands in a placed netlist.

use std::collections::HashMap;

use hdl::rtl::Design;

use crate::harness;
use crate::hierarchy::{DUT, owner};
use crate::liberty::trim::matches;
use crate::netlist::{Bit, Module};
use crate::target::Family;
use crate::timing::sdf::Pin;

/// All names of each net before synthesis, which keeps one of them: a register's own name rather than that of the wire
/// or port behind it.
#[derive(Debug)]
pub struct Aliases<'a> {
    module: &'a Module,
    labels: Vec<String>,
}

impl<'a> Aliases<'a> {
    /// Of the flattened frame as the Verilog describes it.
    pub fn new(module: &'a Module) -> Self {
        Self { module, labels: module.net_labels() }
    }

    /// The best name of a net: `u_dut.sum_q[3]` for `out[13]`; the same name if there is no better one.
    pub fn best<'b>(&'b self, name: &'b str) -> &'b str {
        let net = |name: &str, bit: usize| match self.module.netnames.get(name)?.bits.get(bit)? {
            Bit::Net(net) => Some(*net),
            Bit::Constant(_) => None,
        };
        let indexed = || {
            let (vector, index) = name.strip_suffix(']')?.rsplit_once('[')?;
            net(vector, index.parse().ok()?)
        };
        let label = net(name, 0).or_else(indexed).and_then(|net| self.labels.get(net));
        label.filter(|label| !label.is_empty() && !label.contains('$')).map_or(name, String::as_str)
    }
}

/// Where a path begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Register with the instances above it, port of the design, or memory or multiplier and its pin: `words/ADA3`.
    pub name: String,
    /// Module of the design that it stands in.
    pub unit: String,
    /// It is only of the test frame.
    pub is_frame: bool,
}

/// Names of the pins of a placed design.
#[derive(Debug)]
pub struct Names<'a> {
    design: &'a Design,
    family: &'a Family,
    /// The frame as it was placed.
    frame: &'a Module,
    labels: Vec<String>,
    aliases: &'a Aliases<'a>,
    /// Flip-flops by the net at their data input.
    by_data: HashMap<usize, &'a str>,
}

impl<'a> Names<'a> {
    /// For the frame as it was placed.
    pub fn new(design: &'a Design, family: &'a Family, frame: &'a Module, aliases: &'a Aliases<'a>) -> Self {
        let labels = frame.net_labels();
        let mut names = Self { design, family, frame, labels, aliases, by_data: HashMap::new() };
        let flops = frame.cells.iter().filter(|(_, cell)| is(&family.ffs, &cell.kind));
        let data = |(name, _): (&'a String, _)| {
            let net = ["D", "DI"].iter().find_map(|port| net(frame, name, port))?;
            Some((net, name.as_str()))
        };
        names.by_data = flops.filter_map(data).collect();
        names
    }

    /// What a pin belongs to.
    pub fn point(&self, pin: &Pin) -> Point {
        let name = self.register(&pin.cell).unwrap_or_else(|| {
            // A multiplier is named after its output, which may be that of registers in it.
            let block = self.aliases.best(block(&pin.cell));
            let block = block.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')).map_or(block, |(name, _)| name);
            format!("{block}/{}", pin.port)
        });
        let unit = owner(self.design, &name).to_string();
        let Some(inner) = name.strip_prefix(DUT).and_then(|rest| rest.strip_prefix('.')) else {
            let port = harness::port(self.design, &name);
            let is_frame = port.is_none();
            return Point { is_frame, name: port.unwrap_or_else(|| format!("{name} (test frame)")), unit };
        };
        Point { name: inner.to_string(), unit, is_frame: false }
    }

    /// The register that a placed cell holds.
    fn register(&self, cell: &str) -> Option<String> {
        // nextpnr packs a look-up table and the flip-flop behind it, and names both after the table.
        let names = [Some(cell), cell.strip_suffix("_DFFLC"), cell.strip_suffix("_LC")];
        let cell = names.into_iter().flatten().find(|name| self.frame.cells.contains_key(*name))?;
        let kind = &self.frame.cells[cell].kind;
        let flop = match is(&self.family.ffs, kind) {
            true => cell,
            false if is(&self.family.luts, kind) => self.by_data.get(&net(self.frame, cell, "O")?)?,
            false => return None,
        };
        let label = net(self.frame, flop, "Q").and_then(|net| self.labels.get(net));
        let label = label.filter(|label| !label.is_empty() && !label.contains('$')).map(String::as_str);
        // Registers that synthesis puts behind a memory's output are named after its pins.
        Some(block(self.aliases.best(label.unwrap_or(flop))).to_string())
    }
}

/// Whether a cell is of a list.
pub fn is(list: &[String], kind: &str) -> bool {
    list.iter().any(|pattern| matches(pattern, kind))
}

fn net(module: &Module, cell: &str, port: &str) -> Option<usize> {
    match module.cells.get(cell)?.connections.get(port)?.first()? {
        Bit::Net(net) => Some(*net),
        Bit::Constant(_) => None,
    }
}

/// A name without what tools add: primitives in capitals, numbers of parts, names that they made up.
fn block(name: &str) -> &str {
    let capital = |(at, _): &(usize, &str)| name[at + 1..].starts_with(|c: char| c.is_ascii_uppercase());
    let capital = name.match_indices('_').find(capital).map(|(at, _)| at);
    let ends = [capital, name.find('/'), name.find('$')].into_iter().flatten().filter(|&at| at > 0).min();
    let mut name = name[..ends.unwrap_or(name.len())].trim_end_matches('.');
    while let Some((rest, part)) = name.rsplit_once('.') {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        name = rest;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlist::Netlist;
    use crate::target::Target;

    fn module(text: &str) -> Module {
        let netlist: Netlist = serde_json::from_str(&format!(r#"{{"modules": {{"m": {text}}}}}"#)).unwrap();
        netlist.modules["m"].clone()
    }

    #[test]
    fn tools_own_names_are_cut() {
        for (name, expected) in [
            ("u_dut.sum_q_SB_DFF_Q_3", "u_dut.sum_q"),
            ("u_dut.u_buffer.words.0.1", "u_dut.u_buffer.words"),
            ("u_dut.g_a[2].u_pe.sum_q[7]", "u_dut.g_a[2].u_pe.sum_q[7]"),
            ("u_dut.u_column.mem.0.0_DOA0[0]", "u_dut.u_column.mem"),
            ("u_dut.g_a[2].u_pe.product_MULT9X9_DOUT/CORE", "u_dut.g_a[2].u_pe.product"),
            ("$auto$ice40.cc:1:x$2", "$auto$ice40.cc:1:x$2"),
        ] {
            assert_eq!(block(name), expected);
        }
    }

    #[test]
    fn pins_are_named_after_registers_and_ports() {
        let config = spec::Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
        let design = Design::new(hdl::unit::pe::pe(&config).unwrap());
        let family = Target::Ice40.family().unwrap();
        // Before synthesis the output, the wire and the register are one net.
        let before = module(
            r#"{"netnames": {"out": {"bits": [7, 8]}, "u_dut.sum_o": {"bits": [7, 8]}, "u_dut.sum_q": {"bits": [7, 8]},
            "in_q": {"bits": [2, 3]}, "u_dut.act_i": {"bits": [2, 3]}}}"#,
        );
        let placed = module(
            r#"{"netnames": {"out": {"bits": [4, 5]}, "in_q": {"bits": [8, 9]}, "$abc$1": {"bits": [6]},
                "fold_q": {"bits": [1, 12]}, "u_dut.u_product.x": {"bits": [13, 14]}, "u_dut.words.0.1_DOA0": {"bits": [14, 15]}},
            "cells": {
                "read": {"type": "SB_DFF", "connections": {"D": [4], "Q": [15]}},
                "out_SB_LUT4_O": {"type": "SB_LUT4", "connections": {"O": [6]}},
                "made": {"type": "SB_DFF", "connections": {"D": [6], "Q": [5]}},
                "in_q_SB_DFF_Q": {"type": "SB_DFF", "connections": {"D": [8], "Q": [9]}},
                "fold": {"type": "SB_DFF", "connections": {"D": [9], "Q": [12]}},
                "u_dut.sum_o_MULT9X9_DOUT": {"type": "MULT9X9", "connections": {"DOUT": [4]}},
                "u_dut.u_product.u.mem.0.1": {"type": "SB_RAM40_4K", "connections": {"RDATA": [13]}}}}"#,
        );
        let aliases = Aliases::new(&before);
        let names = Names::new(&design, &family, &placed, &aliases);
        let point = |cell: &str| names.point(&Pin { cell: cell.to_string(), port: "RDATA_3".to_string() });
        let pe = || design.top.name.clone();
        let known = |name: &str| Point { name: name.to_string(), unit: pe(), is_frame: false };
        assert_eq!(point("out_SB_LUT4_O_LC"), known("sum_q[1]"));
        assert_eq!(point("made_DFFLC"), known("sum_q[1]"));
        assert_eq!(point("read_DFFLC"), known("words"));
        assert_eq!(point("in_q_SB_DFF_Q_DFFLC"), known("act_i[1]"));
        assert!(point("fold_DFFLC").is_frame);
        assert_eq!(point("u_dut.sum_o_MULT9X9_DOUT/CORE"), known("sum_q/RDATA_3"));
        let memory = point("u_dut.u_product.u.mem.0.1_RAM");
        assert_eq!((memory.name.as_str(), memory.unit.as_str()), ("u_product.u.mem/RDATA_3", "systole_product"));
    }
}
