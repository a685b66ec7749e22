//! How fast a memory is: latency, bandwidth, stalls.

use crate::engine::stream::{Stall, Stalls};

/// A channel; its place is its number in seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Read address.
    Ar,
    /// Read data.
    R,
    /// Write address.
    Aw,
    /// Write data.
    W,
    /// Write response.
    B,
}

/// How fast a memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Cycles from the one in which a read address is taken to its first beat, and from a burst's last write beat to its
    /// response; at least 1.
    pub latency_cycles: u32,
    /// Data beats, of reads and of writes each, in so many cycles: (1, 1) for one a cycle, (2, 3) for two in three.
    pub beats_per_cycles: (u32, u32),
    /// Seed of stalls on every channel; none without.
    pub stall_seed: Option<u64>,
}

impl Timing {
    /// A beat a cycle, without stalls.
    pub const fn latency(latency_cycles: u32) -> Self {
        Self { latency_cycles, beats_per_cycles: (1, 1), stall_seed: None }
    }
}

/// The wait before the next item of a channel that the memory drives: counted from the item before it on.
#[derive(Debug)]
pub(crate) struct Wait {
    stalls: Stalls,
    sent: u64,
    left: Stall,
}

impl Wait {
    pub fn new(stalls: Stalls) -> Self {
        Self { stalls, sent: 0, left: stalls.at(0) }
    }

    pub fn is_over(&self) -> bool {
        self.left.cycles == 0
    }

    pub fn advance(&mut self, taken: bool) {
        if taken {
            self.sent += 1;
            self.left = self.stalls.at(self.sent);
        } else {
            self.left.cycles = self.left.cycles.saturating_sub(1);
        }
    }
}

/// At most so many beats in so many cycles.
#[derive(Debug)]
pub(crate) struct Pace {
    beats: u64,
    cycles: u64,
    /// In units of `1 / beats` cycles.
    free_at: u64,
}

impl Pace {
    pub fn new((beats, cycles): (u32, u32)) -> Self {
        Self { beats: beats.max(1).into(), cycles: cycles.max(beats).max(1).into(), free_at: 0 }
    }

    pub fn is_free(&self, cycle: u64) -> bool {
        cycle * self.beats >= self.free_at
    }

    pub fn take(&mut self, cycle: u64) {
        self.free_at = self.free_at.max(cycle * self.beats) + self.cycles;
    }
}
