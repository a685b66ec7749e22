//! Areas of kinds and of families of modules.

use std::collections::{BTreeMap, HashSet};

use super::{Sample, sum};
use crate::estimate::census::KINDS;
use crate::estimate::fit::fit_near;

/// A module of a synthesis report beside the census of what is in it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) family: String,
    pub(super) counts: [f64; KINDS.len()],
    /// Of one instance.
    pub(super) area_um2: f64,
}

/// Every module of the designs once.
pub(super) fn rows(samples: &[Sample]) -> Vec<Row> {
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for sample in samples {
        for found in sample.cost.modules.iter().filter(|m| m.area_um2 > 0.0 && m.instances > 0) {
            let Some(part) = sample.outline.parts.get(&found.module) else { continue };
            let (family, counts) = (part.family.clone(), part.census.counts);
            let area_um2 = found.area_um2 / found.instances as f64;
            let key = (family.clone(), counts.map(f64::to_bits), (area_um2 * 1000.0) as u64);
            if seen.insert(key) {
                rows.push(Row { family, counts, area_um2 });
            }
        }
    }
    rows
}

/// How much the sizes of cells hold of a kind that few designs have.
const PRIOR_PULL: f64 = 0.01;

/// Areas of the kinds as they follow from a flip-flop and a two-input NAND: for kinds that no design of a fit has.
pub(super) fn prior(register_um2: f64, nand_um2: f64) -> [f64; KINDS.len()] {
    const MUX: f64 = 2.33;
    let nands = |kind: &str| match kind {
        "enables" | "multiplexers" | "shifters" | "selectors" => MUX,
        "resets" | "gates" => 1.33,
        "adders" | "products" => 5.33,
        "comparators" | "equalities" => 3.33,
        "xors" => 2.0,
        "memory_bits" => 2.0 * MUX,
        _ => 0.0,
    };
    let flop = |kind: &str| if matches!(kind, "registers" | "memory_bits") { register_um2 } else { 0.0 };
    KINDS.map(|kind| flop(kind) + nands(kind) * nand_um2)
}

pub(super) fn fit_rows(rows: &[Row], prior: &[f64; KINDS.len()]) -> [f64; KINDS.len()] {
    let counts: Vec<_> = rows.iter().map(|row| row.counts).collect();
    let areas: Vec<f64> = rows.iter().map(|row| row.area_um2).collect();
    fit_near(&counts, &areas, prior, PRIOR_PULL)
}

/// Coefficients of a family: near those of all, in the family's own proportion.
pub(super) fn fit_family(rows: &[&Row], common: &[f64; KINDS.len()], pull: f64) -> [f64; KINDS.len()] {
    let logs: f64 = rows.iter().map(|row| (row.area_um2 / sum(&row.counts, common)).ln()).sum();
    let factor = (logs / (rows.len() as f64 + 0.1)).exp();
    let counts: Vec<_> = rows.iter().map(|row| row.counts).collect();
    let areas: Vec<f64> = rows.iter().map(|row| row.area_um2).collect();
    fit_near(&counts, &areas, &common.map(|x| x * factor), pull)
}

/// Pulls that are tried.
const PULLS: [f64; 6] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0];

/// The pull with which families foresee best a row that is left out.
pub(super) fn best_pull(families: &BTreeMap<&str, Vec<&Row>>, common: &[f64; KINDS.len()]) -> f64 {
    let error = |pull: f64| {
        let mut error = 0.0;
        for rows in families.values().filter(|rows| rows.len() > 1) {
            for i in 0..rows.len() {
                let others: Vec<&Row> = rows.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, row)| *row).collect();
                let found = sum(&rows[i].counts, &fit_family(&others, common, pull));
                error += (found / rows[i].area_um2 - 1.0).abs();
            }
        }
        error
    };
    PULLS.into_iter().min_by(|a, b| error(*a).total_cmp(&error(*b))).unwrap_or(0.1)
}
