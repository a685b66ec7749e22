//! What follows from a Config: operand codes, word widths, depths, how much of a layer fits.

use super::Config;
use crate::error::Problem;
use crate::kind::{Dataflow, Format, Operand, Scaling};
use crate::stream;

/// Every engine takes payloads of so many words, whatever its buffers hold.
const LEAST_PAYLOAD: u32 = 4095;
/// Most K tiles of an `MM` instruction.
const MOST_K_TILES: u32 = (1 << 12) - 1;

impl Config {
    /// Code in which PEs hold weights: the formats' own if they share one, else INT8, or for powers of two sums of two, which
    /// hold every decoded weight.
    pub fn weight_operand(&self) -> Operand {
        common(self.pe.formats.iter().map(|f| f.weight()))
    }

    /// Code in which PEs take activations: the formats' own if they share one, else INT8.
    pub fn act_operand(&self) -> Operand {
        common(self.pe.formats.iter().map(|f| f.act()))
    }

    /// Cycles a tile's weights take to enter: `ceil(rows / preload_rows)`; also words a tile in the weight buffer.
    pub fn preload_cycles(&self) -> u32 {
        self.array.rows.div_ceil(self.array.preload_rows.min(self.array.rows))
    }

    /// Rows of weights that really enter a cycle: one of each band of [`Self::preload_cycles`] rows.
    pub fn preload_rows(&self) -> u32 {
        self.array.rows.div_ceil(self.preload_cycles())
    }

    /// Bits of a word of the weight buffer: `[preload_rows, cols]` weights in the PE's code.
    pub fn weight_word_bits(&self) -> u32 {
        self.preload_rows() * self.array.cols * self.weight_operand().bits()
    }

    /// Bits of a word of the activation buffer: `[rows]` activations in the PE's code.
    pub fn act_word_bits(&self) -> u32 {
        self.array.rows * self.act_operand().bits()
    }

    /// Words in each half of the activation buffer.
    pub fn act_words(&self) -> u32 {
        self.buffer.act_bytes / 2 / self.act_word_bits().div_ceil(8)
    }

    /// Bits of a sum that leaves a column: no tile's sum overflows it or, where sums stay in the PEs, none over as many
    /// K tiles as the activation buffer holds of a row, within an accumulator's 32.
    pub fn sum_bits(&self) -> u32 {
        let tiles = match self.array.dataflow {
            Dataflow::Ws => 1,
            Dataflow::Os => self.top_act_words().clamp(1, MOST_K_TILES),
        };
        self.sum_bits_of(u64::from(self.array.rows) * u64::from(tiles)).min(32)
    }

    /// Bits of a sum of so many products: none overflows it.
    pub fn sum_bits_of(&self, products: u64) -> u32 {
        let exact = products * u64::from(self.weight_operand().magnitude() * self.act_operand().magnitude());
        u64::BITS - exact.leading_zeros() + 1
    }

    /// Bits of a product.
    pub fn product_bits(&self) -> u32 {
        let exact = self.weight_operand().magnitude() * self.act_operand().magnitude();
        u32::BITS - exact.leading_zeros() + 1
    }

    /// Bits of an accumulator: 32 for per-channel formats.
    pub fn acc_bits(&self) -> u32 {
        32
    }

    /// Bits of a word of an accumulator bank: `[cols]` accumulators.
    pub fn acc_word_bits(&self) -> u32 {
        self.array.cols * self.acc_bits()
    }

    /// Words in each of the two accumulator banks.
    pub fn acc_words(&self) -> u32 {
        self.buffer.acc_bytes / 2 / self.acc_word_bits().div_ceil(8)
    }

    /// Lanes of the vector unit that are built: the largest power of two not above `vec.lanes` that divides both
    /// `array.rows` and `array.cols`.
    pub fn vec_lanes(&self) -> u32 {
        let common = |lanes: u32| self.array.rows.is_multiple_of(lanes) && self.array.cols.is_multiple_of(lanes);
        (0..=6).map(|log| 1 << log).filter(|&l| l <= self.vec.lanes && common(l)).max().unwrap_or(1)
    }

    /// Whether the column feet of the whole machine have that scaling: those that a format of the Config is best known
    /// with, and none for w8a8, which can be had without. Where sums stay in the PEs there are none.
    pub fn builds_scaling(&self, scaling: Scaling) -> bool {
        if self.array.dataflow == Dataflow::Os {
            return scaling == Scaling::Channel;
        }
        let same_foot = |best: Scaling| match scaling {
            Scaling::Channel => true,
            Scaling::Group32 | Scaling::Group16 => matches!(best, Scaling::Group32 | Scaling::Group16),
            Scaling::Mx32 | Scaling::Nv16 => best == scaling,
        };
        self.pe.formats.iter().any(|format| same_foot(format.scalings()[0]))
    }

