//! Fits a model on synthesised designs.

mod area;

use std::collections::BTreeMap;

use spec::Config;
use spec::cost::Cost;

use area::{Row, best_pull, fit_family, fit_rows, prior, rows};

use super::census::{KINDS, REGISTERS};
use super::fit::{Errors, errors, fit};
use super::measure::Measured;
use super::model::{EnergyModel, Model, Period, Quality, class, found_period};
use super::outline::{Outline, operands};
use crate::energy::Technology;

/// A design, and what synthesis and simulation of its netlist said of it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Unit, as `--unit` names it.
    pub unit: String,
    /// Its Config.
    pub config: Config,
    /// Its outline.
    pub outline: Outline,
    /// Area and timing.
    pub cost: Cost,
    /// Energy of an array at work.
    pub measured: Option<Measured>,
}

fn table(coefficients: [f64; KINDS.len()]) -> BTreeMap<String, f64> {
    let pairs = KINDS.iter().zip(coefficients).filter(|(_, x)| *x > 0.0);
    // Six digits are more than the fit knows.
    pairs.map(|(kind, x)| ((*kind).to_string(), rounded(x))).collect()
}

fn rounded(x: f64) -> f64 {
    format!("{x:.5e}").parse().unwrap_or(x)
}

fn sum(counts: &[f64; KINDS.len()], coefficients: &[f64; KINDS.len()]) -> f64 {
    counts.iter().zip(coefficients).map(|(a, b)| a * b).sum()
}

/// What a model is called and rests on.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Name for reports.
    pub name: String,
    /// Technology whose memories hold.
    pub technology: String,
    /// It, if it is none of those that come with the program.
    pub energies: Option<Technology>,
    /// Cell library.
    pub library: String,
    /// Where the numbers come from.
    pub source: String,
    /// Programs and versions.
    pub tools: Vec<String>,
    /// Area of the smallest two-input NAND.
    pub nand_um2: f64,
}

/// Fits a model; `held_out` designs are only foreseen, never fitted.
pub fn fit_model(about: About, training: &[Sample], held_out: &[Sample]) -> Model {
    let rows = rows(training);
    let common = fit_rows(&rows, &prior(register(training), about.nand_um2));
    let mut families: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        families.entry(&row.family).or_default().push(row);
    }
    let pull = best_pull(&families, &common);
    let mut model = Model {
        name: about.name,
        technology: about.technology,
        energies: about.energies,
        library: about.library,
        source: about.source,
        tools: about.tools,
        register_um2: register(training),
        area_um2: table(common),
        families: families.iter().map(|(f, rows)| ((*f).into(), table(fit_family(rows, &common, pull)))).collect(),
        period: fit_period(training),
        energy: fit_energy(training),
        ..Model::default()
    };
    model.training = quality(&model, training);
    model.held_out = quality(&model, held_out);
    model
}

/// Area of a flip-flop: what synthesis gave all of them.
fn register(samples: &[Sample]) -> f64 {
    let (area, count) = samples
        .iter()
        .fold((0.0, 0.0), |(area, count), s| (area + s.cost.seq_area_um2.unwrap_or(0.0), count + s.cost.ffs as f64));
    if count > 0.0 { rounded(area / count) } else { 0.0 }
}

