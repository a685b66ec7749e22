//! yosys proves our leaf cells equal to rust-hdl's, for all inputs (INT8 -128 among them), and refutes wrong ones.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::config;
use hdl::rtl::{Design, Header, Module};
use hdl::unit::{pe, ram};
use hdl_rusthdl::equiv::{Equivalence, compare};
use hdl_rusthdl::{Int8Pe, ReadHoldRam, ShiftPe};
use rust_hdl::prelude::{Block, generate_verilog};
use spec::{Format, PeKind};

const TIMEOUT: Duration = Duration::from_secs(600);

fn pairs(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|&(ours, theirs)| (ours.to_string(), theirs.to_string())).collect()
}

/// The registers of a PE that are not outputs; and the product, a step on the way that makes the proof three times faster.
fn pe_pairs(product_register: bool) -> Vec<(String, String)> {
    let mut names = pairs(&[
        ("u_product.product_o", "multiply.product"),
        ("next_weight_q", "core.next_weight.q"),
        ("weight_q", "core.weight.q"),
    ]);
    if product_register {
        names.extend(pairs(&[("product_q", "core.product.q")]));
    }
    names
}

fn ram_pairs(words: u32) -> Vec<(String, String)> {
    (0..words).map(|word| (format!("mem[{word}]"), format!("memory.mem[{word}]"))).collect()
}

/// The Verilog of a module and of everything below it.
fn verilog(module: &Arc<Module>) -> String {
    let files = Design::new(module.clone()).emit(&Header::default()).unwrap();
    files.into_iter().map(|(_, text)| text).collect()
}

fn generated(mut block: impl Block) -> String {
    block.connect_all();
    generate_verilog(&block)
}

/// An 18-bit sum is that of 4 rows of INT8, a 17-bit one that of 4 rows of PoT.
fn int8(product_register: bool) -> (Arc<Module>, String) {
    let module = pe::pe(&config(PeKind::Mac, Format::W8a8, 4, product_register)).unwrap();
    (module, generated(Int8Pe::<18>::new(product_register)))
}

fn shift(product_register: bool) -> (Arc<Module>, String) {
    let module = pe::pe(&config(PeKind::Shift, Format::Pot4, 4, product_register)).unwrap();
    (module, generated(ShiftPe::<17>::new(product_register)))
}

fn memory() -> (Arc<Module>, String) {
    let module = ram::ram(&config(PeKind::Mac, Format::W8a8, 4, true), 8, 16).unwrap();
    (module, generated(ReadHoldRam::<8, 4>::default()))
}

fn proven((module, theirs): (Arc<Module>, String), pairs: &[(String, String)]) {
    let found = compare(&module, &verilog(&module), &theirs, pairs, TIMEOUT).unwrap();
    assert_eq!(found, Equivalence::Proven);
}

/// Changes one place of our Verilog, which must then be refuted by a run in which outputs differ, and which yosys shows.
fn refuted((module, theirs): &(Arc<Module>, String), from: &str, to: &str) {
    let ours = verilog(module);
    assert_eq!(ours.matches(from).count(), 1, "`{from}` is not once in\n{ours}");
    match compare(module, &ours.replace(from, to), theirs, &[], TIMEOUT).unwrap() {
        Equivalence::Refuted(run) => assert!(run.contains("ours_"), "no signals shown: {run}"),
        other => panic!("`{from}` -> `{to}`: {other:?}"),
    }
}

#[test]
fn the_int8_pe_is_proven_equal_for_all_inputs() {
    for product_register in [true, false] {
        proven(int8(product_register), &pe_pairs(product_register));
    }
}

#[test]
fn the_shift_pe_is_proven_equal_for_all_inputs() {
    for product_register in [true, false] {
        proven(shift(product_register), &pe_pairs(product_register));
    }
}

#[test]
fn the_ram_is_proven_equal_for_all_inputs() {
    proven(memory(), &ram_pairs(16));
}

#[test]
fn wrong_pes_are_refuted() {
    let cell = shift(true);
    for (from, to) in [
        ("sum_i + addend", "sum_i - addend"),
        ("if (swap_i) weight_q <= next_weight_q;", "if (swap_i) weight_q <= weight_i;"),
        ("if (load_i) next_weight_q <= weight_i;", "next_weight_q <= weight_i;"),
        ("load_q <= load_i;", "load_q <= swap_i;"),
    ] {
        refuted(&cell, from, to);
    }
    refuted(&int8(true), "$signed(act) * $signed(weight)", "$signed(act) + $signed(weight)");
}

#[test]
fn a_wrong_ram_is_refuted() {
    let cell = memory();
    refuted(&cell, "if (read_i) rdata_q <= mem[raddr_i];", "rdata_q <= mem[raddr_i];");
    refuted(&cell, "mem[waddr_i] <= wdata_i;", "mem[raddr_i] <= wdata_i;");
    let new_word = "if (read_i) rdata_q <= write_i && waddr_i == raddr_i ? wdata_i : mem[raddr_i];";
    refuted(&cell, "if (read_i) rdata_q <= mem[raddr_i];", new_word);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let (module, theirs) = memory();
    let broken = verilog(&module).replace("endmodule", "");
    assert!(compare(&module, &broken, &theirs, &[], TIMEOUT).is_err());
    let stranger = pairs(&[("no_such_register", "held.q")]);
    assert!(compare(&module, &verilog(&module), &theirs, &stranger, TIMEOUT).is_err());
}

#[test]
fn without_register_pairs_the_ram_stays_open() {
    let (module, theirs) = memory();
    let found = compare(&module, &verilog(&module), &theirs, &[], TIMEOUT).unwrap();
    assert_eq!(found, Equivalence::Open);
}
