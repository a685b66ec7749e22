//! `systole report`: one page of a run: where cycles and energy went, power over time, heat and battery.

mod area;
mod operands;
mod pes;

use std::fs;
use std::path::{Path, PathBuf};

use ::report::{Breakdown, Quantity, Run};
use serde_json::json;
use spec::energy::{Energy, Named};
use spec::profile::Profile;

use crate::cmd::simulate::{self, Seen};
use crate::error::Error;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, Table};

/// Technology of energy where none is given.
const TECHNOLOGY: &str = "nangate45";
/// Cycles of a window of power where none are given.
const WINDOW: u64 = 1000;
/// Most windows of the plot; longer runs have their means.
const MOST_WINDOWS: usize = 400;

/// Run a model or a layer and write a page about it: cycles, stalls, roofline, energy, power over time
#[derive(clap::Args)]
#[group(id = "report")]
#[command(
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    // A comparison needs neither; a run without them says so itself.
    mut_group("hardware", |group| group.required(false)),
    mut_group("work", |group| group.required(false)),
    mut_arg("prompt", |prompt| prompt.required_unless_present_any(["compare", "explore"])),
    after_help = "Examples:\n  systole report --preset small --model fairy --prompt \"Once upon a time\" --tokens 2 -o out\n  \
    systole report --preset base --gemm 32x288x288 --unit top --technology sky130 -o sky\n  \
    systole report --compare out sky\n  \
    systole report --explore swept -o page\n\n\
    The folder gets report.html, which needs no other file, report.json, and each plot as PNG and CSV."
)]
pub struct Args {
    #[command(subcommand)]
    table: Option<Box<TableOf>>,
    #[command(flatten)]
    simulate: simulate::Args,
    /// Folder to write
    #[arg(short, long, value_name = "DIR", default_value = "report")]
    output: PathBuf,
    /// Lay the reports of two folders side by side instead; the page goes to the third name, otherwise compare.html
    #[arg(long, value_name = "DIR", num_args = 2..=3, conflicts_with_all = ["hardware", "work"])]
    compare: Vec<PathBuf>,
    /// Write the page of a sweep instead: of the folder that systole explore wrote
    #[arg(long, value_name = "DIR", conflicts_with_all = ["hardware", "work", "compare"])]
    explore: Option<PathBuf>,
    /// Thermal resistance from junction to ambient in K/W, for the rise of the junction
    #[arg(long, value_name = "K/W", default_value_t = 20.0)]
    thermal_resistance: f64,
}

/// Tables that need no run.
#[derive(clap::Subcommand)]
enum TableOf {
    Pes(pes::Args),
}

