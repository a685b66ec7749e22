//! `Config`: what hardware is built. Parsed from TOML, validated at construction, every derived value a method.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Problem};
use crate::kind::{Dataflow, Format, PeKind, RequantMode, Scaling};

mod derived;
mod parse;
mod uses;

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
    /// Vector unit.
    pub vec: Vector,
    /// Streams.
    pub bus: Bus,
    /// Memory masters.
    pub dma: Dma,
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
    /// What stays in the PEs.
    pub dataflow: Dataflow,
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

/// `[vec]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// Lanes wanted; the largest power of two not above it that divides `array.rows` and `array.cols` is built.
    pub lanes: u32,
    /// Elements of 64 bits in the vector memory, both the residual stream and scratch.
    pub elements: u32,
    /// Parameters of 32 bits in the parameter memory.
    pub params: u32,
    /// Dividers in each lane.
    pub dividers: u32,
    /// Quotient bits each divider makes a cycle.
    pub quotient_bits: u32,
}

/// `[dma]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dma {
    /// Read bursts that may be under way at once.
    pub outstanding: u32,
    /// Most beats of a burst; it never crosses 4 KiB.
    pub burst_beats: u32,
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
    /// [`Error::Syntax`] for what is not TOML; [`Error::Invalid`] with every field that is missing, unknown, of the wrong
    /// kind or out of range.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        parse::parse(text)
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
        range(
            "vec.lanes",
            self.vec.lanes,
            1,
            16,
            "choose how many values the vector unit takes a cycle; a word lies within a block of 16",
        );
        range("vec.elements", self.vec.elements, 64, 1 << 16, "choose the vector memory's size: 16-bit addresses");
        range("vec.params", self.vec.params, 64, 1 << 16, "choose the parameter memory's size: 16-bit addresses");
        range("vec.dividers", self.vec.dividers, 1, 32, "choose how many quotients a lane has under way");
        range("vec.quotient_bits", self.vec.quotient_bits, 1, 8, "choose how many bits a divider makes a cycle");
        range("dma.outstanding", self.dma.outstanding, 1, 16, "choose how many read bursts may be under way");
        range("dma.burst_beats", self.dma.burst_beats, 1, 256, "AXI4 bursts have at most 256 beats");
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
            // Beside other formats, powers of two are decoded to the multiplier's INT8.
            let is_decoded = self.pe.formats.iter().any(|&other| other != format && self.pe.kind.supports(other));
            let is_computed = self.pe.kind == PeKind::Mac && format == Format::Pot4 && is_decoded;
            if !self.pe.kind.supports(format) && !is_computed {
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
        if self.array.dataflow == Dataflow::Os {
            self.check_output_stationary(problems);
        }
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

    /// Sums that stay take one row of weights a cycle, and no scales before they are complete.
    fn check_output_stationary(&self, problems: &mut Vec<Problem>) {
        if self.array.preload_rows != 1 {
            let cure = "set array.preload_rows = 1, or array.dataflow = \"ws\"";
            let allowed = "1 with array.dataflow = \"os\"";
            problems.push(Problem::new("array.preload_rows", self.array.preload_rows, allowed, cure));
        }
        let plain = |format: &&Format| format.scalings().contains(&Scaling::Channel);
        let allowed: Vec<_> = Format::ALL.iter().filter(plain).map(|f| f.name()).collect();
        for format in self.pe.formats.iter().filter(|f| !plain(f)) {
            let allowed = format!("{} with array.dataflow = \"os\"", allowed.join(", "));
            let cure = format!("leave {} out, or set array.dataflow = \"ws\", whose feet scale blocks", format.name());
            problems.push(Problem::new("pe.formats", format.name(), allowed, cure));
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
}
