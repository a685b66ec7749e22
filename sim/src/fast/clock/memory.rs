//! When the memory takes addresses and data and when it answers: [`crate::memory::AxiMemory`] without what it holds.

use std::collections::VecDeque;

use crate::engine::stream::{Sink, Stalls};
use crate::memory::timing::{Channel, Pace, Timing, Wait};

/// As [`crate::memory::AxiMemory`] has them.
const MOST_BURSTS: usize = 64;
const MOST_EARLY_BEATS: u32 = 256;

/// What the memory drives in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Driven {
    pub ar_ready: bool,
    pub r_valid: bool,
    pub r_last: bool,
    pub aw_ready: bool,
    pub w_ready: bool,
    pub b_valid: bool,
}

/// What the machine drives in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Beats of the burst whose address is offered.
    pub ar: Option<u32>,
    pub r_ready: bool,
    pub aw: Option<u32>,
    pub w_valid: bool,
    pub b_ready: bool,
}

#[derive(Debug)]
pub(super) struct MemoryClock {
    latency_cycles: u64,
    /// Beats left, first cycle in which it can be answered.
    reads: VecDeque<(u32, u64)>,
    writes: VecDeque<u32>,
    early_beats: u32,
    responses: VecDeque<u64>,
    ar: Sink,
    r: Wait,
    aw: Sink,
    w: Sink,
    b: Wait,
    read_pace: Pace,
    write_pace: Pace,
    r_held: bool,
    b_held: bool,
}

impl MemoryClock {
    pub fn new(timing: Timing) -> Self {
        let stalls = |channel: Channel| Stalls::new(timing.stall_seed, 0x100 + channel as u64);
        Self {
            latency_cycles: timing.latency_cycles.max(1).into(),
            reads: VecDeque::with_capacity(MOST_BURSTS),
            writes: VecDeque::with_capacity(MOST_BURSTS),
            early_beats: 0,
            responses: VecDeque::with_capacity(MOST_BURSTS),
            ar: Sink::new(stalls(Channel::Ar)),
            r: Wait::new(stalls(Channel::R)),
            aw: Sink::new(stalls(Channel::Aw)),
            w: Sink::new(stalls(Channel::W)),
            b: Wait::new(stalls(Channel::B)),
            read_pace: Pace::new(timing.beats_per_cycles),
            write_pace: Pace::new(timing.beats_per_cycles),
            r_held: false,
            b_held: false,
        }
    }

    pub fn drive(&self, now: u64) -> Driven {
        let front = self.reads.front();
        let r_valid = self.r_held
            || front.is_some_and(|&(_, ready_at)| ready_at <= now && self.r.is_over() && self.read_pace.is_free(now));
        let b_valid =
            self.responses.front().is_some_and(|&ready_at| self.b_held || (ready_at <= now && self.b.is_over()));
        Driven {
            ar_ready: self.ar.is_ready() && self.reads.len() < MOST_BURSTS,
            r_valid,
            r_last: r_valid && front.is_some_and(|&(left, _)| left == 1),
            aw_ready: self.aw.is_ready() && self.writes.len() < MOST_BURSTS,
            w_ready: self.w.is_ready() && self.early_beats < MOST_EARLY_BEATS && self.write_pace.is_free(now),
            b_valid,
        }
    }

    /// Ends the cycle.
    pub fn observe(&mut self, now: u64, driven: &Driven, asked: &Asked) {
        let later = now + self.latency_cycles;
        let r_taken = driven.r_valid && asked.r_ready;
        if driven.r_valid {
            self.r.advance(r_taken);
        } else if self.reads.front().is_some_and(|&(_, ready_at)| ready_at <= now) {
            self.r.advance(false);
        }
        self.r_held = driven.r_valid && !asked.r_ready;
        if r_taken {
            self.read_pace.take(now);
            if let Some((left, _)) = self.reads.front_mut() {
                *left -= 1;
            }
            if driven.r_last {
                self.reads.pop_front();
            }
        }
        let b_taken = driven.b_valid && asked.b_ready;
        if driven.b_valid || self.responses.front().is_some_and(|&ready_at| ready_at <= now) {
            self.b.advance(b_taken);
        }
        self.b_held = driven.b_valid && !asked.b_ready;
        if b_taken {
            self.responses.pop_front();
        }
        // A channel that is held for other reasons than its stall does not count the stall down.
        if driven.ar_ready || !self.ar.is_ready() {
            self.ar.advance(asked.ar.is_some());
        }
        if driven.aw_ready || !self.aw.is_ready() {
            self.aw.advance(asked.aw.is_some());
        }
        if driven.w_ready || !self.w.is_ready() {
            self.w.advance(asked.w_valid);
        }
        if let Some(beats) = asked.ar.filter(|_| driven.ar_ready) {
            self.reads.push_back((beats, later));
        }
        if let Some(beats) = asked.aw.filter(|_| driven.aw_ready) {
            self.writes.push_back(beats);
        }
        if asked.w_valid && driven.w_ready {
            self.write_pace.take(now);
            self.early_beats += 1;
        }
        while let Some(&beats) = self.writes.front()
            && self.early_beats >= beats
        {
            self.early_beats -= beats;
            self.writes.pop_front();
            self.responses.push_back(later);
        }
    }
}
