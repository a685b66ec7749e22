//! The store queue's unit.

use std::sync::Arc;

use spec::Config;
use spec::isa::{Field, Op};

use super::burst::{ADDR_BITS, lane_bits};
use super::dma_write::BYTES_BITS;
use super::instr_field::{field, instr_input, opcode};
use super::module_name;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_store_unit`: executes `ST`; the beats of the out stream go to the writer of memory directly.
///
/// Ports: `instr_valid_i`, `instr_ready_o`, `instr_i`; `cmd_valid_o`, `cmd_ready_i`, `cmd_beat_o`, `cmd_bytes_o`, `done_i` to
/// the writer; `retire_o`: the memory has answered; `error_o`: an instruction that starts beside a beat or has no bytes was
/// dropped (sticky).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn store_unit(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Store unit: a store becomes a command of the memory writer, which takes its beats from the out\n\
               stream; it retires with the memory's last response. No latency.";
    let mut m = ModuleBuilder::new(module_name(config, "store_unit"), doc);
    let instr_valid_i = m.input("instr_valid_i", Ty::bit());
    let instr_i = instr_input(&mut m, "instr_i");
    let cmd_ready_i = m.input("cmd_ready_i", Ty::bit());
    let done_i = m.input("done_i", Ty::bit());
    let addr = m.wire("addr", &field(&instr_i, Op::St, Field::Addr));
    let bytes = m.wire("bytes", &field(&instr_i, Op::St, Field::Bytes));
    debug_assert_eq!(bytes.width(), BYTES_BITS);
    let lane_bits = lane_bits(config);
    let is_store = opcode(&instr_i).eq_k(Op::St.spec().code.into());
    let good = m.wire("good", &(is_store & bytes.any() & !addr.part(0, lane_bits).any()));
    m.output_is("instr_ready_o", &(&cmd_ready_i | !&good));
    m.output_is("cmd_valid_o", &(&instr_valid_i & &good));
    m.output_is("cmd_beat_o", &addr.slice(ADDR_BITS - 1, lane_bits));
    m.output_is("cmd_bytes_o", &bytes);
    m.output_is("retire_o", &done_i);
    let error_q = m.reg("error_q", Ty::bit());
    m.next_reset(&error_q, 0, None, &(&error_q | (&instr_valid_i & !&good)));
    m.output_is("error_o", &error_q);
    m.build()
}
