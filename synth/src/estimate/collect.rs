//! Synthesises the designs of a fit, and measures the energy of the arrays among them.

use std::time::{Duration, Instant};

use hdl::rtl::Design;
use hdl::unit::table;

use super::fitting::Sample;
use super::measure::measure;
use super::plan::Wanted;
use super::units::outline_of;
use crate::energy::power::PowerLibrary;
use crate::error::Error;
use crate::job::{Job, Options, Outcome, kept, run_all};

/// A design of a fit that came to an end.
#[derive(Clone, Debug)]
pub struct Collected {
    /// What the fit takes of it.
    pub sample: Sample,
    /// Whether it is kept back.
    pub is_held_out: bool,
}

/// What became of the designs.
#[derive(Debug, Default)]
pub struct Collection {
    /// Those that were synthesised.
    pub done: Vec<Collected>,
    /// Those that failed: unit, and why.
    pub failed: Vec<(String, String)>,
    /// Those that were not begun in the time given.
    pub left: usize,
}

/// Limits of a collection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Syntheses at the same time.
    pub at_once: usize,
    /// No synthesis begins after that; kept results are taken without end.
    pub time: Option<Duration>,
}

/// Takes kept results, synthesises the rest in order; `said` hears of each.
///
/// # Errors
/// A tool that is missing, a library that cannot be used. A single design that fails is listed.
pub fn collect(
    wanted: &[Wanted],
    options: &Options,
    limits: Limits,
    said: &(dyn Fn(&Wanted, &Outcome) + Sync),
) -> Result<Collection, Error> {
    let liberty = options.liberty.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    let library = PowerLibrary::load(liberty)?;
    let mut collection = Collection::default();
    let mut pending = Vec::new();
    for wanted in wanted {
        let job = job(wanted)?;
        match kept(&job, options)? {
            Some(outcome) => take(wanted, &job, &outcome, &library, &mut collection)?,
            None => pending.push((wanted, job)),
        }
    }
    let begin = Instant::now();
    for group in pending.chunks(limits.at_once.max(1)) {
        if limits.time.is_some_and(|most| begin.elapsed() >= most) {
            collection.left += group.len();
            continue;
        }
        let jobs: Vec<(Job, Options)> = group.iter().map(|(_, job)| (job.clone(), options.clone())).collect();
        let outcomes = run_all(&jobs, limits.at_once, |i, outcome| {
            if let Ok(outcome) = outcome {
                said(group[i].0, outcome);
            }
        });
        for ((wanted, job), outcome) in group.iter().zip(outcomes) {
            match outcome {
                Ok(outcome) => take(wanted, job, &outcome, &library, &mut collection)?,
                Err(error) => collection.failed.push((wanted.unit.to_string(), error.to_string())),
            }
        }
    }
    Ok(collection)
}

fn job(wanted: &Wanted) -> Result<Job, Error> {
    let build = table::find(wanted.unit).expect("the plan has units of the table alone: a test builds them");
    Job::new(&wanted.config, wanted.unit, Design::new(build(&wanted.config)?))
}

fn take(
    wanted: &Wanted,
    job: &Job,
    outcome: &Outcome,
    library: &PowerLibrary,
    collection: &mut Collection,
) -> Result<(), Error> {
    let netlist = outcome.folder.join(crate::asic::FLAT);
    let measured = match wanted.unit == "array" && netlist.is_file() {
        true => measure(&wanted.config, &netlist, &job.design.top.name, library)?,
        false => None,
    };
    let sample = Sample {
        unit: wanted.unit.to_string(),
        config: wanted.config.clone(),
        outline: outline_of(&wanted.config, wanted.unit)?,
        cost: outcome.cost.clone(),
        measured,
    };
    collection.done.push(Collected { sample, is_held_out: wanted.is_held_out() });
    Ok(())
}
