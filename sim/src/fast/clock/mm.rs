//! The matrix unit (`hdl::unit::mm`): weight FIFO, preload, rows, column feet.

use std::collections::VecDeque;

use super::cells::Reserve;

/// What the unit depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MmSizes {
    /// Words of a tile: cycles of its preload.
    pub preload_cycles: u32,
    pub weight_words: u32,
    /// Stages of the array, and of the scales behind it.
    pub array_stages: u32,
    pub scale_stages: u32,
    pub flight_depth: u32,
    pub scale_depth: u32,
}

/// A matrix product.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MmWork {
    pub rows: u32,
    pub k_tiles: u32,
    pub n_tiles: u32,
    pub adds: bool,
    /// K tiles of a block; 0 without.
    pub block_tiles: u32,
    /// Header words of a block.
    pub header_words: u32,
}

/// Tiles of a command, walked through.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    k: u32,
    n: u32,
    /// K tile of its block.
    tile: u32,
}

impl Walk {
    fn k_last(&self, work: &MmWork) -> bool {
        self.k + 1 == work.k_tiles
    }

    fn is_last(&self, work: &MmWork) -> bool {
        self.k_last(work) && self.n + 1 == work.n_tiles
    }

    fn block_ends(&self, work: &MmWork) -> bool {
        self.k_last(work) || self.tile + 1 == work.block_tiles.max(1)
    }

    fn step(&mut self, work: &MmWork) {
        self.tile = if self.block_ends(work) { 0 } else { self.tile + 1 };
        if self.k_last(work) {
            self.k = 0;
            self.n += 1;
        } else {
            self.k += 1;
        }
    }
}

#[derive(Debug)]
pub(super) struct Mm {
    sizes: MmSizes,
    /// Words in the weight FIFO.
    level: u32,
    feed: MmWork,
    feed_valid: bool,
    fed: bool,
    taken: bool,
    feed_walk: Walk,
    wants_header: bool,
    second_header: bool,
    next_loaded: bool,
    /// Words of the preload under way that are still to be read.
    preload_left: u32,
    active: bool,
    rows: MmWork,
    row: u32,
    walk: Walk,
    tile_started: bool,
    went: bool,
    flight: Reserve,
    scales: Reserve,
    scale_comes: bool,
    /// When a command's last row, and a block's, is where the feet need to know.
    leaves: VecDeque<u64>,
    block_leaves: VecDeque<u64>,
    dones: VecDeque<u64>,
    held: u32,
}

/// What the unit does in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MmNow {
    pub cmd_ready: bool,
    /// A row enters; the rows wait.
    pub row: bool,
    pub wait: bool,
    pub done: bool,
    takes: bool,
    tile_start: bool,
    row_last: bool,
    preloads: bool,
    header: Option<bool>,
}

impl MmNow {
    /// What a unit without a preload does.
    pub fn of(cmd_ready: bool, row: bool, wait: bool, done: bool) -> Self {
        Self { cmd_ready, row, wait, done, ..Self::default() }
    }
}

impl Mm {
    pub fn new(sizes: MmSizes) -> Self {
        Self {
            sizes,
            level: 0,
            feed: MmWork::default(),
            feed_valid: false,
            fed: false,
            taken: false,
            feed_walk: Walk::default(),
            wants_header: false,
            second_header: false,
            next_loaded: false,
            preload_left: 0,
            active: false,
            rows: MmWork::default(),
            row: 0,
            walk: Walk::default(),
            tile_started: false,
            went: false,
            flight: Reserve::new(sizes.flight_depth),
            scales: Reserve::new(sizes.scale_depth),
            scale_comes: false,
            leaves: VecDeque::with_capacity(256),
            block_leaves: VecDeque::with_capacity(512),
            dones: VecDeque::with_capacity(256),
            held: 0,
        }
    }

    pub fn weight_ready(&self) -> bool {
        self.level != self.sizes.weight_words
    }

    pub fn is_idle(&self) -> bool {
        self.held == 0
    }

