//! The protocol monitor sees each breach: each is planted once into traffic that is otherwise sound.

use hdl::unit::burst::Bursts;
use hdl::unit::memory_port::memory_port;
use sim::memory::{Channel, Sample, SparseMemory, Timing, Violation};

use crate::rig::{Rig, config};

/// Reads and writes through a memory port while `tamper` changes what goes over the channels; what the monitor says.
fn watch(tamper: impl FnMut(u64, &mut Sample) + 'static) -> Option<Violation> {
    let module = memory_port(&config(64), Bursts { outstanding: 4, beats: 8 }).unwrap();
    let timing = Timing { stall_seed: Some(11), ..Timing::latency(6) };
    let mut rig = Rig::new(module, SparseMemory::new(), timing);
    rig.tamper = Some(Box::new(tamper));
    for cycle in 0..1200 {
        rig.set("load_cmd_valid_i", 1);
        rig.set("load_cmd_beat_i", 0x1f0 + cycle % 7);
        rig.set("load_cmd_count_i", 20);
        rig.set("load_ready_i", 1);
        rig.set("store_cmd_valid_i", 1);
        rig.set("store_cmd_beat_i", 0x11f0 + cycle % 7);
        rig.set("store_cmd_bytes_i", 161);
        rig.set("store_valid_i", 1);
        rig.cycle();
        if rig.violation.is_some() {
            return rig.violation;
        }
    }
    assert!(rig.memory.read_beats > 100 && rig.memory.write_beats > 100, "too little traffic");
    None
}

#[test]
fn sound_traffic_is_accepted() {
    assert_eq!(watch(|_, _| {}), None);
}

/// Changes the first sample from cycle 100 on for which `applies` holds.
fn once(
    applies: impl Fn(&Sample, &Sample) -> bool + 'static,
    change: impl Fn(&mut Sample) + 'static,
) -> Option<Violation> {
    let mut before = Sample::default();
    let mut done = false;
    watch(move |cycle, sample| {
        let original = *sample;
        if !done && cycle > 100 && applies(&before, sample) {
            done = true;
            change(sample);
        }
        before = original;
    })
}

#[test]
fn a_dropped_valid_is_caught_on_every_channel_of_the_master() {
    type Valid = fn(&mut Sample) -> (&mut bool, bool);
    let channels: [(Channel, Valid); 3] = [
        (Channel::Ar, |s| (&mut s.ar_valid, s.ar_ready)),
        (Channel::Aw, |s| (&mut s.aw_valid, s.aw_ready)),
        (Channel::W, |s| (&mut s.w_valid, s.w_ready)),
    ];
    for (channel, of) in channels {
        let waits = move |before: &Sample, _: &Sample| {
            let mut copy = *before;
            let (valid, ready) = of(&mut copy);
            *valid && !ready
        };
        let found = once(waits, move |sample| *of(sample).0 = false);
        assert!(matches!(found, Some(Violation::DroppedValid { channel: c, .. }) if c == channel), "{found:?}");
    }
}

#[test]
fn a_payload_that_changes_while_it_waits_is_caught() {
    let found = once(|b, _| b.w_valid && !b.w_ready, |s| s.w_data[0] ^= 1 << 17);
    assert!(matches!(found, Some(Violation::ChangedPayload { channel: Channel::W, .. })), "{found:?}");
    let found = once(|b, _| b.w_valid && !b.w_ready, |s| s.w_strb ^= 1);
    assert!(matches!(found, Some(Violation::ChangedPayload { channel: Channel::W, .. })), "{found:?}");
    let found = once(|b, _| b.ar_valid && !b.ar_ready, |s| s.ar_addr ^= 8);
    assert!(matches!(found, Some(Violation::ChangedPayload { channel: Channel::Ar, .. })), "{found:?}");
    let found = once(|b, _| b.aw_valid && !b.aw_ready, |s| s.aw_len ^= 1);
    assert!(matches!(found, Some(Violation::ChangedPayload { channel: Channel::Aw, .. })), "{found:?}");
}

#[test]
fn a_wrong_last_is_caught() {
    let fresh = |b: &Sample, s: &Sample| s.w_valid && s.w_ready && (!b.w_valid || b.w_ready);
    let found = once(move |b, s| fresh(b, s) && !s.w_last, |s| s.w_last = true);
    assert!(matches!(found, Some(Violation::EarlyLast { channel: Channel::W, .. })), "{found:?}");
    let found = once(move |b, s| fresh(b, s) && s.w_last, |s| s.w_last = false);
    assert!(matches!(found, Some(Violation::TooManyBeats { channel: Channel::W, .. })), "{found:?}");
    let fresh = |b: &Sample, s: &Sample| s.r_valid && s.r_ready && (!b.r_valid || b.r_ready);
    let found = once(move |b, s| fresh(b, s) && !s.r_last, |s| s.r_last = true);
    assert!(matches!(found, Some(Violation::EarlyLast { channel: Channel::R, .. })), "{found:?}");
    let found = once(move |b, s| fresh(b, s) && s.r_last, |s| s.r_last = false);
    assert!(matches!(found, Some(Violation::TooManyBeats { channel: Channel::R, .. })), "{found:?}");
}

#[test]
fn more_beats_than_asked_for_are_caught() {
    // The address asks for one beat less than comes.
    let fresh = |b: &Sample, s: &Sample| s.aw_valid && s.aw_ready && s.aw_len > 0 && (!b.aw_valid || b.aw_ready);
    let found = once(fresh, |s| s.aw_len -= 1);
    assert!(matches!(found, Some(Violation::TooManyBeats { channel: Channel::W, .. })), "{found:?}");
}

#[test]
fn a_burst_across_4_kib_and_one_beside_a_beat_are_caught() {
    let fresh = |b: &Sample, s: &Sample| s.aw_valid && (!b.aw_valid || b.aw_ready);
    let found = once(fresh, |s| (s.aw_addr, s.aw_len) = (0x1ff8, 1));
    assert!(matches!(found, Some(Violation::PageCrossed { channel: Channel::Aw, addr: 0x1ff8, .. })), "{found:?}");
    let ar_fresh = |b: &Sample, s: &Sample| s.ar_valid && (!b.ar_valid || b.ar_ready);
    let found = once(ar_fresh, |s| (s.ar_addr, s.ar_len) = (0x3f00, 255));
    assert!(matches!(found, Some(Violation::PageCrossed { channel: Channel::Ar, .. })), "{found:?}");
    let found = once(fresh, |s| s.aw_addr += 4);
    assert!(matches!(found, Some(Violation::Misaligned { channel: Channel::Aw, .. })), "{found:?}");
}

#[test]
fn an_answer_without_a_request_is_caught() {
    let mut seen = false;
    let found = watch(move |cycle, s| {
        // Before anything was asked for.
        if !seen && cycle == 1 {
            seen = true;
            (s.r_valid, s.r_last) = (true, true);
        }
    });
    assert!(matches!(found, Some(Violation::Unasked { channel: Channel::R, .. })), "{found:?}");
    let mut seen = false;
    let found = watch(move |cycle, s| {
        if !seen && cycle == 1 {
            seen = true;
            s.b_valid = true;
        }
    });
    assert!(matches!(found, Some(Violation::Unasked { channel: Channel::B, .. })), "{found:?}");
}