/// Logarithms of periods over those of paths: a line for all, and each class' distance from it, drawn to 0 as by one more
/// design on the line for every third.
fn fit_period(samples: &[Sample]) -> Period {
    let of = |s: &Sample| Some((class(&s.config, &s.unit), s.outline.path.max(1e-3).ln(), found_period(&s.cost)?.ln()));
    let points: Vec<(String, f64, f64)> = samples.iter().filter_map(of).collect();
    if points.is_empty() {
        return Period { exponent: 1.0, ..Period::default() };
    }
    let slope = points.iter().map(|(_, x, y)| y - x).sum::<f64>() / points.len() as f64;
    let slope = rounded(slope.exp());
    let mut period = Period::default();
    // Line and distances in turn: both converge.
    for _ in 0..50 {
        let y = |(class, _, y): &(String, f64, f64)| y - period.classes.get(class).copied().unwrap_or(0.0);
        let n = points.len() as f64;
        let (mx, my) = (points.iter().map(|p| p.1).sum::<f64>() / n, points.iter().map(y).sum::<f64>() / n);
        let over: f64 = points.iter().map(|p| (p.1 - mx) * (y(p) - my)).sum();
        let under: f64 = points.iter().map(|p| (p.1 - mx).powi(2)).sum::<f64>() + 0.1;
        let exponent = (over / under).clamp(0.0, 1.0);
        let common = my - exponent * mx;
        let mut classes: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for (class, x, y) in &points {
            let entry = classes.entry(class.clone()).or_default();
            entry.0 += y - common - exponent * x;
            entry.1 += 1.0;
        }
        let classes = classes.into_iter().map(|(class, (sum, count))| (class, sum / (count + 0.3))).collect();
        period = Period { exponent, common, slope, classes };
    }
    period.exponent = rounded(period.exponent);
    period.common = rounded(period.common);
    period.classes.values_mut().for_each(|x| *x = rounded(*x));
    period
}

fn fit_energy(samples: &[Sample]) -> EnergyModel {
    let arrays: Vec<(&Sample, &Measured)> = samples.iter().filter_map(|s| Some((s, s.measured.as_ref()?))).collect();
    if arrays.is_empty() {
        return EnergyModel::default();
    }
    let whole = |s: &Sample| {
        let mut counts = [0.0; KINDS.len()];
        for part in s.outline.parts.values() {
            counts.iter_mut().zip(&part.census.counts).for_each(|(sum, x)| *sum += x * part.instances as f64);
        }
        counts
    };
    let counts: Vec<_> = arrays.iter().map(|(s, _)| whole(s)).collect();
    let targets: Vec<f64> = arrays.iter().map(|(_, m)| m.data_pj).collect();
    let kinds = fit(&counts, &targets);
    let mut logs: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (((s, _), counts), target) in arrays.iter().zip(&counts).zip(&targets) {
        let entry = logs.entry(operands(&s.config)).or_default();
        entry.0 += (target / sum(counts, &kinds)).ln();
        entry.1 += 1.0;
    }
    let mean =
        |of: &dyn Fn(&(&Sample, &Measured)) -> f64| rounded(arrays.iter().map(of).sum::<f64>() / arrays.len() as f64);
    EnergyModel {
        clock_pj: mean(&|(s, m)| m.clock_pj / whole(s)[REGISTERS]),
        leakage_nw_per_um2: mean(&|(s, m)| m.leakage_nw / s.cost.area_um2.unwrap_or(f64::INFINITY)),
        kinds_pj: table(kinds),
        operands: logs.into_iter().map(|(name, (sum, n))| (name, rounded((sum / (n + 0.2)).exp()))).collect(),
    }
}

/// How well a model foresees these designs.
pub fn quality(model: &Model, samples: &[Sample]) -> Quality {
    let (mut area, mut freq, mut energy) = (Vec::new(), Vec::new(), Vec::new());
    for s in samples {
        let (a, f, e) = pairs(model, s);
        area.extend(a);
        freq.extend(f);
        energy.extend(e);
    }
    let arrays = energy.len();
    let of = |pairs: Vec<(f64, f64)>| -> Errors { errors(pairs).unwrap_or_default() };
    let (area, freq, energy) = (of(area), of(freq), of(energy));
    let round = |x: f64| (x * 100.0).round() / 100.0;
    Quality {
        designs: samples.len(),
        area_mean_percent: round(area.mean_percent),
        area_worst_percent: round(area.worst_percent),
        freq_mean_percent: round(freq.mean_percent),
        freq_worst_percent: round(freq.worst_percent),
        arrays,
        energy_mean_percent: round(energy.mean_percent),
        energy_worst_percent: round(energy.worst_percent),
    }
}