/// Runs the command.
///
/// # Errors
/// For a configuration, model or folder that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    if let Some(TableOf::Pes(args)) = args.table.as_deref() {
        return pes::run(args, output);
    }
    if let [a, b, rest @ ..] = args.compare.as_slice() {
        return compare(a, b, rest.first().map_or(Path::new("compare.html"), PathBuf::as_path));
    }
    if let Some(folder) = &args.explore {
        return crate::explore::page(folder, &args.output);
    }
    if !(0.0..=1e4).contains(&args.thermal_resistance) {
        let cure = "give the package's figure";
        return Err(Error::input("--thermal-resistance", args.thermal_resistance, "0..=10000 K/W", cure));
    }
    let (mut told, seen) = simulate::seen(&args.simulate, TECHNOLOGY, WINDOW, output)?;
    let run = run_of(&seen, &told, args.thermal_resistance);
    let names = ::report::write(&run, &args.output).map_err(|e| Error::Input(e.to_string()))?;
    let page = args.output.join("report.html");
    let mut json = json!({
        "report": page,
        "files": names,
        "quantities": run.quantities,
    });
    if let (Some(json), Some(simulated)) = (json.as_object_mut(), told.json.as_object()) {
        json.extend(simulated.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let verdict = ::report::wrapped(&told.brief);
    told.text = format!("{}\n{verdict}\nwritten: {}", ::report::summary(&run), page.display());
    told.json = json;
    Ok(told)
}

fn run_of(seen: &Seen, told: &Report, thermal_resistance: f64) -> Run {
    let mut run = Run { title: seen.title.clone(), profile: Some(seen.profile.clone()), ..Run::default() };
    run.origin = vec![
        ("command".into(), repeat::command(None)),
        ("configuration".into(), seen.config_hash.clone()),
        ("systole".into(), env!("CARGO_PKG_VERSION").into()),
        ("verdict".into(), told.brief.clone()),
    ];
    cycles(&mut run, &seen.profile);
    if let Some(energy) = &seen.energy {
        amounts(&mut run, energy, &seen.profile, seen.tokens, thermal_resistance);
        area::add(&mut run, &seen.config, &energy.technology);
    }
    run
}

fn quantity(run: &mut Run, name: &str, value: f64, unit: &str, note: &str) {
    run.quantities.push(Quantity { name: name.into(), value, unit: unit.into(), note: note.into() });
}

fn cycles(run: &mut Run, profile: &Profile) {
    let share = |part: u64| 100.0 * part as f64 / profile.cycles.max(1) as f64;
    quantity(run, "cycles", profile.cycles as f64, "", "from start to done");
    let note = "the larger of products on the whole array and compulsory bytes on the bus";
    quantity(run, "of the roofline", share(profile.roofline_cycles), "%", note);
    let products = profile.macs.div_ceil(profile.macs_per_cycle.max(1));
    quantity(run, "of the array", share(products), "%", "true products on every PE in every cycle would be 100 %");
    quantity(run, "DRAM traffic", (profile.read_bytes + profile.write_bytes) as f64, "B", "whole beats, both ways");
}

fn amounts(run: &mut Run, energy: &Energy, profile: &Profile, tokens: usize, thermal_resistance: f64) {
    let joules = energy.total.total_pj() * 1e-12;
    let watts = energy.power_mw * 1e-3;
    let seconds = energy.cycles as f64 / (energy.freq_mhz * 1e6);
    let glitches = if energy.has_glitches { "with glitches" } else { "without glitches" };
    let basis = format!("{}, {}, at {} MHz, {glitches}", energy.technology, energy.dram, energy.freq_mhz);
    quantity(run, "time", seconds, "s", &format!("at {} MHz", energy.freq_mhz));
    quantity(run, "energy", joules, "J", &basis);
    quantity(run, "mean power", watts, "W", "DRAM included");
    if profile.macs > 0 {
        quantity(run, "energy a product", joules / profile.macs as f64, "J", "all energy over the true products");
    }
    if tokens > 0 {
        quantity(run, "energy a token", joules / tokens as f64, "J", "prompt and generated tokens together");
        let per_hour = tokens as f64 / (joules / 3600.0);
        quantity(run, "tokens a watt-hour", per_hour, "", "of this mix of prompt and generated tokens");
    }
    let on_chip = watts * (1.0 - energy.total.dram_pj / energy.total.total_pj().max(f64::MIN_POSITIVE));
    let note = format!("{thermal_resistance} K/W from junction to ambient, power without DRAM");
    quantity(run, "rise of the junction", on_chip * thermal_resistance, "K", &note);
    let parts: Vec<String> = energy.total.parts().map(|(name, _)| name.to_string()).to_vec();
    let mut add = |name: &str, title: &str, rows: &[Named]| {
        let rows = rows.iter().map(|r| (r.name.clone(), r.energy.parts().map(|(_, pj)| pj * 1e-12).to_vec()));
        let rows: Vec<_> = rows.map(|(n, v)| (if n.is_empty() { "top itself".into() } else { n }, v)).collect();
        if rows.len() > 1 {
            let caption = format!("In {basis}. Every amount is its own, without what stands in it under another name.");
            let (name, title) = (name.into(), title.into());
            run.breakdowns.push(Breakdown { name, title, caption, unit: "J".into(), parts: parts.clone(), rows });
        }
    };
    add("energy-units", "Energy by unit", &energy.units);
    add("energy-operators", "Energy by operator", &energy.operators);
    add("energy-layers", "Energy by layer", &energy.layers);
    add("energy-tokens", "Energy by token", &energy.tokens);
    run.power = power(energy);
    run.remarks = energy.remarks.clone();
}

/// Time in µs and power in mW of windows; several as one where there are too many.
fn power(energy: &Energy) -> Vec<(f64, f64)> {
    let together = energy.windows.len().div_ceil(MOST_WINDOWS).max(1);
    let of = |windows: &[spec::energy::PartEnergy]| {
        let cycles: u64 = windows.iter().map(|w| w.cycles).sum();
        let pj: f64 = windows.iter().map(|w| w.energy.total_pj()).sum();
        // pJ a cycle times MHz are µW.
        (windows[0].start_cycle as f64 / energy.freq_mhz, pj / cycles.max(1) as f64 * energy.freq_mhz * 1e-3)
    };
    energy.windows.chunks(together).map(of).collect()
}

/// Two reports side by side.
fn compare(a: &Path, b: &Path, page: &Path) -> Result<Report, Error> {
    let (first, second) = (read(a)?, read(b)?);
    let html = ::report::compare(&first, &second).map_err(|e| Error::Input(e.to_string()))?;
    ::report::write_file(page, &html).map_err(|e| Error::Input(e.to_string()))?;
    let rows = ::report::compared(&first, &second);
    let mut table = Table::new(&["", "first", "second", "ratio"]);
    for row in &rows {
        table.row(row.iter().cloned());
    }
    let text = format!("{}\n{}\n\n{}\n\nwritten: {}", first.title, second.title, table.render(), page.display());
    let json = json!({"report": page, "first": first.title, "second": second.title, "rows": rows});
    Ok(Report::done(text, json))
}

fn read(folder: &Path) -> Result<Run, Error> {
    let path = if folder.is_dir() { folder.join("report.json") } else { folder.to_path_buf() };
    let cure = "give a folder that systole report wrote";
    let text = fs::read_to_string(&path).map_err(|e| Error::Input(format!("{}: {e}; {cure}", path.display())))?;
    serde_json::from_str(&text).map_err(|e| Error::Input(format!("{}: {e}; {cure}", path.display())))
}
