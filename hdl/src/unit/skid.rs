//! A register stage for a stream that cuts the path of `ready`.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_skid_<width>`: a stream of `width` bits, latency 1 cycle, one word a cycle; all outputs are registers.
///
/// Ports: `in_valid_i`, `in_ready_o`, `in_data_i`, `out_valid_o`, `out_ready_i`, `out_data_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn skid(config: &Config, width: u32) -> Result<Arc<Module>, Error> {
    let doc = "Stream register: one word a cycle, latency 1 cycle, every output is a register.\n\
               A word that arrives while the output waits is kept aside.";
    let mut m = ModuleBuilder::new(module_name(config, &format!("skid_{width}")), doc);
    let in_valid_i = m.input("in_valid_i", Ty::bit());
    let in_data_i = m.input("in_data_i", Ty::u(width));
    let out_ready_i = m.input("out_ready_i", Ty::bit());
    let valid_q = m.reg("valid_q", Ty::bit());
    let spare_valid_q = m.reg("spare_valid_q", Ty::bit());
    let spare_q = m.reg("spare_q", Ty::u(width));
    let moves = m.wire("moves", &(&out_ready_i | !&valid_q));
    let waits = m.wire("waits", &!&moves);
    m.next_reset(&valid_q, 0, Some(&moves), &(&spare_valid_q | &in_valid_i));
    m.next_reset(&spare_valid_q, 0, None, &(&waits & (&spare_valid_q | &in_valid_i)));
    m.next_if(&spare_q, &!&spare_valid_q, &in_data_i);
    let data_q = m.pipe_if("data_q", &moves, &spare_valid_q.mux(&spare_q, &in_data_i));
    m.output_is("in_ready_o", &!&spare_valid_q);
    m.output_is("out_valid_o", &valid_q);
    m.output_is("out_data_o", &data_q);
    m.build()
}
