//! Sizes of chunks and parts of one linear layer, and where everything lies.

use spec::isa::{Machine, SCALARS};
use spec::model::QLayer;
use spec::{Config, Operand, Problem, Scaling};

use super::super::plan::{channel_params, s};
use super::LinearInput;
use crate::error::Error;

/// Parts into which the channels are cut where they can be: few enough to keep instructions rare, and so many that
/// storing the last one takes little time.
const PARTS: usize = 12;

/// Slots of parameters: the part whose sums are stored, the one that runs, the next one.
const SLOTS: usize = 3;

/// Slots of rows that wait to be coded.
const ROW_SLOTS: usize = 3;

/// Where everything lies.
#[derive(Clone, Debug)]
pub(super) struct LinearPlan {
    /// Most rows of a chunk.
    pub rows: usize,
    /// Inputs whose codes lie in the first half of the activation buffer, the others in the second one; without it a
    /// chunk has one half and the next chunk the other.
    pub split: Option<usize>,
    /// N tiles of a part.
    pub part_tiles: usize,
    /// PB: parameters of parts, rows, a zero.
    pub slots: [usize; SLOTS],
    pub row_slots: [usize; ROW_SLOTS],
    pub zero: usize,
    /// VB: the row that is coded, scales of its blocks.
    pub z: [usize; 2],
}

/// Entries of S with step and zero point of a row of a chunk; chunks of the two halves have their own.
pub(super) fn rows_entry(half: bool, rows: usize, row: usize) -> (usize, usize) {
    let first = s::ROWS + 2 * (usize::from(half) * rows + row);
    (first, first + 1)
}

/// Bytes of an element of a row in memory, and its type in `LDP`.
pub(super) fn number_type(input: &LinearInput) -> (usize, usize) {
    match input {
        LinearInput::Codes(_) => (1, 0),
        LinearInput::Wide { values, .. } if values.data.iter().all(|&v| i16::try_from(v).is_ok()) => (2, 2),
        LinearInput::Wide { .. } => (4, 4),
    }
}

/// The rows as they stand in memory.
pub(super) fn row_bytes(input: &LinearInput, bytes: usize, stride: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let rows = input.shape().0;
    for row in 0..rows {
        match input {
            LinearInput::Codes(acts) => out.extend(acts.codes.row(row).iter().map(|&c| c as u8)),
            LinearInput::Wide { values, .. } => {
                out.extend(values.row(row).iter().flat_map(|v| v.to_le_bytes().into_iter().take(bytes)));
            }
        }
        out.resize((row + 1) * stride, 0);
    }
    out
}

/// Bytes that no machine can do without: read, the layer's and the rows' codes in their own bits; written, sums of 32 bits
/// and a step of 4 bytes a row.
pub(super) fn traffic(layer: &QLayer, input: &LinearInput, bytes: usize, layer_bytes: u64) -> (u64, u64) {
    let (m, k) = input.shape();
    let bits = match input {
        LinearInput::Codes(_) => layer.linear.format.act().bits() as usize,
        LinearInput::Wide { .. } => 8 * bytes,
    };
    (layer_bytes + (m * k * bits).div_ceil(8) as u64, (m * 4 * (layer.linear.weight.rows + 1)) as u64)
}

