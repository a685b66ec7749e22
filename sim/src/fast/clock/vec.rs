//! The vector unit (`hdl::unit::vec`): one instruction after the other, each of a known length unless the out stream holds
//! it up.

use super::cells::{Reserve, Skid};

/// Places of the FIFO of words to the out stream.
const OUT_DEPTH: u32 = 32;
/// Most words that are on their way through the lanes.
const MOST_FLIGHT: usize = 128;

/// A row operation: when its words are issued and when their results come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowWork {
    /// Words, slots of each, cycles from one word to the next beside its slots, cycles from issue to result.
    pub words: u32,
    pub slots: u32,
    pub pause: u32,
    pub latency: u32,
    /// Each word waits until the one before has come.
    pub is_serial: bool,
    /// Words of a block after which the constants are made anew; 0 without.
    pub block_words: u32,
    /// Words to one result; the last may have fewer.
    pub result_words: u32,
    /// Cycles until a reduction is there, and results that it writes; 0 without.
    pub settle: u32,
    pub writes: u32,
    /// Results go to the out stream: elements of a word's result, logarithm of an element's bytes is `SETO`'s.
    pub is_out: bool,
    /// Elements of the row, and of a result.
    pub elements: u32,
    pub result_elements: u32,
}

/// An instruction of the vector unit.
#[derive(Clone, Copy, Debug)]
pub(super) enum VecWork {
    /// It retires so many cycles after it was taken.
    Fixed(u32),
    /// `SETO`.
    SetOut(u32),
    /// Its words are prepared for so many cycles after it was taken.
    Row(u32, RowWork),
}

/// What the out stream depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutSizes {
    pub lanes_log: u32,
    pub beat_log: u32,
}

/// Words of results into beats (`hdl::unit::vec::out`).
#[derive(Debug)]
struct Out {
    sizes: OutSizes,
    width_log: u32,
    fifo: Reserve,
    /// Elements of the words pushed, whether each is its row's last; a ring.
    words: [(u32, bool); OUT_DEPTH as usize],
    pushed: usize,
    popped: usize,
    part: u32,
    fill: u32,
    skid: Skid,
}

impl Out {
    fn is_idle(&self) -> bool {
        self.fifo.is_empty() && !self.skid.valid && self.skid.ready()
    }

    /// Ends the cycle; `push` is a word's elements and whether it is the last.
    fn step(&mut self, is_single: bool, reserve: bool, push: Option<(u32, bool)>, out_ready: bool) {
        let OutSizes { lanes_log, beat_log } = self.sizes;
        let there = self.fifo.valid;
        let room = self.skid.ready();
        let (elements, word_last) = self.words[self.popped % self.words.len()];
        let word_log = self.width_log + if is_single { 0 } else { lanes_log };
        let parts_log = (self.width_log + lanes_log).saturating_sub(beat_log);
        // The next part begins within an element that counts.
        let has_more =
            parts_log > 0 && self.part + 1 < 1 << parts_log && (self.part + 1) << beat_log >> self.width_log < elements;
        let part_last = !has_more;
        let filled = self.fill + (1 << word_log.min(beat_log));
        let ends = filled >> beat_log & 1 == 1 || (word_last && part_last);
        let taken = there && room;
        if taken {
            self.fill = if ends { 0 } else { filled };
            self.part = if part_last { 0 } else { self.part + 1 };
            self.popped += usize::from(part_last);
        }
        if let Some(word) = push {
            self.words[self.pushed % OUT_DEPTH as usize] = word;
            self.pushed += 1;
        }
        self.fifo.step(reserve, push.is_some(), room && part_last);
        self.skid.step(there && ends, out_ready);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Idle,
    /// It retires in that cycle.
    Until(u64),
    /// It is prepared in that cycle; words go to the out stream.
    Starts(u64),
    Issues,
    /// Cycles until the reduction is there.
    Settles(u32),
}

#[derive(Debug)]
pub(super) struct VecUnit {
    out: Out,
    does: Does,
    row: RowWork,
    words_left: u32,
    elements_left: u32,
    slot: u32,
    pause: u32,
    /// When the words on their way come, and their elements; a ring.
    flight: [(u64, u32); MOST_FLIGHT],
    issued: usize,
    come: usize,
}

/// What the unit does in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VecNow {
    pub ready: bool,
    pub retires: bool,
    pub out_valid: bool,
}

