//! All lanes, what steers them, and what they have in common.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::block_max::block_max;
use super::block_scale::block_scale;
use super::divide_control::{COUNT_BITS, divide_control};
use super::flow::flow;
use super::issue::{SLOT_BITS, is};
use super::lane_unit::lane_unit;
use super::partner::partner;
use super::plan::{DEN_BITS, FACTOR_BITS, MOST_QBITS, PARAM_BITS, SHIFT_BITS, VALUE_BITS, VecPlan};
use super::quotient::ALIGN_BITS;
use super::steer::{source, steer};
use crate::error::Error;
use crate::rtl::connect::Nets;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// `<prefix>_vec_lanes`: words from the memories to words of results.
///
/// Ports: the op's fields; its constants (see [`super::constants`]); `slot_i`, `issue_i`, `emit_i`, `mask_i`, `end_i`: what is
/// issued in this cycle; one cycle later `values_i`, `params_i`, `sums_i` (with `group_i`): what has been read; `valid_o`,
/// `data_o`: results.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn lanes(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "{} lanes, what steers them, and what they have in common: turns of the dividers, partners of\n\
         butterflies, largest magnitudes and scales of blocks.",
        plan.lanes
    );
    let lanes = plan.lanes;
    let (value, bit, num) = (Ty::s(VALUE_BITS), Ty::bit(), Ty::u(plan.num_bits()));
    let mut m = ModuleBuilder::new(module_name(config, "vec_lanes"), doc);
    let op_i = m.input("op_i", Ty::u(8));
    let k_i = m.input("k_i", Ty::u(5));
    let zp_i = m.input("zp_i", bit);
    let chord_i = m.input("chord_i", bit);
    let saturate_i = m.input("saturate_i", bit);
    let asymmetric_i = m.input("asymmetric_i", bit);
    let imm_i = m.input("imm_i", Ty::u(16));
    let steps_i = m.input("steps_i", Ty::u(COUNT_BITS));
    let own_steps_i = m.input("own_steps_i", Ty::u(COUNT_BITS));
    let own_align_i = m.input("own_align_i", Ty::u(ALIGN_BITS));
    let addend_i = m.input("addend_i", value);
    let factor_i = m.input("factor_i", Ty::s(FACTOR_BITS));
    let offset_i = m.input("offset_i", Ty::u(SHIFT_BITS));
    let bias_i = m.input("bias_i", num);
    let negative_bias_i = m.input("negative_bias_i", num);
    let den_i = m.input("den_i", Ty::u(DEN_BITS));
    let slot_i = m.input("slot_i", Ty::u(SLOT_BITS));
    let emit_i = m.input("emit_i", bit);
    let mask_i = m.input("mask_i", Ty::u(lanes));
    let end_i = m.input("end_i", bit);
    let values_i = m.input("values_i", Ty::u(lanes * VALUE_BITS));
    let params_i = m.input("params_i", Ty::u(lanes * PARAM_BITS));
    let sums_i = m.input("sums_i", Ty::u(plan.cols * plan.acc_bits));

    m.section("Slots go along to the stages that need them");
    let slot1_q = m.pipe("slot1_q", &slot_i);
    let slot2_q = m.pipe("slot2_q", &slot1_q);
    let slot3_q = m.pipe("slot3_q", &slot2_q);
    let slot4_q = m.pipe("slot4_q", &slot3_q);
    let steer = steer(config, plan)?;
    let mut ports = vec![
        ("op_i", &op_i),
        ("zp_i", &zp_i),
        ("asymmetric_i", &asymmetric_i),
        ("slot1_i", &slot1_q),
        ("slot2_i", &slot2_q),
        ("slot4_i", &slot4_q),
    ];
    if lanes > 1 {
        ports.push(("k_i", &k_i));
    }
    let steer = m.instance("u_steer", &steer, &ports);

    m.section("Elements from the vector memory, the parameters or the accumulators");
    let word_bits = lanes * plan.acc_bits;
    let groups = plan.cols / lanes;
    let sums = m.net("group_sums", Ty::u(word_bits));
    if groups > 1 {
        let group_i = m.input("group_i", Ty::u(index_bits(groups)));
        m.comb("the group's columns", |b| {
            b.set(&sums, &sums_i.part(0, word_bits));
            b.case(&group_i, |c| {
                for g in 1..groups {
                    c.arm(&group_i.k(g.into()), |b| b.set(&sums, &sums_i.part(g * word_bits, word_bits)));
                }
            });
        });
    } else {
        m.assign(&sums, &sums_i);
    }
    let element = |word: &Expr, i: u32, bits: u32| word.part(i * bits, bits).as_signed().extend(VALUE_BITS);
    let elements = m.nets("element", value, lanes);
    let from = steer.out("source_o");
    let [of_params, of_sums] = [source::PARAMS, source::SUMS].map(|s| from.eq_k(s));
    let (of_params, of_sums) = (m.wire("of_params", &of_params), m.wire("of_sums", &of_sums));
    for i in 0..lanes {
        let other = of_sums.mux(&element(&sums, i, plan.acc_bits), &element(&values_i, i, VALUE_BITS));
        m.assign(&elements.at(i), &of_params.mux(&element(&params_i, i, PARAM_BITS), &other));
    }
    let params = m.nets("param", Ty::s(PARAM_BITS), lanes);
    m.split(&params_i, &params, 0, 1, lanes);

    m.section("When words come where");
    let block_valid = m.net("block_valid", bit);
    let divided = m.net("divided", bit);
    let ports = [
        ("op_i", &op_i),
        ("chord_i", &chord_i),
        ("emit_i", &emit_i),
        ("block_valid_i", &block_valid),
        ("divided_i", &divided),
    ];
    let flow_unit = flow(config)?;
    let flow = m.instance("u_flow", &flow_unit, &ports);
    let steps = m.wire("steps", &flow.out("own_load_o").mux(&own_steps_i, &steps_i));
    let control = divide_control(config, plan)?;
    let control = m.instance("u_divide_control", &control, &[("load_i", &flow.out("load_o")), ("steps_i", &steps)]);
    m.assign(&divided, &control.out("done_o"));

    m.section("Lanes");
    let xs = m.nets("x", value, lanes);
    let partners = m.nets("partner", value, lanes);
    let negates = m.nets("negate", bit, lanes);
    let x = m.join("xs", &xs, 0, 1, lanes);
    if lanes > 1 {
        let partner = partner(config, plan)?;
        let partner = m.instance("u_partner", &partner, &[("k_i", &k_i), ("data_i", &x)]);
        m.split(&partner.out("data_o"), &partners, 0, 1, lanes);
        let upper = partner.out("upper_o") & steer.out("upper_o").repeat(lanes);
        let negate = m.wire("negate_lanes", &(upper | steer.out("negate_o").repeat(lanes)));
        m.split(&negate, &negates, 0, 1, lanes);
    } else {
        m.assign(&partners.at(0), &Expr::lit(value, 0));
        m.assign(&negates.at(0), &steer.out("negate_o"));
    }
    let specials = m.nets("special", value, lanes);
    for i in 1..lanes {
        m.assign(&specials.at(i), &Expr::lit(value, 0));
    }
    let outs = ["value", "quotient", "inexact", "overflow", "result"];
    let types = [value, Ty::u(MOST_QBITS), bit, bit, value];
    let nets: Vec<Nets> = outs.iter().zip(types).map(|(name, ty)| m.nets(&format!("lane_{name}"), ty, lanes)).collect();
    let lane = lane_unit(config, plan)?;
    let exponential = m.wire("exponential", &(is(&op_i, Op::Vexp) | is(&op_i, Op::Vsig)));
    let shifts = m.wire("shifts", &is(&op_i, Op::Vshr));
    let limited = is(&op_i, Op::Vfix) | (&shifts & &saturate_i) | (is(&op_i, Op::Vquo) & imm_i.any());
    let limited = m.wire("limited", &limited);
    let limit = m.wire("limit", &shifts.mux(&imm_i.k(32767), &imm_i));
    let asymmetric = m.wire("asymmetric", &(is(&op_i, Op::Vquo) & &asymmetric_i));
    let float = m.wire("float", &k_i.gt(&k_i.k(1)));
    let places = m.wire("places", &imm_i.slice(3, 0));
    let shared = |e: &Expr| Conn::In(e.clone());
    let mut conns = vec![
        ("x_i", elements.step(0, 1, 0)),
        ("param_i", params.step(0, 1, 0)),
        ("partner_i", partners.step(0, 1, 0)),
        ("negate_i", negates.step(0, 1, 0)),
        ("special_i", specials.step(0, 1, 0)),
        ("magnitude_i", Conn::In(steer.out("magnitude_o"))),
        ("add_i", Conn::In(steer.out("add_o"))),
        ("factor_i", Conn::In(steer.out("factor_o"))),
        ("combine_i", Conn::In(steer.out("combine_o"))),
        ("addend_i", shared(&addend_i)),
        ("factor_const_i", shared(&factor_i)),
        ("offset_i", shared(&offset_i)),
        ("chord_i", shared(&chord_i)),
        ("unsigned_i", shared(&exponential)),
        ("sigmoid_i", Conn::In(flow.out("sigmoid_o"))),
        ("places_i", shared(&places)),
        ("align_i", shared(&own_align_i)),
        ("bias_i", shared(&bias_i)),
        ("negative_bias_i", shared(&negative_bias_i)),
        ("den_i", shared(&den_i)),
        ("load_i", Conn::In(control.out("load_o"))),
        ("limited_i", shared(&limited)),
        ("limit_i", shared(&limit)),
        ("asymmetric_i", shared(&asymmetric)),
        ("float_i", shared(&float)),
        ("path_i", Conn::In(flow.out("path_o"))),
        ("x_o", xs.step(0, 1, 0)),
    ];
    if plan.dividers > 1 {
        conns.push(("pick_i", Conn::In(control.out("pick_o"))));
    }
    let out_names: Vec<String> = outs.iter().map(|name| format!("{name}_o")).collect();
    for (name, nets) in out_names.iter().zip(&nets) {
        conns.push((name, nets.step(0, 1, 0)));
    }
    m.grid("u_lane", &lane, 1, lanes, &conns);

    m.section("Blocks: one result, in lane 0");
    let wanted = &emit_i & is(&op_i, Op::Vblk);
    let mut flags = Expr::concat(&[&end_i & &wanted, wanted]);
    let mut mask = mask_i;
    for stage in 1..=2 {
        flags = m.pipe_reset(&format!("block_flags{stage}_q"), 0, &flags);
        mask = m.pipe(&format!("block_mask{stage}_q"), &mask);
    }
    let largest = block_max(config, plan)?;
    let (valid, end) = (flags.bit(0), flags.bit(1));
    let ports = [("valid_i", &valid), ("end_i", &end), ("mask_i", &mask), ("data_i", &x)];
    let largest = m.instance("u_block_max", &largest, &ports);
    m.assign(&block_valid, &largest.out("valid_o"));
    let code = m.wire("is_code", &is(&op_i, Op::Ve4m));
    let first = [0, 1, 2, 3].map(|i: usize| nets[i].at(0));
    let magnitude = m.wire("magnitude", &first[0].as_unsigned());
    let scale = block_scale(config)?;
    let rule = m.wire("rule", &k_i.slice(1, 0));
    let ports = [
        ("value_i", &magnitude),
        ("quotient_i", &first[1]),
        ("inexact_i", &first[2]),
        ("overflow_i", &first[3]),
        ("code_i", &code),
        ("rule_i", &rule),
    ];
    let scale = m.instance("u_block_scale", &scale, &ports);
    let of_block = is(&op_i, Op::Vblk).mux(&largest.out("max_o"), &scale.out("scale_o").extend(VALUE_BITS));
    m.assign(&specials.at(0), &of_block);
    m.output_is("valid_o", &flow.out("valid_o"));
    let data = m.join("results", &nets[4], 0, 1, lanes);
    m.output_is("data_o", &data);
    m.build()
}
