//! Small netlists made by hand and at random, in the library of the tests.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::cells::settings;
use crate::liberty::Library;
use crate::liberty::library::tests::DEMO;
use crate::netlist::{Bit, Cell, Module, Port};

/// The library of the tests with a NAND of four times the strength.
fn cells(period_ps: u32) -> Cells {
    let (from, to) = (DEMO.find("  cell (NAND2)").unwrap(), DEMO.find("  cell (TIE1)").unwrap());
    let strong = DEMO[from..to].replace("NAND2", "NAND2X4").replace("area : 2.0", "area : 3.0");
    let strong = strong.replace("\"20, 40\", \"30, 50\"", "\"20, 25\", \"30, 35\"");
    let strong = strong.replace("\"25, 45\", \"35, 55\"", "\"25, 30\", \"35, 40\"");
    let strong = strong.replace("\"0, 20\", \"10, 30\"", "\"0, 5\", \"10, 15\"");
    let library = Library::parse(&DEMO.replacen("  cell (NAND2)", &format!("{strong}  cell (NAND2)"), 1)).unwrap();
    let mut settings = settings(&library);
    settings.period_ps = period_ps;
    Cells { library, settings }
}

fn cell(module: &mut Module, name: &str, kind: &str, pins: &[(&str, &[usize])]) {
    let connections =
        pins.iter().map(|(pin, nets)| (pin.to_string(), nets.iter().map(|net| Bit::Net(*net)).collect())).collect();
    module.cells.insert(name.to_string(), Cell { kind: kind.to_string(), connections });
}

fn port(module: &mut Module, name: &str, direction: &str, nets: &[usize]) {
    let bits = nets.iter().map(|net| Bit::Net(*net)).collect();
    module.ports.insert(name.to_string(), Port { direction: direction.to_string(), bits });
}

/// A register whose output goes by a NAND to `fan` instances of a module with `pins` registers on the net each.
fn wide(fan: usize, pins: usize) -> Netlist {
    let (mut leaf, mut head, mut top) = (Module::default(), Module::default(), Module::default());
    port(&mut leaf, "clk_i", "input", &[2]);
    port(&mut leaf, "a_i", "input", &[3]);
    for i in 0..pins {
        cell(&mut leaf, &format!("r{i}"), "DFF", &[("CK", &[2]), ("D", &[3]), ("Q", &[10 + i])]);
    }
    port(&mut head, "clk_i", "input", &[2]);
    port(&mut head, "d_i", "input", &[3]);
    port(&mut head, "y_o", "output", &[5]);
    cell(&mut head, "r", "DFF", &[("CK", &[2]), ("D", &[3]), ("Q", &[4])]);
    cell(&mut head, "g", "NAND2", &[("A", &[4]), ("B", &[4]), ("Y", &[5])]);
    port(&mut top, "clk_i", "input", &[2]);
    port(&mut top, "d_i", "input", &[3]);
    cell(&mut top, "u_head", "head", &[("clk_i", &[2]), ("d_i", &[3]), ("y_o", &[4])]);
    for i in 0..fan {
        cell(&mut top, &format!("u_{i}"), "leaf", &[("clk_i", &[2]), ("a_i", &[4])]);
    }
    let modules = [("leaf", leaf), ("head", head), ("top", top)];
    Netlist { modules: modules.into_iter().map(|(name, module)| (name.to_string(), module)).collect() }
}

fn longest(netlist: &Netlist, cells: &Cells) -> f64 {
    let flat = Flat::new(netlist, "top");
    levelised::paths(&flat.module, &cells.library, &cells.edge(true)).unwrap()[0].period_ns
}

#[test]
fn a_net_through_modules_gets_a_tree_and_a_stronger_driver() {
    let cells = cells(200);
    let mut netlist = wide(60, 40);
    // Launch with two pins, its transition, the NAND with 2,400, setup.
    let before = longest(&netlist, &cells);
    assert!((before - (52.0 + 25.0 + 2.0 + 4800.0 + 40.0) * 1e-3).abs() < 1e-9, "{before}");
    let reference = netlist.clone();
    assert!(bound(&mut netlist, &cells, "top"));
    let after = longest(&netlist, &cells);
    assert!(after < 0.1 * before, "{after}");
    assert_eq!(signature(&netlist), signature(&reference));
    let buffers = |name: &str| netlist.modules[name].cells.values().filter(|cell| cell.kind == "BUF").count();
    assert!(buffers("top") > 0 && buffers("leaf") > 0, "{} {}", buffers("top"), buffers("leaf"));
    assert!(netlist.modules["top"].cells.keys().all(|name| name.starts_with("u_") || crate::netlist::is_made_up(name)));
    let mut again = reference;
    bound(&mut again, &cells, "top");
    assert_eq!(serde_json::to_string(&texts(&again)).unwrap(), serde_json::to_string(&texts(&netlist)).unwrap());
}

