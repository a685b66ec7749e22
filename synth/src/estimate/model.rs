//! A model of one technology: coefficients that were fitted on synthesised designs, and what they say of an outline.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::Config;
use spec::cost::{Cost, MemoryCost, ModuleCost, WorstPath};

use super::census::{KINDS, REGISTERS};
use super::outline::{Outline, operands};
use crate::energy::Technology;
use crate::error::Error;

/// Coefficients of one technology: a file of `synth/technologies/fitted`, or one that `systole fit` wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name for reports.
    pub name: String,
    /// Technology whose supply, feature size and memories hold, and the energies of simulations.
    pub technology: String,
    /// Cell library, as it names itself.
    pub library: String,
    /// Where the numbers come from.
    pub source: String,
    /// Programs and versions that made the designs that it was fitted on.
    pub tools: Vec<String>,
    /// Area in µm² of a flip-flop.
    pub register_um2: f64,
    /// Periods.
    pub period: Period,
    /// Energy.
    pub energy: EnergyModel,
    /// Area in µm² of one of each kind of [`KINDS`].
    pub area_um2: BTreeMap<String, f64>,
    /// The same for families of modules that differ from that.
    pub families: BTreeMap<String, BTreeMap<String, f64>>,
    /// How well it repeats what it was fitted on.
    pub training: Quality,
    /// How well it foresaw designs that it was not fitted on.
    pub held_out: Quality,
    /// That technology, if it is none of those that come with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energies: Option<Technology>,
}

/// Period in ns of a path: `exp(common + class) * path^exponent`; mapping to a goal makes long paths shorter and lets short
/// ones grow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Exponent.
    pub exponent: f64,
    /// Logarithm of the factor of all.
    pub common: f64,
    /// Period in ns for a path of 1, the least of a design whose class no fit has seen.
    pub slope: f64,
    /// By [`class`]: what is added to the logarithm.
    pub classes: BTreeMap<String, f64>,
}

/// Energy of an array that multiplies uniform random numbers in every cycle, and of clock and leakage. Glitches are out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyModel {
    /// Energy of one flip-flop's clock pin in a cycle, in pJ.
    pub clock_pj: f64,
    /// Leakage of a µm² of cells, in nW.
    pub leakage_nw_per_um2: f64,
    /// Energy in pJ of one of each kind of [`KINDS`] in an array at work, without the clock's.
    pub kinds_pj: BTreeMap<String, f64>,
    /// By [`operands`]: by how much the netlists differ from their sum.
    pub operands: BTreeMap<String, f64>,
}

/// Errors of a model's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Designs compared.
    pub designs: usize,
    /// Mean error of the area in percent.
    pub area_mean_percent: f64,
    /// Largest error of the area in percent.
    pub area_worst_percent: f64,
    /// Mean error of the frequency in percent.
    pub freq_mean_percent: f64,
    /// Largest error of the frequency in percent.
    pub freq_worst_percent: f64,
    /// Arrays whose energy was compared.
    pub arrays: usize,
    /// Mean error of the energy of a MAC in percent.
    pub energy_mean_percent: f64,
    /// Largest error of the energy of a MAC in percent.
    pub energy_worst_percent: f64,
}

/// Designs whose periods behave alike: the unit, and for PEs and arrays their operands.
pub fn class(config: &Config, unit: &str) -> String {
    match unit {
        "pe" | "array" | "matmul" => {
            let register = if config.pe.product_register { "_r" } else { "" };
            format!("pe_{}{register}", operands(config))
        }
        _ => unit.into(),
    }
}

/// Sum of counts times coefficients.
pub fn weigh(counts: &[f64; KINDS.len()], coefficients: &BTreeMap<String, f64>) -> f64 {
    KINDS.iter().zip(counts).map(|(kind, count)| coefficients.get(*kind).copied().unwrap_or(0.0) * count).sum()
}

