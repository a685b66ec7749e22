//! The vector unit: rows of integers between matrix products, and their steps.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::super::ram::{addr_bits, ram};
use super::act_writer::act_writer;
use super::constants::constants;
use super::divide_control::{COUNT_BITS, divide_plan};
use super::issue::{any, is, issue};
use super::lanes::lanes;
use super::memory::vec_memory;
use super::out::out;
use super::plan::{ADDR_BITS, PARAM_BITS, VALUE_BITS, VecPlan};
use super::reduce::reduce;
use super::results::results;
use super::scalar_alu::scalar_alu;
use super::scalar_arith::{arith, scalar_arith};
use super::sequence::{ENTRY_BITS, sequence};
use crate::error::Error;
use crate::rtl::connect::Outputs;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Where results go (`to` of a row op).
mod to {
    pub const VALUES: i128 = 0;
    pub const ACT: i128 = 1;
    pub const OUT: i128 = 2;
}

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
        "Vector unit: row ops on {lane_count} lanes, {} of 64 bits, scalar ops on a file of 256\n\
         entries. One instruction after the other; a word of {lane_count} elements a cycle.",
        super::super::requant_plan::count_of(plan.elements, "element")
    );
    let mut m = ModuleBuilder::new(module_name(config, "vector"), doc);
    let instr_valid_i = m.input("instr_valid_i", Ty::bit());
    let instr_i = m.input("instr_i", Ty::u(128));
    let acc_data_i = m.input("acc_data_i", Ty::u(plan.cols * plan.acc_bits));
    let param_write_i = m.input("param_write_i", Ty::u(lane_count));
    let param_waddr_i = m.input("param_waddr_i", Ty::u(ADDR_BITS));
    let param_wdata_i = m.input("param_wdata_i", Ty::u(lane_count * PARAM_BITS));
    let out_ready_i = m.input("out_ready_i", Ty::bit());
    let bit = Ty::bit();

    m.section("Sequence");
    let net = |m: &mut ModuleBuilder, name: &str| m.net(name, bit);
    let [arith_done, paused, issued, empty, flushed, writes] =
        ["long_done", "paused", "issued", "empty", "flushed", "scalar_writes"].map(|name| net(&mut m, name));
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
    let fields = Fields::new(&mut m, &instr);
    let start = seq.out("start_o");
    let to = |number: i128| fields.to.eq_k(number);
    let coded = m.wire("coded", &is(&fields.op, Op::Vcod));
    let to_act = m.wire("to_act", &(&coded | to(to::ACT)));
    let to_values = m.wire("to_values", &(!&coded & to(to::VALUES)));
    let to_out = m.wire("to_out", &(!&coded & to(to::OUT)));

    m.section("Scalar file, and the entries that the instruction reads");
    let result = m.net("file_wdata", Ty::s(VALUE_BITS));
    let wdata = m.wire("file_wbits", &result.as_unsigned());
    let file = ram(config, VALUE_BITS, 1 << ENTRY_BITS)?;
    let (read, read_addr) = (seq.out("read_o"), seq.out("read_addr_o"));
    let (write, write_addr) = (seq.out("write_o"), seq.out("write_addr_o"));
    let ports = [
        ("write_i", &write),
        ("waddr_i", &write_addr),
        ("wdata_i", &wdata),
        ("read_i", &read),
        ("raddr_i", &read_addr),
    ];
    let file = m.instance("u_file", &file, &ports).out("rdata_o");
    let entry = seq.out("entry_o");
    let s = [0, 1, 2, 3].map(|i| m.pipe_if(&format!("entry{i}_q"), &entry.bit(i), &file.as_signed()));
    let scalar = seq.out("scalar_o");

    m.section("Vector and parameter memory");
    let values = vec_memory(config, "vec_values", (VALUE_BITS, plan.elements, lane_count), ADDR_BITS)?;
    let params = vec_memory(config, "vec_params", (PARAM_BITS, plan.params, lane_count), ADDR_BITS)?;
    let [value_addr, param_addr, value_waddr] =
        ["value_addr", "param_addr", "value_waddr"].map(|name| m.net(name, Ty::u(ADDR_BITS)));
    let value_read = m.net("value_read", bit);
    let param_read = m.net("param_read", bit);
    let value_write = m.net("value_write", Ty::u(lane_count));
    let data = m.net("result_data", Ty::u(lane_count * VALUE_BITS));
    let ports = [
        ("write_i", &value_write),
        ("waddr_i", &value_waddr),
        ("wdata_i", &data),
        ("read_i", &value_read),
        ("raddr_i", &value_addr),
    ];
    let values = m.instance("u_values", &values, &ports).out("rdata_o");
    let ports = [
        ("write_i", &param_write_i),
        ("waddr_i", &param_waddr_i),
        ("wdata_i", &param_wdata_i),
        ("read_i", &param_read),
        ("raddr_i", &param_addr),
    ];
    let params = m.instance("u_params", &params, &ports).out("rdata_o");
    let block = values.slice(VALUE_BITS - 1, 0).as_signed();
    let block_q = m.pipe_if("block_q", &seq.out("block_take_o"), &block);

    m.section("Long arithmetic and scalar results");
    let long = arithmetic(&mut m, config, (&seq, &fields, &scalar), &s)?;
    m.assign(&arith_done, &long.arith.out("done_o"));
    let alu = scalar_alu(config)?;
    let nibble = m.wire("nibble", &fields.op.slice(3, 0));
    let immediate = m.wire("immediate", &instr.slice(79, 16).as_signed());
    let param = m.wire("param", &params.slice(PARAM_BITS - 1, 0).as_signed());
    let [bits, step, quotient, root] = ["bits_o", "step_o", "quotient_o", "root_o"].map(|name| long.arith.out(name));
    let ports = [
        ("op_i", &nibble),
        ("x_i", &s[0]),
        ("y_i", &s[1]),
        ("value_i", &immediate),
        ("param_i", &param),
        ("bits_i", &bits),
        ("step_i", &step),
        ("quotient_i", &quotient),
        ("root_i", &root),
    ];
    let alu = m.instance("u_alu", &alu, &ports);
    m.assign(&last_result, &alu.out("last_o"));
    m.assign(&writes, &alu.out("writes_o"));
    let index_q = m.pipe_if("index_q", &seq.out("set_index_o"), &s[0].slice(31, 0));

    m.section("Constants of the op; its divisions, and a sigmoid's own");
    let plans = divide_plan(config, &plan)?;
    let qbits = m.net("qbits", Ty::u(COUNT_BITS));
    let first = m.instance("u_first_division", &plans, &[("qbits_i", &qbits)]);
    let own_qbits = m.wire("own_qbits", &(fields.imm.slice(4, 0).extend(COUNT_BITS) + Expr::u(COUNT_BITS, 1)));
    let own = m.instance("u_own_division", &plans, &[("qbits_i", &own_qbits)]);
    let prepare = seq.out("prepare_o");
    let align = first.out("align_o");
    let ports = [
        ("prepare_i", &prepare),
        ("op_i", &fields.op),
        ("k_i", &fields.k),
        ("q_i", &fields.q),
        ("qbits_i", &fields.qbits),
        ("chord_i", &fields.flag),
        ("s0_i", &s[0]),
        ("s1_i", &s[1]),
        ("block_i", &block_q),
        ("octaves_i", &long.arith.out("octaves_o")),
        ("den_i", &long.arith.out("den_o")),
        ("places_i", &long.arith.out("places_o")),
        ("align_i", &align),
    ];
    let unit = constants(config, &plan)?;
    let constants = m.instance("u_constants", &unit, &ports);
    m.assign(&qbits, &constants.out("qbits_o"));
    m.assign(&long.block_factor, &constants.out("block_factor_o"));
    let sigmoid = m.wire("sigmoid", &is(&fields.op, Op::Vsig));
    let divides = any(&fields.op, &[Op::Vquo, Op::Vcod, Op::Ve4m]) | (is(&fields.op, Op::Vexp) & &fields.flag);
    let divides = m.wire("divides", &divides);
    let serial = m.wire("serial", &(&sigmoid & &fields.flag));
    let interval = m.net("interval", Ty::u(COUNT_BITS));
    m.comb("cycles from one word to the next; a sigmoid by the chord is made alone", |b| {
        b.set(&interval, &interval.k(1));
        b.when(&divides, |b| b.set(&interval, &first.out("interval_o")));
        b.when(&sigmoid, |b| b.set(&interval, &own.out("interval_o")));
        b.when(&serial, |b| b.set(&interval, &interval.k(2)));
    });

    m.section("Issue; the activation buffer and the out stream want results in order");
    let ordered = m.wire("ordered", &(&to_act | &to_out));
    let room = m.net("room", bit);
    let go = m.wire("go", &((!&to_out | &room) & (!&serial | &empty)));
    let (blocks, resume) = (seq.out("blocks_o"), seq.out("resume_o"));
    let ports = [
        ("start_i", &start),
        ("op_i", &fields.op),
        ("n_i", &fields.n),
        ("a_i", &fields.a),
        ("b_i", &fields.b),
        ("imm_i", &fields.imm),
        ("k_i", &fields.k),
        ("zp_i", &fields.zp),
        ("ordered_i", &ordered),
        ("blocks_i", &blocks),
        ("interval_i", &interval),
        ("resume_i", &resume),
        ("go_i", &go),
    ];
    let unit = issue(config, &plan)?;
    let issue = m.instance("u_issue", &unit, &ports);
    let (emit, slot, mask, end) = (issue.out("emit_o"), issue.out("slot_o"), issue.out("mask_o"), issue.out("end_o"));
    let issues = issue.out("issue_o");
    m.assign(&paused, &issue.out("block_o"));
    m.assign(&issued, &issue.out("done_o"));
    let block_read = seq.out("block_read_o");
    let number = seq.out("block_number_o");
    let block_addr = m.wire("block_addr", &(&fields.b + number.extend(ADDR_BITS)));
    m.assign(&value_addr, &block_read.mux(&block_addr, &issue.out("vb_addr_o")));
    m.assign(&value_read, &(&block_read | &issues));
    let first_param = seq.out("param_read_o");
    m.assign(&param_addr, &first_param.mux(&fields.b, &issue.out("pb_addr_o")));
    m.assign(&param_read, &(&first_param | &issues));
    m.output_is("acc_read_o", &issue.out("acc_read_o"));
    m.output_is("acc_bank_o", &fields.flag);
    m.output_is("acc_addr_o", &issue.out("acc_addr_o"));

    m.section("Lanes");
    let (steps, own_steps, own_align) = (first.out("steps_o"), own.out("steps_o"), own.out("align_o"));
    let of = ["addend", "factor", "offset", "bias", "negative_bias", "den"].map(|n| constants.out(&format!("{n}_o")));
    let mut ports = vec![
        ("op_i", &fields.op),
        ("k_i", &fields.k),
        ("zp_i", &fields.zp),
        ("chord_i", &fields.flag),
        ("saturate_i", &fields.flag),
        ("asymmetric_i", &fields.asymmetric),
        ("imm_i", &fields.imm),
        ("steps_i", &steps),
        ("own_steps_i", &own_steps),
        ("own_align_i", &own_align),
        ("addend_i", &of[0]),
        ("factor_i", &of[1]),
        ("offset_i", &of[2]),
        ("bias_i", &of[3]),
        ("negative_bias_i", &of[4]),
        ("den_i", &of[5]),
        ("slot_i", &slot),
        ("emit_i", &emit),
        ("mask_i", &mask),
        ("end_i", &end),
        ("values_i", &values),
        ("params_i", &params),
        ("sums_i", &acc_data_i),
    ];
    let group = issue.out("acc_group_o");
    if plan.cols > plan.lanes {
        ports.push(("group_i", &group));
    }
    let unit = lanes(config, &plan)?;
    let lanes = m.instance("u_lanes", &unit, &ports);
    m.assign(&data, &lanes.out("data_o"));
    let valid = lanes.out("valid_o");

    m.section("Results");
    let counted = m.wire("counted", &(&emit & (!is(&fields.op, Op::Vblk) | &end)));
    let ports = [
        ("start_i", &start),
        ("op_i", &fields.op),
        ("n_i", &fields.n),
        ("dst_i", &fields.dst),
        ("k_i", &fields.k),
        ("ordered_i", &ordered),
        ("emit_i", &counted),
        ("valid_i", &valid),
        ("issued_i", &issued),
    ];
    let unit = results(config, &plan)?;
    let results = m.instance("u_results", &unit, &ports);
    m.assign(&empty, &results.out("empty_o"));
    m.assign(&value_waddr, &results.out("addr_o"));
    let mask = results.out("mask_o");
    m.assign(&value_write, &(&mask & (&valid & &to_values).repeat(lane_count)));

    m.section("Reductions");
    let (cont, place) = (seq.out("cont_o"), results.out("place_o"));
    let ports = [
        ("start_i", &start),
        ("cont_i", &cont),
        ("first_i", &s[2]),
        ("second_i", &s[3]),
        ("kind_i", &fields.red),
        ("valid_i", &valid),
        ("mask_i", &mask),
        ("data_i", &data),
        ("place_i", &place),
        ("base_i", &s[1]),
    ];
    let unit = reduce(config, &plan)?;
    let reduced = m.instance("u_reduce", &unit, &ports);
    let which = seq.out("result_o");
    m.comb("what is written into S", |b| {
        b.set(&result, &which.bit(0).mux(&reduced.out("second_o"), &reduced.out("first_o")));
        b.when(&scalar, |b| {
            b.set(&result, &alu.out("result0_o"));
            b.case(&which, |c| {
                for i in 1..4 {
                    c.arm(&which.k(i), |b| b.set(&result, &alu.out(&format!("result{i}_o"))));
                }
            });
        });
    });

    m.section("Activation buffer");
    act(&mut m, config, &plan, &[(&seq, &results), (&constants, &lanes)], (&instr, &to_act))?;

    m.section("Out stream");
    let width_q = m.pipe_if("width_q", &seq.out("set_out_o"), &instr.slice(113, 112));
    let reserve = m.wire("reserve", &(&counted & &to_out));
    let out_valid = m.wire("out_word", &(&valid & &to_out));
    let (single, last) = (results.out("single_o"), results.out("last_o"));
    let ports = [
        ("width_i", &width_q),
        ("single_i", &single),
        ("reserve_i", &reserve),
        ("valid_i", &out_valid),
        ("mask_i", &mask),
        ("last_i", &last),
        ("data_i", &data),
        ("out_ready_i", &out_ready_i),
    ];
    let unit = out(config, &plan)?;
    let out = m.instance("u_out", &unit, &ports);
    m.assign(&room, &out.out("room_o"));
    m.assign(&flushed, &out.out("idle_o"));
    m.output_is("out_valid_o", &out.out("out_valid_o"));
    m.output_is("out_data_o", &out.out("out_data_o"));
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
    dst: Expr,
    a: Expr,
    b: Expr,
    imm: Expr,
    k: Expr,
    to: Expr,
    red: Expr,
    flag: Expr,
    zp: Expr,
    q: Expr,
    asymmetric: Expr,
    qbits: Expr,
}

