//! Reads stretches of memory as bursts.

use std::sync::Arc;

use spec::Config;

use super::burst::{ADDR_BITS, Bursts, beat_addr_bits, byte_addr, first_error, next_burst};
use super::module_name;
use super::queue::queue;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for};

/// `<prefix>_<name>`: commands in, beats out, AXI4 reads of one ID between.
///
/// Ports: `cmd_valid_i`, `cmd_ready_o`, `cmd_beat_i` (address in beats), `cmd_count_i` (beats; 0 does nothing);
/// `out_valid_o`, `out_ready_i`, `out_data_o`, `out_last_o` (a command's last beat); `ar_*` and `r_*` as AXI4 names them;
/// `flush_i`: drops commands and data and starts no more bursts, until `idle_o`; `error_o`, `error_resp_o`,
/// `error_addr_o`: the first beat that came with an error (sticky; its data go on).
///
/// A burst starts only when there is room for all its beats, so `r_ready_o` never waits for the receiver.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn dma_read(config: &Config, name: &str, bursts: Bursts) -> Result<Arc<Module>, Error> {
    let (data_bits, beat_bits) = (config.bus.data_bits, beat_addr_bits(config));
    let most = bursts.most(config);
    let depth = bursts.outstanding.max(1) * most;
    let doc = format!(
        "Memory reader: a command (address and count, in beats of {data_bits} bits) becomes INCR bursts of at\n\
         most {most} beats, none across 4 KiB, up to {} under way on one ID. A burst is asked for\n\
         only when there is room for its data. Two cycles from a command to its first address.",
        bursts.outstanding.max(1)
    );
    let mut m = ModuleBuilder::new(module_name(config, name), doc);
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let cmd_beat_i = m.input("cmd_beat_i", Ty::u(beat_bits));
    let cmd_count_i = m.input("cmd_count_i", Ty::u(beat_bits));
    let flush_i = m.input("flush_i", Ty::bit());
    let ar_ready_i = m.input("ar_ready_i", Ty::bit());
    let r_valid_i = m.input("r_valid_i", Ty::bit());
    let r_data_i = m.input("r_data_i", Ty::u(data_bits));
    let r_resp_i = m.input("r_resp_i", Ty::u(2));
    let r_last_i = m.input("r_last_i", Ty::bit());
    let out_ready_i = m.input("out_ready_i", Ty::bit());

    m.section("The command: what is left to ask for");
    let beat_q = m.reg("beat_q", Ty::u(beat_bits));
    let left_q = m.reg("left_q", Ty::u(beat_bits));
    let next = next_burst(&mut m, config, most, &beat_q, &left_q);
    let active = m.wire("active", &left_q.any());
    let has_room = m.net("has_room", Ty::bit());
    let has_slot = m.net("has_slot", Ty::bit());
    let ar_valid_q = m.reg("ar_valid_q", Ty::bit());
    let ar_free = m.wire("ar_free", &(&ar_ready_i | !&ar_valid_q));
    let issue = m.wire("issue", &(&active & &has_room & &has_slot & &ar_free & !&flush_i));
    let cmd_ready = m.wire("cmd_ready", &(!&active | (&issue & &next.is_last) | &flush_i));
    let take = m.wire("take", &(&cmd_valid_i & &cmd_ready));
    let left_d = m.net("left_d", left_q.ty());
    let beat_d = m.net("beat_d", beat_q.ty());
    let burst = m.wire("burst_beats", &next.beats.extend(beat_bits));
    m.comb("take a command, or step behind a burst", |b| {
        b.set(&beat_d, &(&beat_q + &burst));
        b.set(&left_d, &(&left_q - &burst));
        b.when(&take, |b| {
            b.set(&beat_d, &cmd_beat_i);
            b.set(&left_d, &cmd_count_i);
        });
        b.when(&flush_i, |b| b.set(&left_d, &left_q.k(0)));
    });
    let step = m.wire("step", &(&take | &issue | &flush_i));
    m.next_reset(&left_q, 0, Some(&step), &left_d);
    m.next_if(&beat_q, &step, &beat_d);

    m.section("The address, held until it is taken");
    m.next_reset(&ar_valid_q, 0, None, &(&issue | (&ar_valid_q & !&ar_ready_i)));
    let ar_beat_q = m.pipe_if("ar_beat_q", &issue, &beat_q);
    let less_one = &next.beats - next.beats.k(1);
    let less_one = if less_one.width() > 8 { m.wire("less_one", &less_one).part(0, 8) } else { less_one.extend(8) };
    let ar_len_q = m.pipe_if("ar_len_q", &issue, &less_one);
    m.output_is("cmd_ready_o", &cmd_ready);
    m.output_is("ar_valid_o", &ar_valid_q);
    m.output_is("ar_addr_o", &byte_addr(config, &ar_beat_q));
    m.output_is("ar_len_o", &ar_len_q);
    debug_assert_eq!(beat_bits + super::burst::lane_bits(config), ADDR_BITS);

    m.section("Bursts under way: their first beat, and whether they end a command");
    let burst_in = Expr::concat(&[next.is_last.clone(), beat_q.clone()]);
    let r_taken = m.net("r_taken", Ty::bit());
    let r_ends = m.wire("r_ends", &(&r_taken & &r_last_i));
    let ports = [("in_valid_i", &issue), ("in_data_i", &burst_in), ("out_ready_i", &r_ends)];
    let pending = m.instance("u_pending", &queue(config, beat_bits + 1, bursts.outstanding)?, &ports);
    m.assign(&has_slot, &pending.out("in_ready_o"));
    let expected = pending.out("out_valid_o");
    m.assign(&r_taken, &(&r_valid_i & &expected));
    m.output_is("r_ready_o", &expected);
    let first = pending.out("out_data_o");
    let seen_q = m.reg("seen_q", Ty::u(bits_for(u64::from(most) - 1)));
    m.next_reset(&seen_q, 0, Some(&r_taken), &r_last_i.mux(&seen_q.k(0), &(&seen_q + seen_q.k(1))));
    let r_beat = m.wire("r_beat", &(first.part(0, beat_bits) + seen_q.extend(beat_bits)));
    let bad = m.wire("bad", &(&r_taken & r_resp_i.bit(1)));
    first_error(&mut m, config, &bad, &r_resp_i, &r_beat);

    m.section("Data; a place is claimed when the burst is asked for and free again when its beat has left");
    let word = Expr::concat(&[&r_last_i & first.bit(beat_bits), r_data_i]);
    let drain = m.wire("drain", &(&out_ready_i | &flush_i));
    let ports = [("in_valid_i", &r_taken), ("in_data_i", &word), ("out_ready_i", &drain)];
    let data = m.instance("u_data", &queue(config, data_bits + 1, depth)?, &ports);
    let valid = data.out("out_valid_o");
    let left = m.wire("left_queue", &(&valid & &drain));
    let room_q = m.reg("room_q", Ty::u(bits_for(depth.into())));
    let room_bits = room_q.width();
    let room_d = m.net("room_d", room_q.ty());
    let burst_room = next.beats.extend(room_bits);
    m.comb("places that no burst has claimed", |b| {
        b.set(&room_d, &(&room_q + left.extend(room_bits)));
        b.when(&issue, |b| b.set(&room_d, &((&room_q + left.extend(room_bits)) - &burst_room)));
    });
    m.next_reset(&room_q, depth.into(), None, &room_d);
    m.assign(&has_room, &room_q.ge(&room_q.k(most.into())));
    let out = data.out("out_data_o");
    m.output_is("out_valid_o", &(&valid & !&flush_i));
    m.output_is("out_data_o", &out.slice(data_bits - 1, 0));
    m.output_is("out_last_o", &out.bit(data_bits));
    m.output_is("idle_o", &(!&active & !&ar_valid_q & pending.out("empty_o") & data.out("empty_o")));
    m.build()
}
