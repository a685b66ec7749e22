//! The best points of a sweep, synthesised: what the estimate said beside what the tools say.

use std::path::Path;

use report::Explored;
use spec::Config;
use synth::estimate::Estimator;
use synth::{Job, Options};

use super::sweep::Sweep;
use crate::args::unit::Unit;
use crate::error::Error;

/// A point's unit by estimate and by synthesis.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Place in the sweep.
    pub index: usize,
    /// Area of cells in µm²: estimated, synthesised.
    pub area_um2: [Option<f64>; 2],
    /// Frequency in MHz: estimated, synthesised.
    pub freq_mhz: [Option<f64>; 2],
    /// What gave the frequency.
    pub timing: Option<String>,
    /// Why it could not be synthesised.
    pub reason: Option<String>,
}

/// Synthesises a unit of the best points of the first setting in a cell library.
///
/// # Errors
/// For a technology or library that cannot be used. A point whose synthesis fails says so itself.
pub fn verify(
    sweep: &Sweep,
    explored: &Explored,
    most: usize,
    unit: &Unit,
    (liberty, jobs): (&Path, usize),
    config: impl Fn(usize) -> Result<Config, Error>,
) -> Result<Vec<Verified>, Error> {
    let settings = explored.settings();
    let Some((_, points)) = settings.first() else { return Ok(Vec::new()) };
    let estimator = Estimator::new(&sweep.points.technologies[0])?;
    let mut verified = Vec::new();
    let mut runs = Vec::new();
    for point in Explored::front(points).into_iter().take(most) {
        let config = config(point.index)?;
        let estimate = estimator.unit(&config, unit.name)?;
        runs.push((Job::new(&config, unit.name, unit.design(&config)?)?, Options::asic(liberty)));
        verified.push(Verified {
            index: point.index,
            area_um2: [estimate.cost.area_um2, None],
            freq_mhz: [Some(estimate.freq_mhz), None],
            timing: None,
            reason: None,
        });
    }
    for (verified, outcome) in verified.iter_mut().zip(synth::run_all(&runs, jobs, |_, _| {})) {
        match outcome {
            Ok(outcome) => {
                verified.area_um2[1] = outcome.cost.area_um2;
                verified.freq_mhz[1] = outcome.cost.freq_mhz;
                verified.timing = outcome.cost.timing.clone();
            }
            Err(error) => verified.reason = Some(error.to_string()),
        }
    }
    Ok(verified)
}
