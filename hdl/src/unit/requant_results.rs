//! The requantizer's way from codes to the output stream.

use std::sync::Arc;

use spec::Config;

use super::fifo::fifo;
use super::module_name;
use super::pack::{pack, result_bits};
use super::requant_plan::Plan;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_requant_results`: codes, and at a row's end its scale, to beats.
///
/// Ports: `reserve_i` (a word has been issued that will come here), `room_o` (a place is left for one more); `push_i` (it is
/// here) with `trailer_i` (it is the end of a row), `codes_i` `[lanes]`, `mult_i`, `shift_i`, and where words share a beat
/// `last_i` (the row's last word); `empty_o`; stream `out_valid_o`, `out_ready_i`, `out_data_o`, `out_last_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub(super) fn requant_results(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Results of the requantizer: FIFO of {} words, and beats made of them. A row's end carries its\n\
         scale and its zero point, the code of A = 0.",
        plan.fifo_depth()
    );
    let bits = result_bits(plan);
    let mut m = ModuleBuilder::new(module_name(config, "requant_results"), doc);
    let reserve_i = m.input("reserve_i", Ty::bit());
    let push_i = m.input("push_i", Ty::bit());
    let trailer_i = m.input("trailer_i", Ty::bit());
    let last_i = shares_beats(config, plan).then(|| m.input("last_i", Ty::bit()));
    let codes_i = m.input("codes_i", Ty::u(8 * plan.lanes));
    let mult_i = m.input("mult_i", Ty::u(16));
    let shift_i = m.input("shift_i", Ty::u(8));
    let out_ready_i = m.input("out_ready_i", Ty::bit());

    let zero_point = Expr::concat(&[!codes_i.bit(7), codes_i.slice(6, 0)]);
    let scale = m.wire("scale", &Expr::concat(&[zero_point, shift_i, mult_i]));
    let result = trailer_i.mux(&scale.extend(bits), &codes_i.extend(bits));
    let parts: Vec<Expr> = last_i.iter().cloned().chain([trailer_i, result]).collect();
    let result = m.wire("result", &Expr::concat(&parts));
    let fifo = fifo(config, result.width(), plan.fifo_depth())?;
    let pack_ready = m.net("taken", Ty::bit());
    let inputs = [("reserve_i", &reserve_i), ("push_i", &push_i), ("data_i", &result), ("ready_i", &pack_ready)];
    let fifo = m.instance("u_fifo", &fifo, &inputs);
    m.output_is("room_o", &fifo.out("room_o"));
    m.output_is("empty_o", &fifo.out("empty_o"));
    let stored = fifo.out("data_o");
    let (data, scale_flag) = (stored.slice(bits - 1, 0), stored.bit(bits));
    let last_flag = last_i.map(|_| stored.bit(bits + 1));
    let valid = fifo.out("valid_o");
    let mut inputs =
        vec![("valid_i", &valid), ("scale_i", &scale_flag), ("data_i", &data), ("out_ready_i", &out_ready_i)];
    inputs.extend(last_flag.iter().map(|last| ("last_i", last)));
    let pack = m.instance("u_pack", &pack(config, plan)?, &inputs);
    m.assign(&pack_ready, &pack.out("ready_o"));
    for port in ["out_valid_o", "out_data_o", "out_last_o"] {
        m.output_is(port, &pack.out(port));
    }
    m.build()
}

/// Whether several words may stand in a beat, so that the last one must be known.
pub(super) fn shares_beats(config: &Config, plan: &Plan) -> bool {
    config.bus.data_bits / (8 * plan.lanes) > 1
}
