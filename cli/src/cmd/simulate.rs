//! `systole simulate`: cycles and stalls of whole models and of layers in the step simulator, values checked with golden.

mod top;

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;
use sim::engine::{Options, Simulation, simulate, simulate_seen, simulate_with};
use sim::step::Stepper;
use sim::step::vcd::{WaveOptions, Waves};
use spec::Config;
use spec::energy::Energy;
use spec::profile::Profile;
use spec::qmodel::{QActs, QLinear, QRows};
use spec::verdict::{Mismatch, Verdict};

use crate::args::unit::{ENGINE, TOP};
use crate::args::work::WorkArgs;
use crate::error::Error;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::{LayerResult, Telling, Totals, report};
use crate::watch::{Watch, WatchArgs};

/// Simulate a model, or linear layers, cycle for cycle: cycles, utilisation, what the cycles went into
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole simulate --preset base --gemm 512x576x576\n  \
    systole simulate --config mine.toml --model fairy --prompt \"Once upon a time\" --tokens 2\n  \
    systole simulate --preset base --model fairy.q --prompt-tokens 128\n  \
    systole simulate --preset small --model fairy --layer model.layers.1.mlp.down_proj --prompt \"A king\" --tokens 40\n\n\
    Every result is also compared with the integer model.")]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
    /// Part of the hardware that runs it: the accelerator for whole models, the tile engine for layers and products
    #[arg(long, value_name = "UNIT", value_parser = [TOP, ENGINE])]
    unit: Option<String>,
    /// What simulates
    #[arg(long, value_name = "ENGINE", value_enum, default_value = "step")]
    engine: Engine,
    /// Write the waves of every signal in the design
    #[arg(long, value_name = "FILE")]
    vcd: Option<PathBuf>,
    /// Write only signals whose path contains this; with * or ? the whole path must match; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "vcd")]
    signal: Vec<String>,
    /// Write only these cycles, reset included, as in 100..200
    #[arg(long, value_name = "A..B", requires = "vcd", value_parser = cycles)]
    cycles: Option<Range<u64>>,
    #[command(flatten)]
    watch: WatchArgs,
}

/// What simulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The step simulator, cycle by cycle
    Step,
    /// The fast simulator
    Fast,
}

fn cycles(text: &str) -> Result<Range<u64>, String> {
    let parts = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    parts.filter(|range: &Range<u64>| !range.is_empty()).ok_or("allowed A..B with A below B".to_string())
}

/// What a simulation of the accelerator has shown.
pub struct Seen {
    /// What ran, for people.
    pub title: String,
    /// The hardware.
    pub config: Config,
    /// Its hash.
    pub config_hash: String,
    /// Where the cycles went.
    pub profile: Profile,
    /// Where the energy went.
    pub energy: Option<Energy>,
    /// Tokens of prompt and answer; 0 for a layer.
    pub tokens: usize,
}

/// Simulates on the accelerator, watched for its energy, in this technology and windows where no others are given.
///
/// # Errors
/// As [`run`]; for another unit or engine.
pub fn seen(args: &Args, technology: &str, window: u64, output: &Output) -> Result<(Report, Seen), Error> {
    if args.work.unit(args.unit.as_deref())? != TOP {
        return Err(Error::input("--unit", ENGINE, TOP, "add --unit top: a report is of the whole accelerator"));
    }
    top::run(args, &args.watch.with(technology, window), output)
}

