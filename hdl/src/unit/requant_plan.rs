//! What the requantizer of a Config consists of, and in which cycle things happen in it.

use spec::{Config, RequantMode};

use crate::rtl::Expr;

/// Bits of an aligned sum A, two's complement: |P'| <= 2^31 times an alignment of at most 2^15, over 2^7.
pub const ALIGNED_BITS: u32 = 40;
/// Bits of a row's range `d`: at most `max A - min A < 2^40`.
pub const RANGE_BITS: u32 = 40;
/// Bits of a numerator: less than 256 ranges.
pub const NUMERATOR_BITS: u32 = 48;

/// Sizes and stages. A word of `lanes` values that is issued in cycle `t` is in stage `s` in cycle `t + s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Values a word.
    pub lanes: u32,
    /// Words of a tile: `cols / lanes`.
    pub groups: u32,
    /// Whether mode `dynamic` is built.
    pub symmetric: bool,
    /// Whether mode `asymmetric` is built, and with it zero points of the inputs.
    pub asymmetric: bool,
    /// Whether mode `static` is built.
    pub fixed: bool,
    /// Dividers of a lane; more than `steps` would never all be busy.
    pub dividers: u32,
    /// Quotient bits a divider makes a cycle.
    pub quotient_bits: u32,
}

impl Plan {
    /// The plan for a Config.
    pub fn new(config: &Config) -> Self {
        let has = |mode| config.requant.modes.contains(&mode);
        let quotient_bits = config.requant.quotient_bits;
        Self {
            lanes: config.lanes(),
            groups: config.array.cols / config.lanes(),
            symmetric: has(RequantMode::Dynamic),
            asymmetric: has(RequantMode::Asymmetric),
            fixed: has(RequantMode::Static),
            dividers: config.requant.dividers.min(8u32.div_ceil(quotient_bits)),
            quotient_bits,
        }
    }

    /// Whether rows are measured before they are requantised (any mode but `static` is built).
    pub fn measured(&self) -> bool {
        self.symmetric || self.asymmetric
    }

    /// Cycles of one division.
    pub fn steps(&self) -> u32 {
        if self.measured() { 8u32.div_ceil(self.quotient_bits) } else { 1 }
    }

    /// Cycles from one word to the next in the requantising pass.
    pub fn interval(&self) -> u32 {
        if self.measured() { self.steps().div_ceil(self.dividers) } else { 1 }
    }

    /// Stage in which a word's aligned sums are registered.
    pub fn aligned(&self) -> u32 {
        if self.asymmetric { 6 } else { 4 }
    }

    /// Stage in which a word's division begins.
    pub fn load(&self) -> u32 {
        self.aligned() + 2
    }

    /// Stage in which a word's codes enter the result FIFO.
    pub fn out(&self) -> u32 {
        self.load() + self.steps() + 1
    }

    /// Registers in the minimum and maximum tree.
    pub fn tree(&self) -> u32 {
        self.lanes.next_power_of_two().trailing_zeros()
    }

    /// Stage in which a word's minimum and maximum leave the tree.
    pub fn reduced(&self) -> u32 {
        self.aligned() + self.tree()
    }

    /// Places of the result FIFO: a place is taken at issue and free again 4 cycles after the word left the pipeline.
    pub fn fifo_depth(&self) -> u32 {
        (self.out() + 4).next_power_of_two()
    }
}

impl Plan {
    /// Whether more than one mode is built, so that a command names its own.
    pub fn chooses_mode(&self) -> bool {
        self.both_dynamic() || self.both_rules()
    }

    /// Whether both dynamic modes are built, so that a signal must choose between them.
    pub fn both_dynamic(&self) -> bool {
        self.symmetric && self.asymmetric
    }

    /// Whether `static` and a dynamic mode are built, so that a signal must choose between them.
    pub fn both_rules(&self) -> bool {
        self.measured() && self.fixed
    }
}

/// `n` of something in a sentence: `1 cycle`, `3 cycles`.
pub fn count_of(n: u32, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// The value for the case `when`, or the other, or, where only one of them is built, that one.
///
/// # Panics
/// If neither value is given, or both without `when`: the caller's mistake.
pub fn choose(when: Option<&Expr>, then: Option<Expr>, otherwise: Option<Expr>) -> Expr {
    match (when, then, otherwise) {
        (Some(when), Some(then), Some(otherwise)) => when.mux(&then, &otherwise),
        (_, Some(only), None) | (_, None, Some(only)) => only,
        _ => unreachable!("one value, or two and a signal to choose between them"),
    }
}
