//! Writes stretches of memory as bursts.

use std::sync::Arc;

use spec::Config;

use super::burst::{Bursts, beat_addr_bits, beat_bytes, byte_addr, first_error, lane_bits, next_burst};
use super::module_name;
use super::queue::queue;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for};

/// Bits of a command's count of bytes.
pub const BYTES_BITS: u32 = 24;

/// `<prefix>_dma_write`: commands and beats in, AXI4 writes of one ID out.
///
/// Ports: `cmd_valid_i`, `cmd_ready_o`, `cmd_beat_i` (address in beats), `cmd_bytes_i` (0 does nothing); `in_valid_i`,
/// `in_ready_o`, `in_data_i`: the beats of the commands, in order; `aw_*`, `w_*`, `b_*` as AXI4 names them; `done_o`: all
/// responses of a command have come; `flush_i`: starts no more bursts and drops commands, until `idle_o`; `error_o`,
/// `error_resp_o`, `error_addr_o`: the first burst that was answered with an error (sticky).
///
/// A burst starts only when all its beats are here. Bytes of the last beat beyond the command's are not written.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn dma_write(config: &Config, bursts: Bursts) -> Result<Arc<Module>, Error> {
    let (data_bits, beat_bits) = (config.bus.data_bits, beat_addr_bits(config));
    let (bytes, lane_bits) = (beat_bytes(config), lane_bits(config));
    let most = bursts.most(config);
    let depth = 2 * most;
    let doc = format!(
        "Memory writer: a command (address in beats of {data_bits} bits, count in bytes) and its beats become INCR\n\
         bursts of at most {most} beats, none across 4 KiB, up to {} without their response. A burst starts\n\
         only when all its beats are here, so that it never holds the bus. done_o: a command's last\n\
         response has come.",
        bursts.outstanding.max(1)
    );
    let mut m = ModuleBuilder::new(module_name(config, "dma_write"), doc);
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let cmd_beat_i = m.input("cmd_beat_i", Ty::u(beat_bits));
    let cmd_bytes_i = m.input("cmd_bytes_i", Ty::u(BYTES_BITS));
    let in_valid_i = m.input("in_valid_i", Ty::bit());
    let in_data_i = m.input("in_data_i", Ty::u(data_bits));
    let flush_i = m.input("flush_i", Ty::bit());
    let aw_ready_i = m.input("aw_ready_i", Ty::bit());
    let w_ready_i = m.input("w_ready_i", Ty::bit());
    let b_valid_i = m.input("b_valid_i", Ty::bit());
    let b_resp_i = m.input("b_resp_i", Ty::u(2));

    m.section("The command: what is left to write; tail_q bytes in its last beat, 0 for all");
    let count_bits = BYTES_BITS - lane_bits + 1;
    let beat_q = m.reg("beat_q", Ty::u(beat_bits));
    let left_q = m.reg("left_q", Ty::u(count_bits));
    let next = next_burst(&mut m, config, most, &beat_q, &left_q);
    let active = m.wire("active", &left_q.any());
    let has_data = m.net("has_data", Ty::bit());
    let has_slot = m.net("has_slot", Ty::bit());
    let w_free = m.net("w_free", Ty::bit());
    let aw_valid_q = m.reg("aw_valid_q", Ty::bit());
    let aw_free = m.wire("aw_free", &(&aw_ready_i | !&aw_valid_q));
    let issue = m.wire("issue", &(&active & &has_data & &has_slot & &aw_free & &w_free & !&flush_i));
    let cmd_ready = m.wire("cmd_ready", &(!&active | &flush_i));
    let take = m.wire("take", &(&cmd_valid_i & &cmd_ready));
    let tail = m.wire("tail", &cmd_bytes_i.part(0, lane_bits));
    let tail_q = m.pipe_if("tail_q", &take, &tail);
    let whole = cmd_bytes_i.slice(BYTES_BITS - 1, lane_bits).extend(count_bits);
    let left_d = m.net("left_d", left_q.ty());
    let beat_d = m.net("beat_d", beat_q.ty());
    m.comb("take a command, or step behind a burst", |b| {
        b.set(&beat_d, &(&beat_q + next.beats.extend(beat_bits)));
        b.set(&left_d, &(&left_q - next.beats.extend(count_bits)));
        b.when(&take, |b| {
            b.set(&beat_d, &cmd_beat_i);
            b.set(&left_d, &(&whole + tail.any().extend(count_bits)));
        });
        b.when(&flush_i, |b| b.set(&left_d, &left_q.k(0)));
    });
    let step = m.wire("step", &(&take | &issue | &flush_i));
    m.next_reset(&left_q, 0, Some(&step), &left_d);
    m.next_if(&beat_q, &step, &beat_d);
    m.output_is("cmd_ready_o", &cmd_ready);

    m.section("The address, held until it is taken");
    m.next_reset(&aw_valid_q, 0, None, &(&issue | (&aw_valid_q & !&aw_ready_i)));
    let aw_beat_q = m.pipe_if("aw_beat_q", &issue, &beat_q);
    let less_one = &next.beats - next.beats.k(1);
    let less_one = if less_one.width() > 8 { m.wire("less_one", &less_one).part(0, 8) } else { less_one.extend(8) };
    let aw_len_q = m.pipe_if("aw_len_q", &issue, &less_one);
    m.output_is("aw_valid_o", &aw_valid_q);
    m.output_is("aw_addr_o", &byte_addr(config, &aw_beat_q));
    m.output_is("aw_len_o", &aw_len_q);

    m.section("Beats, of which here_q belong to no burst yet");
    let w_taken = m.net("w_taken", Ty::bit());
    let ports = [("in_valid_i", &in_valid_i), ("in_data_i", &in_data_i), ("out_ready_i", &w_taken)];
    let data = m.instance("u_data", &queue(config, data_bits, depth)?, &ports);
    let in_ready = data.out("in_ready_o");
    m.output_is("in_ready_o", &in_ready);
    let pushed = m.wire("pushed", &(&in_valid_i & &in_ready));
    let here_q = m.reg("here_q", Ty::u(bits_for(depth.into())));
    let here_bits = here_q.width();
    let here_d = m.net("here_d", here_q.ty());
    m.comb("beats come, a burst claims its own", |b| {
        b.set(&here_d, &(&here_q + pushed.extend(here_bits)));
        b.when(&issue, |b| b.set(&here_d, &((&here_q + pushed.extend(here_bits)) - next.beats.extend(here_bits))));
    });
    m.next_reset(&here_q, 0, None, &here_d);
    m.assign(&has_data, &here_q.ge(&next.beats.extend(here_bits)));

    m.section("The burst that is being sent");
    let w_left_q = m.reg("w_left_q", next.beats.ty());
    let w_busy = m.wire("w_busy", &w_left_q.any());
    let w_valid = m.wire("w_valid", &(&w_busy & data.out("out_valid_o")));
    m.assign(&w_taken, &(&w_busy & &w_ready_i));
    let w_last = m.wire("w_last", &w_left_q.eq_k(1));
    let w_sent = m.wire("w_sent", &(&w_valid & &w_ready_i));
    m.assign(&w_free, &(!&w_busy | (&w_sent & &w_last)));
    let w_step = m.wire("w_step", &(&issue | &w_sent));
    m.next_reset(&w_left_q, 0, Some(&w_step), &issue.mux(&next.beats, &(&w_left_q - w_left_q.k(1))));
    let w_tail_q = m.pipe_if("w_tail_q", &issue, &next.is_last.mux(&tail_q, &tail_q.k(0)));
    let whole_beat = m.wire("whole_beat", &!(&w_last & w_tail_q.any()));
    let strobes: Vec<Expr> = (0..bytes).rev().map(|i| &whole_beat | w_tail_q.gt(&w_tail_q.k(i.into()))).collect();
    m.output_is("w_valid_o", &w_valid);
    m.output_is("w_data_o", &data.out("out_data_o"));
    m.output_is("w_strb_o", &Expr::concat(&strobes));
    m.output_is("w_last_o", &w_last);

    m.section("Bursts without response: their first beat, and whether they end a command");
    let burst_in = Expr::concat(&[next.is_last.clone(), beat_q]);
    let b_taken = m.net("b_taken", Ty::bit());
    let ports = [("in_valid_i", &issue), ("in_data_i", &burst_in), ("out_ready_i", &b_taken)];
    let pending = m.instance("u_pending", &queue(config, beat_bits + 1, bursts.outstanding)?, &ports);
    m.assign(&has_slot, &pending.out("in_ready_o"));
    let expected = pending.out("out_valid_o");
    m.assign(&b_taken, &(&b_valid_i & &expected));
    m.output_is("b_ready_o", &expected);
    let first = pending.out("out_data_o");
    m.output_is("done_o", &(&b_taken & first.bit(beat_bits)));
    let bad = m.wire("bad", &(&b_taken & b_resp_i.bit(1)));
    let first = m.wire("first_beat", &first.part(0, beat_bits));
    first_error(&mut m, config, &bad, &b_resp_i, &first);
    m.output_is("idle_o", &(!&active & !&aw_valid_q & !&w_busy & pending.out("empty_o")));
    m.build()
}
