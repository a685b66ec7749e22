//! `systole cosim`: the Verilog under Verilator against the step simulator in every cycle and golden in every value.

mod top;

use std::path::{Path, PathBuf};

use cosim::array::cosim_array;
use cosim::{Cosim, Options, Sources};
use golden::linear::Prepared;
use serde_json::json;
use sim::lower::engine::roofline_cycles;
use spec::verdict::Verdict;

use crate::args::unit::{ARRAY, ENGINE, TOP};
use crate::args::work::WorkArgs;
use crate::error::Error;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::{LayerResult, Telling, Totals, report};
use crate::workload::Workload;

/// Wave file of the cycles around a mismatch.
const MISMATCH_VCD: &str = "systole-mismatch.vcd";

/// Run a model, or linear layers, in the Verilog and compare every output in every cycle, and every value
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole cosim --preset small --gemm 20x64x48\n  \
    systole cosim --config mine.toml --model fairy --prompt \"Once upon a time\" --tokens 2 --stall-seed 7\n  \
    systole cosim --config mine.toml --model fairy --prompt \"A king\" --unit engine\n  \
    systole cosim --preset small --model fairy --layer model.layers.1.mlp.down_proj --format pot4 --prompt \"A king\"\n  \
    systole generate --preset small --unit engine -o rtl && systole cosim --preset small --gemm 4x9x9 --rtl rtl\n\n\
    Exit code 1 and a wave file around the cycle if anything differs.")]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
    /// Part of the hardware that runs it: the accelerator for whole models, the tile engine for layers and products, or the
    /// array alone, whose partial sums are compared
    #[arg(long, value_name = "UNIT", value_parser = [TOP, ENGINE, ARRAY])]
    unit: Option<String>,
    /// Take the Verilog from this folder, as it stands, instead of generating it; layers that match are followed by
    /// seeded stress layers in every format and mode
    #[arg(long, value_name = "DIR")]
    rtl: Option<PathBuf>,
    /// Write the waves of the whole run, both models side by side
    #[arg(long, value_name = "FILE")]
    vcd: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// For input that cannot be used; a missing or failed tool.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let unit = args.work.unit(args.unit.as_deref())?;
    if unit == TOP {
        return top::run(args, output);
    }
    let workload = args.work.load(output)?;
    args.work.one_layer("--vcd", args.vcd.is_some(), &workload)?;
    let sources = args.rtl.clone().map_or(Sources::Generated, Sources::Folder);
    if unit == ARRAY {
        return array(args, &workload, &sources, output);
    }
    let mut options = Options {
        stall_seed: args.work.stall_seed,
        // Both models shall start at different values.
        random_start: args.work.random_start.map(|seed| (seed, seed.wrapping_add(1))),
        vcd: args.vcd.clone(),
        mismatch_vcd: mismatch_vcd(),
        ..Options::default()
    };
    let mut layers = Vec::new();
    let mut built = None;
    for index in 0..workload.len() {
        let label = workload.label(index);
        let (layer, acts) = workload.get(index)?;
        if built.is_none() {
            // What the hardware cannot take is said before minutes of building.
            sim::lower::lower(&workload.config, &layer, &acts)?;
            let progress = output.spinner("building the Verilog with Verilator");
            built = Some(Cosim::new(&workload.config, &sources, &options)?);
            progress.finish_and_clear();
        }
        let Some(cosim) = &built else { unreachable!("it was just built") };
        options.repeat = repeat::command(workload.layer(index));
        let bar = output.bar(0, &label);
        let mut result = LayerResult::new(label, &layer, workload.tokens());
        result.roofline_cycles = roofline_cycles(&workload.config, &layer, workload.tokens());
        let golden = Prepared::new(&layer, &acts)?;
        let (verdict, timing) = cosim.run_timed(&golden, &layer, &acts, &options, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        let matched = result.found(verdict, timing);
        layers.push(result);
        if !matched {
            break;
        }
    }
    if !built.as_ref().is_none_or(Cosim::has_probes) {
        output.remark("the Verilog's inner signals have other names than ours: it was compared at its ports alone");
    }
    let mut stressed = None;
    let all_matched = layers.len() == workload.len() && layers.iter().all(|l| l.verdict.matched());
    if let Some(cosim) = built.as_ref().filter(|_| args.rtl.is_some() && all_matched) {
        let verdict = stress(cosim, &options, output)?;
        if verdict.matched() {
            stressed = Some(verdict);
        } else {
            layers.push(LayerResult {
                label: "stress layers".into(),
                format: "all",
                verdict,
                ..LayerResult::default()
            });
        }
    }
    let passed = |l: &LayerResult| l.verdict.matched();
    let head = json!({"config_hash": workload.config.hash(), "unit": unit});
    let mut report = report(&layers, &Telling { passed: &passed, wanted: workload.len(), claim: &claim, head });
    if let Some(verdict) = stressed {
        report.add(
            "stress",
            json!({
                "match": true,
                "cycles_checked": verdict.cycles_checked,
                "golden_values_checked": verdict.golden_values_checked,
            }),
            &format!(
                "Stress layers of the Verilog given: {} cycles and {} values more, all equal.",
                grouped(verdict.cycles_checked),
                grouped(verdict.golden_values_checked)
            ),
        );
    }
    Ok(report)
}