impl LinearPlan {
    /// The largest chunk, in parts of about a twelfth of the channels.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the buffer that is too small for one row, and the smallest size that would do.
    pub fn new(config: &Config, machine: &Machine, layer: &QLayer, input: &LinearInput) -> Result<Self, Error> {
        let (n, k) = (layer.linear.weight.rows, layer.linear.weight.cols);
        let (m, _) = input.shape();
        let cols = machine.cols as usize;
        let k_tiles = machine.k_tiles(k as u32, layer.scaling) as usize;
        let refuse = |field: &str, value: u32, needed: usize| {
            let allowed = format!(">= {needed} for one row of this layer");
            Err(Error::Invalid(Problem::new(field, value, allowed, format!("set {field} = {needed} or more"))))
        };
        if k_tiles > machine.act_words as usize {
            let needed = 2 * k_tiles * (machine.rows as usize + 1);
            return refuse("buffer.act_bytes", config.buffer.act_bytes, needed);
        }
        // The sums of a part are stored from a beat on.
        let beat = machine.beat_bytes as usize;
        let step = (1..=beat).find(|tiles| (tiles * cols * 8).is_multiple_of(beat)).unwrap_or(beat);
        let n_tiles = n.div_ceil(cols);
        let least = step.min(n_tiles);
        if least > machine.acc_words as usize {
            let needed = 2 * least * (machine.cols * machine.acc_bits).div_ceil(8) as usize;
            return refuse("buffer.acc_bytes", config.buffer.acc_bytes, needed);
        }
        let params = |tiles: usize| SLOTS * tiles * cols * channel_params(layer) + ROW_SLOTS * k + 1;
        if params(least) > machine.params as usize {
            return refuse("vec.params", machine.params, params(least));
        }
        let scratch = match (layer.linear.format.act(), layer.scaling, input) {
            (_, _, LinearInput::Codes(_)) => 0,
            (Operand::Int8, ..) | (_, Scaling::Channel, _) => k,
            _ => k + layer.scaling.blocks(k),
        };
        let z = machine.lanes as usize;
        if z + scratch > machine.elements as usize {
            return refuse("vec.elements", machine.elements, z + scratch);
        }
        let entries = (SCALARS - s::ROWS) / 4;
        let fixed = (machine.chunk_rows as usize).min(entries).min(machine.acc_words as usize / least).min(2047).min(m);
        let whole = fixed.min(machine.act_words as usize / k_tiles).max(1);
        let split = Self::split(machine, layer, input, [whole, fixed]);
        let rows = split.map_or(whole, |(_, rows)| rows);
        let room = (machine.params as usize - ROW_SLOTS * k - 1) / (SLOTS * cols * channel_params(layer));
        let most = (machine.acc_words as usize / rows).min(room).max(least);
        let part_tiles = n_tiles.div_ceil(PARTS).next_multiple_of(step).min(most / step * step).max(least);
        let slot = part_tiles * cols * channel_params(layer);
        let first_row = SLOTS * slot;
        Ok(Self {
            rows,
            split: split.map(|(inputs, _)| inputs),
            part_tiles,
            slots: [0, 1, 2].map(|i| i * slot),
            row_slots: [0, 1, 2].map(|i| first_row + i * k),
            zero: first_row + ROW_SLOTS * k,
            z: [z, z + k],
        })
    }

    /// Inputs in the first half, and rows of a chunk, where rows that take both halves of the activation buffer make a
    /// layer faster: with few rows in a chunk its weights take longer to load than to use, with rows in both halves
    /// coding those of the next chunk waits for the end of this one.
    fn split(
        machine: &Machine,
        layer: &QLayer,
        input: &LinearInput,
        [whole, fixed]: [usize; 2],
    ) -> Option<(usize, usize)> {
        let ((m, k), n) = (input.shape(), layer.linear.weight.rows);
        let format = layer.linear.format;
        let unit = layer.scaling.block().unwrap_or(machine.rows as usize);
        let first = k.div_ceil(2).next_multiple_of(unit);
        if first >= k || matches!(input, LinearInput::Wide { .. }) {
            return None;
        }
        let tiles = |k: usize| machine.k_tiles(k as u32, layer.scaling) as usize;
        let rows = fixed.min(machine.act_words as usize / tiles(first).max(tiles(k - first))).max(1);
        let word_bits = u64::from(machine.column_words(k as u32, format, layer.scaling) * machine.word_bits(format));
        let beats = word_bits.div_ceil(8 * u64::from(machine.beat_bytes)) as usize;
        let cycles = |rows: usize| n.div_ceil(machine.cols as usize) * (m * tiles(k)).max(m.div_ceil(rows) * beats);
        // A row of codes takes its words and twice some cycles between two operations.
        let coding = m * (k / machine.lanes as usize + 40);
        (cycles(rows) + coding < cycles(whole)).then_some((first, rows))
    }
}