impl Fields {
    fn new(m: &mut ModuleBuilder, instr: &Expr) -> Self {
        let mut field = |name: &str, lsb: u32, bits: u32| m.wire(name, &instr.part(lsb, bits));
        Self {
            op: field("op", 0, 8),
            n: field("n", 16, ADDR_BITS),
            dst: field("dst", 32, ADDR_BITS),
            a: field("a", 48, ADDR_BITS),
            b: field("b", 64, ADDR_BITS),
            imm: field("imm", 80, ADDR_BITS),
            k: field("k", 112, 5),
            to: field("to", 117, 2),
            red: field("red", 119, 3),
            flag: field("flag", 123, 1),
            zp: field("zp", 124, 1),
            q: field("q", 64, 15),
            asymmetric: field("asymmetric", 79, 1),
            qbits: field("qbits_field", 123, 5),
        }
    }
}

struct Long {
    arith: Outputs,
    block_factor: Expr,
}

/// The long arithmetic with its operands: entries of S, or for a block its scale.
fn arithmetic(
    m: &mut ModuleBuilder,
    config: &Config,
    (seq, fields, scalar): (&Outputs, &Fields, &Expr),
    s: &[Expr; 4],
) -> Result<Long, Error> {
    let unit = scalar_arith(config)?;
    let op = m.net("arith_op", Ty::u(3));
    m.comb("long arithmetic of an op", |b| {
        b.set(&op, &op.k(arith::BITS));
        let mut when = |ops: &[Op], number: i128| b.when(&any(&fields.op, ops), |b| b.set(&op, &op.k(number)));
        when(&[Op::Sscl], arith::SCALE);
        when(&[Op::Sprd], arith::PRODUCT);
        when(&[Op::Sdiv], arith::ROUND);
        when(&[Op::Srms], arith::RMS);
        when(&[Op::Vcod], arith::TIMES);
        b.when(&any(&fields.op, &[Op::Vexp, Op::Vsig]), |b| {
            b.set(&op, &fields.flag.mux(&op.k(arith::CHORD), &op.k(arith::POLY)));
        });
    });
    let x = m.wire("arith_x", &s[0].as_unsigned());
    let y = m.wire("arith_y", &scalar.mux(&s[1], &s[0]).as_unsigned());
    let z = m.wire("arith_z", &is(&fields.op, Op::Sprd).mux(&s[0], &s[2]).as_unsigned());
    let factor = m.net("block_factor", Ty::u(8));
    let small = m.wire("arith_small", &scalar.mux(&fields.imm, &factor.extend(16)));
    let places = m.wire("long_places", &fields.n.slice(7, 0).as_signed());
    let start = seq.out("arith_start_o");
    let ports = [
        ("start_i", &start),
        ("op_i", &op),
        ("x_i", &x),
        ("y_i", &y),
        ("z_i", &z),
        ("small_i", &small),
        ("places_i", &places),
    ];
    Ok(Long { arith: m.instance("u_arith", &unit, &ports), block_factor: factor })
}

