//! The load unit (`hdl::unit::load_unit`): reads asked for ahead, weights, heads, parameters.

use super::cells::{Line, Ring};
use super::head::{HeadBuffer, HeadNow, HeadSizes, HeadWork};

/// Instructions whose data are asked for ahead of the one at work.
const AHEAD: u32 = 4;

/// What a load instruction does.
#[derive(Clone, Copy, Debug)]
pub(super) enum LoadKind {
    /// Words of weights; how they share beats.
    Words {
        words: u32,
        words_per_beat: u32,
        beats_per_word: u32,
    },
    Head(HeadWork),
    /// Numbers; how many go at once and in how many groups a beat.
    Params {
        n: u32,
        group: u32,
        groups: u32,
    },
}

/// A load instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadWork {
    pub kind: LoadKind,
    /// First beat of the first read, beats of each, reads, beats from one to the next.
    pub beat: u32,
    pub count: u32,
    pub reads: u32,
    pub stride: u32,
    /// Cycles that the address takes.
    pub index_cycles: u32,
}

impl Default for LoadWork {
    fn default() -> Self {
        let kind = LoadKind::Params { n: 1, group: 1, groups: 1 };
        Self { kind, beat: 0, count: 0, reads: 0, stride: 0, index_cycles: 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Asks {
    Idle,
    Check,
    Index,
    Work,
    Ask,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Idle,
    Words,
    Head,
    Params,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LoadUnit {
    asks: Asks,
    asked: LoadWork,
    beat: u32,
    reads_left: u32,
    index_left: u32,
    works: Line,
    kinds: Ring<LoadWork, 8>,
    does: Does,
    packing: (u32, u32),
    words_left: u32,
    place: u32,
    params: (u32, u32, u32),
    group: u32,
    heads: HeadBuffer,
}

/// What the unit does in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoadNow {
    pub beat_ready: bool,
    pub weight_valid: bool,
    pub retires: bool,
    head: HeadNow,
    starts: bool,
}

impl LoadUnit {
    pub fn new(sizes: HeadSizes) -> Self {
        Self {
            asks: Asks::Idle,
            asked: LoadWork::default(),
            beat: 0,
            reads_left: 0,
            index_left: 0,
            works: Line::new(AHEAD),
            kinds: Ring::new(),
            does: Does::Idle,
            packing: (1, 1),
            words_left: 0,
            place: 0,
            params: (0, 1, 1),
            group: 0,
            heads: HeadBuffer::new(sizes),
        }
    }

    pub fn instr_ready(&self) -> bool {
        self.asks == Asks::Idle
    }

    /// The read that is asked for: first beat, beats.
    pub fn cmd(&self) -> Option<(u32, u32)> {
        (self.asks == Asks::Ask).then_some((self.beat, self.asked.count))
    }

    /// Whether the unpacker has a whole word with the beat at hand, and whether that ends the beat.
    fn word(&self) -> (bool, bool) {
        let (words_per_beat, beats_per_word) = self.packing;
        let complete = beats_per_word == 1 || self.place + 1 == beats_per_word;
        let spent = words_per_beat == 1 || self.place + 1 == words_per_beat;
        (complete, spent || self.words_left == 1)
    }

    pub fn now(&self, beat_valid: bool, weight_ready: bool) -> LoadNow {
        let head_valid = self.heads.word_valid();
        let mut now = LoadNow {
            weight_valid: head_valid,
            retires: head_valid && self.heads.word_last() && weight_ready,
            head: self.heads.now(beat_valid && self.does == Does::Head),
            ..LoadNow::default()
        };
        match self.does {
            Does::Idle => {
                now.starts = self.works.valid
                    && match self.kinds.front().kind {
                        LoadKind::Head(_) => self.heads.is_free(),
                        _ => self.heads.is_empty(),
                    };
            }
            Does::Words => {
                let (complete, beat_done) = self.word();
                now.beat_ready = if complete { weight_ready && beat_done } else { true };
                now.weight_valid = beat_valid && complete;
                now.retires |= now.weight_valid && weight_ready && self.words_left == 1;
            }
            Does::Head => now.beat_ready = now.head.ready,
            Does::Params => {
                let (left, group, groups) = self.params;
                let is_last = left <= group;
                now.beat_ready = is_last || self.group + 1 == groups;
                now.retires |= beat_valid && is_last;
            }
        }
        now
    }

    /// Ends the cycle: `instr` is given, `cmd_ready` for the read.
    pub fn step(
        &mut self,
        now: LoadNow,
        instr: Option<LoadWork>,
        cmd_ready: bool,
        beat_valid: bool,
        weight_ready: bool,
    ) {
        let mut head = None;
        match self.does {
            Does::Idle if now.starts => match self.kinds.front().kind {
                LoadKind::Words { words, words_per_beat, beats_per_word } => {
                    self.does = Does::Words;
                    self.words_left = words;
                    self.packing = (words_per_beat, beats_per_word);
                }
                LoadKind::Head(work) => {
                    self.does = Does::Head;
                    head = Some(work);
                }
                LoadKind::Params { n, group, groups } => {
                    self.does = Does::Params;
                    self.params = (n, group, groups);
                }
            },
            Does::Idle => {}
            Does::Words => {
                let (complete, beat_done) = self.word();
                if beat_valid && (!complete || weight_ready) {
                    self.place = if complete && beat_done { 0 } else { self.place + 1 };
                    if complete {
                        self.words_left -= 1;
                        if self.words_left == 0 {
                            self.does = Does::Idle;
                        }
                    }
                }
            }
            Does::Head if now.head.filled => self.does = Does::Idle,
            Does::Head => {}
            Does::Params if beat_valid => {
                let (left, group, _) = self.params;
                self.group = if now.beat_ready { 0 } else { self.group + 1 };
                self.params.0 = left.saturating_sub(group);
                if left <= group {
                    self.does = Does::Idle;
                }
            }
            Does::Params => {}
        }
        let for_head = beat_valid && now.beat_ready && now.head.ready;
        self.heads.step(now.head, for_head, head, weight_ready);
        let takes_work = self.asks == Asks::Work && self.works.ready();
        if now.starts {
            self.kinds.pop();
        }
        if takes_work {
            self.kinds.push(self.asked);
        }
        self.ask(instr, cmd_ready);
        self.works.step(takes_work, now.starts);
    }

    /// The cycle of what asks ahead; before the queue of works steps.
    fn ask(&mut self, instr: Option<LoadWork>, cmd_ready: bool) {
        match self.asks {
            Asks::Idle => {
                if let Some(work) = instr {
                    (self.asked, self.asks) = (work, Asks::Check);
                }
            }
            Asks::Check => {
                self.beat = self.asked.beat;
                self.reads_left = self.asked.reads;
                self.index_left = self.asked.index_cycles;
                self.asks = if self.index_left > 0 { Asks::Index } else { Asks::Work };
            }
            Asks::Index => {
                self.index_left -= 1;
                if self.index_left == 0 {
                    self.asks = Asks::Work;
                }
            }
            Asks::Work if self.works.ready() => self.asks = Asks::Ask,
            Asks::Work => {}
            Asks::Ask if cmd_ready => {
                self.beat = self.beat.wrapping_add(self.asked.stride);
                self.reads_left -= 1;
                if self.reads_left == 0 {
                    self.asks = Asks::Idle;
                }
            }
            Asks::Ask => {}
        }
    }
}
