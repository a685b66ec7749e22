//! What a point gives: its schedule from the fast simulator, its cost from the estimate. What points share is computed once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sim::fast::{Fast, Options, Sizes};
use sim::lower::program::{Job, decode_bare, lower, lower_bare, roofline};
use sim::memory::Timing;
use spec::isa::{Machine, Program};
use spec::model::QModel;
use spec::{Config, ExpKind};
use synth::estimate::{Estimate, Estimator, Work};

use super::journal::{Values, nine_digits};
use super::models::Opened;
use super::points::{Point, Points, Workload};
use crate::error::Error;
use crate::whole;

/// Results by what they depend on, each computed once, whatever thread asks first.
struct Memo<K, V>(Mutex<HashMap<K, Arc<OnceLock<V>>>>);

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    fn get(&self, key: K, compute: impl FnOnce() -> V) -> V {
        // A thread that panicked has left whole entries only.
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        cell.get_or_init(compute).clone()
    }
}

/// What a schedule depends on beside model, format and work.
type Key = (Workload, u32, Machine, Sizes, (u32, u32));

/// A schedule.
#[derive(Clone, Copy, Debug)]
struct Scheduled {
    cycles: u64,
    roofline_cycles: u64,
    work: Work,
}

/// A model in a format on the hardware of many points.
pub struct Bench<'a> {
    points: &'a Points,
    estimators: &'a [Estimator],
    model: &'a Opened,
    q: &'a QModel,
    schedules: Memo<Key, Result<Scheduled, String>>,
    estimates: Memo<(usize, String), Result<Arc<Estimate>, String>>,
    found: &'a HashMap<Workload, Result<Vec<u32>, String>>,
}

impl<'a> Bench<'a> {
    /// For the points of a model in a format: an estimator for each technology, the tokens that each work finds.
    pub fn new(
        points: &'a Points,
        estimators: &'a [Estimator],
        model: &'a Opened,
        q: &'a QModel,
        found: &'a HashMap<Workload, Result<Vec<u32>, String>>,
    ) -> Self {
        Self { points, estimators, model, q, schedules: Memo::new(), estimates: Memo::new(), found }
    }

    /// The figures of a point.
    ///
    /// # Errors
    /// Why it has none: its configuration, or a model that does not fit.
    pub fn measure(&self, point: &Point) -> Result<Values, Error> {
        let config = self.config(point)?;
        let scheduled = self.scheduled(&config, point).map_err(Error::Input)?;
        let hash = config.hash();
        let estimator = &self.estimators[point.technology];
        let estimate = self.estimates.get((point.technology, hash.clone()), || {
            estimator.estimate(&config).map(Arc::new).map_err(|e| e.to_string())
        });
        let estimate = estimate.map_err(Error::Input)?;
        let tokens = f64::from(point.work.tokens());
        Ok(Values {
            config_hash: hash,
            cycles: scheduled.cycles,
            roofline_cycles: scheduled.roofline_cycles,
            area_mm2: nine_digits(estimate.area_um2 * 1e-6),
            freq_mhz: nine_digits(estimate.freq_mhz),
            latency_us: nine_digits(scheduled.cycles as f64 / estimate.freq_mhz / tokens),
            energy_uj: nine_digits(estimate.energy_pj(&scheduled.work) * 1e-6 / tokens),
            power_mw: nine_digits(estimate.power_mw),
        })
    }

    /// The hardware of a point, with the formats that the model needs.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn config(&self, point: &Point) -> Result<Config, Error> {
        let mut config = self.points.config(point)?;
        whole::offered(&mut config, self.q.linears().map(|layer| layer.linear.format))?;
        Ok(config)
    }

    fn scheduled(&self, config: &Config, point: &Point) -> Result<Scheduled, String> {
        let fast = Fast::new(config).map_err(|e| e.to_string())?;
        // Messages of models that do not fit name the buffers' sizes.
        let buffers = (config.buffer.act_bytes, config.buffer.acc_bytes);
        let key = (point.work, point.mem_latency, Machine::new(config), fast.sizes().clone(), buffers);
        self.schedules.get(key, || self.schedule(config, &fast, point))
    }

    fn schedule(&self, config: &Config, fast: &Fast, point: &Point) -> Result<Scheduled, String> {
        let timing = Timing::latency(point.mem_latency);
        let text = |e: sim::Error| e.to_string();
        // Steps of the chord are values: only a run that computes them tells how long they take.
        let needs_values = self.q.options.exp == ExpKind::Shift;
        let program = match point.work {
            Workload::Decode { .. } if needs_values => {
                return Err(
                    "context: the exponential by the chord takes as long as its values say; give prompt_tokens \
                            and tokens instead"
                        .into(),
                );
            }
            Workload::Decode { context } => {
                let token = self.model.prompt(context.saturating_add(1)).pop().unwrap_or_default();
                decode_bare(config, self.q, token, context as usize)
            }
            Workload::Prompt { prompt, tokens } => {
                let prompt = self.model.prompt(prompt);
                let job = Job { prompt: &prompt, tokens: tokens as usize, logits: false };
                if needs_values { lower(config, self.q, &job) } else { lower_bare(config, self.q, &job) }
            }
        };
        let program = program.map_err(text)?;
        let (cycles, counters) = if needs_values {
            let run = fast.run(&program, timing, Options::default()).map_err(text)?;
            (run.cycles, run.counters)
        } else {
            let found = self.found.get(&point.work).cloned().unwrap_or_else(|| Ok(Vec::new()))?;
            let run = fast.schedule(&program, timing, &found).map_err(text)?;
            (run.cycles, run.counters)
        };
        let bytes = |beats: &str| counters.get(beats).unwrap_or(0) * u64::from(config.beat_bytes());
        let (read_bytes, write_bytes) = (bytes("read_beats"), bytes("write_beats"));
        let work = Work { cycles, macs: macs(&program), read_bytes, write_bytes };
        Ok(Scheduled { cycles, roofline_cycles: roofline(&program), work })
    }
}

/// True products of a program.
fn macs(program: &Program) -> u64 {
    program.marks.iter().map(|mark| mark.macs).sum()
}
