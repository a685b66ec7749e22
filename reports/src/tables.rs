//! The tables of a run.

use spec::energy::shares;
use spec::profile::{Profile, Section};
use spec::regs::STALLS;

use crate::figures::layer_name;
use crate::run::{Breakdown, Run};
use crate::table::{Table, grouped};

/// All tables that the data of a run allow.
pub fn tables(run: &Run) -> Vec<Table> {
    let mut tables = Vec::new();
    if let Some(profile) = run.profile.as_ref().filter(|p| p.cycles > 0) {
        let by_operator = profile.grouped(|s| s.operator.clone());
        tables.push(cycles("Cycles by operator", profile, &by_operator, |s| s.operator.clone()));
        tables.push(cycles("Cycles by layer", profile, &profile.grouped(|s| s.layer), layer_name));
    }
    tables.extend(run.breakdowns.iter().filter(|b| b.total() > 0.0).map(amounts));
    tables
}

/// Cycles, roofline, utilisation, bytes and causes of groups of sections; the shares of all groups add up to 100.0 %.
pub fn cycles(title: &str, profile: &Profile, groups: &[Section], name: impl Fn(&Section) -> String) -> Table {
    let mut head = vec!["", "cycles", "% of all", "% of roofline", "% of array", "DRAM bytes"];
    head.extend(STALLS.iter().map(|(name, _)| *name));
    let mut table = Table::new(title, &head);
    let all = shares(&groups.iter().map(|g| g.cycles as f64).collect::<Vec<_>>());
    for (group, share) in groups.iter().zip(all) {
        let of = |part: u64, whole: u64| format!("{:.1}", 100.0 * part as f64 / whole.max(1) as f64);
        let mut row = vec![
            name(group),
            grouped(group.cycles),
            format!("{share:.1}"),
            // A section's neighbours may have loaded for it: more than its own roofline is not its merit.
            of(group.roofline_cycles.min(group.cycles), group.cycles),
            of(group.macs.div_ceil(profile.macs_per_cycle.max(1)).min(group.cycles), group.cycles),
            grouped(group.bytes()),
        ];
        row.extend(shares(&group.stalls.map(|c| c as f64)).iter().map(|s| format!("{s:.1}")));
        table.row(row);
    }
    table
}

fn amounts(breakdown: &Breakdown) -> Table {
    let total = format!("{}, {}", "sum", breakdown.unit);
    let mut head = vec!["", total.as_str(), "% of all"];
    head.extend(breakdown.parts.iter().map(String::as_str));
    let mut table = Table::new(breakdown.title.clone(), &head);
    let sums: Vec<f64> = (0..breakdown.rows.len()).map(|row| breakdown.sum(row)).collect();
    for ((row, (name, values)), share) in breakdown.rows.iter().enumerate().zip(shares(&sums)) {
        let mut cells = vec![name.clone(), amount(sums[row]), format!("{share:.1}")];
        cells.extend(values.iter().map(|v| amount(*v)));
        table.row(cells);
    }
    table
}

/// A number of four digits.
fn amount(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        v if v >= 1000.0 => grouped(value.round() as u64),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.01 => format!("{value:.3}"),
        _ => crate::chart::short(value),
    }
}
