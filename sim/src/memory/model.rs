//! When the memory takes addresses and data, and when it answers.

use std::collections::VecDeque;
use std::ops::Range;

use super::monitor::{Monitor, Violation};
use super::signals::{MAX_BEAT_LIMBS, Sample};
use super::sparse::SparseMemory;
use super::timing::{Channel, Pace, Timing, Wait};
use crate::engine::stream::{Sink, Stalls};

const OKAY: u8 = 0;

#[derive(Clone, Copy, Debug)]
struct Burst {
    addr: u32,
    beats: u32,
    /// First cycle in which it can be answered.
    ready_at: u64,
}

/// An AXI4 slave: memory, timing, planted errors, and a [`Monitor`] that is always on.
///
/// A cycle is [`Self::drive`] before the design settles and [`Self::observe`] after it.
#[derive(Debug)]
pub struct AxiMemory {
    /// What it holds. A burst is written when its address and all its data have come.
    pub memory: SparseMemory,
    /// Beats read.
    pub read_beats: u64,
    /// Beats written.
    pub write_beats: u64,
    timing: Timing,
    beat_bytes: u32,
    cycle: u64,
    sample: Sample,
    monitor: Monitor,
    reads: VecDeque<Burst>,
    read_beat: u32,
    writes: VecDeque<Burst>,
    /// Beats of the oldest write that have come, of all bursts whose data is here.
    write_data: VecDeque<([u64; MAX_BEAT_LIMBS], u64, bool)>,
    /// Responses: code and the first cycle in which it can be given.
    responses: VecDeque<(u8, u64)>,
    ar: Sink,
    r: Wait,
    aw: Sink,
    w: Sink,
    b: Wait,
    read_pace: Pace,
    write_pace: Pace,
    errors: Vec<(Range<u32>, u8)>,
    hang: Option<(Channel, u64)>,
    counts: [u64; 5],
}

/// Bursts that it takes before it has answered them.
const MOST_BURSTS: usize = 64;
/// Beats of data that may come before their address.
const MOST_EARLY_BEATS: usize = 256;

impl AxiMemory {
    /// A memory with beats of `beat_bytes` (4..=64).
    pub fn new(memory: SparseMemory, beat_bytes: u32, timing: Timing) -> Self {
        let stalls = |channel: Channel| Stalls::new(timing.stall_seed, 0x100 + channel as u64);
        Self {
            memory,
            read_beats: 0,
            write_beats: 0,
            timing,
            beat_bytes,
            cycle: 0,
            sample: Sample::default(),
            monitor: Monitor::new(beat_bytes),
            reads: VecDeque::with_capacity(MOST_BURSTS),
            read_beat: 0,
            writes: VecDeque::with_capacity(MOST_BURSTS),
            write_data: VecDeque::with_capacity(MOST_EARLY_BEATS),
            responses: VecDeque::with_capacity(MOST_BURSTS),
            ar: Sink::new(stalls(Channel::Ar)),
            r: Wait::new(stalls(Channel::R)),
            aw: Sink::new(stalls(Channel::Aw)),
            w: Sink::new(stalls(Channel::W)),
            b: Wait::new(stalls(Channel::B)),
            read_pace: Pace::new(timing.beats_per_cycles),
            write_pace: Pace::new(timing.beats_per_cycles),
            errors: Vec::new(),
            hang: None,
            counts: [0; 5],
        }
    }

    /// Reads of beats and writes of bursts that touch `addrs` are answered with `resp` (2 SLVERR, 3 DECERR).
    pub fn plant_error(&mut self, addrs: Range<u32>, resp: u8) {
        self.errors.push((addrs, resp));
    }

    /// Takes back what [`Self::plant_error`] planted.
    pub fn clear_errors(&mut self) {
        self.errors.clear();
    }

    /// From item `index` of a channel on, that channel stands still.
    pub fn hang(&mut self, channel: Channel, index: u64) {
        self.hang = Some((channel, index));
    }

    fn hangs(&self, channel: Channel) -> bool {
        self.hang.is_some_and(|(which, index)| which == channel && self.counts[channel as usize] >= index)
    }