#[test]
fn a_weak_driver_of_a_small_load_is_only_made_stronger() {
    let cells = cells(100);
    let mut netlist = wide(1, 6);
    assert!(bound(&mut netlist, &cells, "top"));
    assert_eq!(netlist.modules["head"].cells["g"].kind, "NAND2X4");
    assert!(netlist.modules.values().all(|module| module.cells.values().all(|cell| cell.kind != "BUF")));
}

#[test]
fn what_meets_its_period_or_has_no_buffers_stays() {
    let netlist = wide(12, 40);
    for without in [false, true] {
        let mut cells = cells(if without { 100 } else { 2000 });
        if without {
            cells.library.cells.remove("BUF");
        }
        let mut same = netlist.clone();
        assert!(!bound(&mut same, &cells, "top"));
        assert_eq!(texts(&same), texts(&netlist));
    }
    let mut cells = cells(100);
    cells.settings.exclude = vec!["BUF".to_string()];
    assert!(!bound(&mut netlist.clone(), &cells, "top"));
}

#[test]
fn inputs_of_the_whole_are_buffered_for_the_cell_that_drives_them() {
    let cells = cells(200);
    let mut netlist = wide(0, 0);
    let mut leaf = Module::default();
    port(&mut leaf, "a_i", "input", &[3]);
    port(&mut leaf, "y_o", "output", &[3]);
    for i in 0..200 {
        cell(&mut leaf, &format!("r{i}"), "DFF", &[("CK", &[2]), ("D", &[3]), ("Q", &[10 + i])]);
    }
    port(&mut leaf, "clk_i", "input", &[2]);
    netlist.modules.insert("leaf".to_string(), leaf);
    let top = netlist.modules.get_mut("top").unwrap();
    // The net goes through one instance to the next.
    cell(top, "u_0", "leaf", &[("clk_i", &[2]), ("a_i", &[3]), ("y_o", &[8])]);
    cell(top, "u_1", "leaf", &[("clk_i", &[2]), ("a_i", &[8]), ("y_o", &[9])]);
    let before = longest(&netlist, &cells);
    let reference = netlist.clone();
    // A buffer with 401 pins is 401 later and gives 401 of transition to setup, which does not depend on it.
    assert!((before - 0.441).abs() < 1e-9, "{before}");
    assert!(bound(&mut netlist, &cells, "top"));
    assert!(longest(&netlist, &cells) < 0.5 * before, "{}", longest(&netlist, &cells));
    assert_eq!(signature(&netlist), signature(&reference));
}

/// Cells of all modules: kinds and connections.
fn texts(netlist: &Netlist) -> Vec<String> {
    let cells = netlist.modules.iter().flat_map(|(name, module)| module.cells.iter().map(move |cell| (name, cell)));
    cells.map(|(name, (cell, of))| format!("{name} {cell} {} {:?}", of.kind, of.connections)).collect()
}

