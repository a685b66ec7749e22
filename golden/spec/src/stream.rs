//! What travels on the tile engine's streams: command words, payload packing, result packets. Layout only.
//!
//! A command is 128 bits, sent as `ceil(128 / data_bits)` beats, lowest bits first, followed by its payload. A payload
//! is a list of words: a word wider than a beat takes `ceil(word / data_bits)` whole beats, lowest bits first; of
//! narrower words, `floor(data_bits / word)` share a beat, the first in the lowest bits. Every payload starts on a new
//! beat and its last beat is filled with zeros.
//!
//! A command asks for no more than the buffers hold: `Channels`, `Rows` and `Acts` end within their buffer
//! (`base + count` at most its words), `Weights` has at most `Config::max_payload_words` words, and `Run` at most
//! `Config::max_rows`, `max_k_tiles` and `max_n_tiles`, whose products with the rows fit half of the activation buffer
//! and one accumulator bank. The engine refuses others with `error_o`. Mantissas of steps are normalised (2^15 or more).
//!
//! A result is one packet a row: the row's N bytes in words of `lanes` bytes, packed by the same rule, then one beat
//! that holds [`row_word`] in its lowest 32 bits and ends the packet (`tlast`).

use crate::kind::RequantMode;
use crate::scale::{Dyadic, RowScale};

/// Bits of a command.
pub const COMMAND_BITS: u32 = 128;
/// Bits of one channel in the channel memory: alignment factor in 15..=0, weight sum (signed) in 39..=16.
pub const CHANNEL_BITS: u32 = 40;
/// Bits of one row's scale.
pub const ROW_BITS: u32 = 32;
/// Longest reduction: its sums stay in 32 bits.
pub const MAX_K: u32 = 65_535;

/// A command to the tile engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Channel parameters: `count` words of `lanes` channels, from word `base` on. Waits until no chunk is in flight.
    Channels {
        /// First word.
        base: u32,
        /// Words of payload.
        count: u32,
    },
    /// Row scales of a chunk's activations: `count` words of 32 bits ([`row_word`]), from row `base` of `half` on.
    Rows {
        /// Half of the row memory: the chunk's parity.
        half: bool,
        /// First row.
        base: u32,
        /// Rows of payload.
        count: u32,
    },
    /// Activations of a chunk: `count` words of R codes, from word `base` of `half` on; word `k_tile * rows + row`.
    Acts {
        /// Half of the activation buffer: the chunk's parity.
        half: bool,
        /// Place of the format in the Config's list.
        format: u8,
        /// First word.
        base: u32,
        /// Words of payload.
        count: u32,
    },
    /// Weights, in the order in which tiles are computed (K tiles fastest): `count` words of `preload_rows * C` codes.
    ///
    /// Word `s` of a tile holds rows `s`, `B + s`, `2B + s`, ... of it, where `B = preload_cycles`, band 0 lowest;
    /// within a row, column 0 is lowest. Rows past R or K and columns past N are zero.
    Weights {
        /// Place of the format in the Config's list.
        format: u8,
        /// Words of payload.
        count: u32,
    },
    /// Compute a chunk and requantise it.
    Run {
        /// Half of the buffers: the chunk's parity, which alternates from 0.
        half: bool,
        /// Requantisation.
        mode: RequantMode,
        /// Rows (tokens), 1..=chunk_rows.
        rows: u32,
        /// Columns used in the last N tile, 1..=C.
        last_cols: u32,
        /// Tiles along K, >= 1.
        k_tiles: u32,
        /// Tiles along N, >= 1.
        n_tiles: u32,
        /// [`crate::qmodel::Requant::step`].
        step: Dyadic,
    },
}

/// One field of a command: name, lowest bit, width. `Command::encode` and the hardware decoder both use these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Lowest bit.
    pub lsb: u32,
    /// Width in bits.
    pub bits: u32,
}

const fn field(name: &'static str, lsb: u32, bits: u32) -> Field {
    Field { name, lsb, bits }
}

