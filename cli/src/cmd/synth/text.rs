//! What people read of a synthesis.

use std::path::Path;

use spec::cost::{Cost, WorstPath};
use synth::Outcome;

use crate::report::{Table, grouped};

/// Rows of the table of modules that are shown to people; JSON has all.
const SHOWN_MODULES: usize = 12;
/// Columns of a terminal.
const WIDTH: usize = 80;

/// What people read.
pub fn text(outcome: &Outcome, folder: &Path) -> String {
    let cost = &outcome.cost;
    let mut lines = vec![format!("{} ({}), configuration {}", cost.unit, cost.top, cost.config_hash), size(cost)];
    lines.push(speed(cost));
    if let Some(path) = &cost.worst_path {
        let line = format!("longest path: {} -> {}, in {}", path.start, path.end, path.unit);
        match line.chars().count() <= WIDTH {
            true => lines.push(line),
            false => lines.extend([
                format!("longest path, in {}:", path.unit),
                format!("  {}", path.start),
                format!("  -> {}", path.end),
            ]),
        }
    }
    lines.extend([String::new(), modules(cost)]);
    if let Some(used) = utilisation(cost) {
        lines.push(format!("\n{}, with the test frame around the unit:\n{used}", cost.technology));
    }
    let tools: Vec<String> = cost.tools.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
    let kept = if outcome.was_kept { ", kept from an earlier run" } else { "" };
    lines.push(format!("\n{}{kept}\nlogs and netlists in {}", tools.join(", "), folder.display()));
    lines.join("\n")
}

/// What is taken of the device; constants and the like, of which there is one, are left out.
fn utilisation(cost: &Cost) -> Option<String> {
    let mut table = Table::new(&["resource", "used", "of", "%"]);
    let shown: Vec<_> = cost.utilisation.iter().filter(|used| used.available > 1).collect();
    for used in &shown {
        let percent = 100.0 * used.used as f64 / used.available as f64;
        table.row([used.resource.clone(), grouped(used.used), grouped(used.available), format!("{percent:.1}")]);
    }
    (!shown.is_empty()).then(|| table.render())
}

fn size(cost: &Cost) -> String {
    match (cost.area_um2, cost.luts) {
        (Some(area), _) => {
            let skew = cost.skew_area_um2.map_or(String::new(), |skew| format!(", skew registers {skew:.1} of it"));
            let (seq, ffs) = (cost.seq_area_um2.unwrap_or(0.0), grouped(cost.ffs));
            format!("{area:.1} µm² in {}; {ffs} flip-flops {seq:.1} of it{skew}", cost.technology)
        }
        (None, luts) => format!(
            "{} LUT, {} FF, {} DSP, {} BRAM on {}",
            grouped(luts.unwrap_or(0)),
            grouped(cost.ffs),
            cost.dsps.unwrap_or(0),
            cost.brams.unwrap_or(0),
            cost.technology
        ),
    }
}

fn speed(cost: &Cost) -> String {
    match (cost.freq_mhz, &cost.timing) {
        (Some(freq), Some(by)) => {
            let period = cost.worst_path.as_ref().and_then(|path| path.period_ns);
            let period = period.map_or(String::new(), |period| format!(" ({period:.3} ns)"));
            format!("{freq:.1} MHz{period} by {by}")
        }
        _ => "no frequency: no timing tool, or the design does not fit".to_string(),
    }
}

fn modules(cost: &Cost) -> String {
    let is_asic = cost.area_um2.is_some();
    let head: &[&'static str] = match is_asic {
        true => &["module", "instances", "area µm²", "%", "registers µm²"],
        false => &["module", "instances", "LUT", "FF", "DSP", "BRAM"],
    };
    let mut table = Table::new(head);
    for row in cost.modules.iter().take(SHOWN_MODULES) {
        let name = [row.module.clone(), row.instances.to_string()].into_iter();
        if is_asic {
            let share = 100.0 * row.area_um2 / cost.area_um2.unwrap_or(1.0);
            let (area, registers) = (format!("{:.1}", row.area_um2), format!("{:.1}", row.seq_area_um2));
            table.row(name.chain([area, format!("{share:.1}"), registers]));
        } else {
            table.row(name.chain([row.luts, row.ffs, row.dsps, row.brams].map(grouped)));
        }
    }
    let paths = paths(cost).map_or(String::new(), |paths| format!("\n\n{paths}"));
    format!("{}{}{paths}", table.render(), more(cost.modules.len()))
}

/// The longest path into each module, slowest first.
fn paths(cost: &Cost) -> Option<String> {
    let mut rows: Vec<(&str, &WorstPath, f64)> = cost
        .modules
        .iter()
        .filter_map(|row| Some((row.module.as_str(), row.worst_path.as_ref()?, row.worst_path.as_ref()?.period_ns?)))
        .collect();
    rows.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(b.0)));
    let widest = rows.iter().take(SHOWN_MODULES).map(|row| row.0.chars().count()).max()?.max("module".len());
    let mut table = Table::new(&["module", "ns", "longest path that ends in it"]);
    for (module, path, period) in rows.iter().take(SHOWN_MODULES) {
        table.row([(*module).to_string(), format!("{period:.3}"), ends(path, WIDTH.saturating_sub(widest + 10))]);
    }
    // OpenSTA is asked for the path of the whole alone.
    let own = cost.own_period_ns.filter(|_| cost.timing.as_deref() == Some("opensta"));
    let own =
        own.map_or(String::new(), |own| format!("\nThese are by systole's own estimate: {own:.3} ns for the whole."));
    Some(format!("{}{}{own}", table.render(), more(rows.len())))
}

fn more(rows: usize) -> String {
    let more = rows.saturating_sub(SHOWN_MODULES);
    if more > 0 { format!("\nand {more} more") } else { String::new() }
}

/// Both ends of a path, with as many of the instances above them as there is room for; JSON has all.
fn ends(path: &WorstPath, most: usize) -> String {
    let last = |name: &str, parts: usize| {
        let dots: Vec<usize> = name.match_indices('.').map(|(at, _)| at + 1).collect();
        let from = dots.len().checked_sub(parts).map_or(0, |index| dots[index]);
        name[from..].to_string()
    };
    let short = |parts: usize| format!("{} -> {}", last(&path.start, parts), last(&path.end, parts));
    (1..=8).rev().map(short).find(|text| text.chars().count() <= most).unwrap_or_else(|| short(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_path_keep_what_there_is_room_for() {
        let path = WorstPath {
            start: "u_core.u_array.g_a[2].u_pe.weight_q[1]".to_string(),
            end: "u_core.sum_q[3]".to_string(),
            ..WorstPath::default()
        };
        assert_eq!(ends(&path, 80), "u_core.u_array.g_a[2].u_pe.weight_q[1] -> u_core.sum_q[3]");
        assert_eq!(ends(&path, 40), "u_pe.weight_q[1] -> u_core.sum_q[3]");
        assert_eq!(ends(&path, 10), "weight_q[1] -> sum_q[3]");
    }
}
