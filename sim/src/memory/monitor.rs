//! Protocol monitor: what AXI4 forbids, told with cycle and channel.

use std::collections::VecDeque;
use std::fmt;

use super::signals::{MAX_BEAT_LIMBS, Sample};
use super::timing::Channel;

const PAGE_BYTES: u32 = 4096;

/// A breach of the protocol (AXI4: ARM IHI 0022, A3.2 handshakes, A3.4 bursts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// `valid` fell before `ready` came.
    DroppedValid {
        /// Where.
        channel: Channel,
        /// When.
        cycle: u64,
    },
    /// The payload changed while it waited.
    ChangedPayload {
        /// Where.
        channel: Channel,
        /// When.
        cycle: u64,
    },
    /// `last` came before the burst's last beat.
    EarlyLast {
        /// Where.
        channel: Channel,
        /// When.
        cycle: u64,
    },
    /// The burst goes on past its last beat: no `last` there.
    TooManyBeats {
        /// Where.
        channel: Channel,
        /// When.
        cycle: u64,
    },
    /// A burst leaves its 4 KiB page.
    PageCrossed {
        /// Where.
        channel: Channel,
        /// When.
        cycle: u64,
        /// Address of the burst.
        addr: u32,
    },
    /// An address that is not a multiple of the beat.
    Misaligned {
        /// Where.
        channel: Channel,
        /// When.
        cycle: u64,
        /// The address.
        addr: u32,
    },
    /// Read data or a write response that nothing asked for.
    Unasked {
        /// Where.
        channel: Channel,
        /// When.
        cycle: u64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, channel, cycle) = match self {
            Self::DroppedValid { channel, cycle } => ("valid fell before ready came", channel, cycle),
            Self::ChangedPayload { channel, cycle } => ("the payload changed while it waited", channel, cycle),
            Self::EarlyLast { channel, cycle } => ("last before the burst's last beat", channel, cycle),
            Self::TooManyBeats { channel, cycle } => ("no last at the burst's last beat", channel, cycle),
            Self::PageCrossed { channel, cycle, .. } => ("the burst leaves its 4 KiB page", channel, cycle),
            Self::Misaligned { channel, cycle, .. } => ("the address does not stand on a beat", channel, cycle),
            Self::Unasked { channel, cycle } => ("an answer that nothing asked for", channel, cycle),
        };
        write!(f, "cycle {cycle}, channel {channel:?}: {what}")?;
        match self {
            Self::PageCrossed { addr, .. } | Self::Misaligned { addr, .. } => write!(f, " ({addr:#010x})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Violation {}

/// Watches all five channels, both sides, cycle by cycle.
#[derive(Debug)]
pub struct Monitor {
    beat_bytes: u32,
    before: Sample,
    /// Beats of reads that were asked for, oldest first.
    reads: VecDeque<u32>,
    read_beat: u32,
    /// Beats of writes whose address has come and whose data has not.
    writes: VecDeque<u32>,
    /// Beats of write bursts that ended before their address came, oldest first, and of the one that comes.
    early: VecDeque<u32>,
    write_beat: u32,
    /// Complete write bursts without response.
    unanswered: u32,
}

type Payload = (u64, u64, [u64; MAX_BEAT_LIMBS]);

impl Monitor {
    /// A monitor of a master with beats of `beat_bytes`.
    pub fn new(beat_bytes: u32) -> Self {
        Self {
            beat_bytes,
            before: Sample::default(),
            reads: VecDeque::with_capacity(64),
            read_beat: 0,
            writes: VecDeque::with_capacity(64),
            early: VecDeque::with_capacity(64),
            write_beat: 0,
            unanswered: 0,
        }
    }

    /// Valid, ready and payload of a channel.
    fn channel(sample: &Sample, channel: Channel) -> (bool, bool, Payload) {
        let none = [0; MAX_BEAT_LIMBS];
        match channel {
            Channel::Ar => (sample.ar_valid, sample.ar_ready, (sample.ar_addr.into(), sample.ar_len.into(), none)),
            Channel::Aw => (sample.aw_valid, sample.aw_ready, (sample.aw_addr.into(), sample.aw_len.into(), none)),
            Channel::R => (sample.r_valid, sample.r_ready, (sample.r_resp.into(), sample.r_last.into(), sample.r_data)),
            Channel::W => (sample.w_valid, sample.w_ready, (sample.w_strb, sample.w_last.into(), sample.w_data)),
            Channel::B => (sample.b_valid, sample.b_ready, (sample.b_resp.into(), 0, none)),
        }
    }

    /// Checks one cycle.
    ///
    /// # Errors
    /// The first breach in it.
    pub fn check(&mut self, cycle: u64, sample: &Sample) -> Result<(), Violation> {
        for channel in [Channel::Ar, Channel::R, Channel::Aw, Channel::W, Channel::B] {
            let (was_valid, was_ready, was) = Self::channel(&self.before, channel);
            let (valid, _, is) = Self::channel(sample, channel);
            if was_valid && !was_ready {
                if !valid {
                    return Err(Violation::DroppedValid { channel, cycle });
                }
                if was != is {
                    return Err(Violation::ChangedPayload { channel, cycle });
                }
            }
        }
        self.before = *sample;
        self.read(cycle, sample)?;
        self.write(cycle, sample)
    }

    fn address(&self, channel: Channel, cycle: u64, addr: u32, len: u8) -> Result<(), Violation> {
        if !addr.is_multiple_of(self.beat_bytes) {
            return Err(Violation::Misaligned { channel, cycle, addr });
        }
        let bytes = (u32::from(len) + 1) * self.beat_bytes;
        if addr % PAGE_BYTES + bytes > PAGE_BYTES {
            return Err(Violation::PageCrossed { channel, cycle, addr });
        }
        Ok(())
    }

    fn read(&mut self, cycle: u64, sample: &Sample) -> Result<(), Violation> {
        let channel = Channel::R;
        if sample.r_valid {
            let Some(&beats) = self.reads.front() else { return Err(Violation::Unasked { channel, cycle }) };
            let is_last = self.read_beat + 1 == beats;
            if sample.r_last && !is_last {
                return Err(Violation::EarlyLast { channel, cycle });
            }
            if is_last && !sample.r_last {
                return Err(Violation::TooManyBeats { channel, cycle });
            }
            if sample.r_ready {
                self.read_beat = if is_last { 0 } else { self.read_beat + 1 };
                if is_last {
                    self.reads.pop_front();
                }
            }
        }
        if sample.ar_valid {
            self.address(Channel::Ar, cycle, sample.ar_addr, sample.ar_len)?;
            if sample.ar_ready {
                self.reads.push_back(u32::from(sample.ar_len) + 1);
            }
        }
        Ok(())
    }

    fn write(&mut self, cycle: u64, sample: &Sample) -> Result<(), Violation> {
        let channel = Channel::W;
        if sample.b_valid {
            if self.unanswered == 0 {
                return Err(Violation::Unasked { channel: Channel::B, cycle });
            }
            if sample.b_ready {
                self.unanswered -= 1;
            }
        }
        if sample.aw_valid {
            self.address(Channel::Aw, cycle, sample.aw_addr, sample.aw_len)?;
            if sample.aw_ready {
                self.writes.push_back(u32::from(sample.aw_len) + 1);
            }
        }
        if sample.w_valid {
            // The burst that the beat belongs to, if its address has come: bursts that ended early go first.
            let beats = self.writes.get(self.early.len()).copied();
            let count = self.write_beat + 1;
            if let Some(beats) = beats {
                if sample.w_last && count < beats {
                    return Err(Violation::EarlyLast { channel, cycle });
                }
                if !sample.w_last && count >= beats {
                    return Err(Violation::TooManyBeats { channel, cycle });
                }
            }
            if sample.w_ready {
                self.write_beat = count;
                if sample.w_last {
                    self.early.push_back(count);
                    self.write_beat = 0;
                }
            }
        }
        while let (Some(&asked), Some(&came)) = (self.writes.front(), self.early.front()) {
            if came != asked {
                let early = came < asked;
                return Err(if early {
                    Violation::EarlyLast { channel, cycle }
                } else {
                    Violation::TooManyBeats { channel, cycle }
                });
            }
            self.writes.pop_front();
            self.early.pop_front();
            self.unanswered += 1;
        }
        Ok(())
    }
}
