//! The requantizer: finished rows of accumulators become 8-bit codes with a scale.

use std::sync::Arc;

use spec::Config;
use spec::stream::{CHANNEL_BITS, ROW_BITS};

use super::module_name;
use super::requant_datapath::{Command, LaneControls, lane_inputs, lanes};
use super::requant_pipeline::{Measure, PerParity, Pipeline, pipeline};
use super::requant_plan::{Plan, count_of};
use super::requant_results::{requant_results, shares_beats};
use super::requant_scales::requant_scales;
use super::requant_sequencer::{address_bits, requant_sequencer};
use super::requant_stats::requant_stats;
use super::row_scale;
use super::row_stats::{BIAS_CYCLES, RANGE_CYCLES};
use super::run_sizes::RunSizes;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_requant`: reads a chunk's accumulators and gives its codes, row by row, each row with its scale.
///
/// Ports: command `cmd_*` (`cmd_mode_i` is not there if only one mode is built); `read_done_o`: the chunk has been read, its bank is free; `busy_o`; memories `acc_*`, `row_*`,
/// `chan_*` (data one cycle after the enable, held); stream `out_*`. Rows, channels and beats as in [`spec::stream`].
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
///
/// # Panics
/// If a row's scale could be overwritten before it is sent: a mistake in the stages of [`Plan`].
pub fn requant(config: &Config) -> Result<Arc<Module>, Error> {
    let plan = &Plan::new(config);
    // Row i + 2 is fetched at least one cycle after row i ended; its scale unit starts 2 cycles later.
    assert!(plan.out() <= 3 + row_scale::CYCLES, "a scale leaves before the next one of its parity is ready");
    let doc = format!(
        "Requantizer: each row of a chunk is read twice, once to find its range, once to make codes\n\
         (mode static: once). A word of {} takes 1 cycle in the first pass, {} in the second;\n\
         its codes enter the FIFO {} after its issue. A row takes 2 cycles more.",
        count_of(plan.lanes, "value"),
        count_of(plan.interval(), "cycle"),
        count_of(plan.out(), "cycle")
    );
    let mut m = ModuleBuilder::new(module_name(config, "requant"), doc);
    let bit = Ty::bit();
    let sizes = RunSizes::new(config);
    let cmd_valid_i = m.input("cmd_valid_i", bit);
    let cmd_ready = m.output("cmd_ready_o", bit);
    let cmd_bank_i = m.input("cmd_bank_i", bit);
    let cmd_mode_i = plan.chooses_mode().then(|| m.input("cmd_mode_i", Ty::u(2)));
    let cmd_rows_i = m.input("cmd_rows_i", Ty::u(sizes.rows));
    let cmd_last_cols_i = m.input("cmd_last_cols_i", Ty::u(sizes.last_cols));
    let cmd_n_tiles_i = m.input("cmd_n_tiles_i", Ty::u(sizes.n_tiles));
    let cmd_mult_i = m.input("cmd_mult_i", Ty::u(16));
    let cmd_shift_i = m.input("cmd_shift_i", Ty::u(8));
    let direct = [("read_done_o", 1), ("busy_o", 1), ("acc_en_o", 1), ("acc_bank_o", 1)];
    let mut ports: Vec<_> = direct.into_iter().map(|(name, bits)| (name, m.output(name, Ty::u(bits)))).collect();
    let mut port = |m: &mut ModuleBuilder, name: &'static str, bits| ports.push((name, m.output(name, Ty::u(bits))));
    port(&mut m, "acc_addr_o", address_bits(config.acc_words()));
    let acc_data_i = m.input("acc_data_i", Ty::u(config.acc_word_bits()));
    port(&mut m, "row_en_o", 1);
    port(&mut m, "row_bank_o", 1);
    port(&mut m, "row_addr_o", address_bits(config.array.chunk_rows));
    let row_data_i = m.input("row_data_i", Ty::u(ROW_BITS));
    port(&mut m, "chan_en_o", 1);
    port(&mut m, "chan_addr_o", address_bits(config.channel_words()));
    let chan_data_i = m.input("chan_data_i", Ty::u(plan.lanes * CHANNEL_BITS));
    port(&mut m, "out_valid_o", 1);
    let out_ready_i = m.input("out_ready_i", bit);
    port(&mut m, "out_data_o", config.bus.data_bits);
    port(&mut m, "out_last_o", 1);

    m.section("Command");
    let accept = m.wire("accept", &(&cmd_valid_i & &cmd_ready));
    let mut mode = |name: &str, built: bool, code: i128| {
        let mode = cmd_mode_i.as_ref().filter(|_| built)?;
        Some(m.pipe_if(name, &accept, &mode.eq_k(code)))
    };
    let command = Command {
        asymmetric: mode("asymmetric_q", plan.both_dynamic(), 1),
        fixed: mode("fixed_q", plan.both_rules(), 2),
        mult: m.pipe_if("mult_q", &accept, &cmd_mult_i),
        shift: m.pipe_if("shift_q", &accept, &cmd_shift_i),
    };

    m.section("Sequencer");
    let net = |m: &mut ModuleBuilder, name: &str, bits| m.net(name, Ty::u(bits));
    let stats_ready = plan.measured().then(|| net(&mut m, "stats_ready", 2));
    let scale_ready = net(&mut m, "scale_ready", 2);
    let room = net(&mut m, "room", 1);
    let drained = net(&mut m, "drained", 1);
    let sequencer = requant_sequencer(config, plan)?;
    let mut inputs = vec![
        ("cmd_valid_i", &cmd_valid_i),
        ("cmd_bank_i", &cmd_bank_i),
        ("cmd_rows_i", &cmd_rows_i),
        ("cmd_last_cols_i", &cmd_last_cols_i),
        ("cmd_n_tiles_i", &cmd_n_tiles_i),
        ("scale_ready_i", &scale_ready),
        ("room_i", &room),
        ("drained_i", &drained),
    ];
    inputs.extend(command.fixed.iter().map(|fixed| ("fixed_i", fixed)));
    inputs.extend(stats_ready.iter().map(|ready| ("stats_ready_i", ready)));
    let sequencer = m.instance("u_sequencer", &sequencer, &inputs);
    m.assign(&cmd_ready, &sequencer.out("cmd_ready_o"));

    m.section("Words under way: bit s - 1 is the word of stage s");
    let pipeline = pipeline(&mut m, plan, &sequencer);
    m.assign(&drained, &!pipeline.emit.taps.any());

    m.section("Lanes");
    let fetch = sequencer.out("fetch_o");
    let fetched_q = m.pipe_reset("fetched_q", 0, &fetch);
    let controls = LaneControls::declare(&mut m, plan);
    let inputs = lane_inputs(&mut m, config, plan, (&sequencer, &pipeline), &acc_data_i, &chan_data_i)?;
    let zero_offset = plan.asymmetric.then(|| m.net("zero_offset", Ty::s(9)));
    let (aligned, codes) = lanes(&mut m, config, plan, &command, &inputs, &controls, zero_offset.as_ref())?;

    let ranges = match (&aligned, &pipeline.measure) {
        (Some(aligned), Some(measure)) => {
            Some(statistics(&mut m, config, plan, &command, (&pipeline, measure), aligned, &controls)?)
        }
        _ => None,
    };
    if let (Some(ready), Some(measure)) = (&stats_ready, &pipeline.measure) {
        // The bias is there `reduced + BIAS_CYCLES + 1` cycles after the row's last word was issued to be measured, and a
        // word needs it `aligned` cycles after it is issued: so it may be issued `tree` + BIAS_CYCLES + 1 cycles later.
        let stage = plan.tree() + BIAS_CYCLES;
        let set = (&measure.done.at(stage), &pipeline.parity.at(stage));
        let flags = PerParity::flag(&mut m, "stats_ready", set, (&fetch, &pipeline.parity.at(0)));
        m.assign(ready, &flags.both());
    }

    m.section("Scales");
    let mut inputs = vec![
        ("start_i", accept),
        ("mult_i", command.mult.clone()),
        ("shift_i", command.shift.clone()),
        ("fetch_i", fetch),
        ("fetch_odd_i", pipeline.parity.at(0)),
        ("fetched_i", fetched_q),
        ("fetched_odd_i", pipeline.parity.at(1)),
        ("row_data_i", row_data_i),
        ("result_odd_i", pipeline.parity.at(plan.out())),
    ];
    inputs.extend(command.asymmetric.iter().map(|flag| ("asymmetric_i", flag.clone())));
    inputs.extend(command.fixed.iter().map(|flag| ("fixed_i", flag.clone())));
    if let (Some(measure), Some(ranges)) = (&pipeline.measure, &ranges) {
        let stage = plan.reduced() + RANGE_CYCLES;
        inputs.extend([
            ("range_done_i", measure.done.at(stage)),
            ("range_odd_i", pipeline.parity.at(stage)),
            ("even_range_i", ranges.even()),
            ("odd_range_i", ranges.odd()),
        ]);
    }
    if plan.fixed {
        inputs.push(("ratio_mult_odd_i", pipeline.parity.at(plan.aligned() - 1)));
        inputs.push(("ratio_shift_odd_i", pipeline.parity.at(plan.aligned())));
    }
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(name, value)| (*name, value)).collect();
    let scales = m.instance("u_scales", &requant_scales(config, plan)?, &inputs);
    m.assign(&scale_ready, &scales.out("ready_o"));
    let driven =
        [(&zero_offset, "zero_offset_o"), (&controls.mult, "ratio_mult_o"), (&controls.amount, "ratio_shift_o")];
    for (net, port) in driven {
        if let Some(net) = net {
            m.assign(net, &scales.out(port));
        }
    }

    m.section("Results");
    let stage = plan.out();
    let mut inputs = vec![
        ("reserve_i", sequencer.out("emit_o")),
        ("push_i", pipeline.emit.at(stage)),
        ("trailer_i", pipeline.trailer.at(stage)),
        ("codes_i", codes),
        ("mult_i", scales.out("mult_o")),
        ("shift_i", scales.out("shift_o")),
        ("out_ready_i", out_ready_i),
    ];
    if shares_beats(config, plan) {
        inputs.push(("last_i", pipeline.last.at(stage)));
    }
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(name, value)| (*name, value)).collect();
    let out = m.instance("u_results", &requant_results(config, plan)?, &inputs);
    m.assign(&room, &out.out("room_o"));
    let busy = !sequencer.out("cmd_ready_o") | !out.out("empty_o") | out.out("out_valid_o");
    for (name, port) in &ports {
        let value = match *name {
            "busy_o" => busy.clone(),
            "out_valid_o" | "out_data_o" | "out_last_o" => out.out(name),
            _ => sequencer.out(name),
        };
        m.assign(port, &value);
    }
    m.build()
}

/// Row statistics, for the lanes; gives the ranges of both rows under way.
fn statistics(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &Plan,
    command: &Command,
    (pipeline, measure): (&Pipeline, &Measure),
    aligned: &Expr,
    controls: &LaneControls,
) -> Result<PerParity, Error> {
    m.section("Row statistics");
    let (reduced, early) = (plan.reduced(), plan.load() - 1);
    let mut inputs = vec![
        ("aligned_i", aligned.clone()),
        ("valid_i", measure.word.at(reduced)),
        ("first_i", measure.first.at(reduced)),
        ("range_done_i", measure.done.at(reduced + RANGE_CYCLES)),
        ("range_odd_i", pipeline.parity.at(reduced + RANGE_CYCLES)),
        ("bias_done_i", measure.done.at(reduced + BIAS_CYCLES)),
        ("bias_odd_i", pipeline.parity.at(reduced + BIAS_CYCLES)),
        ("word_odd_i", pipeline.parity.at(plan.aligned())),
        ("divide_i", pipeline.emit.at(early)),
        ("divide_odd_i", pipeline.parity.at(early)),
    ];
    if plan.dividers > 1 {
        inputs.push(("divided_i", pipeline.emit.at(plan.load() + plan.steps())));
    }
    inputs.extend(command.asymmetric.iter().map(|flag| ("asymmetric_i", flag.clone())));
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(name, value)| (*name, value)).collect();
    let stats = m.instance("u_stats", &requant_stats(config, plan)?, &inputs);
    let driven =
        [(&controls.bias, "bias_o"), (&controls.dens, "den_o"), (&controls.load, "load_o"), (&controls.pick, "pick_o")];
    for (net, port) in driven {
        if let Some(net) = net {
            m.assign(net, &stats.out(port));
        }
    }
    Ok(PerParity::of_both([stats.out("even_range_o"), stats.out("odd_range_o")]))
}