/// What drives each pin of each cell and each output, buffers and strengths left out.
fn signature(netlist: &Netlist) -> Vec<String> {
    let flat = Flat::new(netlist, "top").module;
    let (mut driver, mut buffer) = (BTreeMap::new(), BTreeMap::new());
    for (name, port) in flat.ports.iter().filter(|(_, port)| port.direction == "input") {
        for (i, bit) in port.bits.iter().enumerate() {
            driver.insert(format!("{bit:?}"), format!("{name}[{i}]"));
        }
    }
    let mut cells: Vec<(usize, &Cell)> = flat.cells.iter().map(|(name, cell)| (name.parse().unwrap(), cell)).collect();
    cells.sort_by_key(|(number, _)| *number);
    let (buffers, cells): (Vec<_>, Vec<_>) = cells.into_iter().partition(|(_, cell)| cell.kind == "BUF");
    for (_, cell) in buffers {
        buffer.insert(format!("{:?}", cell.connections["Y"][0]), format!("{:?}", cell.connections["A"][0]));
    }
    for (i, (_, cell)) in cells.iter().enumerate() {
        for pin in ["Y", "Q", "QN"] {
            if let Some(bits) = cell.connections.get(pin) {
                driver.insert(format!("{:?}", bits[0]), format!("{i}.{pin}"));
            }
        }
    }
    let source = |bit: &Bit| {
        let mut at = format!("{bit:?}");
        while let Some(before) = buffer.get(&at) {
            at.clone_from(before);
        }
        driver.get(&at).cloned().unwrap_or_default()
    };
    let of_cells = cells.iter().enumerate().flat_map(|(i, (_, cell))| {
        let kind = cell.kind.trim_end_matches("X4");
        cell.connections.iter().map(move |(pin, bits)| (format!("{i} {kind} {pin}"), &bits[0]))
    });
    let outputs = flat.ports.iter().filter(|(_, port)| port.direction == "output");
    let outputs = outputs.flat_map(|(name, port)| port.bits.iter().map(move |bit| (name.clone(), bit)));
    of_cells.chain(outputs).map(|(place, bit)| format!("{place} {}", source(bit))).collect()
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// A module with cells and instances of the modules below, whose inputs are any net that is driven by then.
fn random(dice: &mut Dice, below: &[(&str, usize, usize)], inputs: usize, outputs: usize) -> Module {
    let mut module = Module::default();
    port(&mut module, "clk_i", "input", &[2]);
    let mut nets: Vec<usize> = (3..3 + inputs).collect();
    port(&mut module, "a_i", "input", &nets);
    for i in 0..10 + dice.roll(60) {
        // Some nets lead to many pins.
        let pick = |dice: &mut Dice| if dice.roll(2) == 0 { nets[0] } else { nets[dice.roll(nets.len())] };
        let (a, b, next) = (pick(dice), pick(dice), 100 + 10 * i);
        let name = format!("c{i}");
        match dice.roll(8) {
            0 | 1 if !below.is_empty() => {
                let (kind, ins, outs) = below[dice.roll(below.len())];
                let ins: Vec<usize> = (0..ins).map(|_| pick(dice)).collect();
                let outs: Vec<usize> = (next..next + outs).collect();
                cell(&mut module, &name, kind, &[("clk_i", &[2]), ("a_i", &ins), ("y_o", &outs)]);
                nets.extend(outs);
                continue;
            }
            2 => cell(&mut module, &name, "DFF", &[("CK", &[2]), ("D", &[a]), ("Q", &[next])]),
            3 => cell(&mut module, &name, "INV", &[("A", &[a]), ("Y", &[next])]),
            4 => cell(&mut module, &name, "$mem_v2", &[("RD_ADDR", &[a, b]), ("RD_DATA", &[next])]),
            _ => cell(&mut module, &name, "NAND2", &[("A", &[a]), ("B", &[b]), ("Y", &[next])]),
        }
        nets.push(next);
    }
    // Inputs may be outputs as they are.
    let outs: Vec<usize> = (0..outputs).map(|_| nets[dice.roll(nets.len())]).collect();
    port(&mut module, "y_o", "output", &outs);
    module
}

#[test]
fn without_its_buffers_a_random_netlist_is_what_it_was() {
    let cells = cells(100);
    let drives = Drives::new(&cells.library, &cells.settings).unwrap();
    let (mut changes, mut faster) = (0, 0);
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let mut modules = BTreeMap::new();
        modules.insert("leaf".to_string(), random(&mut dice, &[], 2, 2));
        modules.insert("mid".to_string(), random(&mut dice, &[("leaf", 2, 2)], 3, 2));
        modules.insert("top".to_string(), random(&mut dice, &[("leaf", 2, 2), ("mid", 3, 2)], 4, 3));
        let reference = Netlist { modules };
        let expected = signature(&reference);
        let mut all = reference.clone();
        let output = Load { ff: 4.0, pins: 1 };
        let round = Round { library: &cells.library, drives: &drives, top: "top", output, least_ns: 1e-6 };
        for _ in 0..2 {
            let every = |module: &Module| (0..module.nets()).collect::<BTreeSet<usize>>();
            let nets = all.modules.iter().map(|(name, module)| (name.clone(), every(module))).collect();
            changes += round.run(&mut all, &nets);
            assert_eq!(signature(&all), expected, "seed {seed}");
        }
        let mut bounded = reference.clone();
        if bound(&mut bounded, &cells, "top") {
            assert_eq!(signature(&bounded), expected, "seed {seed}");
            assert!(longest(&bounded, &cells) < longest(&reference, &cells), "seed {seed}");
            faster += 1;
        }
    }
    assert!(changes > 100 && faster > 6, "{changes} {faster}");
}

#[test]
fn all_but_cells_stays_in_the_text() {
    let text = r#"{"creator": "x", "modules": {"m": {"attributes": {"top": "1"}, "ports": {"b": {"direction": "input",
        "bits": [3]}, "a": {"direction": "output", "bits": [4]}}, "cells": {"u": {"hide_name": 0, "type": "INV",
        "parameters": {"W": "01"}, "attributes": {"src": "f"}, "connections": {"A": [3, "x"], "Y": [4]}}},
        "netnames": {"b": {"hide_name": 0, "bits": [3], "attributes": {}}}}}}"#;
    let mut netlist: Netlist = serde_json::from_str(text).unwrap();
    let same: serde_json::Value = serde_json::from_str(&netlist.edited(text).unwrap()).unwrap();
    assert_eq!(same, serde_json::from_str::<serde_json::Value>(text).unwrap());
    cell(netlist.modules.get_mut("m").unwrap(), "$n", "BUF", &[("A", &[4]), ("Y", &[5])]);
    let edited: serde_json::Value = serde_json::from_str(&netlist.edited(text).unwrap()).unwrap();
    let added = &edited["modules"]["m"]["cells"]["$n"];
    assert_eq!((added["type"].as_str(), added["hide_name"].as_u64()), (Some("BUF"), Some(1)));
    assert_eq!(added["connections"]["Y"], serde_json::json!([5]));
    assert!(netlist.edited("{\"modules\": {}}").unwrap_err().contains('m') && netlist.edited("{").is_err());
}
