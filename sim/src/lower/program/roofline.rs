//! The least cycles that any machine of this size takes for a program: what its matrix products mean, and the bytes that
//! it cannot do without.
//!
//! Each weight, scale and parameter counts once a pass (a prefill, or one decoded token), in however many chunks the rows
//! of the pass come; embeddings, tables, keys, values and results count once. What is read and what is written go on
//! channels of their own, a beat a cycle each. Nothing counts that the machine adds: filled tiles, the second product of
//! probabilities in two passes, instructions, data that are read again.

use spec::isa::Program;
use spec::model::{QLayer, QNorm};

use super::Lower;

/// What a stage cannot do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Multiplications with their additions.
    pub macs: u64,
    /// Bytes from memory.
    pub bytes: u64,
    /// Bytes to memory.
    pub written: u64,
}

/// Least cycles of a program: the largest of its true MACs at R·C a cycle, and its compulsory bytes read and written at a
/// beat a cycle each, rounded up, over the whole program.
pub fn roofline(program: &Program) -> u64 {
    let machine = &program.machine;
    let sum = |of: fn(&spec::isa::Mark) -> u64| program.marks.iter().map(of).sum::<u64>();
    let macs = sum(|mark| mark.macs).div_ceil((u64::from(machine.rows) * u64::from(machine.cols)).max(1));
    let beats = |bytes: u64| bytes.div_ceil(u64::from(machine.beat_bytes).max(1));
    macs.max(beats(sum(|mark| mark.compulsory_bytes))).max(beats(sum(|mark| mark.compulsory_written)))
}

/// A linear layer of some rows; its weights count where they are not those of the chunk before.
pub(super) fn linear_work(layer: &QLayer, rows: usize, has_weights: bool) -> Work {
    let weight = &layer.linear.weight;
    Work {
        macs: rows as u64 * weight.rows as u64 * weight.cols as u64,
        bytes: if has_weights { layer.packed_bytes() as u64 } else { 0 },
        written: 0,
    }
}

impl Lower<'_> {
    /// Rows of the embedding table and of the rotation's tables.
    pub fn count_embedding(&mut self, rows: usize) {
        let (embedding, tables) = (2 * (self.shape.hidden + 1), 2 * self.shape.head_dim);
        self.e.work(Work { bytes: (rows * (embedding + tables)) as u64, ..Work::default() });
    }

    /// A linear layer, and the gain of the norm in front of it.
    pub fn count_linear(&mut self, layer: &QLayer, norm: Option<&QNorm>, first: usize, rows: usize) {
        let is_first = first == self.pass;
        let mut work = linear_work(layer, rows, is_first);
        if is_first {
            work.bytes += norm.map_or(0, |norm| 2 * norm.gain.len() as u64);
        }
        self.e.work(work);
    }

    /// Scores and mixed values of causal attention: each row sees the tokens up to its own. Keys and values of tokens before
    /// the pass are read, those of its own written.
    pub fn count_attention(&mut self, block: usize, first: usize, rows: usize) {
        let is_first = first == self.pass;
        let seen: usize = (first..first + rows).map(|position| position + 1).sum();
        let cached = if is_first { first } else { 0 };
        let kv_bytes = |tokens: usize| {
            (tokens * 2 * self.shape.kv_size() * self.model.options.kv_bits as usize).div_ceil(8) as u64
        };
        let cache = &self.model.blocks[block].cache;
        let factors = 2 * (cache.q_factor.len() + cache.k_factor.len() + cache.o_align.len());
        let factors = if is_first { factors as u64 } else { 0 };
        let (bytes, written) = (kv_bytes(cached) + factors, kv_bytes(rows));
        self.e.work(Work { macs: (seen * 2 * self.shape.q_size()) as u64, bytes, written });
    }

    /// The head over one row, its token and, where they are wanted, its logits and their step.
    pub fn count_head(&mut self) {
        let mut work = linear_work(&self.model.head, 1, true);
        let results = if self.layout.logits.is_some() { 8 * (self.shape.vocab + 1) } else { 0 };
        work.bytes += 2 * self.model.norm.gain.len() as u64;
        work.written += (4 + results) as u64;
        self.e.work(work);
    }
}
