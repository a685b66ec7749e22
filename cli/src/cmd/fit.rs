//! `systole fit`: a model for `systole estimate`, fitted on designs that are synthesised for it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use synth::estimate::collect::{Collected, Limits, collect};
use synth::estimate::fitting::{About, Sample, fit_model, pairs};
use synth::estimate::{Model, plan};
use synth::liberty::Library;
use synth::{Options, store};

use super::estimate::errors;
use crate::error::Error;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, Table};

/// Fit the model of `estimate` to a cell library: synthesise designs, fit, foresee others, print the errors
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole fit --liberty cells.lib -o cells.toml\n  \
    systole fit --liberty cells.lib --minutes 30 --jobs 2 -o cells.toml\n  \
    systole fit --liberty cells.lib --technology sky130 --designs quick -o cells.toml --json\n  \
    systole estimate --preset base --technology cells.toml\n\n\
    yosys maps every design (about half a minute each), OpenSTA gives the frequencies where it is installed. Results\n\
    are kept: a fit that was stopped goes on where it was. Every design's hash says whether it is kept back.")]
pub struct Args {
    /// Cell library
    #[arg(long, value_name = "FILE")]
    liberty: PathBuf,
    /// Technology whose supply, feature size and memories hold: generic45, nangate45, sky130, asap7, osu018, or a file
    /// like those (.toml), which the model then has in it [default: that of the library]
    #[arg(long, value_name = "NAME|FILE")]
    technology: Option<String>,
    /// Which designs: quick leaves out those that take minutes
    #[arg(long, value_name = "WHICH", value_parser = ["quick", "all"], default_value = "all")]
    designs: String,
    /// Begin no synthesis after so many minutes; kept results are used in any case
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Designs at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Seconds for each run of a tool
    #[arg(long, value_name = "S", default_value_t = synth::job::MOST_SECONDS)]
    timeout: u64,
    /// Folder of kept results [default: fit in the user's cache]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// File for the model
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The technology of a library that is known.
fn technology(library: &str) -> Option<&'static str> {
    let known = [("Nangate45", "nangate45"), ("SKY130 HD", "sky130"), ("ASAP7 RVT", "asap7"), ("OSU018", "osu018")];
    known.into_iter().find(|(name, _)| *name == library).map(|(_, technology)| technology)
}