impl VecUnit {
    pub fn new(sizes: OutSizes) -> Self {
        let out = Out {
            sizes,
            width_log: 0,
            fifo: Reserve::new(OUT_DEPTH),
            words: [(0, false); OUT_DEPTH as usize],
            pushed: 0,
            popped: 0,
            part: 0,
            fill: 0,
            skid: Skid::default(),
        };
        Self {
            out,
            does: Does::Idle,
            row: RowWork::default(),
            words_left: 0,
            elements_left: 0,
            slot: 0,
            pause: 0,
            flight: [(0, 0); MOST_FLIGHT],
            issued: 0,
            come: 0,
        }
    }

    pub fn now(&self, time: u64) -> VecNow {
        VecNow {
            ready: self.does == Does::Idle,
            retires: self.does == Does::Until(time),
            out_valid: self.out.skid.valid,
        }
    }

    /// Ends the cycle.
    pub fn step(&mut self, time: u64, now: VecNow, instr: Option<VecWork>, out_ready: bool) {
        let is_out = !self.out.is_idle();
        match self.does {
            Does::Idle => match instr {
                None => {}
                Some(VecWork::Fixed(cycles)) => self.does = Does::Until(time + u64::from(cycles)),
                Some(VecWork::SetOut(log)) => {
                    self.out.width_log = log;
                    self.does = Does::Until(time + 2);
                }
                Some(VecWork::Row(prepared, row)) if row.is_out => {
                    self.row = row;
                    self.does = Does::Starts(time + u64::from(prepared));
                }
                Some(VecWork::Row(prepared, row)) => {
                    self.does = Does::Until(time + u64::from(prepared) + u64::from(row.cycles()));
                }
            },
            Does::Until(end) => {
                if end == time {
                    self.does = Does::Idle;
                }
            }
            Does::Starts(at) => {
                if at == time {
                    self.does = Does::Issues;
                    self.words_left = self.row.words;
                    self.elements_left = self.row.elements;
                    (self.slot, self.pause) = (0, 0);
                }
            }
            Does::Issues | Does::Settles(_) => {
                self.issue(time, out_ready);
                return;
            }
        }
        if is_out || now.out_valid {
            self.out.step(self.row.result_elements == 1, false, None, out_ready);
        }
    }

    /// A cycle of an operation whose results go to the out stream.
    fn issue(&mut self, time: u64, out_ready: bool) {
        let row = self.row;
        let none_on_way = self.issued == self.come;
        let all_issued = self.words_left == 0;
        let flushed = self.out.is_idle();
        let go = self.out.fifo.room() && (!row.is_serial || none_on_way);
        let mut reserves = false;
        if !all_issued && self.pause == 0 && go {
            self.slot += 1;
            if self.slot == row.slots {
                self.slot = 0;
                self.words_left -= 1;
                self.pause = row.pause;
                let so_far = row.words - self.words_left;
                if so_far.is_multiple_of(row.result_words) || self.words_left == 0 {
                    let elements = row.result_elements.min(self.elements_left);
                    self.elements_left -= elements.min(self.elements_left);
                    self.flight[self.issued % MOST_FLIGHT] = (time + u64::from(row.latency), elements);
                    self.issued += 1;
                    reserves = true;
                }
            }
        } else {
            self.pause = self.pause.saturating_sub(1);
        }
        let mut push = None;
        if !none_on_way && self.flight[self.come % MOST_FLIGHT].0 == time {
            let is_last = all_issued && self.issued - self.come == 1;
            push = Some((self.flight[self.come % MOST_FLIGHT].1, is_last));
            self.come += 1;
        }
        self.out.step(row.result_elements == 1, reserves, push, out_ready);
        match self.does {
            Does::Issues if all_issued && none_on_way => self.does = Does::Settles(row.settle),
            Does::Settles(0) if flushed => self.does = Does::Until(time + 1 + u64::from(row.writes)),
            Does::Settles(0) => self.does = Does::Settles(row.settle),
            Does::Settles(left) => self.does = Does::Settles(left - 1),
            _ => {}
        }
    }
}

impl RowWork {
    /// Cycles from the one in which it is prepared to the one in which it retires; no results go to the out stream.
    fn cycles(&self) -> u32 {
        let (words, slots, latency) = (self.words, self.slots, self.latency);
        let last = if self.is_serial {
            slots + (words - 1) * (latency + slots)
        } else if self.block_words > 0 {
            // Six cycles from the end of a block to the next one's first word, and as many, less one, to the first one's.
            let blocks = words.div_ceil(self.block_words);
            let in_block = |words: u32| slots + (words - 1) * (slots + self.pause);
            let rest = words - (blocks - 1) * self.block_words;
            7 + (blocks - 1) * (in_block(self.block_words) + latency + 7) + in_block(rest)
        } else {
            slots + (words - 1) * (slots + self.pause)
        };
        last + latency + 2 + self.settle + 1 + self.writes
    }
}
