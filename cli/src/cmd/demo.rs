//! `systole demo`: a real model's layers through the generated hardware, everything checked.

use std::sync::Mutex;
use std::thread;

use cosim::{Cosim, Options, Sources};
use golden::linear::Prepared;
use golden::load::shipped;
use hdl::presets::preset;
use indicatif::ProgressBar;
use serde_json::json;
use sim::lower::engine::roofline_cycles;
use spec::{Config, Format};

use super::cosim::{claim, mismatch_vcd};
use crate::error::Error;
use crate::output::Output;
use crate::repeat::quoted;
use crate::report::Report;
use crate::result::{LayerResult, Telling, report};
use crate::workload::{self, Numeric, Workload};

/// Configuration of the hardware.
const PRESET: &str = "small";
/// Text whose activations enter the layers.
const PROMPT: &str = "Once upon a time there was a king who had three daughters, and the youngest was so beautiful";
/// Format of all layers.
const FORMAT: Format = Format::W8a8;
/// The layer that is run in each other format: its K is the model's largest.
const LAYER: &str = "model.layers.1.mlp.down_proj";

/// Run all linear layers of the model inside this program in the generated hardware, and check everything
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole demo\n  systole demo --json\n\n\
    All linear layers of all blocks, with the real activations of a prompt, in w8a8 on the preset `small`; then one\n\
    layer in each other format. Every output of every cycle is compared between Verilog and step simulator, every\n\
    value with the integer model. Exit code 1 if anything differs.")]
pub struct Args {}

/// Work that one hardware does.
struct Group {
    config: Config,
    /// Layers of one numeric format, and the place of their first in the table.
    parts: Vec<(Workload, usize)>,
}

/// Runs the command.
///
/// # Errors
/// For a missing or failed tool.
pub fn run(_: &Args, output: &Output) -> Result<Report, Error> {
    let groups = groups(output)?;
    let wanted: usize = groups.iter().flat_map(|group| &group.parts).map(|(workload, _)| workload.len()).sum();
    let bar = output.bar(wanted as u64, "building with Verilator");
    let queue = Mutex::new(groups.iter());
    let done = Mutex::new((0..wanted).map(|_| None).collect::<Vec<Option<LayerResult>>>());
    let work = || -> Result<(), Error> {
        loop {
            let next = queue.lock().expect("no thread panics while it takes work").next();
            let Some(group) = next else { return Ok(()) };
            run_group(group, &bar, &|place, result| {
                done.lock().expect("no thread panics while it stores a result")[place] = Some(result);
            })?;
        }
    };
    // While one hardware computes, Verilator builds the next.
    let results: Vec<Result<(), Error>> = thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).into()
    });
    results.into_iter().collect::<Result<(), Error>>()?;
    bar.finish_and_clear();
    let done = done.into_inner().expect("no thread panicked");
    let layers: Vec<LayerResult> = done.into_iter().flatten().collect();
    let head = json!({"model": shipped::NAME, "preset": PRESET, "prompt": PROMPT});
    let passed = |l: &LayerResult| l.verdict.matched();
    let mut report = report(&layers, &Telling { passed: &passed, wanted, claim: &claim, head });
    let tokens = layers.first().map_or(0, |layer| layer.shape.0);
    report.text =
        format!("Model `{}`, preset `{PRESET}`, {tokens} tokens: \"{PROMPT}\"\n\n{}", shipped::NAME, report.text);
    Ok(report)
}

/// All layers in one format, and one layer in each other format, by the hardware that they need.
fn groups(output: &Output) -> Result<Vec<Group>, Error> {
    let mut groups: Vec<Group> = Vec::new();
    let mut first = 0;
    for format in [FORMAT].into_iter().chain(Format::PLAIN.into_iter().filter(|&f| f != FORMAT)) {
        let layer = (format != FORMAT).then_some(LAYER);
        let mut config = Config::from_toml(preset(PRESET).unwrap_or_default())?;
        if !config.pe.formats.contains(&format) {
            // As `--format` does, but said in the table.
            config.pe.kind = format.pe_kind();
            config.pe.formats = vec![format];
        }
        let numeric = Numeric { format: Some(format), ..Numeric::default() };
        let workload = workload::model(config, numeric, shipped::NAME, layer, (PROMPT, None), output)?;
        let len = workload.len();
        match groups.iter_mut().find(|group| group.config == workload.config) {
            Some(group) => group.parts.push((workload, first)),
            None => groups.push(Group { config: workload.config.clone(), parts: vec![(workload, first)] }),
        }
        first += len;
    }
    Ok(groups)
}

/// Builds a hardware and runs its layers, up to the first that does not match.
fn run_group(group: &Group, bar: &ProgressBar, store: &dyn Fn(usize, LayerResult)) -> Result<(), Error> {
    let cosim = Cosim::new(&group.config, &Sources::Generated, &Options::default())?;
    for (workload, first) in &group.parts {
        for index in 0..workload.len() {
            let result = run_layer(&cosim, workload, index, bar)?;
            bar.inc(1);
            let matched = result.verdict.matched();
            store(first + index, result);
            if !matched {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Runs one layer in Verilog and step simulator.
fn run_layer(cosim: &Cosim, workload: &Workload, index: usize, bar: &ProgressBar) -> Result<LayerResult, Error> {
    let (layer, acts) = workload.get(index)?;
    let (label, format) = (workload.label(index), layer.format.name());
    bar.set_message(format!("{format} {}", label.trim_start_matches("model.")));
    let repeat = format!(
        "systole cosim --preset {PRESET} --model {} --layer {label} --format {format} --prompt {}",
        shipped::NAME,
        quoted(PROMPT)
    );
    let options = Options { mismatch_vcd: mismatch_vcd(), repeat, ..Options::default() };
    let mut result = LayerResult::new(label, &layer, workload.tokens());
    result.roofline_cycles = roofline_cycles(&workload.config, &layer, workload.tokens());
    let golden = Prepared::new(&layer, &acts)?;
    let (verdict, timing) = cosim.run_timed(&golden, &layer, &acts, &options, |_, _| {})?;
    result.found(verdict, timing);
    Ok(result)
}
