//! The requantizer's datapath: lanes, row statistics, scales, and how they meet the words.

use spec::Config;
use spec::stream::CHANNEL_BITS;

use super::dyadic::MAX_SHIFT;
use super::minmax::minmax;
use super::requant_lane::requant_lane;
use super::requant_pipeline::{PerParity, Pipeline};
use super::requant_plan::{ALIGNED_BITS, Plan, RANGE_BITS, choose};
use super::row_scale::row_scale;
use super::row_stats::{BIAS_CYCLES, RANGE_CYCLES, row_stats};
use crate::error::Error;
use crate::rtl::connect::Outputs;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, ModuleBuilder, Ty, index_bits};

/// The command's mode, where there is a choice, and its step.
pub(super) struct Command {
    pub(super) asymmetric: Option<Expr>,
    pub(super) fixed: Option<Expr>,
    pub(super) mult: Expr,
    pub(super) shift: Expr,
}

/// Scales of the inputs' rows, as fetched.
pub(super) struct RowInputs {
    pub(super) mult: PerParity,
    pub(super) shift: PerParity,
    pub(super) zero_offset: Option<Expr>,
}

/// Takes a fetched row's scale into the registers of its parity.
pub(super) fn row_inputs(
    m: &mut ModuleBuilder,
    plan: &Plan,
    pipeline: &Pipeline,
    fetched: &Expr,
    data: &Expr,
) -> RowInputs {
    let odd = pipeline.parity.at(1);
    RowInputs {
        mult: PerParity::new(m, "row_mult", fetched, &odd, &data.slice(15, 0)),
        shift: PerParity::new(m, "row_shift", fetched, &odd, &data.slice(23, 16)),
        zero_offset: plan.asymmetric.then(|| {
            let zero_point = data.slice(31, 24).extend(9).as_signed();
            let value = m.wire("zero_offset", &(Expr::s(9, 128) - zero_point));
            let offset = PerParity::new(m, "zero_offset", fetched, &odd, &value);
            m.pipe("zero_offset_q", &offset.of(&odd))
        }),
    }
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
    plan: &Plan,
    sequencer: &Outputs,
    pipeline: &Pipeline,
    acc_data: &Expr,
    chan_data: &Expr,
) -> LaneInputs {
    let bits = plan.lanes * 32;
    let acc = if plan.groups > 1 {
        let group_q = m.pipe("group_q", &sequencer.out("group_o"));
        let acc = m.net("group_acc", Ty::u(bits));
        m.comb("the group's part of the accumulator word", |b| {
            b.set(&acc, &acc_data.part(0, bits));
            b.case(&group_q, |c| {
                for group in 1..plan.groups {
                    c.arm(&group_q.k(group.into()), |b| b.set(&acc, &acc_data.part(group * bits, bits)));
                }
            });
        });
        acc
    } else {
        acc_data.clone()
    };
    let used_q = m.pipe("used_q", &sequencer.out("used_o"));
    // Every row of a command ends with the same lanes, and a command begins when the one before it has drained.
    let tail_q = m.pipe_if("tail_q", &pipeline.last.at(1), &used_q);
    let every = Expr::u(1, 1).repeat(plan.lanes);
    let keep = m.wire("keep", &pipeline.last.at(plan.out() - 1).mux(&tail_q, &every));
    LaneInputs { acc, channel: chan_data.clone(), used: used_q, keep }
}

