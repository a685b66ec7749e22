//! Paths whose times can be added up by hand.

use super::*;
use crate::liberty::library::tests::DEMO;
use crate::netlist::Netlist;

fn module(cells: &str) -> Module {
    let text = format!(
        r#"{{"modules": {{"m": {{"ports": {{"clk_i": {{"direction": "input", "bits": [2]}},
        "a_i": {{"direction": "input", "bits": [3]}}, "y_o": {{"direction": "output", "bits": [9]}}}},
        "cells": {{{cells}}}, "netnames": {{"a_i": {{"bits": [3]}}, "x_q": {{"bits": [4]}}, "y_q": {{"bits": [9]}}}}}}}}}}"#
    );
    let netlist: Netlist = serde_json::from_str(&text).unwrap();
    netlist.modules["m"].clone()
}

fn cell(name: &str, kind: &str, pins: &[(&str, u32)]) -> String {
    let pins: Vec<String> = pins.iter().map(|(pin, net)| format!(r#""{pin}": [{net}]"#)).collect();
    format!(r#""{name}": {{"type": "{kind}", "connections": {{{}}}}}"#, pins.join(", "))
}

#[test]
fn a_path_from_register_to_register_is_the_sum_of_its_parts() {
    let library = Library::parse(DEMO).unwrap();
    let cells = [
        cell("x", "DFF", &[("CK", 2), ("D", 3), ("Q", 4)]),
        cell("g", "NAND2", &[("A", 4), ("B", 3), ("Y", 5)]),
        cell("h", "INV", &[("A", 5), ("Y", 6)]),
        cell("y", "DFF", &[("CK", 2), ("D", 6), ("Q", 9)]),
    ];
    let module = module(&cells.join(", "));
    let edge = Edge { driver: None, load_ff: 4.0, clock: "clk_i", slows_inputs: false };
    let paths = paths(&module, &library, &edge).unwrap();
    // Launch: 50 + load 1; its transition 1. NAND: 20 + transition 1 + 2 * load 1; transition 2 + 1.
    // Inverter: 10 + transition 3 + load 1, setup of the slower edge 40.
    let expected = (51.0 + 23.0 + 14.0 + 40.0) * 1e-3;
    assert_eq!(paths.len(), 3);
    assert!((paths[0].period_ns - expected).abs() < 1e-9, "{paths:?}");
    assert_eq!((paths[0].start.as_str(), paths[0].end.as_str(), paths[0].gates), ("x_q", "y_q", 2));
    // The output: launch with load 4. The register x: setup only.
    assert!((paths[1].period_ns - 0.054).abs() < 1e-9 && paths[1].end == "y_o" && paths[1].end_cell.is_empty());
    assert!((paths[2].period_ns - 0.040).abs() < 1e-9 && paths[2].start == "a_i");
}

#[test]
fn a_loop_is_an_error() {
    let library = Library::parse(DEMO).unwrap();
    let cells = [cell("g", "NAND2", &[("A", 3), ("B", 6), ("Y", 5)]), cell("h", "INV", &[("A", 5), ("Y", 6)])];
    let edge = Edge { driver: None, load_ff: 0.0, clock: "clk_i", slows_inputs: false };
    assert!(paths(&module(&cells.join(", ")), &library, &edge).unwrap_err().contains("loop"));
}
