//! What is known to have retired: a count of instructions for each queue.

use spec::isa::Queue;

/// For each queue, how many of its instructions have retired for certain.
///
/// Instructions of a queue retire in order, so that a count says which ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock(pub [u32; 4]);

impl Clock {
    /// What both know.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self(std::array::from_fn(|q| self.0[q].max(other.0[q])))
    }

    /// The same, with instruction `count` of a queue (counted from 1) retired too.
    #[must_use]
    pub fn after(mut self, queue: Queue, count: u32) -> Self {
        self.0[queue as usize] = self.0[queue as usize].max(count);
        self
    }

    /// Whether instruction `count` of a queue has retired.
    pub fn knows(&self, queue: usize, count: u32) -> bool {
        self.0[queue] >= count
    }
}
