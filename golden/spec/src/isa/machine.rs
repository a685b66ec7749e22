//! The sizes of a machine, as plain data: all that a program's meaning depends on.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::Problem;
use crate::kind::{Format, Scaling};

/// Words that `act` and `acc` of `MM` can address.
const ADDRESSED_WORDS: u32 = 1 << 14;

/// What a program needs to know of the hardware, and golden to run it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Rows R of the array.
    pub rows: u32,
    /// Columns C of the array.
    pub cols: u32,
    /// Rows of weights in a weight word.
    pub preload_rows: u32,
    /// Most rows of a chunk.
    pub chunk_rows: u32,
    /// Lanes L of the vector unit.
    pub lanes: u32,
    /// Bytes of a beat.
    pub beat_bytes: u32,
    /// Words of the weight FIFO.
    pub weight_words: u32,
    /// Words in each half of the act buffer.
    pub act_words: u32,
    /// Words in each bank of acc.
    pub acc_words: u32,
    /// Bits of an accumulator: 32, 48 or 64.
    pub acc_bits: u32,
    /// Elements of VB.
    pub elements: u32,
    /// Elements of PB.
    pub params: u32,
    /// Formats that the hardware computes.
    pub formats: Vec<Format>,
}

impl Machine {
    /// The machine that a Config builds.
    pub fn new(config: &Config) -> Self {
        Self {
            rows: config.array.rows,
            cols: config.array.cols,
            preload_rows: config.preload_rows(),
            chunk_rows: config.array.chunk_rows,
            lanes: config.vec_lanes(),
            beat_bytes: config.beat_bytes(),
            weight_words: config.weight_words(),
            act_words: config.top_act_words().min(ADDRESSED_WORDS),
            acc_words: config.top_acc_words().min(ADDRESSED_WORDS),
            acc_bits: config.top_acc_bits(),
            elements: config.vec.elements,
            params: config.vec.params,
            formats: config.pe.formats.clone(),
        }
    }

    /// Notes every size that no hardware has.
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut range = |name: &str, value: u32, low: u32, high: u32| {
            if !(low..=high).contains(&value) {
                let field = format!("machine.{name}");
                problems.push(Problem::new(
                    field,
                    value,
                    format!("{low}..={high}"),
                    "lower the model for a valid Config",
                ));
            }
        };
        range("rows", self.rows, 1, 128);
        range("cols", self.cols, 1, 128);
        range("preload_rows", self.preload_rows, 1, self.rows.max(1));
        range("chunk_rows", self.chunk_rows, 1, 1024);
        range("weight_words", self.weight_words, 1, 1 << 13);
        range("act_words", self.act_words, 1, ADDRESSED_WORDS);
        range("acc_words", self.acc_words, 1, ADDRESSED_WORDS);
        range("elements", self.elements, 1, 1 << 16);
        range("params", self.params, 1, 1 << 16);
        range("formats", self.formats.len() as u32, 1, Format::ALL.len() as u32);
        for (name, value, allowed) in [
            ("lanes", self.lanes, [1, 2, 4, 8, 16, 32, 64].as_slice()),
            ("beat_bytes", self.beat_bytes, &[4, 8, 16, 32, 64]),
            ("acc_bits", self.acc_bits, &[32, 48, 64]),
        ] {
            if !allowed.contains(&value) {
                let allowed = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let cure = "lower the model for a valid Config";
                problems.push(Problem::new(format!("machine.{name}"), value, allowed, cure));
            }
        }
    }

    /// Weight words of a tile: `ceil(rows / preload_rows)`.
    pub fn tile_words(&self) -> u32 {
        self.rows.div_ceil(self.preload_rows)
    }

    /// Bits of a weight word of a format in DRAM: `[preload_rows, cols]` codes.
    pub fn word_bits(&self, format: Format) -> u32 {
        self.preload_rows * self.cols * format.weight().bits()
    }

    /// Header words before the first tile of a block: `cols` scale bytes; none where there are no blocks.
    pub fn header_words(&self, format: Format, scaling: Scaling) -> u32 {
        match scaling.block() {
            Some(_) => (8 * self.cols).div_ceil(self.word_bits(format)),
            None => 0,
        }
    }

    /// Rows U of the array that a K tile uses: R, at most a block.
    pub fn used_rows(&self, scaling: Scaling) -> u32 {
        scaling.block().map_or(self.rows, |block| self.rows.min(block as u32))
    }

    /// K tiles of a block: `ceil(block / U)`.
    pub fn block_tiles(&self, scaling: Scaling) -> u32 {
        scaling.block().map_or(1, |block| (block as u32).div_ceil(self.used_rows(scaling)))
    }

    /// K tiles of a reduction over `k`; the last block takes no more than its elements need.
    pub fn k_tiles(&self, k: u32, scaling: Scaling) -> u32 {
        let used = self.used_rows(scaling);
        match scaling.block().map(|block| block as u32) {
            None => k.div_ceil(used),
            Some(block) => k / block * block.div_ceil(used) + (k % block).div_ceil(used),
        }
    }

    /// Weight words of one N tile over a reduction of `k`, headers counted.
    pub fn column_words(&self, k: u32, format: Format, scaling: Scaling) -> u32 {
        let blocks = scaling.blocks(k as usize) as u32;
        self.k_tiles(k, scaling) * self.tile_words() + blocks * self.header_words(format, scaling)
    }

    /// `bytes` rounded up to whole beats.
    pub fn whole_beats(&self, bytes: u32) -> u32 {
        bytes.next_multiple_of(self.beat_bytes)
    }
}
