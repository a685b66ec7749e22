//! The requantizer's sequencer: in which cycle which word of which row is read, and for which pass.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::requant_plan::{Plan, choose};
use super::run_sizes::RunSizes;
use crate::error::Error;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty, index_bits};

/// Bits of an address of a memory of `words` words; fewer than 2 count as 2.
pub fn address_bits(words: u32) -> u32 {
    index_bits(words.max(2))
}

/// The low bits of a named count, or the count widened.
fn resize(count: &Expr, bits: u32) -> Expr {
    if bits <= count.width() { count.slice(bits - 1, 0) } else { count.extend(bits) }
}

/// `<prefix>_requant_sequencer`: walks the rows of a chunk twice, to measure them and to requantise them.
///
/// Ports: the command's geometry (`cmd_*`, N tiles modulo a power of two), `fixed_i` (the command's mode is `static`); `stats_ready_i`, `scale_ready_i`
/// (a bit for each parity of rows), `room_i` (a place for a result), `drained_i` (no word on its way to the results);
/// memory addresses; what is issued in this cycle: `fetch_o` (a row's scale), `measure_o` (a word to measure), `emit_o` (a
/// word to requantise or, with `trailer_o`, the end of a row), `first_o`, `last_o` (word of the row), `parity_o`,
/// `group_o` (which lanes' part of the accumulator word), `used_o` `[lanes]`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn requant_sequencer(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = "Sequencer of the requantizer. Rows go in the order M0 M1 E0 M2 E1 M3 E2 ...: while row i is\n\
               requantised (E), the statistics of row i + 1, which has just been measured (M), settle. A\n\
               row's scale is fetched before it is measured. Mode static has only E.";
    let mut m = ModuleBuilder::new(module_name(config, "requant_sequencer"), doc);
    let sizes = RunSizes::new(config);
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let cmd_bank_i = m.input("cmd_bank_i", Ty::bit());
    let cmd_rows_i = m.input("cmd_rows_i", Ty::u(sizes.rows));
    let cmd_last_cols_i = m.input("cmd_last_cols_i", Ty::u(sizes.last_cols));
    let cmd_n_tiles_i = m.input("cmd_n_tiles_i", Ty::u(sizes.n_tiles));
    let fixed = plan.both_rules().then(|| m.input("fixed_i", Ty::bit()));
    let stats_ready_i = plan.measured().then(|| m.input("stats_ready_i", Ty::u(2)));
    let scale_ready_i = m.input("scale_ready_i", Ty::u(2));
    let room_i = m.input("room_i", Ty::bit());
    let drained_i = m.input("drained_i", Ty::bit());

    let [idle, fetch_row, measure_row, emit_row, end_row, drain] =
        m.states(["Idle", "FetchRow", "MeasureRow", "EmitRow", "EndRow", "Drain"]);
    let state_q = m.reg("state_q", idle.ty());
    let is_idle = m.wire("is_idle", &state_q.eq(&idle));
    let accept = m.wire("accept", &(&cmd_valid_i & &is_idle));
    m.section("Command");
    let bank_q = m.pipe_if("bank_q", &accept, &cmd_bank_i);
    let rows_q = m.pipe_if("rows_q", &accept, &cmd_rows_i);
    let last_cols_q = m.pipe_if("last_cols_q", &accept, &cmd_last_cols_i);
    let n_tiles_q = m.pipe_if("n_tiles_q", &accept, &cmd_n_tiles_i);

    m.section("Rows fetched so far, rows whose last word has been requantised");
    let fetched_q = m.reg("fetched_q", rows_q.ty());
    let emitted_q = m.reg("emitted_q", rows_q.ty());
    let next_fetched = m.wire("next_fetched", &(&fetched_q + fetched_q.k(1)));
    let next_emitted = m.wire("next_emitted", &(&emitted_q + emitted_q.k(1)));
    let all_fetched = m.wire("all_fetched", &fetched_q.eq(&rows_q));
    let all_emitted = m.wire("all_emitted", &emitted_q.eq(&rows_q));
    let last_row = m.wire("last_row", &next_emitted.eq(&rows_q));

    m.section("Walk through a row: N tiles, and the groups of columns in each");
    let addr_ty = Ty::u(address_bits(config.acc_words()));
    let chan_ty = Ty::u(address_bits(config.channel_words()));
    let addr_q = m.reg("addr_q", addr_ty);
    let channel_q = m.reg("channel_q", chan_ty);
    let tiles_left_q = m.reg("tiles_left_q", n_tiles_q.ty());
    let cols_left_q = m.reg("cols_left_q", last_cols_q.ty());
    let last_tile = m.wire("last_tile", &tiles_left_q.eq_k(1));
    let last_group = m.wire("last_group", &cols_left_q.le(&cols_left_q.k(plan.lanes.into())));
    let last_word = m.wire("last_word", &(&last_tile & &last_group));

    m.section(
        "A word is requantised when its divider is free, the FIFO has a place for it and the row's\n\
         statistics (static: its ratio) are known; the row ends when its scale is known",
    );
    let ready_bit = |ready: &Expr, row: &Expr| row.mux(&ready.bit(1), &ready.bit(0));
    let emitted_odd = emitted_q.bit(0);
    let known_scale = ready_bit(&scale_ready_i, &emitted_odd);
    let known_stats = stats_ready_i.as_ref().map(|ready| ready_bit(ready, &emitted_odd));
    let row_ready = m.wire("row_ready", &choose(fixed.as_ref(), plan.fixed.then_some(known_scale), known_stats));
    let ended_ready = m.wire("ended_row_ready", &ready_bit(&scale_ready_i, &!&emitted_odd));
    let issue = m.net("issue", Ty::bit());
    let free = if plan.interval() > 1 {
        let wait_q = m.reg("wait_q", Ty::u(index_bits(plan.interval())));
        let wait_d = m.net("wait_d", wait_q.ty());
        m.comb("cycles until the next divider is free", |b| {
            b.set(&wait_d, &wait_q);
            b.when(&wait_q.any(), |b| b.set(&wait_d, &(&wait_q - wait_q.k(1))));
            b.when(&issue, |b| b.set(&wait_d, &wait_d.k(i128::from(plan.interval()) - 1)));
        });
        m.next_reset(&wait_q, 0, None, &wait_d);
        m.wire("free", &(&room_i & !wait_q.any()))
    } else {
        m.wire("free", &room_i)
    };

    let fetch = m.net("fetch", Ty::bit());
    let measure = m.net("measure", Ty::bit());
    let emit = m.net("emit", Ty::bit());
    let trailer = m.net("trailer", Ty::bit());
    let parity = m.net("parity", Ty::bit());
    m.comb("what this cycle issues", |b| {
        for flag in [&fetch, &measure, &emit, &trailer] {
            b.set(flag, &flag.k(0));
        }
        b.set(&parity, &fetched_q.bit(0));
        b.case(&state_q, |c| {
            c.arm(&fetch_row, |b| b.set(&fetch, &fetch.k(1)));
            if plan.measured() {
                c.arm(&measure_row, |b| {
                    b.set(&measure, &measure.k(1));
                    b.set(&parity, &!fetched_q.bit(0));
                });
            }
            c.arm(&emit_row, |b| {
                b.set(&emit, &(&free & &row_ready));
                b.set(&parity, &emitted_odd);
            });
            c.arm(&end_row, |b| {
                b.set(&trailer, &(&free & &ended_ready));
                b.set(&parity, &!&emitted_odd);
            });
        });
    });
    m.assign(&issue, &(&emit | &trailer));
    let word = m.wire("word", &(&measure | &emit));
    let row_done = m.wire("row_done", &(&word & &last_word));

    let state_d = m.net("state_d", idle.ty());
    let several = m.wire("several_rows", &rows_q.ne(&rows_q.k(1)));
    let after_fetch = |b: &mut Block| {
        b.set(&state_d, &emit_row);
        b.when(&(&several & fetched_q.eq_k(0)), |b| b.set(&state_d, &fetch_row));
    };
    m.comb("next state; rows 0 and 1 are both fetched (and measured) before row 0 is requantised", |b| {
        b.set(&state_d, &state_q);
        b.case(&state_q, |c| {
            c.arm(&idle, |b| b.when(&cmd_valid_i, |b| b.set(&state_d, &fetch_row)));
            c.arm(&fetch_row, |b| match (&fixed, plan.fixed) {
                (Some(fixed), _) => b.when_else(fixed, after_fetch, |b| b.set(&state_d, &measure_row)),
                (None, true) => after_fetch(b),
                (None, false) => b.set(&state_d, &measure_row),
            });
            if plan.measured() {
                c.arm(&measure_row, |b| {
                    b.when(&last_word, |b| {
                        b.set(&state_d, &emit_row);
                        b.when(&(&several & fetched_q.eq_k(1)), |b| b.set(&state_d, &fetch_row));
                    });
                });
            }
            c.arm(&emit_row, |b| b.when(&row_done, |b| b.set(&state_d, &end_row)));
            c.arm(&end_row, |b| {
                b.when(&trailer, |b| {
                    b.set(&state_d, &fetch_row);
                    b.when(&all_fetched, |b| b.set(&state_d, &emit_row));
                    b.when(&all_emitted, |b| b.set(&state_d, &drain));
                });
            });
            c.arm(&drain, |b| b.when(&drained_i, |b| b.set(&state_d, &idle)));
            c.default(|b| b.set(&state_d, &idle));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);
    let row_emitted = m.wire("row_emitted", &(&emit & &last_word));
    m.next_if(&fetched_q, &(&accept | &fetch), &accept.mux(&fetched_q.k(0), &next_fetched));
    m.next_if(&emitted_q, &(&accept | &row_emitted), &accept.mux(&emitted_q.k(0), &next_emitted));

    // The walk starts again with each pass: after a fetch with the row fetched (in static mode, which has no other
    // pass, with the row to requantise), otherwise with the row to requantise.
    let restart = m.wire("restart", &(&fetch | &row_done | &trailer));
    let measured_next = fixed.as_ref().map_or_else(|| fetch.clone(), |fixed| &fetch & !fixed);
    let start_row = if plan.measured() {
        m.wire("start_row", &measured_next.mux(&fetched_q, &emitted_q))
    } else {
        m.wire("start_row", &emitted_q)
    };
    let full = cols_left_q.k(config.array.cols.into());
    let group = (plan.groups > 1).then(|| m.reg("group_q", Ty::u(index_bits(plan.groups))));
    let addr_d = m.net("addr_d", addr_ty);
    let channel_d = m.net("channel_d", chan_ty);
    let tiles_left_d = m.net("tiles_left_d", n_tiles_q.ty());
    let cols_left_d = m.net("cols_left_d", last_cols_q.ty());
    let group_d = group.as_ref().map(|q| m.net("group_d", q.ty()));
    let two_left = m.wire("two_tiles_left", &tiles_left_q.eq_k(2 % (1 << sizes.n_tiles)));
    let one_tile = m.wire("one_tile", &n_tiles_q.eq_k(1));
    m.comb("next word", |b| {
        b.set(&addr_d, &addr_q);
        b.set(&channel_d, &(&channel_q + channel_q.k(1)));
        b.set(&tiles_left_d, &tiles_left_q);
        b.set(&cols_left_d, &(&cols_left_q - cols_left_q.k(plan.lanes.into())));
        if let (Some(q), Some(d)) = (&group, &group_d) {
            b.set(d, &(q + q.k(1)));
        }
        b.when(&last_group, |b| {
            b.set(&addr_d, &(&addr_q + resize(&rows_q, addr_ty.width)));
            b.set(&tiles_left_d, &(&tiles_left_q - tiles_left_q.k(1)));
            b.set(&cols_left_d, &two_left.mux(&last_cols_q, &full));
            if let Some(d) = &group_d {
                b.set(d, &d.k(0));
            }
        });
        b.when(&restart, |b| {
            b.set(&addr_d, &resize(&start_row, addr_ty.width));
            b.set(&channel_d, &channel_d.k(0));
            b.set(&tiles_left_d, &n_tiles_q);
            b.set(&cols_left_d, &one_tile.mux(&last_cols_q, &full));
            if let Some(d) = &group_d {
                b.set(d, &d.k(0));
            }
        });
    });
    let walk = m.wire("walk", &(&word | &restart));
    let pairs =
        [(&addr_q, &addr_d), (&channel_q, &channel_d), (&tiles_left_q, &tiles_left_d), (&cols_left_q, &cols_left_d)];
    for (q, d) in pairs {
        m.next_if(q, &walk, d);
    }

    m.section("An accumulator word is read once for all its groups");
    let read = match &group {
        Some(q) => &word & q.eq_k(0),
        None => word.clone(),
    };
    if let (Some(q), Some(d)) = (&group, &group_d) {
        m.next_if(q, &walk, d);
        m.output_is("group_o", q);
    }
    let read_done_q = m.pipe_reset("read_done_q", 0, &(&row_emitted & &last_row));
    m.output_is("cmd_ready_o", &is_idle);
    m.output_is("read_done_o", &read_done_q);
    m.output_is("acc_en_o", &read);
    m.output_is("acc_bank_o", &bank_q);
    m.output_is("acc_addr_o", &addr_q);
    m.output_is("row_en_o", &fetch);
    m.output_is("row_bank_o", &bank_q);
    m.output_is("row_addr_o", &resize(&fetched_q, address_bits(config.array.chunk_rows)));
    m.output_is("chan_en_o", &word);
    m.output_is("chan_addr_o", &channel_q);
    m.output_is("fetch_o", &fetch);
    if plan.measured() {
        m.output_is("measure_o", &measure);
        let first_q = m.pipe_if("first_q", &walk, &restart);
        m.output_is("first_o", &first_q);
    }
    m.output_is("emit_o", &issue);
    m.output_is("trailer_o", &trailer);
    m.output_is("last_o", &row_done);
    m.output_is("parity_o", &parity);
    let used: Vec<_> = (0..plan.lanes).rev().map(|lane| &word & cols_left_q.gt(&cols_left_q.k(lane.into()))).collect();
    m.output_is("used_o", &Expr::concat(&used));
    m.build()
}