/// Runs the command.
///
/// # Errors
/// For a configuration, model or layer that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let unit = args.work.unit(args.unit.as_deref())?;
    if unit == TOP {
        return Ok(top::run(args, &args.watch, output)?.0);
    }
    if args.engine == Engine::Fast {
        return Err(Error::input("--engine", "fast", "step with --unit engine", "leave it away, or add --unit top"));
    }
    let workload = args.work.load(output)?;
    args.work.one_layer("--vcd", args.vcd.is_some(), &workload)?;
    let watch = RefCell::new(Watch::new(&args.watch)?);
    let is_watched = watch.borrow().is_wanted();
    args.work.one_layer("--activity, --saif and --technology", is_watched, &workload)?;
    if is_watched && args.vcd.is_some() {
        let cure = "simulate twice, or leave one away";
        return Err(Error::input("--vcd", "with --activity, --saif or --technology", "one of both for layers", cure));
    }
    let options = Options { stall_seed: args.work.stall_seed, random_start: args.work.random_start };
    let mut layers = Vec::new();
    for index in 0..workload.len() {
        let label = workload.label(index);
        let bar = output.bar(0, &label);
        let (layer, acts) = workload.get(index)?;
        let mut result = LayerResult::new(label, &layer, workload.tokens());
        let progress = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let simulated = match &args.vcd {
            None if !is_watched => simulate(&workload.config, &layer, &acts, options, progress),
            None => simulate_with(
                &workload.config,
                &layer,
                &acts,
                options,
                progress,
                |stepper| watch.borrow_mut().start(stepper),
                |_, stepper| {
                    watch.borrow_mut().see(stepper, None);
                    Ok(())
                },
                |stepper| watch.borrow_mut().end(stepper),
            ),
            Some(path) => {
                let waves =
                    WaveOptions { filter: args.signal.clone(), cycles: args.cycles.clone().unwrap_or(0..u64::MAX) };
                with_waves(path, &waves, |see| simulate_seen(&workload.config, &layer, &acts, options, progress, see))?
            }
        };
        bar.finish_and_clear();
        match simulated {
            Ok(simulation) => {
                result.cycles = Some(simulation.cycles);
                result.roofline_cycles = simulation.roofline_cycles;
                result.stalls.clone_from(&simulation.stalls);
                result.verdict = compare(&layer, &acts, &simulation.rows)?;
            }
            // A design that hangs differs from what it should do.
            Err(sim::Error::Stuck { end, cycle }) => {
                let first = Mismatch { cycle, point: end.to_string(), ..Mismatch::default() };
                result.verdict = Verdict { mismatches: 1, first: Some(first), ..Verdict::default() };
            }
            Err(other) => return Err(other.into()),
        }
        let is_wrong = result.verdict.first.is_some();
        if let Some(first) = &mut result.verdict.first {
            first.layer.clone_from(&result.label);
            first.repeat = repeat::command(workload.layer(index));
        }
        layers.push(result);
        if is_wrong {
            break;
        }
    }
    let passed = |l: &LayerResult| l.verdict.mismatches == 0 && l.verdict.golden_values_checked > 0;
    let claim = |totals: &Totals| {
        let share = 100.0 * totals.roofline_cycles as f64 / totals.cycles.max(1) as f64;
        format!(
            "{} cycles, {share:.2} % of the roofline's {}; {} values equal golden's",
            grouped(totals.cycles),
            grouped(totals.roofline_cycles),
            grouped(totals.verdict.golden_values_checked)
        )
    };
    let head = json!({"config_hash": workload.config.hash(), "unit": unit, "engine": "step"});
    let mut report = report(&layers, &Telling { passed: &passed, wanted: workload.len(), claim: &claim, head });
    let (design, hash) = (sim::engine::engine_design(&workload.config)?, workload.config.hash());
    watch.into_inner().tell(&design, &hash, None, &mut report)?;
    Ok(report)
}

/// Runs a simulation that shows every cycle, and writes what it shows; a run that stops is written up to there.
fn with_waves(
    path: &Path,
    options: &WaveOptions,
    run: impl FnOnce(&mut dyn FnMut(u64, &Stepper) -> Result<(), sim::Error>) -> Result<Simulation, sim::Error>,
) -> Result<Result<Simulation, sim::Error>, Error> {
    let mut simulated = None;
    let written = tool::write_atomic_with(path, |writer| {
        let mut writer = Some(writer);
        let mut waves: Option<Waves<_>> = None;
        let mut last = 0;
        let result = run(&mut |cycle, stepper: &Stepper| {
            if let Some(writer) = writer.take() {
                waves = Some(Waves::new(writer, &[("step", stepper)], options)?);
            }
            last = cycle;
            waves.as_mut().map_or(Ok(()), |waves| waves.sample(cycle, &[stepper]))
        });
        let finished = waves.map_or(Ok(()), |waves| waves.finish(last + 1));
        let is_whole = matches!(result, Ok(_) | Err(sim::Error::Stuck { .. }));
        simulated = Some(result);
        if is_whole { finished.map_err(io::Error::other) } else { Err(io::Error::other("the simulation failed")) }
    });
    match (simulated, written) {
        // An error of the simulation says more than that its waves were not written.
        (Some(Err(error)), _) if !matches!(error, sim::Error::Stuck { .. } | sim::Error::Wave(_)) => Err(error.into()),
        (Some(Err(sim::Error::Wave(what))), _) => Err(Error::Input(format!("cannot write {}: {what}", path.display()))),
        (_, Err(error)) => Err(error.into()),
        (Some(result), Ok(())) => Ok(result),
        (None, Ok(())) => unreachable!("what is written comes from the simulation"),
    }
}

/// Compares results with golden's, value by value.
fn compare(layer: &QLinear, acts: &QActs, found: &QRows) -> Result<Verdict, Error> {
    let golden = golden::linear::linear(layer, acts)?;
    let mut verdict = Verdict::default();
    let mut check = |row: usize, col: Option<usize>, golden: String, step: String| {
        verdict.golden_values_checked += 1;
        if golden != step {
            verdict.mismatches += 1;
            verdict.first.get_or_insert_with(|| Mismatch {
                point: if col.is_some() { "value" } else { "row scale" }.to_string(),
                row: Some(row as u64),
                col: col.map(|col| col as u64),
                golden: Some(golden),
                step: Some(step),
                ..Mismatch::default()
            });
        }
    };
    for row in 0..golden.codes.rows {
        for (col, (g, s)) in golden.codes.row(row).iter().zip(found.codes.row(row)).enumerate() {
            check(row, Some(col), g.to_string(), s.to_string());
        }
        check(row, None, format!("{:?}", golden.scales[row]), format!("{:?}", found.scales[row]));
    }
    Ok(verdict)
}
