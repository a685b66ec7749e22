//! The summary for terminals: at most 80 columns.

use std::fmt::Write;

use spec::energy::shares;

use crate::page::value;
use crate::run::Run;
use crate::table::Table;

/// Columns of a terminal.
pub(crate) const COLUMNS: usize = 80;
/// Most rows of each breakdown.
const ROWS: usize = 8;

/// Figures and the largest parts of everything that was split up.
pub fn summary(run: &Run) -> String {
    let mut text = format!("{}\n\n", run.title);
    let widest = run.quantities.iter().map(|q| q.name.chars().count()).max().unwrap_or(0).min(40);
    for quantity in &run.quantities {
        let line = format!("{:<widest$}  {}", quantity.name, value(quantity));
        let _ = writeln!(text, "{}", line.chars().take(COLUMNS).collect::<String>());
    }
    if let Some(profile) = run.profile.as_ref().filter(|p| p.cycles > 0) {
        let mut table = Table::new("", &["operator", "cycles", "% of all", "% of roofline"]);
        let groups = profile.grouped(|s| s.operator.clone());
        let all = shares(&groups.iter().map(|g| g.cycles as f64).collect::<Vec<_>>());
        for (group, share) in groups.iter().zip(all) {
            let fraction = 100.0 * group.roofline_cycles.min(group.cycles) as f64 / group.cycles.max(1) as f64;
            let cells = [group.operator.clone(), crate::table::grouped(group.cycles)];
            table.row(cells.into_iter().chain([format!("{share:.1}"), format!("{fraction:.1}")]));
        }
        let _ = write!(text, "\n{}", table.text(COLUMNS));
    }
    for breakdown in run.breakdowns.iter().filter(|b| b.total() > 0.0) {
        let largest = breakdown.largest(ROWS);
        let mut table = Table::new("", &[&breakdown.title, &breakdown.unit, "%"]);
        let sums: Vec<f64> = (0..largest.rows.len()).map(|row| largest.sum(row)).collect();
        for ((name, _), (sum, share)) in largest.rows.iter().zip(sums.iter().zip(shares(&sums))) {
            table.row([name.clone(), crate::chart::short(*sum), format!("{share:.1}")]);
        }
        let _ = write!(text, "\n{}", table.text(COLUMNS));
    }
    for remark in &run.remarks {
        let _ = write!(text, "\n{}", wrapped(remark));
    }
    text
}

/// A text in lines of a terminal.
pub fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > COLUMNS && !line.is_empty() {
            lines.push_str(&line);
            lines.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &line + "\n"
}
