//! Where results go: the vector memory, the activation buffer, the out stream, reductions.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::act_writer::act_writer;
use super::issue::is;
use super::out::out;
use super::plan::{ADDR_BITS, VALUE_BITS, VecPlan};
use super::reduce::reduce;
use super::results::results;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Where results go (`to` of a row op).
mod to {
    pub const VALUES: i128 = 0;
    pub const ACT: i128 = 1;
    pub const OUT: i128 = 2;
}

/// `<prefix>_vec_sinks`: results to where the op sends them.
///
/// Ports: `instr_i` (held while it is under way), `set_act_i`, `set_out_i` (it is `SETA` or `SETO`); `start_i` with `cont_i`,
/// `old_first_i`, `old_second_i`, `base_i` of the reduction; `emit_i` (a word with a result is issued), `end_i` (the last of
/// its block), `issued_i`; `valid_i`, `data_i` (results), `scale_i`; `ordered_o` (results must come in order), `room_o` (for
/// a word), `empty_o` (no result is on its way), `flushed_o`; `write_o`, `waddr_o` of the vector memory; `first_o`, `second_o`;
/// the ports of [`act_writer`] and [`out`].
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn sinks(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Results of row ops: their places in the vector memory, the activation buffer or the out stream,\n\
               and reductions over them.";
    let lanes = plan.lanes;
    let (value, bit) = (Ty::s(VALUE_BITS), Ty::bit());
    let mut m = ModuleBuilder::new(module_name(config, "vec_sinks"), doc);
    let instr_i = m.input("instr_i", Ty::u(128));
    let set_act_i = m.input("set_act_i", bit);
    let set_out_i = m.input("set_out_i", bit);
    let start_i = m.input("start_i", bit);
    let cont_i = m.input("cont_i", bit);
    let [old_first_i, old_second_i, base_i] =
        ["old_first_i", "old_second_i", "base_i"].map(|name| m.input(name, value));
    let emit_i = m.input("emit_i", bit);
    let end_i = m.input("end_i", bit);
    let issued_i = m.input("issued_i", bit);
    let valid_i = m.input("valid_i", bit);
    let data_i = m.input("data_i", Ty::u(lanes * VALUE_BITS));
    let scale_i = m.input("scale_i", Ty::u(8));
    let out_ready_i = m.input("out_ready_i", bit);
    let field = |m: &mut ModuleBuilder, name: &str, lsb: u32, bits: u32| m.wire(name, &instr_i.part(lsb, bits));
    let op = field(&mut m, "op", 0, 8);
    let target = field(&mut m, "target", 117, 2);
    let coded = m.wire("coded", &is(&op, Op::Vcod));
    let to_act = m.wire("to_act", &(&coded | target.eq_k(to::ACT)));
    let to_values = m.wire("to_values", &(!&coded & target.eq_k(to::VALUES)));
    let to_out = m.wire("to_out", &(!&coded & target.eq_k(to::OUT)));
    let ordered = m.wire("ordered", &(&to_act | &to_out));

    m.section("Places");
    let counted = m.wire("counted", &(&emit_i & (!is(&op, Op::Vblk) | &end_i)));
    let (n, dst) = (field(&mut m, "n", 16, ADDR_BITS), field(&mut m, "dst", 32, ADDR_BITS));
    let k = field(&mut m, "k", 112, 5);
    let ports = [
        ("start_i", &start_i),
        ("op_i", &op),
        ("n_i", &n),
        ("dst_i", &dst),
        ("k_i", &k),
        ("ordered_i", &ordered),
        ("emit_i", &counted),
        ("valid_i", &valid_i),
        ("issued_i", &issued_i),
    ];
    let unit = results(config, plan)?;
    let results = m.instance("u_results", &unit, &ports);
    let (mask, single) = (results.out("mask_o"), results.out("single_o"));
    m.output_is("write_o", &(&mask & (&valid_i & &to_values).repeat(lanes)));
    m.output_is("waddr_o", &results.out("addr_o"));
    m.output_is("empty_o", &results.out("empty_o"));
    m.output_is("ordered_o", &ordered);

    m.section("Reductions");
    let kind = field(&mut m, "kind", 119, 3);
    let place = results.out("place_o");
    let ports = [
        ("start_i", &start_i),
        ("cont_i", &cont_i),
        ("first_i", &old_first_i),
        ("second_i", &old_second_i),
        ("kind_i", &kind),
        ("valid_i", &valid_i),
        ("mask_i", &mask),
        ("data_i", &data_i),
        ("place_i", &place),
        ("base_i", &base_i),
    ];
    let unit = reduce(config, plan)?;
    let reduced = m.instance("u_reduce", &unit, &ports);
    m.output_is("first_o", &reduced.out("first_o"));
    m.output_is("second_o", &reduced.out("second_o"));

    m.section("Activation buffer");
    let codes: Vec<_> = (0..lanes).rev().map(|i| data_i.part(i * VALUE_BITS, 8)).collect();
    let codes = m.wire("codes", &Expr::concat(&codes));
    let valid = m.wire("act_valid", &(&valid_i & &to_act));
    let fields =
        [("rows", 16, 11), ("row", 27, 11), ("base", 48, 14), ("used", 64, 8), ("block", 72, 8), ("half", 123, 1)];
    let fields =
        fields.map(|(name, lsb, bits)| (format!("{name}_i"), field(&mut m, &format!("set_{name}"), lsb, bits)));
    let mut ports = vec![
        ("set_i", &set_act_i),
        ("start_i", &start_i),
        ("valid_i", &valid),
        ("mask_i", &mask),
        ("single_i", &single),
        ("codes_i", &codes),
        ("scale_i", &scale_i),
    ];
    ports.extend(fields.iter().map(|(name, e)| (name.as_str(), e)));
    let unit = act_writer(config, plan)?;
    let act = m.instance("u_act", &unit, &ports);
    for name in ["write", "half", "addr", "lanes", "codes", "scale"] {
        m.output_is(&format!("act_{name}_o"), &act.out(&format!("{name}_o")));
    }

    m.section("Out stream");
    let width_q = m.pipe_if("width_q", &set_out_i, &instr_i.slice(113, 112));
    let reserve = m.wire("reserve", &(&counted & &to_out));
    let out_valid = m.wire("out_word", &(&valid_i & &to_out));
    let last = results.out("last_o");
    let ports = [
        ("width_i", &width_q),
        ("single_i", &single),
        ("reserve_i", &reserve),
        ("valid_i", &out_valid),
        ("mask_i", &mask),
        ("last_i", &last),
        ("data_i", &data_i),
        ("out_ready_i", &out_ready_i),
    ];
    let unit = out(config, plan)?;
    let out = m.instance("u_out", &unit, &ports);
    m.output_is("room_o", &(!&to_out | out.out("room_o")));
    m.output_is("flushed_o", &out.out("idle_o"));
    m.output_is("out_valid_o", &out.out("out_valid_o"));
    m.output_is("out_data_o", &out.out("out_data_o"));
    m.build()
}