/// The writer of the activation buffer and its ports.
fn act(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &VecPlan,
    units: &[(&Outputs, &Outputs); 2],
    (instr, to_act): (&Expr, &Expr),
) -> Result<(), Error> {
    let [(seq, results), (constants, lanes)] = units;
    let unit = act_writer(config, plan)?;
    let field = |m: &mut ModuleBuilder, name: &str, lsb: u32, bits: u32| m.wire(name, &instr.part(lsb, bits));
    let half = field(m, "set_half", 123, 1);
    let base = field(m, "set_base", 48, 14);
    let row = field(m, "set_row", 27, 11);
    let rows = field(m, "set_rows", 16, 11);
    let used = field(m, "set_used", 64, 8);
    let block = field(m, "set_block", 72, 8);
    let data = lanes.out("data_o");
    let codes: Vec<_> = (0..plan.lanes).rev().map(|i| data.part(i * VALUE_BITS, 8)).collect();
    let codes = m.wire("act_word", &Expr::concat(&codes));
    let valid = m.wire("act_valid", &(lanes.out("valid_o") & to_act));
    let addr = addr_bits(plan.act_words);
    let ports = [
        ("set_i", &seq.out("set_act_o")),
        ("half_i", &half),
        ("base_i", &base),
        ("row_i", &row),
        ("rows_i", &rows),
        ("used_i", &used),
        ("block_i", &block),
        ("start_i", &seq.out("start_o")),
        ("valid_i", &valid),
        ("mask_i", &results.out("mask_o")),
        ("single_i", &results.out("single_o")),
        ("codes_i", &codes),
        ("scale_i", &constants.out("scale_o")),
    ];
    let act = m.instance("u_act", &unit, &ports);
    debug_assert!(addr <= 14, "act addresses have at most 14 bits");
    for name in ["write", "half", "addr", "lanes", "codes", "scale"] {
        m.output_is(&format!("act_{name}_o"), &act.out(&format!("{name}_o")));
    }
    Ok(())
}
