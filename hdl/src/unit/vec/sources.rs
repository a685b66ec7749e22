//! Where elements come from: issue, the vector memory and the parameters.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::ram::addr_bits;
use super::divide_control::COUNT_BITS;
use super::issue::{SLOT_BITS, issue};
use super::memory::vec_memory;
use super::plan::{ADDR_BITS, PARAM_BITS, VALUE_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty, index_bits};

/// `<prefix>_vec_sources`: words of elements, parameters and sums for the lanes.
///
/// Ports: `instr_i` (held while it is under way); those of [`issue`] but for addresses; `block_read_i`, `block_number_i`: the
/// scale of a block is read, and with `block_take_i` one cycle later kept as `block_o`; `param_read_i`: PB[b] is read; writes
/// of both memories; `values_o`, `params_o`: words, one cycle after their issue.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn sources(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Issue of row ops, and the vector and parameter memories that it reads; scales of blocks.";
    let lanes = plan.lanes;
    let values = vec_memory(config, "vec_values", (VALUE_BITS, plan.elements, lanes), ADDR_BITS)?;
    let params = vec_memory(config, "vec_params", (PARAM_BITS, plan.params, lanes), ADDR_BITS)?;
    let issue = issue(config, plan)?;
    let mut m = ModuleBuilder::new(module_name(config, "vec_sources"), doc);
    let bit = Ty::bit();
    let instr_i = m.input("instr_i", Ty::u(128));
    let start_i = m.input("start_i", bit);
    let ordered_i = m.input("ordered_i", bit);
    let blocks_i = m.input("blocks_i", bit);
    let interval_i = m.input("interval_i", Ty::u(COUNT_BITS));
    let resume_i = m.input("resume_i", bit);
    let go_i = m.input("go_i", bit);
    let block_read_i = m.input("block_read_i", bit);
    let block_take_i = m.input("block_take_i", bit);
    let block_number_i = m.input("block_number_i", Ty::u(13));
    let param_read_i = m.input("param_read_i", bit);
    let value_write_i = m.input("value_write_i", Ty::u(lanes));
    let value_waddr_i = m.input("value_waddr_i", Ty::u(ADDR_BITS));
    let value_wdata_i = m.input("value_wdata_i", Ty::u(lanes * VALUE_BITS));
    let param_write_i = m.input("param_write_i", Ty::u(lanes));
    let param_waddr_i = m.input("param_waddr_i", Ty::u(ADDR_BITS));
    let param_wdata_i = m.input("param_wdata_i", Ty::u(lanes * PARAM_BITS));

    let fields =
        [("op", 0, 8), ("n", 16, 16), ("a", 48, 16), ("b", 64, 16), ("imm", 80, 16), ("k", 112, 5), ("zp", 124, 1)];
    let fields = fields.map(|(name, lsb, bits)| (format!("{name}_i"), m.wire(name, &instr_i.part(lsb, bits))));
    let first_param = fields[3].1.clone();
    let mut ports = vec![
        ("start_i", &start_i),
        ("ordered_i", &ordered_i),
        ("blocks_i", &blocks_i),
        ("interval_i", &interval_i),
        ("resume_i", &resume_i),
        ("go_i", &go_i),
    ];
    ports.extend(fields.iter().map(|(name, e)| (name.as_str(), e)));
    let issue = m.instance("u_issue", &issue, &ports);
    let issues = issue.out("issue_o");
    let mut outs = vec![
        ("slot_o", Ty::u(SLOT_BITS)),
        ("emit_o", bit),
        ("mask_o", Ty::u(lanes)),
        ("end_o", bit),
        ("block_o", bit),
        ("done_o", bit),
        ("acc_read_o", bit),
        ("acc_addr_o", Ty::u(addr_bits(plan.acc_words))),
    ];
    if plan.cols > lanes {
        outs.push(("acc_group_o", Ty::u(index_bits(plan.cols / lanes))));
    }
    for (name, ty) in outs {
        let port = m.output(if name == "block_o" { "paused_o" } else { name }, ty);
        m.assign(&port, &issue.out(name));
    }

    m.section("Vector memory");
    let block_addr = m.wire("block_addr", &(&first_param + block_number_i.extend(ADDR_BITS)));
    let addr = m.wire("value_addr", &block_read_i.mux(&block_addr, &issue.out("vb_addr_o")));
    let read = m.wire("value_read", &(&block_read_i | &issues));
    let ports = [
        ("write_i", &value_write_i),
        ("waddr_i", &value_waddr_i),
        ("wdata_i", &value_wdata_i),
        ("read_i", &read),
        ("raddr_i", &addr),
    ];
    let values = m.instance("u_values", &values, &ports).out("rdata_o");
    let block_q = m.pipe_if("block_q", &block_take_i, &values.slice(VALUE_BITS - 1, 0).as_signed());
    m.output_is("values_o", &values);
    m.output_is("block_o", &block_q);

    m.section("Parameter memory");
    let addr = m.wire("param_addr", &param_read_i.mux(&first_param, &issue.out("pb_addr_o")));
    let read = m.wire("param_read", &(&param_read_i | &issues));
    let ports = [
        ("write_i", &param_write_i),
        ("waddr_i", &param_waddr_i),
        ("wdata_i", &param_wdata_i),
        ("read_i", &read),
        ("raddr_i", &addr),
    ];
    let params = m.instance("u_params", &params, &ports).out("rdata_o");
    m.output_is("params_o", &params);
    m.build()
}
