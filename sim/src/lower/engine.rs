//! A linear layer as the input stream of the tile engine (`spec::stream`).
//!
//! Channel parameters come once, then chunks of rows. The activations of the next chunk travel in slices between the
//! weights of the current one, so that loading hides behind computing. The engine holds the stream while the half of a
//! buffer that a command fills is still in use, so nothing that a chunk needs may stand behind anything that waits for
//! that chunk: activations of chunk `c + 1` wait only for chunk `c - 1`, whose weights have all been sent.

use std::ops::Range;

use spec::Config;
use spec::qmodel::{QActs, QLinear};
use spec::stream::{CHANNEL_BITS, ROW_BITS};

use super::pack::BeatWriter;
use super::packets::{Job, Stream};
use super::results::ResultLayout;
use crate::error::Error;

/// Longest reduction whose sums stay in 32 bits.
pub const MAX_K: usize = spec::stream::MAX_K as usize;
/// Rows of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// First row (token).
    pub first_row: usize,
    /// Rows.
    pub rows: usize,
}

/// Where a run of beats is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Beats of `EngineProgram::side`.
    Side(Range<usize>),
    /// Beats of `EngineProgram::weights`.
    Weights(Range<usize>),
}

/// The input stream of one layer. Weights are stored once and sent once a chunk.
#[derive(Clone, Debug)]
pub struct EngineProgram {
    /// Tokens, reduction, channels.
    pub shape: (usize, usize, usize),
    /// Tiles along K.
    pub k_tiles: usize,
    /// Tiles along N.
    pub n_tiles: usize,
    /// Chunks in order.
    pub chunks: Vec<Chunk>,
    /// Layout of the results.
    pub results: ResultLayout,
    /// Fewest cycles that any engine of this size could take.
    pub roofline_cycles: u64,
    limbs_per_beat: usize,
    side: Vec<u64>,
    weights: Vec<u64>,
    segments: Vec<Segment>,
}

impl EngineProgram {
    /// Limbs of 64 bits that hold a beat.
    pub fn limbs_per_beat(&self) -> usize {
        self.limbs_per_beat
    }

    /// Number of beats.
    pub fn beat_count(&self) -> usize {
        self.segments.iter().map(|s| s.range().len()).sum()
    }

    /// The beats in order, lowest limb first.
    pub fn beats(&self) -> impl Iterator<Item = &[u64]> {
        self.segments.iter().flat_map(move |segment| {
            let store = match segment {
                Segment::Side(_) => &self.side,
                Segment::Weights(_) => &self.weights,
            };
            let range = segment.range();
            store[range.start * self.limbs_per_beat..range.end * self.limbs_per_beat].chunks(self.limbs_per_beat)
        })
    }

    /// Chunk that holds a row.
    pub fn chunk_of(&self, row: usize) -> Option<usize> {
        self.chunks.iter().position(|c| (c.first_row..c.first_row + c.rows).contains(&row))
    }
}

impl Segment {
    fn range(&self) -> Range<usize> {
        match self {
            Self::Side(range) | Self::Weights(range) => range.clone(),
        }
    }
}

/// When the activations of the next chunk are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As soon as they can be taken without holding up weights.
    Overlapped,
    /// As soon as the protocol allows, so that the engine has to hold the stream: for checks.
    Eager,
    /// As in `Overlapped`, but a chunk's first weights come before its `Run`: for checks.
    WeightsFirst,
}

/// Lowers a layer and its activations to the input stream of the tile engine of `config`.
///
/// # Errors
/// Those of [`lower_in`].
pub fn lower(config: &Config, layer: &QLinear, acts: &QActs) -> Result<EngineProgram, Error> {
    lower_in(config, layer, acts, Order::Overlapped)
}

/// [`lower`], in that order.
///
/// # Errors
/// [`Error::Invalid`] for what the hardware cannot take: a format or mode that the Config does not offer, K above
/// [`MAX_K`], buffers too small for one row (with the smallest size that would do), parts that do not fit each other.
pub fn lower_in(config: &Config, layer: &QLinear, acts: &QActs, order: Order) -> Result<EngineProgram, Error> {
    let job = Job::new(config, layer, acts)?;
    let mut stream = Stream { side: BeatWriter::new(config.bus.data_bits), segments: Vec::new() };
    job.channels(&mut stream);
    job.rows(&mut stream, 0);
    job.acts(&mut stream, 0, 0..job.act_words(0));
    let early_tiles = if order == Order::WeightsFirst { job.beat_aligned(job.buffered_tiles()) } else { 0 };
    for chunk in 0..job.chunks.len() {
        job.weights(&mut stream, 0..early_tiles);
        job.run(&mut stream, chunk);
        job.weights_and_next_acts(&mut stream, chunk, order, early_tiles);
        if chunk + 1 < job.chunks.len() {
            // Row scales are read last, by the requantizer, so they wait longest for their half.
            job.rows(&mut stream, chunk + 1);
        }
    }
    let (m, _, n) = job.shape;
    Ok(EngineProgram {
        shape: job.shape,
        k_tiles: job.k_tiles,
        n_tiles: job.n_tiles,
        results: ResultLayout::new(config, m, n),
        roofline_cycles: roofline_cycles(config, layer, m),
        limbs_per_beat: config.bus.data_bits.div_ceil(64) as usize,
        weights: job.pack_weights().into_limbs(),
        side: stream.side.into_limbs(),
        segments: stream.segments,
        chunks: job.chunks,
    })
}

/// Fewest cycles for `m` rows of a layer: its multiplications over the number of PEs, or its compulsory bytes (weights,
/// channel parameters, activations, row scales and results once each) over the bytes of the bus, whichever is more.
pub fn roofline_cycles(config: &Config, layer: &QLinear, m: usize) -> u64 {
    let (m, k, n) = (m as u64, layer.weight.cols as u64, layer.weight.rows as u64);
    let macs = (m * k * n).div_ceil(u64::from(config.array.rows * config.array.cols));
    let bits = k * n * u64::from(layer.format.weight().bits())
        + n * u64::from(CHANNEL_BITS)
        + m * k * u64::from(layer.format.act().bits())
        + m * n * 8
        + 2 * m * u64::from(ROW_BITS);
    macs.max(bits.div_ceil(u64::from(config.bus.data_bits)))
}

#[cfg(test)]
#[path = "engine_tests.rs"]
pub(super) mod tests;
