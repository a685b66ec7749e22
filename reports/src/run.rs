//! What a report is made of, as data: kept beside the page as JSON, so that two runs can be laid side by side later.

use serde::{Deserialize, Serialize};
use spec::profile::Profile;

/// A figure with its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// What it is: `energy a token`.
    pub name: String,
    /// Value.
    pub value: f64,
    /// Unit, empty for a plain number.
    pub unit: String,
    /// What it rests on: an assumption, a source, a method.
    pub note: String,
}

/// Amounts by name, each in parts: energy of units by class, area of modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// Name of its files: `energy-units`.
    pub name: String,
    /// Title.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// Unit of the amounts.
    pub unit: String,
    /// Names of the parts.
    pub parts: Vec<String>,
    /// Rows from top to bottom: a name and an amount for each part.
    pub rows: Vec<(String, Vec<f64>)>,
}

/// Everything that a report shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Title.
    pub title: String,
    /// Where it comes from, in order: command, configuration's hash, seed, versions of tools.
    pub origin: Vec<(String, String)>,
    /// The figures that matter most, in order.
    pub quantities: Vec<Quantity>,
    /// Where the cycles went.
    pub profile: Option<Profile>,
    /// What else was split up.
    pub breakdowns: Vec<Breakdown>,
    /// Power in windows of time: start in µs and mean in mW.
    pub power: Vec<(f64, f64)>,
    /// What a reader must know: what was not measured, what was assumed.
    pub remarks: Vec<String>,
}

impl Breakdown {
    /// Amount of a row.
    pub fn sum(&self, row: usize) -> f64 {
        self.rows.get(row).map_or(0.0, |(_, values)| values.iter().sum())
    }

    /// Amount of all rows.
    pub fn total(&self) -> f64 {
        (0..self.rows.len()).map(|row| self.sum(row)).sum()
    }

    /// The largest `most` rows, by their sums and then their names; the others together as one row at the end.
    pub fn largest(&self, most: usize) -> Self {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|&a, &b| self.sum(b).total_cmp(&self.sum(a)).then_with(|| self.rows[a].0.cmp(&self.rows[b].0)));
        let mut rows: Vec<(String, Vec<f64>)> = order.iter().take(most).map(|&i| self.rows[i].clone()).collect();
        if order.len() > most {
            let mut others = vec![0.0; self.parts.len()];
            for &row in &order[most..] {
                for (sum, value) in others.iter_mut().zip(&self.rows[row].1) {
                    *sum += value;
                }
            }
            rows.push((format!("{} others", order.len() - most), others));
        }
        Self { rows, ..self.clone() }
    }
}
