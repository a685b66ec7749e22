//! The packets of a layer's input stream.

use std::ops::Range;

use spec::Config;
use spec::qmodel::{QActs, QLinear};
use spec::stream::{CHANNEL_BITS, Command, K_TILES, N_TILES, Packing, ROW_BITS, packing, row_word};

use super::engine::{Chunk, MAX_K, Order, Segment};
use super::pack::BeatWriter;
use crate::error::Error;

/// Beats of activations that travel between two packets of weights: long enough that commands cost little, short enough
/// for the weight buffer to bridge.
const SLICE_BEATS: u64 = 48;

/// The side beats so far, and the order in which everything is sent.
pub(super) struct Stream {
    pub(super) side: BeatWriter,
    pub(super) segments: Vec<Segment>,
}

impl Stream {
    /// Writes side beats and appends them to the order.
    fn send(&mut self, write: impl FnOnce(&mut BeatWriter)) {
        let start = self.side.beats();
        write(&mut self.side);
        self.side.align();
        let end = self.side.beats();
        match self.segments.last_mut() {
            Some(Segment::Side(range)) => range.end = end,
            _ => self.segments.push(Segment::Side(start..end)),
        }
    }
}

/// What lowering needs at hand.
pub(super) struct Job<'a> {
    config: &'a Config,
    layer: &'a QLinear,
    acts: &'a QActs,
    format: u8,
    pub(super) shape: (usize, usize, usize),
    pub(super) k_tiles: usize,
    pub(super) n_tiles: usize,
    pub(super) chunks: Vec<Chunk>,
    weight_word_bits: u32,
    act_word_bits: u32,
}

impl<'a> Job<'a> {
    pub(super) fn new(config: &'a Config, layer: &'a QLinear, acts: &'a QActs) -> Result<Self, Error> {
        let (m, k, n) = (acts.codes.rows, layer.weight.cols, layer.weight.rows);
        check_parts(layer, acts)?;
        config.check_engine().map_err(Error::Invalid)?;
        let names = |list: Vec<&str>| list.join(", ");
        let Some(format) = config.pe.formats.iter().position(|&f| f == layer.format) else {
            let allowed = names(config.pe.formats.iter().map(|f| f.name()).collect());
            let cure = "choose one of them, or add the format to pe.formats";
            return Err(Error::invalid("format", layer.format.name(), &allowed, cure));
        };
        let mode = layer.requant.mode;
        if !config.requant.modes.contains(&mode) {
            let allowed = names(config.requant.modes.iter().map(|m| m.name()).collect());
            let cure = "choose one of them, or add the mode to requant.modes";
            return Err(Error::invalid("requant mode", mode.name(), &allowed, cure));
        }
        let most = config.chunk_rows_for(k, n).map_err(Error::Invalid)?;
        let (k_tiles, n_tiles) = (k.div_ceil(config.array.rows as usize), n.div_ceil(config.array.cols as usize));
        for (field, size, bits, of) in
            [("array.rows", k, K_TILES.bits, config.array.rows), ("array.cols", n, N_TILES.bits, config.array.cols)]
        {
            let most_tiles = (1 << bits) - 1;
            if size.div_ceil(of as usize) > most_tiles {
                let needed = size.div_ceil(most_tiles);
                let allowed = format!(">= {needed} for a layer {k} -> {n}");
                return Err(Error::invalid(field, of, &allowed, "enlarge the array: a command counts 65535 tiles"));
            }
        }
        Ok(Self {
            config,
            layer,
            acts,
            format: format as u8,
            shape: (m, k, n),
            k_tiles,
            n_tiles,
            chunks: balanced(m, most),
            weight_word_bits: config.preload_rows() * config.array.cols * layer.format.weight().bits(),
            act_word_bits: config.array.rows * layer.format.act().bits(),
        })
    }

    fn packing(&self, word_bits: u32) -> Packing {
        packing(self.config.bus.data_bits, word_bits)
    }

