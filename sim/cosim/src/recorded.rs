//! Runs of `step` kept, so that many designs that should be the same can be compared with it.

use golden::linear::Prepared;
use sim::engine::End;
use sim::lower::EngineProgram;
use spec::qmodel::{QActs, QLinear};
use spec::verdict::Verdict;

use crate::engine::{Cosim, Options, Timing};
use crate::error::Error;
use crate::replay::Batch;
use crate::stress;

/// A layer as `step` ran it, and what golden says of it.
pub struct Recorded {
    layer: String,
    program: EngineProgram,
    golden: Prepared,
    options: Options,
    batches: Vec<Batch>,
    end: (End, Timing),
}

impl Recorded {
    /// The layer's name.
    pub fn name(&self) -> &str {
        &self.layer
    }

    /// Cycles of the run.
    pub fn cycles(&self) -> usize {
        self.batches.iter().map(|batch| batch.cycles).sum()
    }
}

impl Cosim {
    /// Runs a layer in `step` and keeps every cycle of it.
    ///
    /// # Errors
    /// Those of [`Cosim::run`] but for Verilator's.
    ///
    /// # Panics
    /// Never: a run of which every cycle is taken ends.
    pub fn record(&self, layer: &QLinear, acts: &QActs, options: &Options) -> Result<Recorded, Error> {
        let program = self.lower(layer, acts, options)?;
        let mut batches = Vec::new();
        let end = self.produce(&program, options, |batch| {
            batches.push(batch);
            true
        })?;
        let end = end.expect("every batch was taken");
        let golden = Prepared::new(layer, acts)?;
        Ok(Recorded { layer: layer.name.clone(), program, golden, options: options.clone(), batches, end })
    }

    /// Compares a recorded run with Verilator, started with those `plusargs`, and golden; as [`Cosim::run`].
    ///
    /// # Errors
    /// [`Error::Tool`] if Verilator's process dies.
    pub fn replay(&self, recorded: &Recorded, plusargs: &[String]) -> Result<Verdict, Error> {
        let Recorded { layer, program, golden, options, batches, end } = recorded;
        let options = Options { plusargs: plusargs.to_vec(), ..options.clone() };
        let produce = |sender: std::sync::mpsc::SyncSender<Batch>| {
            let all_sent = batches.iter().all(|batch| sender.send(batch.clone()).is_ok());
            Ok(all_sent.then(|| end.clone()))
        };
        Ok(self.compare(layer, program, golden, &options, produce, |_, _| {})?.0)
    }

    /// Every layer of [`stress::list`], recorded.
    ///
    /// # Errors
    /// Those of [`Self::record`].
    pub fn record_stress(&self) -> Result<Vec<Recorded>, Error> {
        let list = stress::list(self.config());
        let record = |(i, stress): (usize, &stress::Stress)| {
            let (layer, acts, options) = stress.prepare(i, &Options::default())?;
            self.record(&layer, &acts, &options)
        };
        list.iter().enumerate().map(record).collect()
    }
}