/// A row's constants, and the dividers' turns, in the stages in which the lanes take them.
#[derive(Default)]
pub(super) struct LaneControls {
    bias: Option<Expr>,
    dens: Option<Expr>,
    load: Option<Expr>,
    pick: Option<Expr>,
    mult: Option<Expr>,
    amount: Option<Expr>,
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

/// Range and bias of each row, for its words and their dividers; gives the ranges of both parities.
pub(super) fn statistics(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &Plan,
    command: &Command,
    pipeline: &Pipeline,
    aligned: &Expr,
    controls: &LaneControls,
) -> Result<Option<PerParity>, Error> {
    let (Some(measure), Some(bias), Some(dens)) = (&pipeline.measure, &controls.bias, &controls.dens) else {
        return Ok(None);
    };
    m.section("Row statistics");
    let reduced = plan.reduced();
    let tree = m.instance("u_minmax", &minmax(config, plan)?, &[("data_i", aligned)]);
    let (valid, first) = (measure.word.at(reduced), measure.first.at(reduced));
    let (min, max) = (tree.out("min_o"), tree.out("max_o"));
    let mut inputs = vec![("valid_i", &valid), ("first_i", &first), ("min_i", &min), ("max_i", &max)];
    inputs.extend(command.asymmetric.iter().map(|flag| ("asymmetric_i", flag)));
    let stats = m.instance("u_row_stats", &row_stats(config, plan)?, &inputs);
    let mut keep = |stem: &str, cycles: u32, port: &str| {
        let stage = reduced + cycles;
        PerParity::new(m, stem, &measure.done.at(stage), &pipeline.parity.at(stage), &stats.out(port))
    };
    let ranges = keep("range", RANGE_CYCLES, "range_o");
    let biases = keep("bias", BIAS_CYCLES, "bias_o");
    let bias_q = m.pipe("bias_q", &biases.of(&pipeline.parity.at(plan.aligned())));
    m.assign(bias, &bias_q);

    m.section("Dividers take turns; each keeps the range of the row it works on");
    let early = plan.load() - 1;
    let range = m.wire("early_range", &ranges.of(&pipeline.parity.at(early)));
    let ready = pipeline.emit.at(early);
    let turn = |m: &mut ModuleBuilder, name: &str, stage: u32| {
        let q = m.reg(name, Ty::u(index_bits(plan.dividers)));
        let wrap = q.eq_k(i128::from(plan.dividers) - 1);
        m.next_reset(&q, 0, Some(&pipeline.emit.at(stage)), &wrap.mux(&q.k(0), &(&q + q.k(1))));
        q
    };
    let hot = if plan.dividers > 1 {
        let turn_q = turn(m, "load_turn_q", early);
        let hot: Vec<_> = (0..plan.dividers).rev().map(|i| &ready & turn_q.eq_k(i.into())).collect();
        m.wire("load_next", &Expr::concat(&hot))
    } else {
        m.wire("load_next", &ready)
    };
    let mut held = Vec::new();
    for i in (0..plan.dividers).rev() {
        held.push(m.pipe_if(&format!("den{i}_q"), &hot.bit(i), &range));
    }
    m.assign(dens, &Expr::concat(&held));
    if let Some(load) = &controls.load {
        let load_q = m.pipe_reset("load_q", 0, &hot);
        m.assign(load, &load_q);
    }
    if let Some(pick) = &controls.pick {
        let pick_q = turn(m, "pick_turn_q", plan.load() + plan.steps());
        m.assign(pick, &pick_q);
    }
    Ok(Some(ranges))
}

/// Mantissas and shifts of both parities' rows, and which are ready.
pub(super) struct Scales {
    pub(super) mult: PerParity,
    pub(super) shift: PerParity,
    pub(super) ready: Expr,
}

/// The scale unit: serves the rows in their order, each when its range (static: its input's scale) is there.
pub(super) fn scales(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &Plan,
    command: &Command,
    pipeline: &Pipeline,
    (accept, fetch, fetched): (&Expr, &Expr, &Expr),
    rows: &RowInputs,
    ranges: Option<&PerParity>,
) -> Result<Scales, Error> {
    m.section("Scales of the requantised rows, in the order of the rows");
    let turn_q = m.reg("turn_q", Ty::bit());
    let start = m.net("scale_start", Ty::bit());
    let known = pipeline.measure.as_ref().map(|measure| {
        let stage = plan.reduced() + RANGE_CYCLES;
        (measure.done.at(stage), pipeline.parity.at(stage))
    });
    let at_once = plan.fixed.then(|| (fetched.clone(), pipeline.parity.at(1)));
    let mut either = |name: &str, part: &dyn Fn(&(Expr, Expr)) -> Expr| {
        let value = choose(command.fixed.as_ref(), at_once.as_ref().map(part), known.as_ref().map(part));
        m.wire(name, &value)
    };
    let (set, odd) = (either("scale_known", &|p| p.0.clone()), either("scale_known_odd", &|p| p.1.clone()));
    let pending = PerParity::flag(m, "scale_pending", (&set, &odd), (&start, &turn_q));
    let range = ranges.map(|ranges| ranges.of(&turn_q));
    let (row_mult, row_shift) = (rows.mult.of(&turn_q), rows.shift.of(&turn_q));
    let mut inputs = vec![
        ("start_i", &start),
        ("row_mult_i", &row_mult),
        ("row_shift_i", &row_shift),
        ("step_mult_i", &command.mult),
        ("step_shift_i", &command.shift),
    ];
    inputs.extend(range.iter().map(|range| ("range_i", range)));
    inputs.extend(command.asymmetric.iter().map(|flag| ("asymmetric_i", flag)));
    inputs.extend(command.fixed.iter().map(|flag| ("fixed_i", flag)));
    let unit = m.instance("u_row_scale", &row_scale(config, plan)?, &inputs);
    m.assign(&start, &(pending.of(&turn_q) & unit.out("idle_o")));
    let done = unit.out("done_o");
    m.next_if(&turn_q, &(accept | &done), &(&done & !&turn_q));
    let mult = PerParity::new(m, "scale_mult", &done, &turn_q, &unit.out("mult_o"));
    let shift = PerParity::new(m, "scale_shift", &done, &turn_q, &unit.out("shift_o"));
    let ready = PerParity::flag(m, "scale_ready", (&done, &turn_q), (fetch, &pipeline.parity.at(0)));
    Ok(Scales { mult, shift, ready: ready.both() })
}

/// The fixed ratio of each word's row: its mantissa and its shift, limited to 0..=56.
pub(super) fn ratio(m: &mut ModuleBuilder, plan: &Plan, pipeline: &Pipeline, scales: &Scales, controls: &LaneControls) {
    let (Some(mult), Some(amount)) = (&controls.mult, &controls.amount) else {
        return;
    };
    m.section("Fixed ratio of the row");
    let mult_q = m.pipe("ratio_mult_q", &scales.mult.of(&pipeline.parity.at(plan.aligned() - 1)));
    m.assign(mult, &mult_q);
    let shift = m.wire("row_ratio_shift", &scales.shift.of(&pipeline.parity.at(plan.aligned())));
    let limited = m.net("limited_shift", Ty::u(6));
    m.comb("a negative shift saturates every A but 0, a long one rounds every A to 0", |b| {
        b.set(&limited, &shift.slice(5, 0));
        b.when(&shift.gt(&shift.k(MAX_SHIFT.into())), |b| b.set(&limited, &limited.k(MAX_SHIFT.into())));
        b.when(&shift.sign(), |b| b.set(&limited, &limited.k(0)));
    });
    let amount_q = m.pipe("ratio_shift_q", &limited);
    m.assign(amount, &amount_q);
}
