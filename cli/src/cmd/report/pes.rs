//! `systole report pes`: every kind of PE in every format in cell libraries: area, delay, energy of a product.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use spec::Format;
use synth::Options;
use synth::pes::{Operands, Row, SIDE, config, formats, table};

use super::operands::{TILES, TOKENS, Text, by_activity, operands};
use crate::args::hardware::OptionalHardwareArgs;
use crate::error::Error;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, Table};
use crate::watch::technology;

/// Published bit-weight arrays and the array of plain multiply-accumulates beside them: name, size, GOPS/mm², pJ/MAC
/// (`None` where none is given), MHz. HPCA 2025, arXiv 2503.06342, in SAED 32 nm with INT8 operands.
const PUBLISHED: [(&str, f64, Option<f64>, Option<f64>); 4] = [
    ("MAC, output-stationary, 16x16", 209.0, Some(0.70), Some(154.0)),
    ("OPT1, output-stationary", 456.0, Some(0.68), None),
    ("OPT2, K16 x N16", 1534.0, Some(0.40), Some(690.0)),
    ("OPT4C", 1501.0, None, None),
];
const SOURCE: &str = "HPCA 2025, arXiv 2503.06342, SAED 32 nm, INT8";

/// Area, delay and energy of every kind of PE in every format, in cell libraries
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole report pes --liberty cells.lib\n  \
    systole report pes --liberty a.lib --liberty b.lib --format w8a8 --format pot4 --json\n\n\
    Each is a weight-stationary array of 4 x 4 PEs with double-buffered weights, mapped by yosys and timed by OpenSTA\n\
    where it is installed; its netlist then runs uniform, Gaussian and real operands gate by gate. `--set` changes the\n\
    hardware, as in --set pe.product_register=true.")]
pub struct Args {
    /// Cell library; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    liberty: Vec<PathBuf>,
    /// Only this number format; may be repeated
    #[arg(long, value_name = "FORMAT", value_parser = crate::args::numeric::any_format())]
    format: Vec<Format>,
    #[command(flatten)]
    hardware: OptionalHardwareArgs,
    /// Energy of the same operands from activity in this technology, as --technology of simulate, beside the netlists'
    /// own; best that of the same library
    #[arg(long, value_name = "TECHNOLOGY")]
    technology: Option<String>,
    /// Period in ps that mapping aims at, instead of the library's usual one
    #[arg(long, value_name = "PS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    period: Option<u32>,
    /// Arrays that are synthesised at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Seconds for each run of a tool
    #[arg(long, value_name = "S", default_value_t = synth::job::MOST_SECONDS)]
    timeout: u64,
}

/// Runs the command.
///
/// # Errors
/// For a library that cannot be used, a tool that is missing or fails.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let base = args.hardware.load("base")?;
    let chosen = if args.format.is_empty() { formats() } else { args.format.clone() };
    // What can be refused at once is, before operands are made.
    let technology = args.technology.as_deref().map(technology).transpose()?;
    for liberty in &args.liberty {
        std::fs::metadata(liberty).map_err(|e| Error::Input(format!("--liberty {}: {e}", liberty.display())))?;
    }
    let real = Text::new()?;
    let mut work = Vec::new();
    for format in chosen {
        config(&base, format)?;
        work.push((format, operands(&real, format)?));
    }
    let activity = technology.map(|technology| by_activity(&base, &work, &technology)).transpose()?;
    let command = repeat::command(None);
    let (mut texts, mut libraries) = (Vec::new(), Vec::new());
    for liberty in &args.liberty {
        let bar = output.spinner(&format!("PEs in {}", liberty.display()));
        let options =
            Options { period_ps: args.period, timeout: Duration::from_secs(args.timeout), ..Options::asic(liberty) };
        let rows = table(&base, &options, &work, args.jobs.into())?;
        bar.finish_and_clear();
        texts.push(text(&rows));
        let mut value = value(&rows, &work);
        if let (Some(name), Some(activity)) = (&args.technology, &activity) {
            texts.push(compared(&rows, name, activity));
            value["activity"] = compared_value(&rows, name, activity);
        }
        libraries.push(value);
    }
    let published = PUBLISHED.map(|(name, gops, pj, mhz)| {
        json!({"name": name, "gops_per_mm2": gops, "pj_per_mac": pj, "freq_mhz": mhz, "source": SOURCE})
    });
    let text = format!("{}\n\n{}\n\nRepeat with: {command}", texts.join("\n\n"), published_text());
    Ok(Report::done(text, json!({"libraries": libraries, "published": published, "command": command})))
}

