//! Types of signals and expressions: a width and a sign, both known when the design is built.

use std::fmt;

/// Widest signal: a word of the largest Config ([`spec::config::MAX_SIGNAL_BITS`]) and control bits that travel with it.
pub const MAX_WIDTH: u32 = spec::config::MAX_SIGNAL_BITS + 64;
/// Widest operand of `+ - * < <= <<` and of shifts by a signal.
pub const MAX_ARITH_WIDTH: u32 = 128;

/// Width in bits and sign of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ty {
    /// Bits, 1..=[`MAX_WIDTH`].
    pub width: u32,
    /// Two's complement if true.
    pub signed: bool,
}

impl Ty {
    /// Unsigned of that width.
    pub const fn u(width: u32) -> Self {
        Self { width, signed: false }
    }

    /// Two's complement of that width.
    pub const fn s(width: u32) -> Self {
        Self { width, signed: true }
    }

    /// One bit.
    pub const fn bit() -> Self {
        Self::u(1)
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.signed { 's' } else { 'u' }, self.width)
    }
}

/// Bits needed to hold every value of `0..count`; at least 1.
pub const fn index_bits(count: u32) -> u32 {
    if count <= 2 { 1 } else { u32::BITS - (count - 1).leading_zeros() }
}

/// Bits needed to hold `value`; at least 1.
pub const fn bits_for(value: u64) -> u32 {
    if value == 0 { 1 } else { u64::BITS - value.leading_zeros() }
}
