//! The last cycles of a run, kept for the waves around a mismatch.

use crate::check::{Pair, after_reset};
use crate::error::Error;
use crate::replay::Batch;
use crate::wave::Wave;

/// Cycles before and after a mismatch that its wave file shows.
const WINDOW_CYCLES: (u64, u64) = (64, 16);

/// The cycles of a batch, both models.
pub(crate) fn pairs<'a>(batch: &'a Batch, rtl: &'a [u64]) -> impl Iterator<Item = Pair<'a>> {
    let words = |frames: &[u64]| frames.len() / batch.cycles.max(1);
    let (in_words, out_words) = (words(&batch.inputs), words(&batch.outputs));
    (0..batch.cycles).map(move |i| Pair {
        cycle: batch.first_cycle + i as u64,
        inputs: &batch.inputs[i * in_words..(i + 1) * in_words],
        step: &batch.outputs[i * out_words..(i + 1) * out_words],
        rtl: &rtl[i * out_words..(i + 1) * out_words],
    })
}

/// The last two batches, so that a window around any cycle of the last one can be shown.
#[derive(Default)]
pub(crate) struct Recent {
    before: (Batch, Vec<u64>),
    last: (Batch, Vec<u64>),
}

impl Recent {
    /// Takes a batch in and drops the oldest.
    pub fn keep(&mut self, batch: &Batch, rtl: &[u64]) {
        std::mem::swap(&mut self.before, &mut self.last);
        self.last.0.clone_from(batch);
        self.last.1.clear();
        self.last.1.extend_from_slice(rtl);
    }

    /// Writes the window around a cycle after reset.
    pub fn write(&self, cycle: u64, mut wave: Wave) -> Result<(), Error> {
        for (batch, rtl) in [&self.before, &self.last] {
            for pair in pairs(batch, rtl) {
                let index = after_reset(pair.cycle);
                if index + WINDOW_CYCLES.0 >= cycle && index <= cycle + WINDOW_CYCLES.1 {
                    wave.cycle(index, pair.inputs, pair.step, pair.rtl)?;
                }
            }
        }
        wave.finish()
    }
}