/// An estimate, and what was found.
pub type Pair = Option<(f64, f64)>;

/// Area in µm², frequency in MHz and energy of a cycle in pJ: what the model says, and what was found.
pub fn pairs(model: &Model, s: &Sample) -> (Pair, Pair, Pair) {
    let cost = model.cost(&s.config, &s.unit, &s.outline);
    let area = cost.area_um2.zip(s.cost.area_um2.filter(|area| *area > 0.0));
    let freq = cost.freq_mhz.zip(found_period(&s.cost).map(|period| 1000.0 / period));
    let energy = s.measured.as_ref().map(|m| {
        let clock = model.energy.clock_pj * cost.ffs as f64;
        (model.array_pj(&s.config, &s.outline) + clock, m.data_pj + m.clock_pj)
    });
    (area, freq, energy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::model::weigh;
    use crate::estimate::outline::Part;
    use spec::cost::{ModuleCost, WorstPath};

    /// Designs of a known area, period and energy.
    fn samples() -> Vec<Sample> {
        let mut config = Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
        let mut all = Vec::new();
        for size in 1..20u32 {
            config.pe.product_register = size % 2 == 0;
            let mut outline = Outline { top: "systole_array".into(), ..Outline::default() };
            let size = f64::from(size);
            let mut part = Part { family: "queue".into(), instances: 2, ..Part::default() };
            part.census.counts[REGISTERS] = 10.0 * size;
            part.census.counts[3] = size * size;
            let area_um2 = 2.0 * (45.0 * size + 3.0 * size * size);
            let modules =
                vec![ModuleCost { module: "systole_queue_1".into(), instances: 2, area_um2, ..ModuleCost::default() }];
            outline.parts.insert("systole_queue_1".into(), part);
            outline.path = 0.5 + 0.1 * size;
            let period = 0.8 * outline.path.powf(0.6);
            let path = WorstPath { period_ns: Some(period), ..WorstPath::default() };
            let cost = Cost {
                area_um2: Some(area_um2),
                seq_area_um2: Some(20.0 * size * 4.5),
                ffs: (20.0 * size) as u64,
                worst_path: Some(path),
                modules,
                ..Cost::default()
            };
            let measured = Measured { data_pj: 0.4 * size, clock_pj: 0.2 * size, leakage_nw: area_um2 * 2.0 };
            all.push(Sample { unit: "array".into(), config: config.clone(), outline, cost, measured: Some(measured) });
        }
        all
    }

    #[test]
    fn a_known_technology_is_found_again() {
        let all = samples();
        let (held_out, training): (Vec<_>, Vec<_>) = all.into_iter().enumerate().partition(|(i, _)| i % 4 == 1);
        let strip = |list: Vec<(usize, Sample)>| list.into_iter().map(|(_, s)| s).collect::<Vec<_>>();
        let (held_out, training) = (strip(held_out), strip(training));
        let about = About { name: "t".into(), nand_um2: 0.8, ..About::default() };
        let model = fit_model(about, &training, &held_out);
        // What no design has is as large as its cells.
        assert!((model.area_um2["xors"] - 1.6).abs() < 1e-9, "{:?}", model.area_um2);
        let quality = model.held_out;
        assert_eq!((quality.designs, quality.arrays), (held_out.len(), held_out.len()));
        assert!(quality.area_worst_percent < 2.0 && quality.freq_worst_percent < 2.0, "{quality:?}");
        assert!(quality.energy_worst_percent < 3.0, "{quality:?}");
        assert!((model.register_um2 - 4.5).abs() < 1e-9 && (model.energy.clock_pj - 0.01).abs() < 1e-9);
        assert!((model.period.exponent - 0.6).abs() < 0.05, "{:?}", model.period);
        assert_eq!(Model::parse(&model.to_toml()).unwrap(), model);
        let counts = held_out[0].outline.parts["systole_queue_1"].census.counts;
        assert_eq!(model.module_um2("queue", &counts), weigh(&counts, &model.families["queue"]));
    }
}