    pub fn now(&self, time: u64) -> MmNow {
        let mut now = MmNow { done: self.dones.front() == Some(&time), ..MmNow::default() };
        if !self.feed_valid && !self.active {
            now.cmd_ready = true;
            return now;
        }
        let first_row = self.row == 0;
        let may_start = self.next_loaded
            && (self.sizes.preload_cycles == 1
                || !(self.tile_started || (self.went && self.rows.adds && self.walk.k == 0 && self.walk.n == 0)));
        now.row = self.active && (!first_row || may_start);
        now.wait = self.active && !now.row;
        now.tile_start = now.row && first_row;
        now.row_last = now.row && self.row + 1 == self.rows.rows;
        let chunk_last = now.row_last && self.walk.is_last(&self.rows);
        now.takes = self.feed_valid && !self.taken && self.flight.room() && (!self.active || chunk_last);
        let feeds = self.feed_valid && !self.fed;
        let busy = self.preload_left > 0;
        now.preloads = feeds
            && self.level >= self.sizes.preload_cycles
            && !self.wants_header
            && !busy
            && (!self.next_loaded || now.tile_start);
        let last_fed = now.preloads && self.feed_walk.is_last(&self.feed);
        now.cmd_ready = !self.feed_valid || ((self.fed || last_fed) && (self.taken || now.takes));
        let readable = self.wants_header && feeds && !busy && self.level > 0;
        if readable && (self.second_header || self.scales.room()) {
            now.header = Some(self.second_header || self.feed.header_words < 2);
        }
        now
    }

    /// Ends the cycle: `cmd` is offered, `pushes`: a weight word comes.
    pub fn step(&mut self, time: u64, now: MmNow, cmd: Option<MmWork>, pushes: bool) {
        let accept = cmd.filter(|_| now.cmd_ready);
        let last_fed = now.preloads && self.feed_walk.is_last(&self.feed);
        let pops = now.preloads || self.preload_left > 0 || now.header.is_some();
        self.level = self.level + u32::from(pushes && self.weight_ready()) - u32::from(pops);

        // The feet.
        if now.done {
            self.dones.pop_front();
        }
        let leaves = self.leaves.front() == Some(&time);
        if leaves {
            self.leaves.pop_front();
        }
        let block_leaves = self.block_leaves.front() == Some(&time);
        if block_leaves {
            self.block_leaves.pop_front();
        }
        self.flight.step(now.takes, now.takes, leaves);
        self.scales.step(now.header.is_some() && !self.second_header, self.scale_comes, block_leaves);
        self.scale_comes = now.header == Some(true);
        self.held = self.held + u32::from(accept.is_some()) - u32::from(now.done);

        // Rows.
        let stages = u64::from(self.sizes.array_stages);
        (self.tile_started, self.went) = (now.tile_start, now.row);
        if now.row {
            self.row += 1;
            if now.row_last {
                self.row = 0;
                if self.rows.block_tiles > 0 && self.walk.block_ends(&self.rows) {
                    self.block_leaves.push_back(time + stages);
                }
                if self.walk.is_last(&self.rows) {
                    self.active = false;
                    self.leaves.push_back(time + stages - 1);
                    self.dones.push_back(time + stages + u64::from(self.sizes.scale_stages) + 1);
                }
                self.walk.step(&self.rows);
            }
        }
        if now.takes {
            (self.active, self.rows, self.row, self.walk) = (true, self.feed, 0, Walk::default());
        }

        // Weights.
        let started = now.tile_start;
        self.next_loaded = now.preloads || (self.next_loaded && !started);
        if now.preloads {
            self.preload_left = self.sizes.preload_cycles - 1;
            self.wants_header = self.feed.block_tiles > 0 && self.feed_walk.block_ends(&self.feed);
            self.feed_walk.step(&self.feed);
        } else {
            self.preload_left = self.preload_left.saturating_sub(1);
            if now.header == Some(true) {
                self.wants_header = false;
            }
        }
        if let Some(is_last) = now.header {
            self.second_header = !is_last;
        }
        if let Some(work) = accept {
            (self.feed, self.feed_walk) = (work, Walk::default());
            (self.fed, self.taken) = (false, false);
            self.wants_header = work.block_tiles > 0;
        } else {
            self.fed |= last_fed;
            self.taken |= now.takes;
        }
        if now.cmd_ready {
            self.feed_valid = accept.is_some();
        }
    }
}
