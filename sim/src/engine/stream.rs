//! The two ends of the tile engine's streams, with stalls that are functions of (seed, beat index) alone.

/// Most cycles of one stall.
pub const MAX_STALL_CYCLES: u32 = 400;

/// Stalls of one stream; without a seed there are none.
#[derive(Clone, Copy, Debug)]
pub struct Stalls {
    seed: Option<u64>,
}

/// The stall in front of one beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Cycles.
    pub cycles: u32,
    /// At a receiver: whether they count only while the sender offers the beat, or from the beat before on.
    pub after_valid: bool,
}

/// 64 well-mixed bits of a number (the finaliser of SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Stalls {
    /// Stalls of stream number `stream` of a run; streams of one run are independent.
    pub fn new(seed: Option<u64>, stream: u64) -> Self {
        Self { seed: seed.map(|seed| mix(seed ^ mix(stream))) }
    }

    /// The stall in front of beat `beat`.
    ///
    /// Runs of 64 beats have a character each: without stalls, with a few short ones, or with many and some long enough
    /// to fill or drain every buffer.
    pub fn at(&self, beat: u64) -> Stall {
        let Some(seed) = self.seed else { return Stall { cycles: 0, after_valid: false } };
        let bits = mix(seed ^ mix(beat));
        let (one_in, most) = match mix(seed.wrapping_add(1 + beat / 64)) % 4 {
            0 => return Stall { cycles: 0, after_valid: false },
            1 => (8, 3),
            2 => (2, 4),
            _ if bits >> 56 == 0 => (1, MAX_STALL_CYCLES),
            _ => (2, 12),
        };
        let stalls = bits.is_multiple_of(one_in);
        let cycles = if stalls { 1 + (bits >> 8) as u32 % most } else { 0 };
        Stall { cycles, after_valid: bits >> 55 & 1 == 1 }
    }
}

/// The sending end: offers beats in order and keeps each until it is taken.
#[derive(Debug)]
pub struct Source<I> {
    beats: I,
    stalls: Stalls,
    left_cycles: u32,
    sent: u64,
    has_more: bool,
}

impl<'a, I: Iterator<Item = &'a [u64]>> Source<std::iter::Peekable<I>> {
    /// A sender of those beats.
    pub fn new(beats: I, stalls: Stalls) -> Self {
        let mut beats = beats.peekable();
        let has_more = beats.peek().is_some();
        Self { beats, stalls, left_cycles: stalls.at(0).cycles, sent: 0, has_more }
    }

    /// The beat offered this cycle.
    pub fn offer(&mut self) -> Option<&'a [u64]> {
        if self.left_cycles > 0 { None } else { self.beats.peek().copied() }
    }

    /// Ends the cycle; `taken` says whether the offered beat was.
    pub fn advance(&mut self, taken: bool) {
        if taken {
            self.beats.next();
            self.has_more = self.beats.peek().is_some();
            self.sent += 1;
            self.left_cycles = self.stalls.at(self.sent).cycles;
        } else {
            self.left_cycles = self.left_cycles.saturating_sub(1);
        }
    }

    /// Beats taken so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether every beat was taken.
    pub fn is_done(&self) -> bool {
        !self.has_more
    }
}

/// The receiving end.
#[derive(Debug)]
pub struct Sink {
    stalls: Stalls,
    stall: Stall,
    taken: u64,
}

impl Sink {
    /// A receiver.
    pub fn new(stalls: Stalls) -> Self {
        Self { stalls, stall: stalls.at(0), taken: 0 }
    }

    /// Whether it takes a beat this cycle.
    pub fn is_ready(&self) -> bool {
        self.stall.cycles == 0
    }

    /// Ends the cycle; gives the index of the beat that was taken.
    pub fn advance(&mut self, valid: bool) -> Option<u64> {
        if valid && self.is_ready() {
            self.taken += 1;
            self.stall = self.stalls.at(self.taken);
            return Some(self.taken - 1);
        }
        if valid || !self.stall.after_valid {
            self.stall.cycles = self.stall.cycles.saturating_sub(1);
        }
        None
    }

    /// Beats taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_depend_on_seed_stream_and_beat_and_come_in_every_length() {
        let all = |seed, stream| (0..20_000).map(|b| Stalls::new(seed, stream).at(b)).collect::<Vec<_>>();
        assert_eq!(all(Some(1), 0), all(Some(1), 0));
        assert_ne!(all(Some(1), 0), all(Some(1), 1));
        assert_ne!(all(Some(1), 0), all(Some(2), 0));
        assert!(all(None, 0).iter().all(|s| s.cycles == 0));
        let stalls = all(Some(1), 0);
        for cycles in 0..=12 {
            assert!(stalls.iter().any(|s| s.cycles == cycles), "{cycles}");
        }
        assert!(stalls.iter().any(|s| s.cycles > MAX_STALL_CYCLES / 2));
        let mean = stalls.iter().map(|s| f64::from(s.cycles)).sum::<f64>() / stalls.len() as f64;
        assert!((0.5..4.0).contains(&mean), "{mean}");
    }

    #[test]
    fn the_source_keeps_a_beat_until_it_is_taken_and_loses_none() {
        let data: Vec<u64> = (0..500).collect();
        let mut source = Source::new(data.chunks(1), Stalls::new(Some(3), 0));
        let mut taken: Vec<u64> = Vec::new();
        let mut held: Option<&[u64]> = None;
        let mut cycle = 0_u64;
        while !source.is_done() {
            let offered = source.offer();
            if held.is_some() {
                assert_eq!(offered, held, "an offer stands until it is taken");
            }
            let ready = mix(cycle).is_multiple_of(3);
            let take = offered.filter(|_| ready);
            held = if ready { None } else { offered };
            taken.extend(take.into_iter().flatten());
            source.advance(take.is_some());
            cycle += 1;
        }
        assert_eq!(taken, data);
        assert_eq!((source.sent(), source.offer()), (500, None));
    }

    #[test]
    fn the_sink_waits_as_long_whenever_it_is_asked() {
        // Counting from valid on, the wait of beat n is the same, however late the beat comes.
        let stalls = Stalls::new(Some(5), 1);
        for late in [0, 7] {
            let mut sink = Sink::new(stalls);
            for beat in 0..300 {
                let expected = stalls.at(beat);
                for _ in 0..late {
                    assert_eq!(sink.advance(false), None);
                }
                let mut waited = 0;
                while sink.advance(true).is_none() {
                    waited += 1;
                }
                let before = if expected.after_valid { 0 } else { late };
                assert_eq!(waited, expected.cycles.saturating_sub(before), "beat {beat}");
            }
            assert_eq!(sink.taken(), 300);
        }
    }
}
