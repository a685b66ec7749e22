//! A column of the head buffer: bytes written by whole beats or one by one, read one by one.

use std::sync::Arc;

use spec::Config;

use super::burst::{beat_bytes, lane_bits};
use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// `<prefix>_head_bank`: `words` beats, read byte by byte.
///
/// Ports: `write_i`, `whole_i` (the beat `beat_i`, or else the byte `byte_i` at place `wlane_i`), `waddr_i`; `read_i`,
/// `raddr_i`, `rlane_i`; one cycle later `byte_o`, 0 unless `keep_i`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn head_bank(config: &Config, words: u32) -> Result<Arc<Module>, Error> {
    let bytes = beat_bytes(config);
    let doc = format!(
        "A column of the head buffer: {words} beats of {bytes} bytes, written whole or by the byte, read by\n\
         the byte. Read latency 1 cycle."
    );
    let mut m = ModuleBuilder::new(module_name(config, "head_bank"), doc);
    let addr = Ty::u(index_bits(words));
    let lane = Ty::u(lane_bits(config));
    let write_i = m.input("write_i", Ty::bit());
    let whole_i = m.input("whole_i", Ty::bit());
    let waddr_i = m.input("waddr_i", addr);
    let wlane_i = m.input("wlane_i", lane);
    let beat_i = m.input("beat_i", Ty::u(8 * bytes));
    let byte_i = m.input("byte_i", Ty::u(8));
    let read_i = m.input("read_i", Ty::bit());
    let raddr_i = m.input("raddr_i", addr);
    let rlane_i = m.input("rlane_i", lane);
    let keep_i = m.input("keep_i", Ty::bit());
    let lanes: Vec<Expr> = (0..bytes).rev().map(|i| &whole_i | wlane_i.eq_k(i.into())).collect();
    let lanes = m.wire("lanes", &Expr::concat(&lanes));
    let data = m.wire("wdata", &whole_i.mux(&beat_i, &byte_i.repeat(bytes)));
    let mem = m.memory("mem", 8 * bytes, words);
    let word_q = m.memory_ports(mem, (&write_i, &waddr_i, &data), Some(&lanes), (&read_i, &raddr_i), "word_q");
    let rlane_q = m.pipe_if("rlane_q", &read_i, &rlane_i);
    let read_byte = m.wire("read_byte", &word_q.word(&rlane_q, 8));
    m.output_is("byte_o", &(&read_byte & keep_i.repeat(8)));
    m.build()
}
