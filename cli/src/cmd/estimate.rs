//! `systole estimate`: area, frequency, energy and power of a configuration at once, without any tool.

use serde_json::{Value, json};
use synth::estimate::{Branch, Estimate, Estimator, FITTED, Model, Quality};

use crate::args::hardware::HardwareArgs;
use crate::args::unit::{TOP, Unit, unit};
use crate::error::Error;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, Table};

/// Share of the area in percent below which a unit is not shown to people; JSON has all.
const LEAST_PERCENT: f64 = 1.0;
/// Levels of units that are shown to people.
const SHOWN_LEVELS: u32 = 3;

/// Say at once what a configuration or one of its units would cost in a cell library, without any tool
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole estimate --preset base\n  \
    systole estimate --preset base --set array.rows=32 --set pe.formats=fp4 --json\n  \
    systole estimate --preset small --unit vector\n  \
    systole estimate --config mine.toml --technology mylib.toml\n\n\
    The figures come from a model that `systole fit` fitted on synthesised designs; its errors on designs \
    that it was not fitted on are printed. `systole synth --target asic` synthesises instead.")]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Part of the hardware
    #[arg(long, value_name = "UNIT", value_parser = unit(), default_value = TOP)]
    unit: Unit,
    /// Fitted technology, or a file that `systole fit` wrote (.toml); simulate and report take the same file
    #[arg(long, value_name = "NAME|FILE", default_value = FITTED[0].0)]
    technology: String,
}

/// Runs the command.
///
/// # Errors
/// For a configuration that is not valid, a technology that there is not.
pub fn run(args: &Args, _: &Output) -> Result<Report, Error> {
    let config = args.hardware.load()?;
    let estimator = Estimator::new(&args.technology)?;
    let estimate = estimator.unit(&config, args.unit.name)?;
    let command = repeat::command(None);
    let mut value = value(&estimate, estimator.model());
    value["command"] = command.clone().into();
    let text = text(&estimate, estimator.model());
    Ok(Report::done(format!("{text}\n\nRepeat with: {command}"), value))
}

/// One object for scripts.
fn value(of: &Estimate, model: &Model) -> Value {
    let mut value = serde_json::to_value(&of.cost).unwrap_or_else(|_| json!({}));
    if let Value::Object(object) = &mut value {
        object.retain(|_, value| !value.is_null());
        object.insert("cells_um2".into(), json!(of.cost.area_um2));
    }
    let fields = json!({
        "model": model.name,
        "area_um2": of.area_um2,
        "sram_um2": of.sram_um2,
        "sram_bits": of.sram_bits,
        "freq_mhz": of.freq_mhz,
        "macs_per_cycle": of.macs_per_cycle,
        "pj_per_mac": of.pj_per_mac,
        "sram_pj_per_mac": of.mac_sram_pj,
        "clock_pj_per_cycle": of.clock_pj_per_cycle,
        "leakage_mw": of.leakage_mw,
        "power_mw": of.power_mw,
        "units": of.tree.iter().map(branch).collect::<Vec<Value>>(),
        "held_out": model.held_out,
        "training": model.training,
        "tools": model.tools,
        "source": model.source,
    });
    if let (Value::Object(object), Value::Object(fields)) = (&mut value, fields) {
        object.extend(fields);
    }
    value
}

fn branch(of: &Branch) -> Value {
    json!({
        "level": of.level,
        "name": of.name,
        "module": of.module,
        "instances": of.instances,
        "cells_um2": of.cells_um2,
        "sram_um2": of.sram_um2,
    })
}

/// What people read.
fn text(of: &Estimate, model: &Model) -> String {
    let cost = &of.cost;
    let period = 1000.0 / of.freq_mhz;
    let cells = cost.area_um2.unwrap_or(0.0);
    let mut lines = vec![
        format!("{} of configuration {} in {}, estimated", cost.unit, cost.config_hash, model.library),
        format!("area     {}: cells {}, memories {}", area(of.area_um2), area(cells), area(of.sram_um2)),
        format!("clock    {:.1} MHz ({period:.3} ns)", of.freq_mhz),
    ];
    if of.macs_per_cycle > 0 {
        lines.push(format!(
            "energy   {:.3} pJ a MAC in the array (random operands; glitches and wires out)",
            of.pj_per_mac
        ));
    }
    if of.mac_sram_pj > 0.0 {
        lines.push(format!("         {:.3} pJ a MAC in the buffers around it", of.mac_sram_pj));
    }
    lines
        .push(format!("         {:.1} pJ a cycle in the clock pins of {} flip-flops", of.clock_pj_per_cycle, cost.ffs));
    let at = if of.macs_per_cycle > 0 {
        format!("with all {} PEs at work", of.macs_per_cycle)
    } else {
        "of the clock".to_string()
    };
    lines.push(format!("power    {:.1} mW {at}, of it leakage {:.2} mW", of.power_mw, of.leakage_mw));
    lines.push(String::new());
    lines.push(table(of));
    lines.extend(cost.remarks.iter().map(|remark| format!("\n{}", wrapped(remark))));
    lines.push(format!("\n{}", errors("designs it was not fitted on", &model.held_out)));
    lines.push(errors("designs it was fitted on", &model.training));
    lines.join("\n")
}

/// Errors of a model in a line.
pub fn errors(of: &str, q: &Quality) -> String {
    format!(
        "errors on {} {of} in %, mean (worst):\n  area {:.1} ({:.1}), clock {:.1} ({:.1}), energy of {} arrays {:.1} ({:.1})",
        q.designs,
        q.area_mean_percent,
        q.area_worst_percent,
        q.freq_mean_percent,
        q.freq_worst_percent,
        q.arrays,
        q.energy_mean_percent,
        q.energy_worst_percent
    )
}

/// Lines of at most 78 columns.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 78 => {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines.join("\n")
}

fn area(um2: f64) -> String {
    if um2 >= 1e5 { format!("{:.4} mm²", um2 * 1e-6) } else { format!("{um2:.1} µm²") }
}

fn table(of: &Estimate) -> String {
    let mut table = Table::new(&["unit", "instances", "cells µm²", "memories µm²", "% "]);
    for branch in &of.tree {
        let share = 100.0 * (branch.cells_um2 + branch.sram_um2) / of.area_um2.max(1e-9);
        if branch.level > SHOWN_LEVELS || share < LEAST_PERCENT {
            continue;
        }
        let name = format!("{}{}", "  ".repeat(branch.level as usize), branch.name);
        let (cells, sram) = (format!("{:.0}", branch.cells_um2), format!("{:.0}", branch.sram_um2));
        table.row([name, branch.instances.to_string(), cells, sram, format!("{share:.1}")]);
    }
    table.render()
}