/// Verilog that was not generated here may be wrong where the layers asked for do not reach: seeded layers that reach
/// every format, mode, edge, stall and random start.
fn stress(cosim: &Cosim, options: &Options, output: &Output) -> Result<Verdict, Error> {
    let options = Options { repeat: repeat::command(None), vcd: None, ..options.clone() };
    let bar = output.bar(0, "stress layers");
    let verdict = cosim.stress(&options, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(verdict)
}

/// Runs the tiles of layers through the array alone.
fn array(args: &Args, workload: &Workload, sources: &Sources, output: &Output) -> Result<Report, Error> {
    let given = [
        ("--stall-seed", args.work.stall_seed.is_some()),
        ("--random-start", args.work.random_start.is_some()),
        ("--vcd", args.vcd.is_some()),
    ];
    if let Some((option, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
        return Err(Error::input(option, "given", "with --unit engine", "leave it away: the array has no handshakes"));
    }
    let mut layers = Vec::new();
    for index in 0..workload.len() {
        let label = workload.label(index);
        let progress = output.spinner(&format!("array: {label}"));
        let (layer, acts) = workload.get(index)?;
        let mut result = LayerResult::new(label, &layer, workload.tokens());
        let mut verdict = cosim_array(&workload.config, sources, &layer, &acts)?;
        progress.finish_and_clear();
        if let Some(first) = &mut verdict.first {
            first.repeat = repeat::command(workload.layer(index));
        }
        let matched = result.found(verdict, None);
        layers.push(result);
        if !matched {
            break;
        }
    }
    let passed = |l: &LayerResult| l.verdict.matched();
    let head = json!({"config_hash": workload.config.hash(), "unit": ARRAY});
    Ok(report(&layers, &Telling { passed: &passed, wanted: workload.len(), claim: &claim, head }))
}

/// What a verdict says, in words.
pub fn claim(totals: &Totals) -> String {
    format!(
        "every output of {} cycles equal in Verilog and step simulator, {} values equal golden's",
        grouped(totals.verdict.cycles_checked),
        grouped(totals.verdict.golden_values_checked)
    )
}

/// A wave file here, or among the temporary files if this folder cannot be written.
pub fn mismatch_vcd() -> Option<PathBuf> {
    let here = Path::new(MISMATCH_VCD);
    let folder = Path::new(".");
    let is_writable = !folder.metadata().ok()?.permissions().readonly();
    Some(if is_writable { here.to_path_buf() } else { std::env::temp_dir().join(MISMATCH_VCD) })
}
