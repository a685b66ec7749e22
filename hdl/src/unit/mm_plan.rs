//! What a matrix-multiply unit consists of: the tile engine's, or the whole accelerator's.

use spec::{Config, Dataflow, Format, Operand, Scaling};

use super::array;
use super::run_sizes::RunSizes;
use crate::rtl::{bits_for, index_bits};

/// Words that the addresses of an `MM` instruction reach.
const ADDRESSED_WORDS: u32 = 1 << 14;
/// Most rows of an `MM` instruction: the heads of attention give it more than a chunk has.
const MOST_ROWS: u32 = 1 << 11;
/// Most commands between their first row and their last sum.
const MOST_IN_FLIGHT: u32 = 8;

/// Sizes, and which parts are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MmPlan {
    /// Bits of an accumulator.
    pub acc_bits: u32,
    /// Words of an accumulator bank.
    pub acc_words: u32,
    /// Words of half of the activation buffer.
    pub act_words: u32,
    /// Bits of what a column foot adds: a tile's partial sum, scaled where there are scales.
    pub addend_bits: u32,
    /// Bits of a row's place in its command.
    pub row: u32,
    /// Bits of the tiles along K, modulo a power of two.
    pub k_tiles: u32,
    /// Bits of the tiles along N, modulo a power of two.
    pub n_tiles: u32,
    /// Whether commands carry formats, scalings and addresses: the accelerator's, not the tile engine's.
    pub whole: bool,
    /// Block scales.
    pub scales: Scales,
}

/// Which block scales are built; none in the tile engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scales {
    /// Groups with an unsigned factor.
    pub group: bool,
    /// Blocks with a power of two.
    pub mx: bool,
    /// Blocks with an E4M3 scale.
    pub nv: bool,
    /// Bits of the factor that a row's scale byte gives; 0 where no activations have blocks.
    pub act_factor: u32,
}

impl Scales {
    fn new(config: &Config) -> Self {
        let built = |scaling| config.builds_scaling(scaling);
        let acts = |scaling: Scaling| {
            config.pe.formats.iter().any(|f| f.acts_have_blocks() && f.scalings().contains(&scaling) && built(scaling))
        };
        let act_factor = if acts(Scaling::Group32) {
            8
        } else if acts(Scaling::Nv16) {
            4
        } else {
            u32::from(acts(Scaling::Mx32))
        };
        Self { group: built(Scaling::Group32), mx: built(Scaling::Mx32), nv: built(Scaling::Nv16), act_factor }
    }

    /// Whether any are built.
    pub fn any(self) -> bool {
        self.group || self.mx || self.nv
    }

    /// Whether sums are shifted.
    pub fn shifts(self) -> bool {
        self.mx || self.nv
    }

    /// Bits of the factor that a column's scale byte gives.
    pub fn weight_factor(self) -> u32 {
        if self.group {
            8
        } else if self.nv {
            4
        } else {
            1
        }
    }

    /// Bits of the product of both factors.
    pub fn factor(self) -> u32 {
        self.weight_factor() + self.act_factor
    }

    /// Whether that scaling is built.
    pub fn has(self, scaling: Scaling) -> bool {
        match scaling {
            Scaling::Channel => true,
            Scaling::Group32 | Scaling::Group16 => self.group,
            Scaling::Mx32 => self.mx,
            Scaling::Nv16 => self.nv,
        }
    }
}

impl MmPlan {
    /// The tile engine's unit.
    pub fn engine(config: &Config) -> Self {
        let sizes = RunSizes::new(config);
        Self {
            acc_bits: config.acc_bits(),
            acc_words: config.acc_words(),
            act_words: config.act_words(),
            addend_bits: config.sum_bits(),
            row: sizes.row,
            k_tiles: sizes.k_tiles,
            n_tiles: sizes.n_tiles,
            whole: false,
            scales: Scales::default(),
        }
    }

