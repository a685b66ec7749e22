//! `Config`: what hardware is built. Parsed from TOML, validated at construction, every derived value a method.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Problem};
use crate::kind::{Format, Operand, PeKind, RequantMode};

/// Widest signal of the hardware language, in bits.
pub const MAX_SIGNAL_BITS: u32 = 4096;

/// The hardware to build. Every field is stated in the file; nothing has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names.
    pub design: Design,
    /// Systolic array.
    pub array: Array,
    /// Processing element.
    pub pe: Pe,
    /// Requantizer.
    pub requant: Requant,
    /// On-chip buffers.
    pub buffer: Buffer,
    /// Streams.
    pub bus: Bus,
}

/// `[design]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Prefix of every Verilog module.
    pub prefix: String,
}

/// `[array]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Array {
    /// Rows R of PEs: the K dimension of a tile.
    pub rows: u32,
    /// Columns C of PEs: the N dimension of a tile.
    pub cols: u32,
    /// Rows of weights that enter the array a cycle; at most `rows` of them are used.
    pub preload_rows: u32,
    /// Most rows of activations (tokens) in a chunk; buffers may force fewer.
    pub chunk_rows: u32,
}

/// `[pe]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pe {
    /// Circuit.
    pub kind: PeKind,
    /// Number formats the hardware accepts, chosen per command; the first is the default.
    pub formats: Vec<Format>,
    /// Whether the product is registered before it is added.
    pub product_register: bool,
}

/// `[requant]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requant {
    /// Lanes wanted; the largest divisor of `array.cols` not above it is built.
    pub lanes: u32,
    /// Dividers in each lane.
    pub dividers: u32,
    /// Quotient bits each divider makes a cycle.
    pub quotient_bits: u32,
    /// Modes the hardware accepts, chosen per command.
    pub modes: Vec<RequantMode>,
}

/// `[buffer]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    /// Activation buffer, both halves, in bytes.
    pub act_bytes: u32,
    /// Accumulator memory, both banks, in bytes.
    pub acc_bytes: u32,
    /// Weight tiles the weight buffer holds.
    pub weight_tiles: u32,
    /// Most output channels of a layer.
    pub channels: u32,
}

/// `[bus]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// Data width of the streams, in bits.
    pub data_bits: u32,
}