/// Runs the command.
///
/// # Errors
/// For a library that cannot be used, a tool that is missing.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let text = std::fs::read(&args.liberty)
        .map_err(|e| Error::Input(format!("cannot read {}: {e}; check the path", args.liberty.display())))?;
    let library = Library::parse(&String::from_utf8_lossy(&text))
        .map_err(|e| Error::Input(format!("{}: {e}", args.liberty.display())))?;
    let settings = synth::cells::settings(&library);
    let technology = match args.technology.as_deref().or_else(|| technology(&settings.name)) {
        Some(name) => synth::energy::Technology::load(name)?,
        None => {
            let cure = "name the nearest with --technology, whose memories and supply then hold";
            let names: Vec<&str> = synth::energy::Technology::names().collect();
            return Err(Error::input("--technology", "none", &names.join(", "), cure));
        }
    };
    let is_known = synth::energy::Technology::find(&technology.name).is_ok_and(|known| known == technology);
    let own = (!is_known).then(|| technology.clone());
    let folder = match &args.store {
        Some(folder) => std::path::absolute(folder).map_err(|e| Error::Input(e.to_string()))?,
        None => store::folder()?.with_file_name("fit"),
    };
    let timeout = Duration::from_secs(args.timeout);
    let options = Options { timeout, store: Some(folder), ..Options::asic(&args.liberty) };
    let limits =
        Limits { at_once: args.jobs.into(), time: args.minutes.map(|minutes| Duration::from_secs(60 * minutes)) };
    let wanted = plan::designs(args.designs == "quick");
    let bar = output.spinner(&format!("synthesis of {} designs", wanted.len()));
    let collection = collect(&wanted, &options, limits, &|wanted, outcome| {
        bar.set_message(format!("{}: {:.0} µm²", wanted.unit, outcome.cost.area_um2.unwrap_or(0.0)));
    });
    bar.finish_and_clear();
    let collection = collection?;
    let (held_out, training): (Vec<Collected>, Vec<Collected>) =
        collection.done.into_iter().partition(|design| design.is_held_out);
    let (training, held_out): (Vec<Sample>, Vec<Sample>) = (samples(training), samples(held_out));
    if training.is_empty() {
        return Err(Error::Tool(match collection.failed.first() {
            Some((unit, why)) => format!("no design could be synthesised; the first, {unit}: {why}"),
            None => "no design was synthesised; give more --minutes".to_string(),
        }));
    }
    for (unit, why) in &collection.failed {
        output.remark(&format!("{unit} was left out: {why}"));
    }
    if collection.left > 0 {
        output.remark(&format!("{} designs were not begun in the time given; run it again", collection.left));
    }
    let command = repeat::command(None);
    let tools = training.first().map_or(Vec::new(), |s| s.cost.tools.clone());
    let about = About {
        name: technology.name.clone(),
        technology: technology.name.clone(),
        energies: own,
        library: settings.name.clone(),
        source: format!("{} designs synthesised by `{}`", training.len(), source(args)),
        tools: tools.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect(),
        nand_um2: library.nand_area(),
    };
    let model = fit_model(about, &training, &held_out);
    if let Some(path) = &args.output {
        let written = tool::write_atomic(path, model.to_toml().as_bytes());
        written.map_err(|e| Error::Input(e.to_string()))?;
    }
    let designs: Vec<Value> = [(&training, false), (&held_out, true)]
        .into_iter()
        .flat_map(|(samples, is_held_out)| samples.iter().map(move |s| (s, is_held_out)))
        .map(|(s, is_held_out)| design(&model, s, is_held_out))
        .collect();
    let written = args.output.as_ref().map_or(String::new(), |path| format!("\nwritten to {}", path.display()));
    let text = format!(
        "{}\n\n{}\n{}{written}\n\nRepeat with: {command}",
        table(&model, &held_out),
        errors("designs kept back", &model.held_out),
        errors("designs it is fitted on", &model.training)
    );
    let json = json!({
        "technology": model.technology,
        "library": model.library,
        "tools": model.tools,
        "training": model.training,
        "held_out": model.held_out,
        "not_begun": collection.left,
        "failed": collection.failed.iter().map(|(unit, why)| json!({"unit": unit, "why": why})).collect::<Vec<_>>(),
        "designs": designs,
        "command": command,
    });
    Ok(Report::done(text, json))
}

fn samples(list: Vec<Collected>) -> Vec<Sample> {
    list.into_iter().map(|collected| collected.sample).collect()
}

/// The command as it stands in the model: without paths of this machine.
fn source(args: &Args) -> String {
    let file = args.liberty.file_name().unwrap_or_default().to_string_lossy();
    format!("systole fit --liberty {file} --designs {}", args.designs)
}

fn formats(s: &Sample) -> String {
    s.config.pe.formats.iter().map(|format| format.name()).collect::<Vec<_>>().join(",")
}

fn design(model: &Model, s: &Sample, is_held_out: bool) -> Value {
    let (area, freq, energy) = pairs(model, s);
    let pair = |pair: Option<(f64, f64)>| pair.map(|(estimate, found)| json!({"estimate": estimate, "found": found}));
    json!({
        "unit": s.unit,
        "config_hash": s.config.hash(),
        "formats": formats(s),
        "rows": s.config.array.rows,
        "cols": s.config.array.cols,
        "is_held_out": is_held_out,
        "area_um2": pair(area),
        "freq_mhz": pair(freq),
        "array_pj_per_cycle": pair(energy),
    })
}

/// Designs kept back, each with its errors.
fn table(model: &Model, held_out: &[Sample]) -> String {
    let mut table =
        Table::new(&["kept back", "formats", "array", "area µm²", "error %", "MHz", "error %", "pJ error %"]);
    for s in held_out {
        let (area, freq, energy) = pairs(model, s);
        let found = |pair: Option<(f64, f64)>| pair.map_or("-".to_string(), |(_, found)| format!("{found:.0}"));
        let error = |pair: Option<(f64, f64)>| {
            pair.map_or("-".to_string(), |(estimate, found)| format!("{:+.1}", 100.0 * (estimate / found - 1.0)))
        };
        let size = format!("{}x{}", s.config.array.rows, s.config.array.cols);
        let name = [s.unit.clone(), formats(s), size].into_iter();
        table.row(name.chain([found(area), error(area), found(freq), error(freq), error(energy)]));
    }
    table.render()
}