    pub(super) fn channels(&self, stream: &mut Stream) {
        let (_, _, n) = self.shape;
        let lanes = self.config.lanes() as usize;
        let words = self.n_tiles * (self.config.array.cols as usize / lanes);
        stream.send(|beats| {
            beats.command(&Command::Channels { base: 0, count: words as u32 });
            for word in 0..words {
                beats.word(lanes as u32 * CHANNEL_BITS);
                for channel in word * lanes..(word + 1) * lanes {
                    let (align, sum) =
                        if channel < n { (self.layer.align[channel], self.layer.sum[channel]) } else { (0, 0) };
                    beats.put(u64::from(align), 16);
                    beats.put(u64::from(sum as u32), CHANNEL_BITS - 16);
                }
            }
        });
    }

    pub(super) fn rows(&self, stream: &mut Stream, chunk: usize) {
        let Chunk { first_row, rows } = self.chunks[chunk];
        stream.send(|beats| {
            beats.command(&Command::Rows { half: half(chunk), base: 0, count: rows as u32 });
            for scale in &self.acts.scales[first_row..first_row + rows] {
                beats.word(ROW_BITS);
                beats.put(row_word(*scale).into(), ROW_BITS);
            }
        });
    }

    pub(super) fn act_words(&self, chunk: usize) -> usize {
        self.chunks[chunk].rows * self.k_tiles
    }

    pub(super) fn acts(&self, stream: &mut Stream, chunk: usize, words: Range<usize>) {
        let Chunk { first_row, rows } = self.chunks[chunk];
        let (_, k, _) = self.shape;
        let bits = self.layer.format.act().bits();
        let array_rows = self.config.array.rows as usize;
        stream.send(|beats| {
            let (base, count) = (words.start as u32, words.len() as u32);
            beats.command(&Command::Acts { half: half(chunk), format: self.format, base, count });
            for word in words {
                let first_k = word / rows * array_rows;
                let codes = &self.acts.codes.row(first_row + word % rows)[first_k..k.min(first_k + array_rows)];
                beats.word(self.act_word_bits);
                for r in 0..array_rows {
                    beats.put(code_bits(codes.get(r).copied().unwrap_or(0), bits), bits);
                }
            }
        });
    }

    pub(super) fn run(&self, stream: &mut Stream, chunk: usize) {
        let (_, _, n) = self.shape;
        let cols = self.config.array.cols as usize;
        let command = Command::Run {
            half: half(chunk),
            mode: self.layer.requant.mode,
            rows: self.chunks[chunk].rows as u32,
            last_cols: (n - (self.n_tiles - 1) * cols) as u32,
            k_tiles: self.k_tiles as u32,
            n_tiles: self.n_tiles as u32,
            step: self.layer.requant.step,
        };
        stream.send(|beats| beats.command(&command));
    }

    /// The weights of one chunk from tile `sent_tiles` on with the activations of the next between them.
    pub(super) fn weights_and_next_acts(&self, stream: &mut Stream, chunk: usize, order: Order, mut sent_tiles: usize) {
        let tiles = self.k_tiles * self.n_tiles;
        let next_words = if chunk + 1 < self.chunks.len() { self.act_words(chunk + 1) } else { 0 };
        let slices = self.packing(self.act_word_bits).beats(next_words as u64).div_ceil(SLICE_BEATS) as usize;
        // The half that is to be filled was last read by the chunk before this one, which ends about when the weight
        // buffer has been refilled once: slices before that would hold up this chunk's weights.
        let lead = match order {
            Order::Overlapped | Order::WeightsFirst => (self.config.buffer.weight_tiles as usize + 1).min(tiles),
            Order::Eager => 0,
        };
        let slices = slices.min((tiles - lead).max(1));
        for slice in 0..slices {
            if next_words == 0 {
                break;
            }
            let upto = self.beat_aligned(lead + slice * (tiles - lead) / slices);
            self.weights(stream, sent_tiles..upto);
            sent_tiles = upto;
            self.acts(stream, chunk + 1, slice * next_words / slices..(slice + 1) * next_words / slices);
        }
        self.weights(stream, sent_tiles..tiles);
    }

    /// Tiles of this layer that the weight buffer holds.
    pub(super) fn buffered_tiles(&self) -> usize {
        (self.config.buffer.weight_tiles as usize).min(self.k_tiles * self.n_tiles)
    }