impl Config {
    /// Parses and validates a TOML text.
    ///
    /// # Errors
    /// [`Error::Syntax`] for bad TOML, missing or unknown fields; [`Error::Invalid`] with every field out of range.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|e| Error::Syntax(e.to_string().trim().to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks every field and reports all problems at once.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn validate(&self) -> Result<(), Error> {
        let mut problems = Vec::new();
        let mut range = |field: &str, value: u32, low: u32, high: u32, cure: &str| {
            if value < low || value > high {
                problems.push(Problem::new(field, value, format!("{low}..={high}"), cure));
            }
        };
        range("array.rows", self.array.rows, 1, 128, "choose the number of PE rows");
        range("array.cols", self.array.cols, 1, 128, "choose the number of PE columns");
        range("array.preload_rows", self.array.preload_rows, 1, 128, "choose how many rows of weights enter a cycle");
        range("array.chunk_rows", self.array.chunk_rows, 1, 1024, "choose the most tokens of a chunk");
        range("requant.lanes", self.requant.lanes, 1, 64, "choose how many values are requantised a cycle");
        range("requant.dividers", self.requant.dividers, 1, 8, "8 one-bit dividers already take a value every cycle");
        range("requant.quotient_bits", self.requant.quotient_bits, 1, 8, "a quotient has 8 bits");
        range("buffer.act_bytes", self.buffer.act_bytes, 64, 1 << 24, "choose the activation buffer's size");
        range("buffer.acc_bytes", self.buffer.acc_bytes, 64, 1 << 26, "choose the accumulator memory's size");
        range("buffer.weight_tiles", self.buffer.weight_tiles, 2, 64, "one tile computes while the next is loaded");
        range("buffer.channels", self.buffer.channels, 1, 1 << 20, "choose the most output channels of a layer");
        if !matches!(self.bus.data_bits, 32 | 64 | 128 | 256 | 512) {
            problems.push(Problem::new(
                "bus.data_bits",
                self.bus.data_bits,
                "32, 64, 128, 256, 512",
                "choose one of them",
            ));
        }
        self.check_lists(&mut problems);
        if problems.is_empty() {
            self.check_combinations(&mut problems);
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    fn check_lists(&self, problems: &mut Vec<Problem>) {
        let prefix = &self.design.prefix;
        let legal = prefix.len() <= 32
            && prefix.chars().next().is_some_and(|c| c.is_ascii_lowercase())
            && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !legal {
            let allowed = "1 to 32 of a-z 0-9 _, a letter first";
            problems.push(Problem::new("design.prefix", format!("{prefix:?}"), allowed, "choose a Verilog prefix"));
        }
        if self.pe.formats.is_empty() {
            problems.push(Problem::new("pe.formats", "[]", "at least one format", "name a format"));
        }
        for (i, &format) in self.pe.formats.iter().enumerate() {
            if !self.pe.kind.supports(format) {
                let allowed: Vec<_> =
                    Format::ALL.into_iter().filter(|&f| self.pe.kind.supports(f)).map(Format::name).collect();
                let cure = format!("or set pe.kind = {:?}", format.pe_kind().name());
                let allowed = format!("{} with pe.kind = {:?}", allowed.join(", "), self.pe.kind.name());
                problems.push(Problem::new("pe.formats", format.name(), allowed, cure));
            }
            if self.pe.formats[..i].contains(&format) {
                problems.push(Problem::new("pe.formats", format.name(), "each format once", "remove the second one"));
            }
        }
        if self.requant.modes.is_empty() {
            problems.push(Problem::new("requant.modes", "[]", "at least one mode", "name a mode"));
        }
        for (i, &mode) in self.requant.modes.iter().enumerate() {
            if self.requant.modes[..i].contains(&mode) {
                problems.push(Problem::new("requant.modes", mode.name(), "each mode once", "remove the second one"));
            }
        }
    }

    fn check_combinations(&self, problems: &mut Vec<Problem>) {
        let most = MAX_SIGNAL_BITS / (self.array.cols * self.weight_operand().bits());
        if self.preload_rows() > most {
            let cure = "a row of weights enters as one word of at most 4096 bits";
            problems.push(Problem::new("array.preload_rows", self.array.preload_rows, format!("1..={most}"), cure));
        }
        let act = 2 * self.act_word_bits().div_ceil(8);
        if self.act_words() == 0 {
            problems.push(Problem::new("buffer.act_bytes", self.buffer.act_bytes, format!(">= {act}"), "enlarge it"));
        }
        let acc = 2 * self.acc_word_bits().div_ceil(8);
        if self.acc_words() == 0 {
            problems.push(Problem::new("buffer.acc_bytes", self.buffer.acc_bytes, format!(">= {acc}"), "enlarge it"));
        }
        if self.buffer.channels < self.array.cols {
            let allowed = format!(">= array.cols = {}", self.array.cols);
            problems.push(Problem::new("buffer.channels", self.buffer.channels, allowed, "enlarge it"));
        }
    }

    /// The file that gives this Config back, every field stated, in a fixed order.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a Config has only tables of plain values")
    }

    /// SHA-256 of the canonical TOML, its first 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        let digest = Sha256::digest(self.to_toml().as_bytes());
        digest[..8].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Code in which PEs hold weights: the formats' own if they share one, else INT8, which holds every decoded weight.
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

    /// Bits of a partial sum that leaves a column: no tile's sum overflows it.
    pub fn sum_bits(&self) -> u32 {
        let exact =
            u64::from(self.array.rows) * u64::from(self.weight_operand().magnitude() * self.act_operand().magnitude());
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

    /// Requantizer lanes that are built: the largest divisor of `array.cols` not above `requant.lanes`.
    pub fn lanes(&self) -> u32 {
        (1..=self.requant.lanes.min(self.array.cols)).rev().find(|l| self.array.cols % l == 0).unwrap_or(1)
    }

    /// Words of the requantizer's channel memory: `[ceil(channels / cols) * cols / lanes]`.
    pub fn channel_words(&self) -> u32 {
        self.buffer.channels.div_ceil(self.array.cols) * (self.array.cols / self.lanes())
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

fn common(mut operands: impl Iterator<Item = Operand>) -> Operand {
    let first = operands.next().unwrap_or(Operand::Int8);
    if operands.all(|o| o == first) { first } else { Operand::Int8 }
}
