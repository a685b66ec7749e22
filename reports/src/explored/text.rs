//! A sweep as comma-separated values and as tables for terminals.

use std::fmt::Write;

use super::{Explored, Point};
use crate::chart::short;
use crate::table::Table;
use crate::terminal::{COLUMNS, wrapped};

/// Rows of the front that a terminal shows of each setting.
const ROWS: usize = 12;
/// Reasons that a terminal shows.
const REASONS: usize = 6;

/// A cell of comma-separated values (RFC 4180).
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

impl Explored {
    /// Every point, a line each: what it is, what was found, or why nothing was.
    pub fn csv(&self) -> String {
        let fixed = "point,model,format,technology,mem_latency,work";
        let figures = "config_hash,cycles,roofline_cycles,area_mm2,freq_mhz,latency_us,energy_uj,power_mw,perplexity";
        let fields: String = self.fields.iter().map(|field| format!(",{}", cell(field))).collect();
        let mut text = format!("{fixed}{fields},{figures},front,reason\n");
        for point in &self.points {
            let Point { index, mem_latency, .. } = point;
            let (model, format) = (cell(&point.model), cell(&point.format));
            let (technology, work) = (cell(&point.technology), cell(&point.work));
            let _ = write!(text, "{index},{model},{format},{technology},{mem_latency},{work}");
            for value in &point.values {
                let _ = write!(text, ",{}", cell(value.trim_matches('"')));
            }
            match &point.found {
                Some(f) => {
                    let perplexity = f.perplexity.map_or(String::new(), |p| p.to_string());
                    let _ = write!(text, ",{},{},{}", f.config_hash, f.cycles, f.roofline_cycles);
                    let _ = write!(text, ",{},{},{},{}", f.area_mm2, f.freq_mhz, f.latency_us, f.energy_uj);
                    let _ = write!(text, ",{},{perplexity}", f.power_mw);
                }
                None => text.push_str(&",".repeat(9)),
            }
            // A line each, so that tools without quotes can count them.
            let reason = point.reason.as_deref().unwrap_or_default().replace('\n', "; ");
            let _ = writeln!(text, ",{},{}", u8::from(point.is_front), cell(&reason));
        }
        text
    }

    /// The front of a setting for people: best product of area, time and energy first.
    pub fn table(&self, setting: &str, points: &[&Point], most: usize) -> Table {
        let front = Self::front(points);
        let title = match front.len() {
            0 => format!("{setting}: no point"),
            n if n > most => format!("{setting}: the best {most} of {n} that no other beats"),
            n => format!("{setting}: {n} that no other beats"),
        };
        let has_models = points.iter().any(|p| p.model != points[0].model);
        let has_perplexity = front.iter().any(|p| p.found.as_ref().is_some_and(|f| f.perplexity.is_some()));
        // The first column gives way where a line would be too long.
        let mut head = vec!["values", "point", "format", "mm²", "MHz", "µs", "µJ"];
        if has_perplexity {
            head.push("ppl");
        }
        if has_models {
            head.push("model");
        }
        let mut table = Table::new(title, &head);
        for point in front.into_iter().take(most) {
            let Some(f) = &point.found else { continue };
            let values = point.values.join("/").replace('"', "");
            let mut row = vec![values, point.index.to_string(), point.format.clone()];
            row.extend([figure(f.area_mm2), figure(f.freq_mhz), figure(f.latency_us), figure(f.energy_uj)]);
            if has_perplexity {
                row.push(f.perplexity.map_or("-".into(), |p| format!("{p:.3}")));
            }
            if has_models {
                row.push(point.model.clone());
            }
            table.row(row);
        }
        table
    }

    /// How many points there are, the fronts, why points were left out: at most 80 columns.
    pub fn summary(&self) -> String {
        let found = self.points.iter().filter(|p| p.found.is_some()).count();
        let front = self.points.iter().filter(|p| p.is_front).count();
        let counts = format!(
            "{} points: {found} measured, {} left out; {front} that no other beats in area, time, energy and perplexity",
            self.points.len(),
            self.points.len() - found
        );
        let mut text = format!("{}\n{}", wrapped(&self.title), wrapped(&counts));
        for model in &self.models {
            let number = |p: Option<f64>| p.map(|p| format!("{p:.3}"));
            let line = match (&model.reason, number(model.perplexity), number(model.perplexity_fp32)) {
                (Some(reason), ..) => format!("{} {}: {reason}", model.model, model.format),
                (None, Some(ppl), fp32) => format!(
                    "{} {} ({}): perplexity {ppl}{} over {}",
                    model.model,
                    model.format,
                    model.recipe,
                    fp32.map_or(String::new(), |p| format!(", FP32 {p},")),
                    model.over
                ),
                (None, None, _) => format!("{} {} ({}): no perplexity", model.model, model.format, model.recipe),
            };
            text.push_str(&wrapped(&line));
        }
        if !self.fields.is_empty() {
            text.push_str(&wrapped(&format!("values: {}", self.fields.join(" / "))));
        }
        for (setting, points) in self.settings() {
            let table = self.table(&setting, &points, ROWS);
            let _ = write!(text, "\n{}{}", wrapped(&table.title), table.text(COLUMNS));
        }
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for reason in self.points.iter().filter_map(|p| p.reason.as_deref()) {
            let first = reason.lines().next().unwrap_or_default();
            match reasons.iter_mut().find(|(known, _)| *known == first) {
                Some((_, count)) => *count += 1,
                None => reasons.push((first, 1)),
            }
        }
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.1));
        if !reasons.is_empty() {
            text.push_str("\nLeft out:\n");
        }
        for (reason, count) in reasons.iter().take(REASONS) {
            text.push_str(&wrapped(&format!("{count} x {reason}")));
        }
        if reasons.len() > REASONS {
            let _ = writeln!(text, "and {} more reasons, in the table of points", reasons.len() - REASONS);
        }
        for remark in &self.remarks {
            let _ = write!(text, "\n{}", wrapped(remark));
        }
        text
    }
}

/// A figure of at most four digits.
fn figure(value: f64) -> String {
    match value {
        v if (0.001..100.0).contains(&v) => format!("{v:.3}"),
        v if (100.0..100_000.0).contains(&v) => format!("{v:.1}"),
        v => short(v),
    }
}