    /// Cycles so far.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty() && self.write_data.is_empty() && self.responses.is_empty()
    }

    fn response(&self, addrs: Range<u32>) -> u8 {
        let hit = self.errors.iter().find(|(range, _)| range.start < addrs.end && addrs.start < range.end);
        hit.map_or(OKAY, |(_, resp)| *resp)
    }

    /// Forgets what is under way, as reset does; what was written stays. Stalls go on.
    pub fn reset(&mut self) {
        self.reads.clear();
        self.writes.clear();
        self.write_data.clear();
        self.responses.clear();
        self.read_beat = 0;
        self.sample = Sample::default();
        self.monitor = Monitor::new(self.beat_bytes);
    }

    /// What the memory drives in this cycle.
    pub fn drive(&mut self) -> &Sample {
        let now = self.cycle;
        let held = self.sample.r_valid && !self.sample.r_ready;
        let mut next = Sample {
            ar_ready: self.ar.is_ready() && self.reads.len() < MOST_BURSTS && !self.hangs(Channel::Ar),
            aw_ready: self.aw.is_ready() && self.writes.len() < MOST_BURSTS && !self.hangs(Channel::Aw),
            w_ready: self.w.is_ready()
                && self.write_data.len() < MOST_EARLY_BEATS
                && self.write_pace.is_free(now)
                && !self.hangs(Channel::W),
            ..Sample::default()
        };
        if held {
            next.r_valid = true;
            next.r_data = self.sample.r_data;
            next.r_resp = self.sample.r_resp;
            next.r_last = self.sample.r_last;
        } else if let Some(burst) = self.reads.front()
            && burst.ready_at <= now
            && self.r.is_over()
            && self.read_pace.is_free(now)
            && !self.hangs(Channel::R)
        {
            let addr = burst.addr.wrapping_add(self.read_beat * self.beat_bytes);
            let mut bytes = [0; 8 * MAX_BEAT_LIMBS];
            self.memory.read(addr, &mut bytes[..self.beat_bytes as usize]);
            for (limb, bytes) in next.r_data.iter_mut().zip(bytes.chunks_exact(8)) {
                *limb = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
            next.r_valid = true;
            next.r_last = self.read_beat + 1 == burst.beats;
            next.r_resp = self.response(addr..addr.saturating_add(self.beat_bytes));
        } else if self.timing.stall_seed.is_some() {
            // A design that takes data without their valid shall find wrong ones.
            next.r_data = [u64::MAX; MAX_BEAT_LIMBS];
            next.r_resp = 3;
            next.r_last = true;
        }
        if let Some(&(resp, ready_at)) = self.responses.front() {
            let held = self.sample.b_valid && !self.sample.b_ready;
            next.b_valid = held || (ready_at <= now && self.b.is_over() && !self.hangs(Channel::B));
            next.b_resp = if next.b_valid { resp } else { 0 };
        }
        self.sample = next;
        &self.sample
    }

    /// What the master drives in this cycle, added to the sample that [`Self::drive`] gave; ends the cycle.
    ///
    /// # Errors
    /// The first breach of the protocol, by either side.
    pub fn observe(&mut self, take: impl FnOnce(&mut Sample)) -> Result<(), Violation> {
        take(&mut self.sample);
        let checked = self.monitor.check(self.cycle, &self.sample);
        self.advance();
        self.cycle += 1;
        checked
    }

    /// The sample of the cycle that was observed last.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    fn advance(&mut self) {
        let Sample { ar_valid, ar_ready, aw_valid, aw_ready, w_valid, w_ready, .. } = self.sample;
        let now = self.cycle;
        let later = now + u64::from(self.timing.latency_cycles.max(1));
        let r_taken = self.sample.r_valid && self.sample.r_ready;
        if self.sample.r_valid {
            self.r.advance(r_taken);
        } else if self.reads.front().is_some_and(|burst| burst.ready_at <= now) {
            self.r.advance(false);
        }
        if r_taken {
            self.counts[Channel::R as usize] += 1;
            self.read_beats += 1;
            self.read_pace.take(now);
            self.read_beat += 1;
            if self.sample.r_last {
                self.reads.pop_front();
                self.read_beat = 0;
            }
        }
        let b_taken = self.sample.b_valid && self.sample.b_ready;
        if self.sample.b_valid || self.responses.front().is_some_and(|(_, ready_at)| *ready_at <= now) {
            self.b.advance(b_taken);
        }
        if b_taken {
            self.counts[Channel::B as usize] += 1;
            self.responses.pop_front();
        }
        // A channel that is held for other reasons than its stall does not count the stall down.
        if ar_ready || !self.ar.is_ready() {
            self.ar.advance(ar_valid);
        }
        if aw_ready || !self.aw.is_ready() {
            self.aw.advance(aw_valid);
        }
        if w_ready || !self.w.is_ready() {
            self.w.advance(w_valid);
        }
        if ar_valid && ar_ready {
            self.counts[Channel::Ar as usize] += 1;
            let beats = u32::from(self.sample.ar_len) + 1;
            self.reads.push_back(Burst { addr: self.sample.ar_addr, beats, ready_at: later });
        }
        if aw_valid && aw_ready {
            self.counts[Channel::Aw as usize] += 1;
            let beats = u32::from(self.sample.aw_len) + 1;
            self.writes.push_back(Burst { addr: self.sample.aw_addr, beats, ready_at: 0 });
        }
        if w_valid && w_ready {
            self.counts[Channel::W as usize] += 1;
            self.write_beats += 1;
            self.write_pace.take(now);
            self.write_data.push_back((self.sample.w_data, self.sample.w_strb, self.sample.w_last));
        }
        self.commit(later);
    }

    /// Writes bursts whose address and data are here.
    fn commit(&mut self, later: u64) {
        while let Some(burst) = self.writes.front().copied()
            && self.write_data.len() >= burst.beats as usize
        {
            for beat in 0..burst.beats {
                let Some((data, strobes, _)) = self.write_data.pop_front() else { break };
                let addr = burst.addr.wrapping_add(beat * self.beat_bytes);
                for i in (0..self.beat_bytes).filter(|i| strobes >> i & 1 == 1) {
                    self.memory.set(addr.wrapping_add(i), (data[i as usize / 8] >> (8 * (i % 8))) as u8);
                }
            }
            self.writes.pop_front();
            let addrs = burst.addr..burst.addr.saturating_add(burst.beats * self.beat_bytes);
            self.responses.push_back((self.response(addrs), later));
        }
    }
}