    /// The last tile up to `tile` that starts on a beat of the weights' packing.
    pub(super) fn beat_aligned(&self, tile: usize) -> usize {
        let shared = self.packing(self.weight_word_bits).words_per_beat as usize;
        let words = self.config.preload_cycles() as usize;
        (0..=tile).rev().find(|t| (t * words).is_multiple_of(shared)).unwrap_or(0)
    }

    pub(super) fn weights(&self, stream: &mut Stream, tiles: Range<usize>) {
        let packing = self.packing(self.weight_word_bits);
        let words = u64::from(self.config.preload_cycles());
        let (mut start, end) = (tiles.start as u64 * words, tiles.end as u64 * words);
        // Packets end on whole beats, so that the next one starts on one of the stored beats.
        let most = u64::from(self.config.max_payload_words());
        let most = most / u64::from(packing.words_per_beat) * u64::from(packing.words_per_beat);
        while start < end {
            let count = most.min(end - start);
            stream.send(|beats| beats.command(&Command::Weights { format: self.format, count: count as u32 }));
            stream
                .segments
                .push(Segment::Weights(packing.beats(start) as usize..packing.beats(start + count) as usize));
            start += count;
        }
    }

    /// All weights in the order of computation.
    pub(super) fn pack_weights(&self) -> BeatWriter {
        let (_, k, n) = self.shape;
        let bits = self.layer.format.weight().bits();
        let (rows, cols) = (self.config.array.rows as usize, self.config.array.cols as usize);
        let (bands, words) = (self.config.preload_rows() as usize, self.config.preload_cycles() as usize);
        let mut beats = BeatWriter::new(self.config.bus.data_bits);
        for tile in 0..self.n_tiles * self.k_tiles {
            let (first_n, first_k) = (tile / self.k_tiles * cols, tile % self.k_tiles * rows);
            for word in 0..words {
                beats.word(self.weight_word_bits);
                for row in (0..bands).map(|band| band * words + word) {
                    for col in 0..cols {
                        let (channel, at) = (first_n + col, first_k + row);
                        let used = row < rows && at < k && channel < n;
                        let code = if used { self.layer.weight.data[channel * k + at] } else { 0 };
                        beats.put(code_bits(code, bits), bits);
                    }
                }
            }
        }
        beats
    }
}

fn half(chunk: usize) -> bool {
    chunk % 2 == 1
}

fn code_bits(code: i8, bits: u32) -> u64 {
    u64::from(code as u8) & ((1 << bits) - 1)
}

/// The fewest chunks of at most `most` rows, their sizes as equal as possible.
pub(super) fn balanced(m: usize, most: usize) -> Vec<Chunk> {
    let count = m.div_ceil(most);
    (0..count)
        .map(|i| {
            let (start, end) = (i * m / count, (i + 1) * m / count);
            Chunk { first_row: start, rows: end - start }
        })
        .collect()
}

fn check_parts(layer: &QLinear, acts: &QActs) -> Result<(), Error> {
    let (m, k, n) = (acts.codes.rows, layer.weight.cols, layer.weight.rows);
    let range = |field: &str, value: usize, low: usize, high: usize, cure: &str| {
        let allowed = format!("{low}..={high}");
        if (low..=high).contains(&value) { Ok(()) } else { Err(Error::invalid(field, value, &allowed, cure)) }
    };
    range("tokens", m, 1, usize::MAX >> 1, "give at least one token")?;
    range("K", k, 1, MAX_K, "split the layer along K: its sums have 32 bits")?;
    range("N", n, 1, 1 << 20, "split the layer along N")?;
    for (field, found, wanted) in [
        ("weight.data.len", layer.weight.data.len(), n * k),
        ("act.cols", acts.codes.cols, k),
        ("act.data.len", acts.codes.data.len(), m * acts.codes.cols),
        ("align.len", layer.align.len(), n),
        ("sum.len", layer.sum.len(), n),
        ("act.scales.len", acts.scales.len(), m),
    ] {
        range(field, found, wanted, wanted, "the parts of a layer must fit each other")?;
    }
    if layer.requant.step.mult < 1 << 15 {
        let cure = "normalise the step: shift its mantissa up to 16 bits";
        return Err(Error::invalid("requant.step.mult", layer.requant.step.mult, "32768..=65535", cure));
    }
    Ok(())
}
