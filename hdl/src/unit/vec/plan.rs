//! Sizes of the vector unit of a Config, and in which cycle things happen in its pipeline.

use spec::Config;

/// Bits of an element of the vector memory and of an entry of the scalar file, two's complement.
pub const VALUE_BITS: u32 = 64;
/// Bits of a parameter, two's complement.
pub const PARAM_BITS: u32 = 32;
/// Bits of the multiplier's second factor, two's complement.
pub const FACTOR_BITS: u32 = 18;
/// Bits of the multiplier's first factor: the sum of two elements.
pub const SUM_BITS: u32 = VALUE_BITS + 1;
/// Bits of a product.
pub const PRODUCT_BITS: u32 = SUM_BITS + FACTOR_BITS;
/// Bits of the sum of two products, which the shifter takes.
pub const SHIFTED_BITS: u32 = PRODUCT_BITS + 1;
/// Bits of a divisor: 63 of a row's magnitude, 8 of a block's scale, and one to spare.
pub const DEN_BITS: u32 = 72;
/// Most places a product is shifted left.
pub const MOST_LEFT: i128 = 62;
/// Most places a product is shifted right; more would leave 0 as well.
pub const MOST_RIGHT: i128 = 84;
/// Bits of a shift, two's complement, right positive.
pub const SHIFT_BITS: u32 = 8;
/// Bits of an exponential: 2^16 stands for 1.
pub const EXP_BITS: u32 = 17;
/// Bits of an exponential's argument in 1/65536 octaves; from 18 octaves on it is 0.
pub const OCTAVE_BITS: u32 = 21;
/// Bits of an address of an element or a parameter in an instruction.
pub const ADDR_BITS: u32 = 16;
/// Most bits of a quotient's magnitude.
pub const MOST_QBITS: u32 = 32;

/// Most lanes: a word lies within a block of 16.
pub const MOST_LANES: u32 = 16;

/// Cycles from the issue of a word to its shifted product.
pub const SHIFTED_STAGE: u32 = 6;
/// Cycles of an exponential.
pub const EXP_CYCLES: u32 = 3;

/// Sizes of the vector unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VecPlan {
    /// Lanes L: elements of a word, a power of two.
    pub lanes: u32,
    /// Elements of the vector memory.
    pub elements: u32,
    /// Parameters of the parameter memory.
    pub params: u32,
    /// Dividers of a lane.
    pub dividers: u32,
    /// Quotient bits each divider makes a cycle.
    pub quotient_bits: u32,
    /// Rows of the array: codes of an act word.
    pub rows: u32,
    /// Columns of the array: sums of an acc word.
    pub cols: u32,
    /// Bits of a sum.
    pub acc_bits: u32,
    /// Words of an acc bank.
    pub acc_words: u32,
    /// Words of a half of the act buffer.
    pub act_words: u32,
    /// Bits of a beat of the out stream.
    pub beat_bits: u32,
}

impl VecPlan {
    /// The plan for a Config.
    pub fn new(config: &Config) -> Self {
        let quotient_bits = config.vec.quotient_bits;
        Self {
            lanes: config.vec_lanes().min(MOST_LANES),
            elements: config.vec.elements,
            params: config.vec.params,
            dividers: config.vec.dividers.min(MOST_QBITS.div_ceil(quotient_bits)),
            quotient_bits,
            rows: config.array.rows,
            cols: config.array.cols,
            acc_bits: config.top_acc_bits(),
            acc_words: config.top_acc_words().min(1 << 14),
            act_words: config.top_act_words().min(1 << 14),
            beat_bits: config.bus.data_bits,
        }
    }

    /// Bits of the part of a numerator that is still to come, or of the quotient so far.
    pub fn rest_bits(&self) -> u32 {
        MOST_QBITS.div_ceil(self.quotient_bits) * self.quotient_bits
    }

    /// Bits of a numerator's magnitude.
    pub fn num_bits(&self) -> u32 {
        DEN_BITS + self.rest_bits()
    }

    /// Cycles of a division with a quotient of so many bits.
    pub fn steps(&self, qbits: u32) -> u32 {
        qbits.max(1).div_ceil(self.quotient_bits)
    }

    /// Places that a numerator is shifted left for a quotient of so many bits.
    pub fn align(&self, qbits: u32) -> u32 {
        self.rest_bits() - self.steps(qbits) * self.quotient_bits
    }

    /// Cycles from one word's division to the next one's.
    pub fn interval(&self, qbits: u32) -> u32 {
        self.steps(qbits).div_ceil(self.dividers)
    }

    /// Levels of a tree over the lanes.
    pub fn tree(&self) -> u32 {
        self.lanes.trailing_zeros()
    }
}