impl Model {
    /// Reads a model.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            let cure = "write it with `systole fit`, or take one of synth/technologies/fitted";
            Error::Invalid(spec::Problem::new("technology", what.trim(), "a fitted model", cure))
        };
        let model: Self = toml::from_str(text).map_err(|e| wrong(e.message()))?;
        let is_unknown = |kind: &&String| !KINDS.contains(&kind.as_str());
        let kinds = model.area_um2.keys().chain(model.energy.kinds_pj.keys());
        let unknown = kinds.chain(model.families.values().flat_map(BTreeMap::keys)).find(is_unknown).cloned();
        if let Some(kind) = unknown {
            return Err(wrong(&format!("the kind {kind:?}, which is none of {}", KINDS.join(", "))));
        }
        let positive = [("area_um2", model.area_um2.values().sum()), ("register_um2", model.register_um2)];
        if let Some((name, value)) = positive.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            return Err(wrong(&format!("{name} = {value}")));
        }
        Ok(model)
    }

    /// The file that [`Self::parse`] reads.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a model has only tables of plain values")
    }

    /// Area in µm² of one module that stays apart.
    pub fn module_um2(&self, family: &str, counts: &[f64; KINDS.len()]) -> f64 {
        weigh(counts, self.families.get(family).unwrap_or(&self.area_um2))
    }

    /// Period in ns of a design whose longest path is `path`.
    pub fn period_ns(&self, class: &str, path: f64) -> f64 {
        let of = |own: f64| (self.period.common + own + self.period.exponent * path.max(1e-3).ln()).exp();
        match self.period.classes.get(class) {
            Some(own) => of(*own),
            None => of(0.0).max(self.period.slope * path),
        }
    }

    /// Energy in pJ of a cycle of an array at work, without the clock's.
    pub fn array_pj(&self, config: &Config, array: &Outline) -> f64 {
        let factor = self.energy.operands.get(&operands(config)).copied().unwrap_or(1.0);
        let one = |counts| weigh(counts, &self.energy.kinds_pj);
        factor * array.parts.values().map(|part| one(&part.census.counts) * part.instances as f64).sum::<f64>()
    }

    /// Area and frequency of a unit in the form of a synthesis result. Memories are listed and not part of the area.
    pub fn cost(&self, config: &Config, unit: &str, outline: &Outline) -> Cost {
        let mut cost = Cost {
            target: "asic".into(),
            technology: self.library.clone(),
            unit: unit.into(),
            top: outline.top.clone(),
            timing: Some("estimate".into()),
            ..Cost::default()
        };
        let (mut area, mut skew) = (0.0, None);
        for (module, part) in &outline.parts {
            let times = part.instances as f64;
            let area_um2 = self.module_um2(&part.family, &part.census.counts) * times;
            let bits = part.census.counts[REGISTERS] * times;
            area += area_um2;
            cost.ffs += bits as u64;
            if crate::asic::is_skew(module) {
                *skew.get_or_insert(0.0) += area_um2;
            }
            for (words, width_bits) in &part.census.memories {
                let (module, instances) = (module.clone(), part.instances);
                cost.memories.push(MemoryCost { module, instances, words: *words, width_bits: *width_bits });
            }
            let (module, instances, ffs) = (module.clone(), part.instances, bits as u64);
            let seq_area_um2 = (self.register_um2 * bits).min(area_um2);
            cost.modules.push(ModuleCost { module, instances, area_um2, seq_area_um2, ffs, ..ModuleCost::default() });
        }
        let seen = |module: &&ModuleCost| self.families.contains_key(&outline.parts[&module.module].family);
        let seen: f64 = cost.modules.iter().filter(seen).map(|module| module.area_um2).sum();
        if seen < 0.95 * area {
            let percent = 100.0 * seen / area.max(1e-9);
            cost.remarks.push(format!(
                "{percent:.0} % of the cells are of modules like those that the model was fitted on; the rest follows from \
                 the sizes of cells alone"
            ));
        }
        if !self.period.classes.contains_key(&class(config, unit)) {
            cost.remarks
                .push(format!("no {unit} was among the designs that the model was fitted on: the clock is a guess"));
        }
        cost.modules.sort_by(|a, b| b.area_um2.total_cmp(&a.area_um2).then_with(|| a.module.cmp(&b.module)));
        let period_ns = self.period_ns(&class(config, unit), outline.path);
        cost.area_um2 = Some(area);
        cost.seq_area_um2 = Some(cost.modules.iter().map(|m| m.seq_area_um2).sum());
        cost.skew_area_um2 = skew;
        cost.freq_mhz = Some(1000.0 / period_ns);
        let unit = outline.path_end.clone();
        cost.worst_path = Some(WorstPath { unit, period_ns: Some(period_ns), ..WorstPath::default() });
        cost
    }
}

/// Period in ns that a result states.
pub fn found_period(cost: &Cost) -> Option<f64> {
    let of_path = cost.worst_path.as_ref().and_then(|path| path.period_ns);
    cost.freq_mhz.filter(|f| *f > 0.0).map(|f| 1000.0 / f).or(of_path)
}
