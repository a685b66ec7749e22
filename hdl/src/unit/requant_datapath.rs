//! The requantizer's lanes, and what reaches them with each word.

use std::sync::Arc;

use spec::Config;
use spec::stream::CHANNEL_BITS;

use super::module_name;
use super::requant_lane::{SUM_BITS, requant_lane};
use super::requant_pipeline::Pipeline;
use super::requant_plan::{ALIGNED_BITS, Plan, RANGE_BITS};
use crate::error::Error;
use crate::rtl::connect::Outputs;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// The command's mode, where there is a choice, and its step.
pub(super) struct Command {
    pub(super) asymmetric: Option<Expr>,
    pub(super) fixed: Option<Expr>,
    pub(super) mult: Expr,
    pub(super) shift: Expr,
}

/// What enters the lanes in stage 1, and which codes they keep.
pub(super) struct LaneInputs {
    acc: Expr,
    channel: Expr,
    used: Expr,
    keep: Expr,
}

/// The group's accumulators and which of them are used.
pub(super) fn lane_inputs(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &Plan,
    (sequencer, pipeline): (&Outputs, &Pipeline),
    acc_data: &Expr,
    chan_data: &Expr,
) -> Result<LaneInputs, Error> {
    let acc = if plan.groups > 1 {
        let group_q = m.pipe("group_q", &sequencer.out("group_o"));
        let ports = [("group_i", &group_q), ("word_i", acc_data)];
        m.instance("u_group", &requant_group(config, plan)?, &ports).out("acc_o")
    } else {
        acc_data.clone()
    };
    let used_q = m.pipe("used_q", &sequencer.out("used_o"));
    // Every row of a command ends with the same lanes, and a command begins when the one before it has drained.
    let tail_q = m.pipe_if("tail_q", &pipeline.last.at(1), &used_q);
    let every = Expr::u(1, 1).repeat(plan.lanes);
    let keep = m.wire("keep", &pipeline.last.at(plan.out() - 1).mux(&tail_q, &every));
    Ok(LaneInputs { acc, channel: chan_data.clone(), used: used_q, keep })
}

/// `<prefix>_requant_group`: `acc_o`, the part of the accumulator word `word_i` that group `group_i` of columns is in;
/// combinational.
fn requant_group(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let bits = plan.lanes * SUM_BITS;
    let doc = format!("The accumulators of one of {} groups of {} columns. Combinational.", plan.groups, plan.lanes);
    let mut m = ModuleBuilder::new(module_name(config, "requant_group"), doc);
    let group_i = m.input("group_i", Ty::u(index_bits(plan.groups)));
    let word_i = m.input("word_i", Ty::u(plan.groups * bits));
    let acc = m.output("acc_o", Ty::u(bits));
    m.comb("the group's part of the accumulator word", |b| {
        b.set(&acc, &word_i.part(0, bits));
        b.case(&group_i, |c| {
            for group in 1..plan.groups {
                c.arm(&group_i.k(group.into()), |b| b.set(&acc, &word_i.part(group * bits, bits)));
            }
        });
    });
    m.build()
}

/// A row's constants, and the dividers' turns, in the stages in which the lanes take them.
#[derive(Default)]
pub(super) struct LaneControls {
    pub(super) bias: Option<Expr>,
    pub(super) dens: Option<Expr>,
    pub(super) load: Option<Expr>,
    pub(super) pick: Option<Expr>,
    pub(super) mult: Option<Expr>,
    pub(super) amount: Option<Expr>,
}

impl LaneControls {
    /// Wires, driven once the statistics and scales are described.
    pub(super) fn declare(m: &mut ModuleBuilder, plan: &Plan) -> Self {
        let mut net = |name: &str, built: bool, bits| built.then(|| m.net(name, Ty::u(bits)));
        Self {
            bias: net("bias", plan.measured(), super::requant_plan::NUMERATOR_BITS),
            dens: net("dens", plan.measured(), plan.dividers * RANGE_BITS),
            load: net("load", plan.measured() && plan.steps() > 1, plan.dividers),
            pick: net("pick", plan.measured() && plan.dividers > 1, index_bits(plan.dividers)),
            mult: net("ratio_mult", plan.fixed, 16),
            amount: net("ratio_shift", plan.fixed, 6),
        }
    }
}

/// The lanes; what leaves them: aligned sums (dynamic modes) and codes, lane 0 lowest.
pub(super) fn lanes(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &Plan,
    command: &Command,
    inputs: &LaneInputs,
    controls: &LaneControls,
    zero_offset: Option<&Expr>,
) -> Result<(Option<Expr>, Expr), Error> {
    let lane = requant_lane(config, plan)?;
    let count = plan.lanes;
    let mut conns = Vec::new();
    for (port, stem, ty, vector) in [
        ("acc_i", "lane_acc", Ty::s(32), &inputs.acc),
        ("channel_i", "lane_channel", Ty::u(CHANNEL_BITS), &inputs.channel),
        ("used_i", "lane_used", Ty::bit(), &inputs.used),
        ("keep_i", "lane_keep", Ty::bit(), &inputs.keep),
    ] {
        let nets = m.nets(stem, ty, count);
        m.split(vector, &nets, 0, 1, count);
        conns.push((port, nets.step(0, 1, 0)));
    }
    let amount = controls.amount.as_ref();
    let shared = [
        ("zero_offset_i", zero_offset.cloned()),
        ("asymmetric_i", command.asymmetric.clone()),
        ("fixed_i", command.fixed.clone()),
        ("bias_i", controls.bias.clone()),
        ("den_i", controls.dens.clone()),
        ("load_i", controls.load.clone()),
        ("pick_i", controls.pick.clone()),
        ("mult_i", controls.mult.clone()),
        ("coarse_i", amount.map(|amount| amount.slice(5, 3))),
        ("fine_i", amount.map(|amount| m.pipe("ratio_fine_q", &amount.slice(2, 0)))),
    ];
    conns.extend(shared.into_iter().filter_map(|(port, value)| Some((port, Conn::In(value?)))));
    let codes = m.nets("lane_code", Ty::u(8), count);
    conns.push(("code_o", codes.step(0, 1, 0)));
    let aligned = plan.measured().then(|| m.nets("lane_aligned", Ty::s(ALIGNED_BITS), count));
    conns.extend(aligned.iter().map(|nets| ("aligned_o", nets.step(0, 1, 0))));
    m.grid("u_lane", &lane, 1, count, &conns);
    let aligned = aligned.map(|nets| m.join("aligned", &nets, 0, 1, count));
    Ok((aligned, m.join("codes", &codes, 0, 1, count)))
}
