//! The memory image: where everything lies, and the bytes of weights, parameters, tables and embeddings.

use spec::Problem;
use spec::isa::{Machine, Segment};
use spec::model::{QLayer, QModel};
use spec::qmodel::ActMode;

use super::shape::Shape;
use crate::error::Error;
use crate::lower::pack::BeatWriter;

/// Segments so far, each on a beat.
pub(super) struct Image {
    machine: Machine,
    /// Whether memory is to hold anything; otherwise addresses alone are wanted.
    is_filled: bool,
    pub segments: Vec<Segment>,
    next: u64,
}

impl Image {
    /// An empty memory.
    pub fn new(machine: Machine, is_filled: bool) -> Self {
        Self { machine, is_filled, segments: vec![], next: 0 }
    }

    /// Adds `len` bytes of which the first are `data`, and gives their address.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the image leaves 32 bits of address.
    pub fn add(&mut self, name: &str, len: usize, data: Vec<u8>) -> Result<u32, Error> {
        let addr = self.next;
        let end = addr + len as u64;
        if end > 1 << 32 {
            let cure = "generate fewer tokens or take a smaller model: addresses have 32 bits";
            return Err(Error::Invalid(Problem::new("memory image", format!("{end} bytes"), "up to 2^32 bytes", cure)));
        }
        self.next = end.next_multiple_of(self.machine.beat_bytes.into());
        self.segments.push(Segment { name: name.into(), addr: addr as u32, len: len as u32, data });
        Ok(addr as u32)
    }

    /// Adds `len` bytes that are `data`.
    pub fn bytes(&mut self, name: &str, len: usize, data: impl FnOnce() -> Vec<u8>) -> Result<u32, Error> {
        let data = if self.is_filled { data() } else { vec![] };
        debug_assert!(!self.is_filled || data.len() == len, "{name}: {} bytes where {len} were announced", data.len());
        self.add(name, len, data)
    }

    /// Adds unsigned 16-bit numbers.
    pub fn u16s(&mut self, name: &str, data: impl ExactSizeIterator<Item = u16>) -> Result<u32, Error> {
        self.bytes(name, 2 * data.len(), || data.flat_map(u16::to_le_bytes).collect())
    }
}

/// A linear layer in memory, cut along N into parts that one accumulator bank and one slot of parameters hold.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub parts: Vec<Part>,
}

/// Some channels of a linear layer.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// First channel.
    pub first: usize,
    /// Channels.
    pub n: usize,
    /// N tiles.
    pub n_tiles: usize,
    pub weights: u32,
    /// Weight words, headers counted.
    pub words: usize,
    /// Alignment factors, 16 bits each.
    pub align: u32,
    /// Sums of weights, 32 bits each; only with a zero point.
    pub sums: u32,
}

/// Adds a linear layer in parts of at most `part_tiles` N tiles.
pub(super) fn linear(image: &mut Image, layer: &QLayer, part_tiles: usize) -> Result<Linear, Error> {
    let machine = image.machine.clone();
    let (n, k) = (layer.linear.weight.rows, layer.linear.weight.cols);
    let cols = machine.cols as usize;
    let part_tiles = part_tiles.min(n.div_ceil(cols)).max(1);
    let name = |part: &str| format!("{}.{part}", layer.linear.name);
    let mut parts = vec![];
    let beats = |bytes: usize| bytes.next_multiple_of(machine.beat_bytes as usize);
    let packing = spec::stream::packing(8 * machine.beat_bytes, machine.word_bits(layer.linear.format));
    let has_sums = layer.acts == ActMode::Asymmetric;
    // Ends of what was laid out so far: weights, alignment factors, sums.
    let mut ends = [0; 3];
    for first in (0..n).step_by(part_tiles * cols) {
        let count = (n - first).min(part_tiles * cols);
        let n_tiles = count.div_ceil(cols);
        let words = n_tiles * machine.column_words(k as u32, layer.linear.format, layer.scaling) as usize;
        let [weights, align, sums] = ends.map(|end| end as u32);
        parts.push(Part { first, n: count, n_tiles, weights, words, align, sums });
        ends[0] += packing.beats(words as u64) as usize * machine.beat_bytes as usize;
        ends[1] += beats(2 * count);
        ends[2] += if has_sums { beats(4 * count) } else { 0 };
    }
    let fill = |bytes: &mut Vec<u8>| bytes.resize(beats(bytes.len()), 0);
    let weights = || {
        let tiles = |part: &Part| part.first / cols..part.first / cols + part.n_tiles;
        parts.iter().flat_map(|part| pack(&machine, layer, tiles(part))).collect()
    };
    let align = || {
        let mut bytes = vec![];
        for part in &parts {
            bytes.extend(layer.linear.align[part.first..part.first + part.n].iter().flat_map(|a| a.to_le_bytes()));
            fill(&mut bytes);
        }
        bytes
    };
    let sums = || {
        let mut bytes = vec![];
        for part in &parts {
            bytes.extend(layer.linear.sum[part.first..part.first + part.n].iter().flat_map(|a| a.to_le_bytes()));
            fill(&mut bytes);
        }
        bytes
    };
    let at = [image.bytes(&name("weight"), ends[0], weights)?, image.bytes(&name("align"), ends[1], align)?];
    let sums = if has_sums { image.bytes(&name("sum"), ends[2], sums)? } else { 0 };
    for part in &mut parts {
        part.weights += at[0];
        part.align += at[1];
        part.sums += sums;
    }
    Ok(Linear { parts })
}

