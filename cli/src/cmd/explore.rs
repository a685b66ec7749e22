//! `systole explore`: many configurations, formats and models at once, and those that no other beats.

use std::path::PathBuf;

use ::report::{Explored, write_explored, write_file};
use serde_json::{Value, json};

use crate::args::numeric::Choice;
use crate::args::unit::{TOP, Unit, unit};
use crate::error::Error;
use crate::explore::{Sweep, Verified, explored, run as measure, verify};
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, Table};
use crate::whole;

/// File of the first setting's best configuration.
const BEST: &str = "best.toml";

/// Measure every configuration, format and model of a sweep file by estimate and fast simulator
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Sweep file
    sweep: PathBuf,
    /// Folder for the journal, the table of points, plots and page
    #[arg(short, long, value_name = "DIR", default_value = "explore")]
    output: PathBuf,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Best points of the front, by area times time times energy, that --synth synthesises
    #[arg(long, value_name = "N", requires = "synth", default_value_t = 3)]
    top: usize,
    /// Synthesise the best points in a cell library and say what the estimate said
    #[arg(long, requires = "liberty")]
    synth: bool,
    /// Cell library of --synth: that of the sweep's first technology
    #[arg(long, value_name = "FILE", requires = "synth")]
    liberty: Option<PathBuf>,
    /// Part of the hardware that --synth synthesises
    #[arg(long, value_name = "UNIT", value_parser = unit(), default_value = TOP, requires = "synth")]
    unit: Unit,
}

const EXAMPLES: &str = "\
A sweep file (TOML); everything but models, formats, technology and preset or config may be left away:
  preset = \"base\"                      # or config = \"mine.toml\": what does not vary
  models = [\"fairy\", \"dir\", \"x.q\"]     # Hugging Face directories, QModel files, fairy
  formats = [\"w8a8\", \"w4a8\"]
  recipe = \"usual\"                     # default: the one that is usually good for a format; or as systole
                                       # quantize has them; calib = \"text\" likewise
  technology = [\"nangate45\"]           # or files, as --technology takes them
  mem_latency = [30, 100]              # cycles [default: 30]
  context = 32                         # work: one token after so many [default: 32], or instead
  prompt_tokens = { from = 8, to = 64, factor = 2 }, tokens = 2
  perplexity = \"tales.txt\"             # text or windows JSON; true (default): text that the model
                                       # writes itself; false: none. windows = 4: most windows of it
  [vary]                               # any field but pe.formats: lists, ranges, fields together
  \"array.rows,array.cols\" = [[8, 8], [16, 16]]
  bus.data_bits = [64, 128]
  vec.lanes = { from = 2, to = 8, step = 2 }

Examples:
  systole explore sweep.toml -o out
  systole explore sweep.toml -o out --top 3 --synth --liberty cells.lib --unit array
  systole report --explore out

A sweep that was killed goes on where it was: run the same command again. Points that are no configuration, or whose
model does not fit, are listed with their reasons. best.toml is the configuration with the least product of area, time
and energy.";

/// Runs the command.
///
/// # Errors
/// For a sweep file, technology, text or folder that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let sweep = Sweep::read(&args.sweep)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs.unwrap_or(0).into()).build();
    let pool = pool.map_err(|e| Error::Input(format!("--jobs: cannot start threads: {e}; ask for fewer")))?;
    let journal = measure(&sweep, &args.output, &pool, output)?;
    let title = args.sweep.display().to_string();
    let command = format!("systole explore {}", repeat::quoted(&title));
    let explored = explored(&sweep, &journal, &title, command);
    let spinner = output.spinner("drawing");
    let written = |e: ::report::Error| Error::Input(e.to_string());
    let mut names = write_explored(&explored, &args.output).map_err(written)?;
    let best = explored.settings().first().and_then(|(_, points)| Some(Explored::front(points).first()?.index));
    if let Some(Ok(config)) = best.map(|index| config(&sweep, &explored, index)) {
        write_file(&args.output.join(BEST), &config.to_toml()).map_err(written)?;
        names.push(BEST.into());
    }
    spinner.finish_and_clear();
    let (count, front) = (explored.points.len(), explored.points.iter().filter(|p| p.is_front).collect::<Vec<_>>());
    let measured = explored.points.iter().filter(|p| p.found.is_some()).count();
    let brief = format!("{count} points, {measured} measured, {} that no other beats", front.len());
    let json = json!({
        "sweep": args.sweep,
        "folder": args.output,
        "files": names,
        "points": count,
        "measured": measured,
        "left_out": count - measured,
        "fields": explored.fields,
        "models": explored.models,
        "front": front,
        "repeat": repeat::command(None),
    });
    let text = format!("{}\nwritten: {}", explored.summary(), args.output.join("explore.html").display());
    let mut report = Report { brief, ..Report::done(text, json) };
    if let Some(liberty) = args.liberty.as_ref().filter(|_| args.synth) {
        let spinner = output.spinner("synthesis");
        let config = |index| config(&sweep, &explored, index);
        let at_once = pool.current_num_threads();
        let found = verify(&sweep, &explored, args.top, &args.unit, (liberty, at_once), config)?;
        spinner.finish_and_clear();
        report.add("verified", verified_json(&found), &verified_text(&found, args.unit.name));
    }
    Ok(report)
}

/// The hardware of a point, whose model need not be quantized again to know its formats.
fn config(sweep: &Sweep, explored: &Explored, index: usize) -> Result<spec::Config, Error> {
    let point = sweep.points.point(index);
    let mut config = sweep.points.config(&point)?;
    if let Choice::Even(format) = sweep.points.formats[point.format] {
        whole::offered(&mut config, [format].into_iter())?;
    }
    let hash = explored.points[index].found.as_ref().map_or("", |found| &found.config_hash);
    if config.hash() == hash {
        return Ok(config);
    }
    let cure = "leave --synth away, or give the configuration to systole synth";
    Err(Error::input("--synth", format!("point {index}"), "models whose layers share a format", cure))
}

fn verified_text(found: &[Verified], unit: &str) -> String {
    let mut table = Table::new(&["point", "area µm²", "estimated", "%", "MHz", "estimated", "%", "timing"]);
    let number = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.0}"));
    let error = |[said, is]: [Option<f64>; 2]| match (said, is) {
        (Some(said), Some(is)) if is > 0.0 => format!("{:+.1}", 100.0 * (said / is - 1.0)),
        _ => "-".into(),
    };
    for v in found {
        let (area, freq) = (v.area_um2, v.freq_mhz);
        table.row([
            v.index.to_string(),
            number(area[1]),
            number(area[0]),
            error(area),
            number(freq[1]),
            number(freq[0]),
            error(freq),
            v.timing.clone().unwrap_or_else(|| "-".into()),
        ]);
    }
    let reasons = found.iter().filter_map(|v| Some(format!("\npoint {}: {}", v.index, v.reason.as_ref()?)));
    format!("Synthesis of {unit}, cells without memories\n{}{}", table.render(), reasons.collect::<String>())
}

fn verified_json(found: &[Verified]) -> Value {
    let entry = |v: &Verified| {
        json!({
            "point": v.index,
            "area_um2": v.area_um2[1],
            "estimated_area_um2": v.area_um2[0],
            "freq_mhz": v.freq_mhz[1],
            "estimated_freq_mhz": v.freq_mhz[0],
            "timing": v.timing,
            "reason": v.reason,
        })
    };
    found.iter().map(entry).collect()
}
