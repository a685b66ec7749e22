//! `systole synth`: area, resources and frequency by open synthesis tools.

mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use cosim::Sources;
use golden::gemm::{Shape, random_layer};
use serde_json::{Value, json};
use spec::verdict::Verdict;
use spec::{Config, RequantMode};
use synth::{Job, Options, Outcome, Target};

use crate::args::hardware::HardwareArgs;
use crate::args::unit::{Unit, unit};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};

/// Say what a configuration or one of its units costs on an FPGA or in a cell library
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole synth --preset tiny --target ecp5\n  \
    systole synth --preset tiny --unit array --target ice40 --json\n  \
    systole synth --preset base --unit array --target asic --liberty cells.lib\n  \
    systole synth --preset tiny --unit pe --unit array --unit requant --target ecp5 --jobs 2\n\n\
    yosys maps; nextpnr (FPGA) or OpenSTA (asic) gives the frequency where it is installed.\n\
    `scripts/setup.sh --eda` installs a newer yosys and the nextpnrs. Exit code 3 without yosys; without a\n\
    timing tool freq_mhz is null.")]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Part of the hardware; may be repeated
    #[arg(long, value_name = "UNIT", value_parser = unit(), default_value = crate::args::unit::TOP)]
    unit: Vec<Unit>,
    /// What to synthesise for
    #[arg(long, value_name = "TARGET", value_parser = targets())]
    target: Target,
    /// Cell library of target asic
    #[arg(long, value_name = "FILE", required_if_eq("target", "asic"))]
    liberty: Option<PathBuf>,
    /// Period in ps that mapping for target asic aims at, instead of the library's usual one
    #[arg(long, value_name = "PS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    period: Option<u32>,
    /// Merge modules before mapping for target asic, instead of keeping those with registers apart
    #[arg(long)]
    flatten: bool,
    /// Let constants and unused ports pass between modules that stay apart, for target asic
    #[arg(long)]
    propagate: bool,
    /// Use no multiplier blocks
    #[arg(long)]
    no_dsp: bool,
    /// Units at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Compare the netlist with the step simulator under Verilator; exit code 1 if they differ
    #[arg(long)]
    check: bool,
    /// Seconds for each run of a tool
    #[arg(long, value_name = "S", default_value_t = synth::job::MOST_SECONDS)]
    timeout: u64,
    /// Folder for netlists, logs, scripts and reports
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Parses the name of a target.
fn targets() -> impl TypedValueParser<Value = Target> {
    let parser = PossibleValuesParser::new(Target::ALL.map(Target::name));
    parser.map(|name| Target::parse(&name).expect("only listed names are let through"))
}

/// Runs the command.
///
/// # Errors
/// For a configuration that is not valid, a Liberty file that cannot be used, a tool that is missing or fails.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let config = args.hardware.load()?;
    let options = Options {
        liberty: args.liberty.clone(),
        uses_dsps: !args.no_dsp,
        flattens: args.flatten,
        propagates: args.propagate,
        period_ps: args.period,
        timeout: Duration::from_secs(args.timeout),
        ..Options::new(args.target)
    };
    let mut jobs = Vec::new();
    for unit in &args.unit {
        jobs.push((Job::new(&config, unit.name, unit.design(&config)?)?, options.clone()));
    }
    let bar = output.spinner(&format!("synthesis for {}", args.target));
    let outcomes = synth::run_all(&jobs, args.jobs.into(), |_, _| {});
    bar.finish_and_clear();
    let command = repeat::command(None);
    let mut texts = Vec::new();
    let mut values = Vec::new();
    let mut exit = Exit::Match;
    for ((job, _), outcome) in jobs.iter().zip(outcomes) {
        let outcome = outcome?;
        let folder = match &args.output {
            Some(folder) => copy(&outcome.folder, folder, (jobs.len() > 1).then_some(job.unit.as_str()))?,
            None => outcome.folder.clone(),
        };
        for remark in &outcome.cost.remarks {
            output.remark(remark);
        }
        let mut text = text::text(&outcome, &folder);
        let mut value = value(&outcome, &folder, &command)?;
        if args.check {
            let verdict = check(&config, job, &outcome, &options)?;
            let is_match = verdict.mismatches == 0 && verdict.cycles_checked > 0;
            text.push_str(&format!("\nnetlist: {}", said(&verdict)));
            value["check"] = json!({
                "match": is_match,
                "cycles_checked": verdict.cycles_checked,
                "golden_values_checked": verdict.golden_values_checked,
                "mismatches": verdict.mismatches,
                "first": verdict.first,
            });
            if !is_match {
                exit = Exit::Mismatch;
            }
        }
        texts.push(text);
        values.push(value);
    }
    let json = match values.len() {
        1 => values.remove(0),
        _ => json!({"target": args.target.name(), "config_hash": config.hash(), "units": values, "command": command}),
    };
    Ok(Report { exit, ..Report::done(format!("{}\n\nRepeat with: {command}", texts.join("\n\n")), json) })
}

