//! `systole simulate`: cycles and stalls of linear layers in the step simulator, the values checked with golden.

use serde_json::json;
use sim::engine::{Options, simulate};
use spec::qmodel::{QActs, QLinear, QRows};
use spec::verdict::{Mismatch, Verdict};

use crate::args::work::WorkArgs;
use crate::error::Error;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::{LayerResult, Telling, Totals, report};

/// Simulate linear layers cycle for cycle: cycles, utilisation, what the cycles went into
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole simulate --preset base --gemm 512x576x576\n  \
    systole simulate --config mine.toml --model fairy --prompt \"Once upon a time\"\n  \
    systole simulate --preset small --model fairy --layer model.layers.1.mlp.down_proj --prompt \"A king\" --tokens 40\n\n\
    Every result is also compared with the integer model.")]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
}

/// Runs the command.
///
/// # Errors
/// For a configuration, model or layer that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let workload = args.work.load(output)?;
    let options = Options { stall_seed: args.work.stall_seed };
    let mut layers = Vec::new();
    for index in 0..workload.len() {
        let label = workload.label(index);
        let bar = output.bar(0, &label);
        let (layer, acts) = workload.get(index)?;
        let mut result = LayerResult::new(label, &layer, workload.tokens());
        let simulated = simulate(&workload.config, &layer, &acts, options, |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
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
    let head = json!({"config_hash": workload.config.hash(), "unit": "engine", "engine": "step"});
    Ok(report(&layers, &Telling { passed: &passed, wanted: workload.len(), claim: &claim, head }))
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
