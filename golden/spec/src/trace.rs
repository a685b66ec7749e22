//! Observable points: the only language in which models are compared.

/// Identity of one value of a run, independent of the order in which models produce it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// Partial sum that leaves the array: row (token) and column (output channel) of the result, K tile.
    Sum {
        /// Token.
        row: u32,
        /// Output channel.
        col: u32,
        /// K tile.
        k_tile: u32,
    },
    /// Requantised value: row (token), column (output channel).
    Value {
        /// Token.
        row: u32,
        /// Output channel.
        col: u32,
    },
    /// Scale and zero point of a requantised row, packed as [`crate::stream::row_word`] packs them.
    Scale {
        /// Token.
        row: u32,
    },
}

/// One value at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which value.
    pub point: Point,
    /// The value.
    pub value: i64,
}
