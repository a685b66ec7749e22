//! `systole operators`: the errors of golden's operators.

use golden::quantize::operators::{OperatorError, format_errors, operator_errors};
use serde_json::json;

use crate::error::Error;
use crate::output::Output;
use crate::report::{Report, Table};

/// Measured error of every integer operator beside the published one, and of every number format
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole operators\n  systole operators --seed 2 --json\n\n\
    Errors are those beside the real function of the same integers; docs/numerics.md says what each operator computes.")]
pub struct Args {
    /// Seed of the random rows
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// None.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let progress = output.spinner("measuring");
    let operators = operator_errors(args.seed);
    let formats = format_errors(args.seed);
    progress.finish_and_clear();
    let mut table = Table::new(&["operator", "options", "inputs", "largest", "mean", "unit", "published"]);
    for row in &operators {
        let names = [row.operator, row.options, row.inputs].map(ToString::to_string);
        let numbers = [shown(row.largest), shown(row.mean), row.unit.to_string(), published(row)];
        table.row(names.into_iter().chain(numbers));
    }
    let mut noise = Table::new(&["activations", "options", "SQNR dB", "simulated"]);
    for row in &formats {
        let simulated = row.simulated_db.map_or("-".to_string(), |db| format!("{db:.1}"));
        noise.row([row.name.clone(), row.options.to_string(), format!("{:.2}", row.sqnr_db), simulated]);
    }
    let text = format!(
        "Error of each operator beside the real function of the same integers\n\n{}\n\nRows of 4096 Gaussian values, coded as a linear layer's input is\n\n{}",
        table.render(),
        noise.render()
    );
    let operators: Vec<_> = operators
        .iter()
        .map(|row| {
            json!({
                "operator": row.operator,
                "options": row.options,
                "inputs": row.inputs,
                "results": row.count,
                "unit": row.unit,
                "largest": row.largest,
                "mean": row.mean,
                "published": row.published.map(|p| json!({"largest": p.largest, "source": p.source})),
            })
        })
        .collect();
    let formats: Vec<_> = formats
        .iter()
        .map(|row| {
            json!({
                "activations": row.name,
                "options": row.options,
                "sqnr_db": row.sqnr_db,
                "simulated_db": row.simulated_db,
            })
        })
        .collect();
    Ok(Report::done(text, json!({"seed": args.seed, "operators": operators, "formats": formats})))
}

/// The published error and where it stands.
fn published(row: &OperatorError) -> String {
    row.published.map_or("not published".to_string(), |p| format!("{} ({})", p.largest, p.source))
}

/// Three significant digits; 0 as it is.
fn shown(error: f64) -> String {
    match error {
        0.0 => "0".to_string(),
        0.1.. => format!("{error:.3}"),
        0.01.. => format!("{error:.4}"),
        0.001.. => format!("{error:.5}"),
        _ => format!("{error:.2e}"),
    }
}
