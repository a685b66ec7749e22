//! The sequencer (`hdl::unit::sequencer`): fetch, queues, tokens.

use super::cells::{Line, Ring};

/// Instructions that a queue holds before they start, and those at work.
const DEPTH: u32 = 8;
const UNDER_WAY: u32 = 4;
/// What a counter of tokens holds at most.
const MOST_TOKENS: u32 = (1 << spec::isa::TOKEN_BITS) - 1;

/// What the sequencer reads in an instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header {
    /// Place of its queue, or what control does with it.
    pub queue: u8,
    /// Bits of the queues that it waits for, and of those that it signals.
    pub waits: u8,
    pub signals: u8,
}

/// `queue` of `HALT`, `SYNC` and `INFO`.
pub(super) const HALT: u8 = 4;
/// See [`HALT`].
pub(super) const SYNC: u8 = 5;
/// See [`HALT`].
pub(super) const INFO: u8 = 6;

/// Tokens from each queue to each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens([[u32; 4]; 4]);

/// A queue of instructions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issue {
    waiting: Line,
    instrs: Ring<(u32, Header), 16>,
    work: Line,
    /// At work, oldest first.
    works: Ring<(u32, Header), 8>,
    retired: u32,
}

/// What a queue does in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IssueNow {
    /// The instruction that may start.
    pub offers: Option<u32>,
    pub misses_token: bool,
    waits: u8,
}

impl Issue {
    pub fn new() -> Self {
        Self {
            waiting: Line::new(DEPTH),
            instrs: Ring::new(),
            work: Line::new(UNDER_WAY),
            works: Ring::new(),
            retired: 0,
        }
    }

    pub fn has_room(&self) -> bool {
        self.waiting.ready()
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.work.is_empty()
    }

    pub fn is_at_work(&self) -> bool {
        !self.work.is_empty()
    }

    pub fn now(&self, own: usize, tokens: &Tokens) -> IssueNow {
        if !self.waiting.valid {
            return IssueNow::default();
        }
        let (at, header) = self.instrs.front();
        let misses_token = (0..4).any(|from| header.waits >> from & 1 == 1 && tokens.0[from][own] == 0);
        let offers = (!misses_token && self.work.ready()).then_some(at);
        IssueNow { offers, misses_token, waits: header.waits }
    }

    /// Ends the cycle. Tokens change in `next`.
    pub fn step(
        &mut self,
        own: usize,
        now: IssueNow,
        push: Option<(u32, Header)>,
        unit_ready: bool,
        retires: bool,
        (tokens, next): (&Tokens, &mut Tokens),
    ) {
        let started = now.offers.is_some() && unit_ready;
        let is_still = self.waiting.is_settled() && self.work.is_settled() && self.retired == 0;
        if is_still && !started && !retires && push.is_none() {
            return;
        }
        let has_retired = retires || self.retired > 0;
        let (_, oldest) = self.works.front();
        let give = has_retired
            && self.work.valid
            && !(0..4).any(|to| oldest.signals >> to & 1 == 1 && tokens.0[own][to] == MOST_TOKENS);
        if give {
            for to in (0..4).filter(|to| oldest.signals >> to & 1 == 1) {
                next.0[own][to] += 1;
            }
            self.works.pop();
        }
        self.retired = self.retired + u32::from(retires) - u32::from(give);
        if started {
            for from in (0..4).filter(|from| now.waits >> from & 1 == 1) {
                next.0[from][own] -= 1;
            }
            self.works.push(self.instrs.front());
            self.instrs.pop();
        }
        if let Some(entry) = push {
            self.instrs.push(entry);
        }
        self.waiting.step(push.is_some(), started);
        self.work.step(started, give);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fetches {
    Idle,
    Ask,
    Run,
    Flush,
}

/// Fetch and dispatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    pub state: Fetches,
    words_per_beat: u32,
    beats_per_word: u32,
    place: u32,
    /// The next instruction, and how many there are.
    next: u32,
    count: u32,
}

/// What fetch does in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FetchNow {
    pub beat_ready: bool,
    /// The instruction that goes to its queue.
    pub push: Option<u32>,
    /// The control instruction that is executed.
    pub control: Option<u32>,
    moves: bool,
    complete: bool,
    beat_done: bool,
    ends: bool,
}

impl Fetch {
    pub fn new(data_bits: u32, count: u32) -> Self {
        let packing = spec::stream::packing(data_bits, spec::isa::INSTR_BITS);
        Self {
            state: Fetches::Idle,
            words_per_beat: packing.words_per_beat,
            beats_per_word: packing.beats_per_word,
            place: 0,
            next: 0,
            count,
        }
    }

    pub fn now(&self, beat_valid: bool, headers: &[Header], rooms: [bool; 4], all_idle: bool) -> FetchNow {
        if self.state != Fetches::Run {
            return FetchNow::default();
        }
        let complete = self.beats_per_word == 1 || self.place + 1 == self.beats_per_word;
        let spent = self.words_per_beat == 1 || self.place + 1 == self.words_per_beat;
        let left = self.count - self.next;
        let mut now = FetchNow { complete, ends: left == 0 && all_idle, ..FetchNow::default() };
        let queue = headers.get(self.next as usize).map_or(INFO, |h| h.queue);
        let take_now = match queue {
            HALT | SYNC => all_idle,
            INFO => true,
            queue => rooms[usize::from(queue)],
        };
        now.beat_done = spent || left == 1 || queue == HALT;
        now.beat_ready = if complete { take_now && now.beat_done } else { true };
        now.moves = beat_valid && (!complete || take_now);
        if beat_valid && complete && take_now {
            match queue {
                HALT | SYNC | INFO => now.control = Some(self.next),
                _ => now.push = Some(self.next),
            }
            now.ends |= queue == HALT;
        }
        now
    }

    /// Ends the cycle.
    pub fn step(&mut self, now: FetchNow, start: bool, cmd_ready: bool, fetch_idle: bool) {
        if now.moves {
            self.place = if now.complete && now.beat_done { 0 } else { self.place + 1 };
            if now.complete {
                self.next += 1;
            }
        }
        self.state = match self.state {
            Fetches::Idle if start => Fetches::Ask,
            Fetches::Ask if cmd_ready => Fetches::Run,
            Fetches::Run if now.ends => Fetches::Flush,
            Fetches::Flush if fetch_idle => Fetches::Idle,
            state => state,
        };
    }
}
