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

/// A memory of the machine, as instructions write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Store {
    /// DRAM; a place is a byte address, a value a byte.
    Dram,
    /// Weight FIFO; a place counts the words that entered it before, values are the codes of the words.
    Fifo,
    /// PB, 32 bits signed.
    Param,
    /// VB, 64 bits signed.
    Vector,
    /// S, 64 bits signed.
    Scalar,
    /// A half of the act buffer; a place is a word, values are its codes (signed) and then its scale byte (unsigned).
    Act {
        /// Half.
        half: bool,
    },
    /// A bank of acc; a place is a word, values are its sums.
    Acc {
        /// Bank.
        bank: bool,
    },
    /// Out stream; a place counts the bytes that entered it before, values are bytes.
    Out,
    /// The index register of the load unit.
    Index,
}

/// Values that an instruction wrote, in the order of their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub store: Store,
    /// First place; see [`Store`].
    pub at: u64,
    /// Values.
    pub values: Vec<i64>,
}