/// Weight words of some N tiles, whole beats of bytes.
fn pack(machine: &Machine, layer: &QLayer, tiles: std::ops::Range<usize>) -> Vec<u8> {
    let weight = &layer.linear.weight;
    let (n, k) = (weight.rows, weight.cols);
    let bits = layer.linear.format.weight().bits();
    let (cols, bands, words) = (machine.cols as usize, machine.preload_rows as usize, machine.tile_words() as usize);
    let word_bits = machine.word_bits(layer.linear.format);
    let used = machine.used_rows(layer.scaling) as usize;
    let block = layer.scaling.block().unwrap_or(k);
    let data_bits = 8 * machine.beat_bytes;
    let mut beats = BeatWriter::new(data_bits);
    for first in tiles.map(|tile| tile * cols) {
        for (b, start) in (0..k).step_by(block).enumerate() {
            let end = (start + block).min(k);
            if layer.scaling.block().is_some() {
                let scale = |col: usize| if first + col < n { *layer.scales.at(first + col, b) } else { 0 };
                header(&mut beats, word_bits, (0..cols).map(scale));
            }
            for tile in (start..end).step_by(used) {
                for word in 0..words {
                    beats.word(word_bits);
                    for row in (0..bands).map(|band| band * words + word) {
                        for channel in first..first + cols {
                            let is_used = row < used && tile + row < end && channel < n;
                            let code = if is_used { weight.data[channel * k + tile + row] } else { 0 };
                            beats.put(u64::from(code as u8) & ((1 << bits) - 1), bits);
                        }
                    }
                }
            }
        }
    }
    let limbs = beats.into_limbs();
    let beat_bytes = machine.beat_bytes as usize;
    let beat = |limbs: &[u64]| limbs.iter().flat_map(|l| l.to_le_bytes()).take(beat_bytes).collect::<Vec<u8>>();
    limbs.chunks(data_bits.div_ceil(64) as usize).flat_map(beat).collect()
}

/// Scale bytes as a string of bits in words of a format's width.
fn header(beats: &mut BeatWriter, word_bits: u32, scales: impl Iterator<Item = u8>) {
    let mut left = 0;
    for scale in scales {
        let mut value = u64::from(scale);
        let mut bits = 8;
        while bits > 0 {
            if left == 0 {
                beats.word(word_bits);
                left = word_bits;
            }
            let taken = bits.min(left);
            beats.put(value & ((1 << taken) - 1), taken);
            value >>= taken;
            bits -= taken;
            left -= taken;
        }
    }
    // The last word is filled, so that the next one starts in its own place.
    while left > 0 {
        let taken = left.min(32);
        beats.put(0, taken);
        left -= taken;
    }
}

/// Address of the rows of the embedding table and bytes from one to the next: codes, then the row's shift, 16 bits each.
pub(super) fn embedding(image: &mut Image, model: &QModel, shape: &Shape) -> Result<(u32, usize), Error> {
    let stride = image.machine.whole_beats(2 * (shape.hidden as u32 + 1)) as usize;
    let rows = || {
        let mut bytes = Vec::with_capacity(stride * shape.vocab);
        for (id, &shift) in model.embedding.shift.iter().enumerate() {
            bytes.extend(model.embedding.codes.row(id).iter().flat_map(|c| c.to_le_bytes()));
            bytes.extend(i16::from(shift).to_le_bytes());
            bytes.resize((id + 1) * stride, 0);
        }
        bytes
    };
    Ok((image.bytes("embedding", stride * shape.vocab, rows)?, stride))
}

/// Address of the rotation's tables, and bytes from one position to the next: cosines, then sines, 16 bits each.
pub(super) fn rope(image: &mut Image, model: &QModel, positions: usize) -> Result<(u32, usize), Error> {
    let stride = image.machine.whole_beats(4 * model.rope.cos.cols as u32) as usize;
    let tables = || {
        let mut bytes = Vec::with_capacity(stride * positions);
        for position in 0..positions {
            let row = model.rope.cos.row(position).iter().chain(model.rope.sin.row(position));
            bytes.extend(row.flat_map(|x| x.to_le_bytes()));
            bytes.resize((position + 1) * stride, 0);
        }
        bytes
    };
    Ok((image.bytes("rope", stride * positions, tables)?, stride))
}