/// Cycles of random inputs of `--check`.
const CHECKED_CYCLES: u64 = 4096;

/// The netlist against the step simulator on random inputs; that of an array also against golden on a layer.
fn check(config: &Config, job: &Job, outcome: &Outcome, options: &Options) -> Result<Verdict, Error> {
    let files = outcome.simulation(options)?;
    let mut verdict = cosim::netlist::cosim_netlist(&job.design, &files, CHECKED_CYCLES, 1)?;
    verdict.golden_values_checked = 0;
    if job.unit == "array" && verdict.mismatches == 0 {
        let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
        let shape = Shape { m: 2 * rows + 3, k: 3 * rows - 1, n: 2 * cols + 1 };
        for &format in &config.pe.formats {
            let (layer, acts) = random_layer(shape, format, RequantMode::Dynamic, false, 1)?;
            let sources = Sources::Given(files.clone());
            let of = cosim::array::cosim_array(config, &sources, &layer, &acts)?;
            verdict.cycles += of.cycles;
            verdict.cycles_checked += of.cycles_checked;
            verdict.golden_values_checked += of.golden_values_checked;
            verdict.mismatches += of.mismatches;
            verdict.first = verdict.first.or(of.first);
        }
    }
    Ok(verdict)
}

fn said(verdict: &Verdict) -> String {
    match &verdict.first {
        None => {
            let golden = match verdict.golden_values_checked {
                0 => String::new(),
                values => format!(", and to golden in {} values", grouped(values)),
            };
            let cycles = grouped(verdict.cycles_checked);
            format!("equal to the step simulator in every output of {cycles} cycles{golden}")
        }
        Some(first) => {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_string());
            let (step, rtl, golden) = (shown(&first.step), shown(&first.rtl), shown(&first.golden));
            format!("MISMATCH in cycle {} at {}: step {step}, netlist {rtl}, golden {golden}", first.cycle, first.point)
        }
    }
}

/// Copies the files of a result.
fn copy(from: &Path, to: &Path, unit: Option<&str>) -> Result<PathBuf, Error> {
    let to = unit.map_or(to.to_path_buf(), |unit| to.join(unit));
    let failed = |e: std::io::Error| Error::Input(format!("cannot write {}: {e}", to.display()));
    fs::create_dir_all(&to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(failed)?;
        }
    }
    Ok(to)
}

/// One object for scripts.
fn value(outcome: &Outcome, folder: &Path, command: &str) -> Result<Value, Error> {
    let mut value = serde_json::to_value(&outcome.cost).map_err(|e| Error::Input(e.to_string()))?;
    if let Value::Object(object) = &mut value {
        object.retain(|field, value| !value.is_null() || field == "freq_mhz");
        object.insert("folder".to_string(), folder.display().to_string().into());
        object.insert("was_kept".to_string(), outcome.was_kept.into());
        object.insert("command".to_string(), command.into());
    }
    Ok(value)
}
