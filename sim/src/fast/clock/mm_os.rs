//! The matrix unit with sums that stay in the array (`hdl::unit::matmul_os`): a weight word a cycle.

use std::collections::VecDeque;

use super::cells::Reserve;
use super::mm::{MmNow, MmSizes, MmWork};

#[derive(Debug)]
pub(super) struct MmOs {
    sizes: MmSizes,
    /// Words in the weight FIFO.
    level: u32,
    active: bool,
    work: MmWork,
    /// Weight word of the tile, K tile, N tile.
    step: u32,
    k: u32,
    n: u32,
    went: bool,
    flight: Reserve,
    /// When a command's last sum is where the feet need to know, and when it is written.
    leaves: VecDeque<u64>,
    dones: VecDeque<u64>,
    held: u32,
}

impl MmOs {
    pub fn new(sizes: MmSizes) -> Self {
        Self {
            sizes,
            level: 0,
            active: false,
            work: MmWork::default(),
            step: 0,
            k: 0,
            n: 0,
            went: false,
            flight: Reserve::new(sizes.flight_depth),
            leaves: VecDeque::with_capacity(256),
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

    fn tile_ends(&self) -> bool {
        self.step + 1 == self.sizes.preload_cycles
    }

    fn is_last(&self) -> bool {
        self.tile_ends() && self.k + 1 == self.work.k_tiles && self.n + 1 == self.work.n_tiles
    }

    pub fn now(&self, time: u64) -> MmNow {
        let waits_for_sum = self.went && self.work.adds && self.k == 0 && self.n == 0;
        let may_start = self.level >= self.sizes.preload_cycles && (self.sizes.preload_cycles == 1 || !waits_for_sum);
        let row = self.active && (self.step > 0 || may_start);
        let cmd_ready = (!self.active || (row && self.is_last())) && self.flight.room();
        MmNow::of(cmd_ready, row, self.active && !row, self.dones.front() == Some(&time))
    }

    /// Ends the cycle: `cmd` is offered, `pushes`: a weight word comes.
    pub fn step(&mut self, time: u64, now: MmNow, cmd: Option<MmWork>, pushes: bool) {
        let accept = cmd.filter(|_| now.cmd_ready);
        self.level = self.level + u32::from(pushes && self.weight_ready()) - u32::from(now.row);
        if now.done {
            self.dones.pop_front();
        }
        let leaves = self.leaves.front() == Some(&time);
        if leaves {
            self.leaves.pop_front();
        }
        self.flight.step(accept.is_some(), accept.is_some(), leaves);
        self.held = self.held + u32::from(accept.is_some()) - u32::from(now.done);
        self.went = now.row;
        if now.row {
            let stages = u64::from(self.sizes.array_stages);
            if self.is_last() {
                self.active = false;
                self.leaves.push_back(time + stages - 1);
                self.dones.push_back(time + stages + u64::from(self.sizes.scale_stages) + 1);
            }
            if self.tile_ends() {
                self.step = 0;
                self.k += 1;
                if self.k == self.work.k_tiles {
                    self.k = 0;
                    self.n += 1;
                }
            } else {
                self.step += 1;
            }
        }
        if let Some(work) = accept {
            (self.active, self.work) = (true, work);
            (self.step, self.k, self.n) = (0, 0, 0);
        }
    }
}