    /// The accelerator's unit.
    pub fn accelerator(config: &Config) -> Self {
        let scales = Scales::new(config);
        let acc_bits = config.top_acc_bits();
        let acc_words = config.top_acc_words().min(ADDRESSED_WORDS);
        let act_words = config.top_act_words().min(ADDRESSED_WORDS);
        Self {
            acc_bits,
            acc_words,
            act_words,
            addend_bits: if scales.any() { acc_bits } else { config.sum_bits() },
            row: index_bits(act_words.min(acc_words).min(MOST_ROWS)),
            k_tiles: index_bits(act_words.min(1 << 12)),
            n_tiles: index_bits(acc_words),
            whole: true,
            scales,
        }
    }

    /// Bits of a word of an accumulator bank: `[cols]` accumulators.
    pub fn acc_word_bits(&self, config: &Config) -> u32 {
        config.array.cols * self.acc_bits
    }

    /// Bits of a word of the activation buffer: `[rows]` operands, or in the accelerator `[rows]` codes of 8 bits and a
    /// scale byte above them.
    pub fn act_word_bits(&self, config: &Config) -> u32 {
        if self.whole { 8 * (config.array.rows + 1) } else { config.act_word_bits() }
    }

    /// Cycles from a word read in the activation buffer to its sums at the column feet; where sums stay in the PEs, from
    /// the flags of a sum, which leave in the last cycles of its N tile, to the sum.
    pub fn array_stages(&self, config: &Config) -> u32 {
        let taken = match config.array.dataflow {
            Dataflow::Ws => 0,
            Dataflow::Os => config.array.rows,
        };
        1 + taken + array::latency_cycles(config)
    }

    /// Cycles from sums at the column feet to the cycle in which their accumulator word is read.
    pub fn scale_stages(&self) -> u32 {
        if self.scales.any() { super::scale::LATENCY_CYCLES } else { 0 }
    }

    /// Places for commands whose sums are still to come.
    pub fn flight_depth(&self, config: &Config) -> u32 {
        let most = (self.array_stages(config) + 3).div_ceil(config.preload_cycles()) + 2;
        most.next_power_of_two().min(MOST_IN_FLIGHT)
    }

    /// Places for the scale words of blocks whose sums are still to come: as many as preload can be ahead of the feet.
    pub fn scale_depth(&self, config: &Config) -> u32 {
        let shortest = if self.scales.group || self.scales.nv { Scaling::Group16 } else { Scaling::Mx32 };
        let block_cycles = (block_tiles(config, shortest) * config.preload_cycles()).max(2);
        let most = (self.array_stages(config) + config.preload_cycles() + 4).div_ceil(block_cycles) + 2;
        most.next_power_of_two()
    }

    /// Bits of the number of commands that the unit holds.
    pub fn held_bits(&self, config: &Config) -> u32 {
        bits_for(u64::from(self.flight_depth(config) + self.scale_stages() + 4))
    }
}

/// Whether a command's format changes anything in hardware of these formats.
pub fn reads_format(config: &Config, scales: Scales) -> bool {
    weight_codes(config).len() > 1 || decodes_acts(config) || scales.act_factor > 0 || two_headers(config, scales)
}

/// Whether headers of some formats take two words.
pub fn two_headers(config: &Config, scales: Scales) -> bool {
    scales.any() && config.pe.formats.iter().any(|&format| header_words(config, format) == 2)
}

/// K tiles of a whole block: `ceil(block / min(rows, block))`; 1 without blocks.
pub fn block_tiles(config: &Config, scaling: Scaling) -> u32 {
    scaling.block().map_or(1, |block| (block as u32).div_ceil(config.array.rows.min(block as u32)))
}

/// Header words of a block in a format: `ceil(8·cols / bits of a weight word)`, 1 or 2.
pub fn header_words(config: &Config, format: Format) -> u32 {
    8u32.div_ceil(config.preload_rows() * format.weight().bits())
}

/// The weight codes of a Config's formats, each once: what the decoder at the array's edge chooses from.
pub fn weight_codes(config: &Config) -> Vec<Operand> {
    let mut codes: Vec<Operand> = Vec::new();
    for code in config.pe.formats.iter().map(|f| f.weight()) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// Whether the activations of some formats are E2M1 codes while the PEs take INT8.
pub fn decodes_acts(config: &Config) -> bool {
    config.act_operand() == Operand::Int8 && config.pe.formats.iter().any(|f| f.act() == Operand::E2m1)
}
