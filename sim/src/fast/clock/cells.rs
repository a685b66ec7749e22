//! The small parts that stand between units, as counters: queues, places reserved in advance, stream registers.

/// A plain queue of the hardware (`hdl::unit::queue`), without what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    depth: u32,
    count: u32,
    /// A word is offered.
    pub valid: bool,
}

impl Line {
    pub fn new(depth: u32) -> Self {
        Self { depth: depth.max(1), count: 0, valid: false }
    }

    pub fn ready(&self) -> bool {
        self.count != self.depth
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Nothing changes unless a word comes or goes.
    pub fn is_settled(&self) -> bool {
        self.valid || self.count == 0
    }

    /// Ends the cycle.
    pub fn step(&mut self, in_valid: bool, out_ready: bool) {
        let push = in_valid && self.ready();
        let pop = self.valid && out_ready;
        let stored = self.count != u32::from(self.valid);
        self.valid = stored || (self.valid && !out_ready);
        self.count = self.count + u32::from(push) - u32::from(pop);
    }
}

/// What a queue holds, in order: a ring of a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring<T, const N: usize> {
    items: [T; N],
    first: usize,
    next: usize,
}

impl<T: Copy + Default, const N: usize> Ring<T, N> {
    pub fn new() -> Self {
        const { assert!(N.is_power_of_two()) };
        Self { items: [T::default(); N], first: 0, next: 0 }
    }

    /// The oldest item; a default where there is none.
    pub fn front(&self) -> T {
        self.items[self.first % N]
    }

    pub fn push(&mut self, item: T) {
        self.items[self.next % N] = item;
        self.next += 1;
        debug_assert!(self.next - self.first <= N, "a ring holds what its queue holds");
    }

    pub fn pop(&mut self) {
        self.first += 1;
    }
}

/// A FIFO whose places are reserved in advance (`hdl::unit::fifo`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserve {
    depth: u32,
    free: u32,
    stored: u32,
    pub valid: bool,
}

impl Reserve {
    pub fn new(depth: u32) -> Self {
        Self { depth, free: depth, stored: 0, valid: false }
    }

    pub fn room(&self) -> bool {
        self.free > 0
    }

    pub fn is_empty(&self) -> bool {
        self.free == self.depth
    }

    pub fn step(&mut self, reserve: bool, push: bool, ready: bool) {
        let pop = self.valid && ready;
        let read = self.stored > 0 && (ready || !self.valid);
        self.valid = read || (self.valid && !ready);
        self.free = self.free + u32::from(pop) - u32::from(reserve);
        self.stored = self.stored + u32::from(push) - u32::from(read);
    }
}

/// A stream register with a spare place (`hdl::unit::skid`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skid {
    pub valid: bool,
    spare: bool,
}

impl Skid {
    pub fn ready(&self) -> bool {
        !self.spare
    }

    pub fn step(&mut self, in_valid: bool, out_ready: bool) {
        let more = self.spare || in_valid;
        if out_ready || !self.valid {
            (self.valid, self.spare) = (more, false);
        } else {
            self.spare = more;
        }
    }
}
