//! The tile engine in the step simulator, driven with lowered layers.

pub mod bench;
pub mod epilogue;
pub mod frame;
pub mod run;
pub mod stream;

use hdl::rtl::module::Design;
use spec::Config;
use spec::qmodel::{QActs, QLinear, QRows};

pub use bench::{Bench, Probe};
pub use run::{Cycle, End, EngineRun, RunOptions, STALL_CAUSES, Start};

use crate::error::Error;
use crate::lower::lower;
use crate::step::Stepper;

/// What a simulated layer took and gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// Cycles from the first input beat taken to the last output beat.
    pub cycles: u64,
    /// Fewest cycles that any engine of this size could take.
    pub roofline_cycles: u64,
    /// `roofline_cycles / cycles`.
    pub utilisation: f64,
    /// Cycles by cause, in the order of [`STALL_CAUSES`]; they add up to `cycles`.
    pub stalls: Vec<(&'static str, u64)>,
    /// The results.
    pub rows: QRows,
}

/// Options of [`simulate`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Seed of random stalls on both streams; none without.
    pub stall_seed: Option<u64>,
    /// Seed of registers and memories at power-up; zeros without.
    pub random_start: Option<u64>,
}

/// Simulates one linear layer on the tile engine of `config`.
///
/// `progress` is told the result beats taken so far and their number, now and then.
///
/// # Errors
/// Those of [`lower`]; [`Error::Stuck`] if the design stops; those of building the design.
pub fn simulate(
    config: &Config,
    layer: &QLinear,
    acts: &QActs,
    options: Options,
    progress: impl FnMut(u64, u64),
) -> Result<Simulation, Error> {
    simulate_seen(config, layer, acts, options, progress, |_, _| Ok(()))
}

/// [`simulate`] with a look at every signal just before the clock edge of each cycle, reset included.
///
/// # Errors
/// Those of [`simulate`], and an error of `see`, which ends the run.
pub fn simulate_seen(
    config: &Config,
    layer: &QLinear,
    acts: &QActs,
    options: Options,
    progress: impl FnMut(u64, u64),
    see: impl FnMut(u64, &Stepper) -> Result<(), Error>,
) -> Result<Simulation, Error> {
    simulate_with(config, layer, acts, options, progress, |_| Ok(()), see, |_| {})
}

/// [`simulate_seen`], with the simulator at hand before the first cycle and after the last one, to have things counted.
///
/// # Errors
/// Those of [`simulate_seen`], and an error of `before`.
pub fn simulate_with(
    config: &Config,
    layer: &QLinear,
    acts: &QActs,
    options: Options,
    mut progress: impl FnMut(u64, u64),
    before: impl FnOnce(&mut Stepper) -> Result<(), Error>,
    mut see: impl FnMut(u64, &Stepper) -> Result<(), Error>,
    after: impl FnOnce(&mut Stepper),
) -> Result<Simulation, Error> {
    let program = lower(config, layer, acts)?;
    let design = engine_design(config)?;
    let start = options.random_start.map_or(Start::Zero, Start::Random);
    let run_options = RunOptions { stall_seed: options.stall_seed, start, refusals: false };
    let mut run = EngineRun::new(config, &design, &program, &[], run_options)?;
    before(&mut run.bench.stepper)?;
    let beats = program.results.beats() as u64;
    let end = loop {
        let mut seen = Ok(());
        let end = run.step_seen(|cycle, stepper| seen = see(cycle, stepper));
        seen?;
        if let Some(end) = end {
            break end;
        }
        if run.cycle().index % 4096 == 0 {
            progress(run.results_taken(), beats);
        }
    };
    let End::Done = end else { return Err(Error::Stuck { end, cycle: run.cycle().index }) };
    after(&mut run.bench.stepper);
    progress(beats, beats);
    let cycles = run.cycles();
    Ok(Simulation {
        cycles,
        roofline_cycles: program.roofline_cycles,
        utilisation: program.roofline_cycles as f64 / cycles as f64,
        stalls: run.stalls(),
        rows: run.into_rows(),
    })
}

/// The tile engine of a Config as a design.
///
/// # Errors
/// [`Error::Hdl`] if the description is inconsistent (a bug, not bad input).
pub fn engine_design(config: &Config) -> Result<Design, Error> {
    Ok(Design::new(hdl::unit::engine::engine(config)?))
}