/// Which command: see the `OP_` constants.
pub const OP: Field = field("op", 0, 4);
/// Half of double buffers.
pub const HALF: Field = field("half", 4, 1);
/// Place of the format in the Config's list.
pub const FORMAT: Field = field("format", 5, 3);
/// Place of the mode in [`RequantMode::ALL`].
pub const MODE: Field = field("mode", 8, 2);
/// Rows of a chunk.
pub const ROWS: Field = field("rows", 10, 11);
/// Columns used in the last N tile.
pub const LAST_COLS: Field = field("last_cols", 21, 8);
/// Words of payload.
pub const COUNT: Field = field("count", 32, 24);
/// First word.
pub const BASE: Field = field("base", 64, 24);
/// Tiles along K (`Run` only, in the place of `count`).
pub const K_TILES: Field = field("k_tiles", 32, 16);
/// Tiles along N (`Run` only).
pub const N_TILES: Field = field("n_tiles", 48, 16);
/// Mantissa of the step (`Run` only).
pub const MULT: Field = field("mult", 64, 16);
/// Shift of the step, signed (`Run` only).
pub const SHIFT: Field = field("shift", 80, 8);

/// `op` of [`Command::Channels`].
pub const OP_CHANNELS: u32 = 1;
/// `op` of [`Command::Rows`].
pub const OP_ROWS: u32 = 2;
/// `op` of [`Command::Acts`].
pub const OP_ACTS: u32 = 3;
/// `op` of [`Command::Weights`].
pub const OP_WEIGHTS: u32 = 4;
/// `op` of [`Command::Run`].
pub const OP_RUN: u32 = 5;

impl Command {
    /// The 128 bits.
    pub fn encode(&self) -> u128 {
        let put = |f: Field, value: u64| {
            debug_assert!(value < 1 << f.bits, "{} = {value} does not fit {} bits", f.name, f.bits);
            u128::from(value) << f.lsb
        };
        match *self {
            Self::Channels { base, count } => {
                put(OP, OP_CHANNELS.into()) | put(BASE, base.into()) | put(COUNT, count.into())
            }
            Self::Rows { half, base, count } => {
                put(OP, OP_ROWS.into()) | put(HALF, half.into()) | put(BASE, base.into()) | put(COUNT, count.into())
            }
            Self::Acts { half, format, base, count } => {
                put(OP, OP_ACTS.into())
                    | put(HALF, half.into())
                    | put(FORMAT, format.into())
                    | put(BASE, base.into())
                    | put(COUNT, count.into())
            }
            Self::Weights { format, count } => {
                put(OP, OP_WEIGHTS.into()) | put(FORMAT, format.into()) | put(COUNT, count.into())
            }
            Self::Run { half, mode, rows, last_cols, k_tiles, n_tiles, step } => {
                let mode = RequantMode::ALL.iter().position(|&m| m == mode).unwrap_or(0);
                put(OP, OP_RUN.into())
                    | put(HALF, half.into())
                    | put(MODE, mode as u64)
                    | put(ROWS, rows.into())
                    | put(LAST_COLS, last_cols.into())
                    | put(K_TILES, k_tiles.into())
                    | put(N_TILES, n_tiles.into())
                    | put(MULT, step.mult.into())
                    | put(SHIFT, u64::from(step.shift as u8))
            }
        }
    }
}

/// A row's scale as 32 bits: mantissa in 15..=0, shift (signed, -128..=127) in 23..=16, zero point in 31..=24.
pub fn row_word(scale: RowScale) -> u32 {
    u32::from(scale.step.mult) | u32::from(scale.step.shift as u8) << 16 | u32::from(scale.zp) << 24
}

/// The scale packed in a [`row_word`].
pub fn unpack_row_word(word: u32) -> RowScale {
    let step = Dyadic { mult: word as u16, shift: i16::from((word >> 16) as u8 as i8) };
    RowScale { step, zp: (word >> 24) as u8 }
}

/// How words of one width share beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Words in a beat; 1 if a word takes a beat or more.
    pub words_per_beat: u32,
    /// Beats of a word; 1 if a beat takes a word or more.
    pub beats_per_word: u32,
}

/// Packing of words of `word_bits` into beats of `data_bits`.
pub fn packing(data_bits: u32, word_bits: u32) -> Packing {
    Packing { words_per_beat: (data_bits / word_bits).max(1), beats_per_word: word_bits.div_ceil(data_bits) }
}

impl Packing {
    /// Beats of a payload of `words`.
    pub fn beats(&self, words: u64) -> u64 {
        words.div_ceil(u64::from(self.words_per_beat)) * u64::from(self.beats_per_word)
    }
}