    /// Bits of an accumulator of the whole machine: 32 where every format has one step a channel, 48 with group or MX
    /// scales, 64 with NVFP4.
    ///
    /// A format that can be had with and without scales counts as it is best known: w8a8 without, w4a8 with. Where sums
    /// stay in the PEs there are no scales.
    pub fn top_acc_bits(&self) -> u32 {
        let bits = |format: &Format| match format.scalings()[0] {
            _ if self.array.dataflow == Dataflow::Os => 32,
            Scaling::Channel => 32,
            Scaling::Group32 | Scaling::Group16 | Scaling::Mx32 => 48,
            Scaling::Nv16 => 64,
        };
        self.pe.formats.iter().map(bits).max().unwrap_or(32)
    }

    /// Words in each of the two accumulator banks of the whole machine: `[cols]` sums of [`Self::top_acc_bits`].
    pub fn top_acc_words(&self) -> u32 {
        self.buffer.acc_bytes / 2 / (self.array.cols * self.top_acc_bits()).div_ceil(8)
    }

    /// Words in each half of the activation buffer of the whole machine: `[rows]` codes of 8 bits and a scale byte.
    pub fn top_act_words(&self) -> u32 {
        self.buffer.act_bytes / 2 / (self.array.rows + 1)
    }

    /// Words in the weight FIFO: tiles of [`Self::preload_cycles`] words, each of [`Self::weight_word_bits`].
    pub fn weight_words(&self) -> u32 {
        self.buffer.weight_tiles * self.preload_cycles()
    }

    /// Bytes of a beat of the memory port.
    pub fn beat_bytes(&self) -> u32 {
        self.bus.data_bits / 8
    }

    /// Requantizer lanes that are built: the largest divisor of `array.cols` not above `requant.lanes`.
    pub fn lanes(&self) -> u32 {
        (1..=self.requant.lanes.min(self.array.cols)).rev().find(|l| self.array.cols.is_multiple_of(*l)).unwrap_or(1)
    }

    /// Words of the requantizer's channel memory: `[ceil(channels / cols) * cols / lanes]`.
    pub fn channel_words(&self) -> u32 {
        self.buffer.channels.div_ceil(self.array.cols) * (self.array.cols / self.lanes())
    }

    /// Most rows of a chunk: `array.chunk_rows`, or what half of the buffers holds of the smallest layer.
    pub fn max_rows(&self) -> u32 {
        self.array.chunk_rows.min(self.act_words()).min(self.acc_words())
    }

    /// Most tiles along K of a chunk: what half of the activation buffer holds of one row, at most [`stream::MAX_K`].
    pub fn max_k_tiles(&self) -> u32 {
        self.act_words().min(stream::MAX_K.div_ceil(self.array.rows)).min((1 << stream::K_TILES.bits) - 1)
    }

    /// Most tiles along N of a chunk: what an accumulator bank holds of one row, at most `buffer.channels`.
    pub fn max_n_tiles(&self) -> u32 {
        self.acc_words().min(self.buffer.channels.div_ceil(self.array.cols)).min((1 << stream::N_TILES.bits) - 1)
    }

    /// Most words of a payload: all ones in as many bits as the words of the largest buffer need, at least 4095.
    pub fn max_payload_words(&self) -> u32 {
        let most = self.act_words().max(self.channel_words()).max(self.array.chunk_rows).max(LEAST_PAYLOAD);
        u32::MAX >> most.leading_zeros()
    }

    /// Tokens a chunk of a layer `[k] -> [n]` can hold, or the field that is too small for even one.
    ///
    /// # Errors
    /// The field, its value and the smallest value that would do.
    pub fn chunk_rows_for(&self, k: usize, n: usize) -> Result<usize, Problem> {
        let k_tiles = k.div_ceil(self.array.rows as usize);
        let n_tiles = n.div_ceil(self.array.cols as usize);
        let refuse = |field: &str, value: u32, needed: usize| {
            Problem::new(
                field,
                value,
                format!(">= {needed} for a layer {k} -> {n}"),
                format!("set {field} = {needed} or more"),
            )
        };
        if n > self.buffer.channels as usize {
            return Err(refuse("buffer.channels", self.buffer.channels, n));
        }
        let act = self.act_words() as usize / k_tiles.max(1);
        if act == 0 {
            let needed = 2 * k_tiles * self.act_word_bits().div_ceil(8) as usize;
            return Err(refuse("buffer.act_bytes", self.buffer.act_bytes, needed));
        }
        let acc = self.acc_words() as usize / n_tiles.max(1);
        if acc == 0 {
            let needed = 2 * n_tiles * self.acc_word_bits().div_ceil(8) as usize;
            return Err(refuse("buffer.acc_bytes", self.buffer.acc_bytes, needed));
        }
        Ok(act.min(acc).min(self.array.chunk_rows as usize))
    }
}

fn common(operands: impl Iterator<Item = Operand>) -> Operand {
    let hold_both = |a: Operand, b: Operand| match (a, b) {
        (a, b) if a == b => a,
        (Operand::Pot4 | Operand::Pot8, Operand::Pot4 | Operand::Pot8) => Operand::Pot8,
        _ => Operand::Int8,
    };
    operands.reduce(hold_both).unwrap_or(Operand::Int8)
}