fn text(rows: &[Row]) -> String {
    let mut shown = Table::new(&[
        "weight x act",
        "kind",
        "PE µm²",
        "µm²/MAC",
        "ns",
        "GMAC/s/mm²",
        "pJ uniform",
        "gaussian",
        "real",
        "clock",
    ]);
    let or = |value: Option<f64>, digits: usize| value.map_or("-".to_string(), |v| format!("{v:.digits$}"));
    for row in rows {
        let format = row.format;
        let energy = row.energy.iter().map(|energy| format!("{:.3}", energy.pj_per_mac()));
        let clock = row.energy.first().map(|energy| energy.clock_pj_per_mac());
        let head = [
            format!("{} x {}", format.weight().name(), format.act().name()),
            format.pe_kind().name().to_string(),
            or(row.pe.area_um2, 1),
            or(row.area_um2(), 1),
            or(row.period_ns(), 3),
            or(row.gmacs_per_mm2(), 0),
        ];
        shown.row(head.into_iter().chain(energy).chain([or(clock, 3)]));
    }
    let Some(first) = rows.first() else { return String::new() };
    let cost = &first.array;
    let tools: Vec<String> = cost.tools.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
    format!(
        "{}: arrays of {SIDE} x {SIDE}, period by {}, {}\n\n{}\n\n\
         µm²/MAC and ns of the array without and with its skew registers; pJ a product of the whole array, clock pins\n\
         included and shown apart; no glitches, wires, clock tree or leakage",
        cost.technology,
        cost.timing.as_deref().unwrap_or("-"),
        tools.join(", "),
        shown.render()
    )
}

/// Energy of a token, all its products in the table's tiles, by both routes.
fn compared(rows: &[Row], technology: &str, activity: &[f64]) -> String {
    let mut table = Table::new(&["format", "pJ a token: netlist", "activity", "ratio"]);
    for (format, netlist, activity) in routes(rows, activity) {
        let ratio = format!("{:.3}", activity / netlist);
        table.row([format.name().to_string(), format!("{netlist:.1}"), format!("{activity:.1}"), ratio]);
    }
    format!(
        "Real operands, {TILES} tiles of {SIDE} x {SIDE} weights, by two routes: the netlist gate by gate, and flips of\n\
         registers times the energies of {technology}\n\n{}\n\n\
         Neither has glitches or a clock tree; the netlist's registers are counted with all pins that move",
        table.render()
    )
}

fn compared_value(rows: &[Row], technology: &str, activity: &[f64]) -> Value {
    let row = |(format, netlist, activity): (Format, f64, f64)| {
        json!({
            "format": format.name(),
            "netlist_pj_per_token": netlist,
            "activity_pj_per_token": activity,
            "ratio": activity / netlist,
        })
    };
    json!({"technology": technology, "rows": routes(rows, activity).map(row).collect::<Vec<Value>>()})
}

/// Format, and pJ a token from the netlist and from activity.
fn routes<'a>(rows: &'a [Row], activity: &'a [f64]) -> impl Iterator<Item = (Format, f64, f64)> + use<'a> {
    let token = TOKENS as f64;
    rows.iter().zip(activity).filter_map(move |(row, &activity)| {
        Some((row.format, row.energy.last()?.gates.dynamic_pj() / token, activity / token))
    })
}

fn value(rows: &[Row], work: &[(Format, Vec<Operands>)]) -> Value {
    let row = |(row, (_, operands)): (&Row, &(Format, Vec<Operands>))| {
        let energy = row.energy.iter().zip(operands).map(|(energy, operands)| {
            json!({
                "operands": operands.name,
                "macs": energy.macs,
                "cycles": energy.gates.cycles,
                "pj_per_mac": energy.pj_per_mac(),
                "clock_pj_per_mac": energy.clock_pj_per_mac(),
                "internal_pj": energy.gates.internal_pj,
                "switching_pj": energy.gates.switching_pj,
                "registers_pj": energy.gates.registers_pj,
            })
        });
        json!({
            "format": row.format.name(),
            "kind": row.format.pe_kind().name(),
            "weight": row.format.weight().name(),
            "act": row.format.act().name(),
            "pe_area_um2": row.pe.area_um2,
            "pe_period_ns": row.pe.worst_path.as_ref().and_then(|path| path.period_ns),
            "area_um2_per_mac": row.area_um2(),
            "period_ns": row.period_ns(),
            "gmacs_per_mm2": row.gmacs_per_mm2(),
            "leakage_pj_per_mac": row.leakage_pj_per_mac(),
            "has_glitches": false,
            "energy": energy.collect::<Vec<Value>>(),
        })
    };
    let cost = rows.first().map(|row| &row.array);
    json!({
        "technology": cost.map(|cost| &cost.technology),
        "timing": cost.and_then(|cost| cost.timing.as_ref()),
        "tools": cost.map(|cost| &cost.tools),
        "rows": rows.iter().zip(work).map(row).collect::<Vec<Value>>(),
    })
}

fn published_text() -> String {
    let mut table = Table::new(&["published", "GOPS/mm²", "pJ/MAC", "MHz"]);
    let or = |value: Option<f64>, digits: usize| value.map_or("-".to_string(), |v| format!("{v:.digits$}"));
    for (name, gops, pj, mhz) in PUBLISHED {
        table.row([name.to_string(), format!("{gops:.0}"), or(pj, 2), or(mhz, 0)]);
    }
    format!("{}\n\n{SOURCE}; operations are counted as there", table.render())
}
