//! The head buffer (`hdl::unit::head_buffer`): rows of a head in, words of tiles out.

use super::cells::{Line, Ring, Skid};

/// What the buffer depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadSizes {
    beat_units: u32,
    piece_units: u32,
    /// Rows of weights in a word, words in a tile.
    bands: u32,
    steps: u32,
}

impl HeadSizes {
    pub fn new(beat_bytes: u32, cols: u32, bands: u32, steps: u32) -> Self {
        let (mut unit, mut rest) = (beat_bytes, cols);
        while rest > 0 {
            (unit, rest) = (rest, unit % rest);
        }
        Self { beat_units: beat_bytes / unit, piece_units: cols / unit, bands, steps }
    }
}

/// A head to be loaded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeadWork {
    pub rows: u32,
    /// Beats of a row.
    pub beats: u32,
    pub is_direct: bool,
    pub tiles: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct HeadBuffer {
    sizes: HeadSizes,
    filling: bool,
    work: HeadWork,
    row: u32,
    beat: u32,
    gear_count: u32,
    gear_ends: bool,
    /// Halves that are full: their tiles.
    heads: Line,
    tiles: Ring<u32, 4>,
    band: u32,
    step: u32,
    tile: u32,
    row_valid: bool,
    row_ends: bool,
    row_last: bool,
    out: Skid,
    /// Whether the words in `out` are the last of their head.
    lasts: Ring<bool, 2>,
}

/// What the buffer does in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeadNow {
    /// The beat is taken.
    pub ready: bool,
    pub filled: bool,
    row_ends: bool,
    gear: (u32, bool),
}

impl HeadBuffer {
    pub fn new(sizes: HeadSizes) -> Self {
        Self {
            sizes,
            filling: false,
            work: HeadWork::default(),
            row: 0,
            beat: 0,
            gear_count: 0,
            gear_ends: false,
            heads: Line::new(2),
            tiles: Ring::new(),
            band: 0,
            step: 0,
            tile: 0,
            row_valid: false,
            row_ends: false,
            row_last: false,
            out: Skid::default(),
            lasts: Ring::new(),
        }
    }

    pub fn is_free(&self) -> bool {
        !self.filling && self.heads.ready()
    }

    pub fn is_empty(&self) -> bool {
        !self.filling && self.heads.is_empty() && !self.row_valid && !self.out.valid
    }

    pub fn word_valid(&self) -> bool {
        self.out.valid
    }

    pub fn word_last(&self) -> bool {
        self.lasts.front()
    }

    /// What happens to a beat that is offered.
    pub fn now(&self, valid: bool) -> HeadNow {
        let HeadWork { rows, beats, is_direct, .. } = self.work;
        if !self.filling {
            return HeadNow { gear: (self.gear_count, self.gear_ends), ..HeadNow::default() };
        }
        let beat_is_last = self.beat + 1 == beats;
        let (ready, row_ends, gear) = if is_direct {
            let wants = !self.gear_ends && self.gear_count < self.sizes.piece_units;
            let take = valid && wants;
            let total = self.gear_count + if take { self.sizes.beat_units } else { 0 };
            let whole = total >= self.sizes.piece_units;
            let ending = self.gear_ends || (take && beat_is_last);
            let emit = whole || (ending && total > 0);
            let rest = if whole {
                total - self.sizes.piece_units
            } else if emit {
                0
            } else {
                total
            };
            let more = ending && rest > 0;
            (wants, emit && ending && !more, (rest, more))
        } else {
            (true, valid && beat_is_last, (self.gear_count, self.gear_ends))
        };
        HeadNow { ready, filled: row_ends && self.row + 1 == rows, row_ends, gear }
    }

    /// Ends the cycle.
    pub fn step(&mut self, now: HeadNow, valid: bool, start: Option<HeadWork>, word_ready: bool) {
        if start.is_none() && self.is_empty() {
            return;
        }
        self.read(now.filled, word_ready);
        if valid && now.ready {
            self.beat = if self.beat + 1 == self.work.beats { 0 } else { self.beat + 1 };
        }
        (self.gear_count, self.gear_ends) = now.gear;
        if now.row_ends {
            self.row += 1;
        }
        if now.filled {
            self.filling = false;
        }
        if let Some(work) = start {
            (self.work, self.row, self.filling) = (work, 0, true);
        }
    }

    /// The reader's cycle.
    fn read(&mut self, filled: bool, word_ready: bool) {
        let complete = self.row_valid && self.row_ends;
        let stall = complete && !self.out.ready();
        let active = self.heads.valid;
        let taken = complete && !stall;
        let mut head_ends = false;
        if self.out.valid && word_ready {
            self.lasts.pop();
        }
        if taken {
            self.lasts.push(self.row_last);
        }
        if !stall {
            let band_last = self.band + 1 == self.sizes.bands;
            if active {
                self.band = if band_last { 0 } else { self.band + 1 };
                if band_last {
                    let step_last = self.step + 1 == self.sizes.steps;
                    self.step = if step_last { 0 } else { self.step + 1 };
                    if step_last {
                        head_ends = self.tile + 1 == self.tiles.front();
                        self.tile = if head_ends { 0 } else { self.tile + 1 };
                    }
                }
            }
            (self.row_valid, self.row_ends, self.row_last) = (active, band_last, head_ends);
        }
        self.out.step(complete, word_ready);
        if head_ends {
            self.tiles.pop();
        }
        if filled && self.heads.ready() {
            self.tiles.push(self.work.tiles);
        }
        self.heads.step(filled, head_ends);
    }
}
