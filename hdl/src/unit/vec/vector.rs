//! The vector unit: rows of integers between matrix products, and their steps.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::divide_control::COUNT_BITS;
use super::lanes::lanes;
use super::plan::{ADDR_BITS, PARAM_BITS, VALUE_BITS, VecPlan};
use super::scalars::scalars;
use super::sequence::sequence;
use super::setup::setup;
use super::sinks::sinks;
use super::sources::sources;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vector`: executes the vec queue of [`spec::isa`], one instruction after the other.
///
/// Ports: `instr_valid_i`, `instr_ready_o`, `instr_i` (128 bits; tokens are the sequencer's matter), `retired_o` (the last
/// write is done), `busy_o`; `acc_read_o`, `acc_bank_o`, `acc_addr_o`, one cycle later `acc_data_i`; `param_write_i` (one bit a
/// lane), `param_waddr_i`, `param_wdata_i`: elements from `param_waddr_i` on; `act_write_o`, `act_half_o`, `act_addr_o`,
/// `act_lanes_o` (enables), `act_codes_o`, `act_scale_o`; `out_valid_o`, `out_ready_i`, `out_data_o`; `index_o`: IDX.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn vector(config: &Config) -> Result<Arc<Module>, Error> {
    let plan = VecPlan::new(config);
    let lane_count = plan.lanes;
    let doc = format!(
        "Vector unit: row ops, {lane_count} elements of 64 bits a cycle, on a memory of {} elements, and scalar\n\
         ops on a file of 256 entries. One instruction after the other.",
        plan.elements
    );
    let mut m = ModuleBuilder::new(module_name(config, "vector"), doc);
    let instr_valid_i = m.input("instr_valid_i", Ty::bit());
    let instr_i = m.input("instr_i", Ty::u(128));
    let acc_data_i = m.input("acc_data_i", Ty::u(plan.cols * plan.acc_bits));
    let param_write_i = m.input("param_write_i", Ty::u(lane_count));
    let param_waddr_i = m.input("param_waddr_i", Ty::u(ADDR_BITS));
    let param_wdata_i = m.input("param_wdata_i", Ty::u(lane_count * PARAM_BITS));
    let out_ready_i = m.input("out_ready_i", Ty::bit());
    let (bit, value) = (Ty::bit(), Ty::s(VALUE_BITS));

    m.section("Sequence");
    let [arith_done, paused, issued, empty, flushed, writes] =
        ["long_done", "paused", "issued", "empty", "flushed", "scalar_writes"].map(|name| m.net(name, bit));
    let last_result = m.net("last_result", Ty::u(2));
    let ports = [
        ("valid_i", &instr_valid_i),
        ("instr_i", &instr_i),
        ("arith_done_i", &arith_done),
        ("paused_i", &paused),
        ("issued_i", &issued),
        ("empty_i", &empty),
        ("flushed_i", &flushed),
        ("last_result_i", &last_result),
        ("writes_i", &writes),
    ];
    let unit = sequence(config, &plan)?;
    let seq = m.instance("u_sequence", &unit, &ports);
    let instr = seq.out("instr_o");
    let f = Fields::new(&mut m, &instr);
    let start = seq.out("start_o");

    m.section("Issue and memories");
    let [room, ordered] = ["room", "ordered"].map(|name| m.net(name, bit));
    let [serial, go] = ["serial", "go"].map(|name| m.net(name, bit));
    m.assign(&go, &(&room & (!&serial | &empty)));
    let interval = m.net("interval", Ty::u(COUNT_BITS));
    let value_waddr = m.net("value_waddr", Ty::u(ADDR_BITS));
    let value_write = m.net("value_write", Ty::u(lane_count));
    let data = m.net("result_data", Ty::u(lane_count * VALUE_BITS));
    let names = ["start", "blocks", "resume", "block_read", "block_take", "block_number", "param_read"];
    let passed = names.map(|name| (format!("{name}_i"), seq.out(&format!("{name}_o"))));
    let mut ports: Vec<(&str, &Expr)> = passed.iter().map(|(name, e)| (name.as_str(), e)).collect();
    ports.extend([
        ("instr_i", &instr),
        ("ordered_i", &ordered),
        ("interval_i", &interval),
        ("go_i", &go),
        ("value_write_i", &value_write),
        ("value_waddr_i", &value_waddr),
        ("value_wdata_i", &data),
        ("param_write_i", &param_write_i),
        ("param_waddr_i", &param_waddr_i),
        ("param_wdata_i", &param_wdata_i),
    ]);
    let unit = sources(config, &plan)?;
    let sources = m.instance("u_sources", &unit, &ports);
    let [emit, slot, mask, end, values, params, block] =
        ["emit_o", "slot_o", "mask_o", "end_o", "values_o", "params_o", "block_o"].map(|name| sources.out(name));
    m.assign(&paused, &sources.out("paused_o"));
    m.assign(&issued, &sources.out("done_o"));
    m.output_is("acc_read_o", &sources.out("acc_read_o"));
    m.output_is("acc_bank_o", &f.flag);
    m.output_is("acc_addr_o", &sources.out("acc_addr_o"));

    m.section("Scalar file and arithmetic");
    let param = m.wire("first_param", &params.slice(PARAM_BITS - 1, 0).as_signed());
    let [first, second] = ["reduced_first", "reduced_second"].map(|name| m.net(name, value));
    let factor = m.net("block_factor", Ty::u(8));
    let (immediate, places) =
        (m.wire("immediate", &instr.slice(79, 16).as_signed()), m.wire("places", &f.n.slice(7, 0).as_signed()));
    let names = ["scalar", "read", "read_addr", "entry", "write", "write_addr", "result", "arith_start"];
    let passed = names.map(|name| (format!("{name}_i"), seq.out(&format!("{name}_o"))));
    let mut ports: Vec<(&str, &Expr)> = passed.iter().map(|(name, e)| (name.as_str(), e)).collect();
    ports.extend([
        ("op_i", &f.op),
        ("imm_i", &f.imm),
        ("places_i", &places),
        ("value_i", &immediate),
        ("chord_i", &f.flag),
        ("first_i", &first),
        ("second_i", &second),
        ("param_i", &param),
        ("block_factor_i", &factor),
    ]);
    let unit = scalars(config)?;
    let scalars = m.instance("u_scalars", &unit, &ports);
    m.assign(&arith_done, &scalars.out("arith_done_o"));
    m.assign(&last_result, &scalars.out("last_result_o"));
    m.assign(&writes, &scalars.out("writes_o"));
    let s = [0, 1, 2, 3].map(|i| scalars.out(&format!("entry{i}_o")));
    let index_q = m.pipe_if("index_q", &seq.out("set_index_o"), &s[0].slice(31, 0));

    m.section("Constants of the op");
    let prepare = seq.out("prepare_o");
    let [octaves, den, more] = ["octaves_o", "den_o", "places_o"].map(|name| scalars.out(name));
    let ports = [
        ("instr_i", &instr),
        ("prepare_i", &prepare),
        ("s0_i", &s[0]),
        ("s1_i", &s[1]),
        ("block_i", &block),
        ("octaves_i", &octaves),
        ("den_i", &den),
        ("places_i", &more),
    ];
    let unit = setup(config, &plan)?;
    let setup = m.instance("u_setup", &unit, &ports);
    m.assign(&factor, &setup.out("block_factor_o"));
    m.assign(&serial, &setup.out("serial_o"));
    m.assign(&interval, &setup.out("interval_o"));

    m.section("Lanes");
    let names = ["addend", "factor", "offset", "bias", "negative_bias", "den", "steps", "own_steps", "own_align"];
    let passed = names.map(|name| (format!("{name}_i"), setup.out(&format!("{name}_o"))));
    let mut ports: Vec<(&str, &Expr)> = passed.iter().map(|(name, e)| (name.as_str(), e)).collect();
    ports.extend([
        ("op_i", &f.op),
        ("k_i", &f.k),
        ("zp_i", &f.zp),
        ("chord_i", &f.flag),
        ("saturate_i", &f.flag),
        ("asymmetric_i", &f.asymmetric),
        ("imm_i", &f.imm),
        ("slot_i", &slot),
        ("emit_i", &emit),
        ("mask_i", &mask),
        ("end_i", &end),
        ("values_i", &values),
        ("params_i", &params),
        ("sums_i", &acc_data_i),
    ]);
    let group = sources.out("acc_group_o");
    if plan.cols > plan.lanes {
        ports.push(("group_i", &group));
    }
    let unit = lanes(config, &plan)?;
    let lanes = m.instance("u_lanes", &unit, &ports);
    m.assign(&data, &lanes.out("data_o"));

    m.section("Results");
    let [set_act, set_out, cont] = ["set_act_o", "set_out_o", "cont_o"].map(|name| seq.out(name));
    let (valid, scale) = (lanes.out("valid_o"), setup.out("scale_o"));
    let ports = [
        ("instr_i", &instr),
        ("set_act_i", &set_act),
        ("set_out_i", &set_out),
        ("start_i", &start),
        ("cont_i", &cont),
        ("old_first_i", &s[2]),
        ("old_second_i", &s[3]),
        ("base_i", &s[1]),
        ("emit_i", &emit),
        ("end_i", &end),
        ("issued_i", &issued),
        ("valid_i", &valid),
        ("data_i", &data),
        ("scale_i", &scale),
        ("out_ready_i", &out_ready_i),
    ];
    let unit = sinks(config, &plan)?;
    let sinks = m.instance("u_sinks", &unit, &ports);
    for (net, port) in [
        (&room, "room_o"),
        (&ordered, "ordered_o"),
        (&empty, "empty_o"),
        (&flushed, "flushed_o"),
        (&value_write, "write_o"),
        (&value_waddr, "waddr_o"),
        (&first, "first_o"),
        (&second, "second_o"),
    ] {
        m.assign(net, &sinks.out(port));
    }
    for name in ["act_write", "act_half", "act_addr", "act_lanes", "act_codes", "act_scale", "out_valid", "out_data"] {
        let port = format!("{name}_o");
        m.output_is(&port, &sinks.out(&port));
    }
    m.output_is("instr_ready_o", &seq.out("ready_o"));
    m.output_is("retired_o", &seq.out("retired_o"));
    m.output_is("busy_o", &seq.out("busy_o"));
    m.output_is("index_o", &index_q);
    m.build()
}

/// Fields of a row op, named.
struct Fields {
    op: Expr,
    n: Expr,
    imm: Expr,
    k: Expr,
    flag: Expr,
    zp: Expr,
    asymmetric: Expr,
}

impl Fields {
    fn new(m: &mut ModuleBuilder, instr: &Expr) -> Self {
        let mut field = |name: &str, lsb: u32, bits: u32| m.wire(name, &instr.part(lsb, bits));
        Self {
            op: field("op", 0, 8),
            n: field("n", 16, ADDR_BITS),
            imm: field("imm", 80, ADDR_BITS),
            k: field("k", 112, 5),
            flag: field("flag", 123, 1),
            zp: field("zp", 124, 1),
            asymmetric: field("asymmetric", 79, 1),
        }
    }
}
