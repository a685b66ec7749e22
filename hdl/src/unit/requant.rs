//! The requantizer: finished rows of accumulators become 8-bit codes with a scale.

use std::sync::Arc;

use spec::Config;
use spec::stream::{CHANNEL_BITS, ROW_BITS};

use super::fifo::fifo;
use super::module_name;
use super::pack::{pack, result_bits};
use super::requant_datapath::{
    Command, LaneControls, Scales, lane_inputs, lanes, ratio, row_inputs, scales, statistics,
};
use super::requant_pipeline::{PerParity, Pipeline, pipeline};
use super::requant_plan::{Plan, count_of};
use super::requant_sequencer::{address_bits, requant_sequencer};
use super::row_scale;
use super::row_stats::BIAS_CYCLES;
use super::run_sizes::RunSizes;
use crate::error::Error;
use crate::rtl::connect::Outputs;
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

    m.section("Scale and zero point of each row's inputs");
    let fetch = sequencer.out("fetch_o");
    let fetched_q = m.pipe_reset("fetched_q", 0, &fetch);
    let rows = row_inputs(&mut m, plan, &pipeline, &fetched_q, &row_data_i);

    m.section("Lanes");
    let controls = LaneControls::declare(&mut m, plan);
    let inputs = lane_inputs(&mut m, plan, &sequencer, &pipeline, &acc_data_i, &chan_data_i);
    let zero_offset = rows.zero_offset.as_ref();
    let (aligned, codes) = lanes(&mut m, config, plan, &command, &inputs, &controls, zero_offset)?;
    let ranges = match &aligned {
        Some(aligned) => statistics(&mut m, config, plan, &command, &pipeline, aligned, &controls)?,
        None => None,
    };
    if let (Some(ready), Some(measure)) = (&stats_ready, &pipeline.measure) {
        // The bias is there `reduced + BIAS_CYCLES + 1` cycles after the row's last word was issued to be measured, and a
        // word needs it `aligned` cycles after it is issued: so it may be issued `tree` + BIAS_CYCLES + 1 cycles later.
        let stage = plan.tree() + BIAS_CYCLES;
        let set = (&measure.done.at(stage), &pipeline.parity.at(stage));
        let flags = PerParity::flag(&mut m, "stats_ready", set, (&fetch, &pipeline.parity.at(0)));
        m.assign(ready, &flags.both());
    }
    let events = (&accept, &fetch, &fetched_q);
    let scales = scales(&mut m, config, plan, &command, &pipeline, events, &rows, ranges.as_ref())?;
    m.assign(&scale_ready, &scales.ready);
    ratio(&mut m, plan, &pipeline, &scales, &controls);

    let results = Results { emit: &sequencer.out("emit_o"), room: &room, ready: &out_ready_i };
    let (empty, out) = results.describe(&mut m, config, plan, &pipeline, &scales, &codes)?;
    let busy = !sequencer.out("cmd_ready_o") | !empty | out.out("out_valid_o");
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

/// The way from the lanes to the output stream.
struct Results<'a> {
    emit: &'a Expr,
    room: &'a Expr,
    ready: &'a Expr,
}

impl Results<'_> {
    /// FIFO and packer; gives whether the FIFO is empty, and the packer's ports.
    fn describe(
        &self,
        m: &mut ModuleBuilder,
        config: &Config,
        plan: &Plan,
        pipeline: &Pipeline,
        scales: &Scales,
        codes: &Expr,
    ) -> Result<(Expr, Outputs), Error> {
        m.section("Results: codes, and at a row's end its scale; its zero point is the code of A = 0");
        let (stage, bits) = (plan.out(), result_bits(plan));
        let odd = pipeline.parity.at(stage);
        let zero_point = Expr::concat(&[!codes.bit(7), codes.slice(6, 0)]);
        let scale = Expr::concat(&[zero_point, scales.shift.of(&odd), scales.mult.of(&odd)]);
        let scale_flag = pipeline.trailer.at(stage);
        let result = scale_flag.mux(&scale.extend(bits), &codes.extend(bits));
        let mut parts = vec![scale_flag, result];
        let shares_beats = config.bus.data_bits / (8 * plan.lanes) > 1;
        if shares_beats {
            parts.insert(0, pipeline.last.at(stage));
        }
        let result = m.wire("result", &Expr::concat(&parts));
        let fifo = fifo(config, result.width(), plan.fifo_depth())?;
        let pack_ready = m.net("taken", Ty::bit());
        let push = pipeline.emit.at(stage);
        let inputs = [("reserve_i", self.emit), ("push_i", &push), ("data_i", &result), ("ready_i", &pack_ready)];
        let fifo = m.instance("u_fifo", &fifo, &inputs);
        m.assign(self.room, &fifo.out("room_o"));
        let stored = fifo.out("data_o");
        let (data, scale_flag) = (stored.slice(bits - 1, 0), stored.bit(bits));
        let last_flag = shares_beats.then(|| stored.bit(bits + 1));
        let valid = fifo.out("valid_o");
        let mut inputs =
            vec![("valid_i", &valid), ("scale_i", &scale_flag), ("data_i", &data), ("out_ready_i", self.ready)];
        inputs.extend(last_flag.iter().map(|last| ("last_i", last)));
        let pack = m.instance("u_pack", &pack(config, plan)?, &inputs);
        m.assign(&pack_ready, &pack.out("ready_o"));
        Ok((fifo.out("empty_o"), pack))
    }
}
