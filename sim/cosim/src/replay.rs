//! The pipeline of a co-simulation: one thread runs `step` ahead, Verilator replays its inputs, the caller compares.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::error::Error;
use crate::rtl::{Model, ModelStart};

/// Cycles of a batch: one alone would cost a switch of processes each.
pub const BATCH_CYCLES: usize = 1024;
/// Batches that Verilator has while earlier ones are compared.
const BATCHES_IN_FLIGHT: usize = 3;
/// Batches that `step` may be ahead of that.
const BATCHES_AHEAD: usize = 4;

/// Consecutive cycles as `step` simulated them.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Number of the first cycle.
    pub first_cycle: u64,
    /// Cycles.
    pub cycles: usize,
    /// Input frames.
    pub inputs: Vec<u64>,
    /// Output frames.
    pub outputs: Vec<u64>,
}

impl Batch {
    /// An empty batch whose first cycle will be `first_cycle`.
    pub fn starting(first_cycle: u64) -> Self {
        Self { first_cycle, ..Self::default() }
    }

    /// Appends a cycle.
    pub fn push(&mut self, inputs: &[u64], outputs: &[u64]) {
        self.inputs.extend_from_slice(inputs);
        self.outputs.extend_from_slice(outputs);
        self.cycles += 1;
    }

    /// Whether it is to be sent.
    pub fn is_full(&self) -> bool {
        self.cycles >= BATCH_CYCLES
    }
}

/// Sends what `produce` simulates to the model and gives each batch with Verilator's output frames to `compare`, until
/// that says stop or there are no more.
///
/// # Errors
/// [`Error::Tool`] if the model dies or does not answer in time; those of `produce` and `compare`.
pub fn replay<T: Send>(
    model: &Model,
    start: &ModelStart,
    produce: impl FnOnce(SyncSender<Batch>) -> Result<T, Error> + Send,
    mut compare: impl FnMut(&Batch, &[u64]) -> Result<bool, Error>,
) -> Result<T, Error> {
    let (mut feed, mut outputs) = model.start(start)?;
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Batch>(BATCHES_AHEAD);
        let producer = scope.spawn(move || produce(sender));
        let exchange = move || {
            let mut pending: VecDeque<Batch> = VecDeque::new();
            let mut rtl = Vec::new();
            let mut has_more = true;
            loop {
                while has_more && pending.len() < BATCHES_IN_FLIGHT {
                    match receiver.recv() {
                        Ok(batch) => {
                            feed.send(&batch.inputs, batch.inputs.len() / batch.cycles)?;
                            pending.push_back(batch);
                        }
                        Err(_) => has_more = false,
                    }
                }
                let Some(batch) = pending.pop_front() else { break };
                outputs.receive(batch.cycles, batch.outputs.len() / batch.cycles, &mut rtl)?;
                if !compare(&batch, &rtl)? {
                    return Ok(());
                }
            }
            drop(feed);
            outputs.finish()
        };
        // This consumes the receiver, so that a producer which is still at work ends at its next batch.
        let exchanged = exchange();
        let produced = producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        exchanged?;
        produced
    })
}
