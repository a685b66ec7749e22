//! Estimates of one technology, with what they rest on kept.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use spec::cost::Cost;
use spec::{Config, Problem};

use super::canonical::{canonical, restored};
use super::model::{Model, Quality};
use super::outline::Outline;
use super::power::sram_pj;
use super::tree::{Branch, tree};
use super::units::{built, joined};
use crate::energy::technology::{Macro, Memories, Technology};
use crate::error::Error;

/// The fitted models that come with the program: name, text.
pub const FITTED: [(&str, &str); 1] = [("nangate45", include_str!("../../technologies/fitted/nangate45.toml"))];
/// DRAM of [`Estimate::energy_pj`].
const DRAM: &str = "lpddr4";
/// Units in which an array stands.
const WITH_ARRAY: [&str; 5] = ["top", "core", "mm", "matmul", "array"];
/// Units that hold the matrix unit's memories.
const WITH_BUFFERS: [&str; 3] = ["top", "core", "mm"];

/// What one unit of a Config costs, without any tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Cells by module, frequency, memories, in the form of a synthesis result.
    pub cost: Cost,
    /// Area by unit, read as a tree.
    pub tree: Vec<Branch>,
    /// Cells and memory macros, in µm².
    pub area_um2: f64,
    /// Memory macros of it, in µm².
    pub sram_um2: f64,
    /// Bits in macros.
    pub sram_bits: u64,
    /// Clock in MHz.
    pub freq_mhz: f64,
    /// Products in a cycle; 0 for units without an array.
    pub macs_per_cycle: u64,
    /// Energy of an array at work with its clock and skew registers, for each product; 0 without an array. Uniform random
    /// operands, glitches and wires out.
    pub pj_per_mac: f64,
    /// Of it, what is no clock's.
    pub mac_data_pj: f64,
    /// Accesses of the matrix unit's memories for each product; 0 for units without them.
    pub mac_sram_pj: f64,
    /// Clock pins of all registers, each cycle.
    pub clock_pj_per_cycle: f64,
    /// Leakage of cells and macros.
    pub leakage_mw: f64,
    /// All PEs, the memories they need and all clocks at work at [`Self::freq_mhz`], and leakage.
    pub power_mw: f64,
    /// A bit of DRAM read, and written.
    pub dram_pj_per_bit: (f64, f64),
}

/// Estimates in one technology. Outlines of units are kept: whatever else differs between two Configs costs nothing again.
#[derive(Debug)]
pub struct Estimator {
    model: Model,
    technology: Technology,
    memories: Memories,
    sram: Macro,
    known: RwLock<HashMap<String, Arc<Outline>>>,
}

impl Estimator {
    /// For a fitted technology, by name or as a file (`.toml`) of `systole fit`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the names that there are, [`Error::Io`].
    pub fn new(technology: &str) -> Result<Self, Error> {
        if technology.ends_with(".toml") {
            return Self::with(Model::load(technology)?);
        }
        let Some((_, text)) = FITTED.iter().find(|(name, _)| *name == technology) else {
            let names: Vec<&str> = FITTED.iter().map(|(name, _)| *name).collect();
            let allowed = format!("{}, or a file of `systole fit` (.toml)", names.join(", "));
            let has_energies = Technology::names().any(|name| name == technology);
            let cure = match has_energies {
                true => format!(
                    "simulate and report know its energies; for estimates fit it: systole fit --liberty FILE \
                     --technology {technology} -o {technology}.toml"
                ),
                false => "choose one of them, or fit one: systole fit --liberty FILE -o NAME.toml".to_string(),
            };
            return Err(Error::Invalid(Problem::new("technology", technology, allowed, cure)));
        };
        Self::with(Model::parse(text)?)
    }

    /// For a model.
    ///
    /// # Errors
    /// [`Error::Invalid`] if its technology is unknown.
    pub fn with(model: Model) -> Result<Self, Error> {
        let (technology, memories) = (model.energies()?, Memories::load());
        let sram = memories.macros(&technology);
        Ok(Self { model, technology, memories, sram, known: RwLock::default() })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How well it foresaw designs that it was not fitted on.
    pub fn held_out(&self) -> Quality {
        self.model.held_out
    }

    /// The whole accelerator.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a Config that it cannot be built for.
    pub fn estimate(&self, config: &Config) -> Result<Estimate, Error> {
        self.unit(config, "top")
    }

    /// One unit, as `--unit` names it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a unit that there is not, or a Config that it cannot be built for.
    pub fn unit(&self, config: &Config, unit: &str) -> Result<Estimate, Error> {
        let outline = self.outline(config, unit)?;
        let mut cost = self.model.cost(config, unit, &outline);
        cost.config_hash = config.hash();
        let area = |memories: &[(u32, u32)]| -> f64 {
            memories
                .iter()
                .map(|(words, bits)| self.sram.area_um2(f64::from(*words), f64::from(*bits)))
                .fold(0.0, |sum, area| sum + area)
        };
        let own = |module: &str| {
            outline.parts.get(module).map_or((0.0, 0.0), |part| {
                let census = &part.census;
                (self.model.module_um2(&part.family, &census.counts), area(&census.memories))
            })
        };
        let tree = tree(&outline, &own);
        let sram_um2 = tree.first().map_or(0.0, |whole| whole.sram_um2);
        let cells_um2 = cost.area_um2.unwrap_or(0.0);
        let bits = |m: &spec::cost::MemoryCost| m.instances * u64::from(m.words) * u64::from(m.width_bits);
        let sram_bits = cost.memories.iter().map(bits).sum();
        let energy = &self.model.energy;
        let freq_mhz = cost.freq_mhz.unwrap_or(0.0);
        let clock_pj_per_cycle = energy.clock_pj * cost.ffs as f64;
        let leakage_nw = energy.leakage_nw_per_um2 * cells_um2 + self.sram.leakage_nw_per_bit.value * sram_bits as f64;
        let leakage_mw = leakage_nw * 1e-6;
        let macs = u64::from(config.array.rows) * u64::from(config.array.cols);
        let macs_per_cycle = if WITH_ARRAY.contains(&unit) { macs } else { u64::from(unit == "pe") };
        let (data, clock) = self.array_pj(config, unit, &outline)?;
        let sram = if WITH_BUFFERS.contains(&unit) { sram_pj(config, &self.memories, &self.technology) } else { 0.0 };
        let each = |pj: f64| if macs_per_cycle > 0 { pj / macs_per_cycle as f64 } else { 0.0 };
        let dram = self.memories.dram(DRAM)?;
        Ok(Estimate {
            tree,
            area_um2: cells_um2 + sram_um2,
            sram_um2,
            sram_bits,
            freq_mhz,
            macs_per_cycle,
            pj_per_mac: each(data + clock),
            mac_data_pj: each(data),
            mac_sram_pj: each(sram),
            clock_pj_per_cycle,
            leakage_mw,
            // pJ times MHz are µW.
            power_mw: (data + sram + clock_pj_per_cycle) * freq_mhz * 1e-3 + leakage_mw,
            dram_pj_per_bit: (dram.read_pj_per_bit.value, dram.write_pj_per_bit.value),
            cost,
        })
    }

    /// Energy in pJ of a cycle of the array, or the PE, that is in a unit: data, clock.
    fn array_pj(&self, config: &Config, unit: &str, outline: &Arc<Outline>) -> Result<(f64, f64), Error> {
        let array = match unit {
            "array" | "pe" => outline.clone(),
            _ if WITH_ARRAY.contains(&unit) => self.outline(config, "array")?,
            _ => return Ok((0.0, 0.0)),
        };
        let flops = |part: &super::outline::Part| part.census.counts[super::census::REGISTERS] * part.instances as f64;
        let ffs: f64 = array.parts.values().map(flops).sum();
        Ok((self.model.array_pj(config, &array), ffs * self.model.energy.clock_pj))
    }

    /// The outline of a unit, kept by what it depends on.
    fn outline(&self, config: &Config, unit: &str) -> Result<Arc<Outline>, Error> {
        joined(config, unit, &|unit| {
            let canon = canonical(config, unit);
            let key = format!("{unit}\n{}", canon.to_toml());
            let kept = self.known.read().ok().and_then(|known| known.get(&key).cloned());
            let outline = match kept {
                Some(outline) => outline,
                None => {
                    let outline = Arc::new(built(&canon, unit)?);
                    if let Ok(mut known) = self.known.write() {
                        known.insert(key, outline.clone());
                    }
                    outline
                }
            };
            if unit == "mm" { Ok(Arc::new(restored((*outline).clone(), config, unit))) } else { Ok(outline) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Config {
        Config::from_toml(hdl::presets::preset("base").unwrap()).unwrap()
    }

    #[test]
    fn what_is_kept_answers_like_a_fresh_estimator() {
        let kept = Estimator::new("nangate45").unwrap();
        for i in 0..6u32 {
            let mut config = base();
            config.buffer.act_bytes = 16384 << (i % 3);
            config.array.chunk_rows = 8 + i;
            config.array.cols = 4 << (i % 2);
            config.vec.dividers = 1 + i % 2;
            kept.estimate(&config).unwrap();
            let again = kept.estimate(&config).unwrap();
            assert_eq!(again, Estimator::new("nangate45").unwrap().estimate(&config).unwrap());
            assert!(again.energy_pj(&super::super::Work { cycles: 10, macs: 100, ..Default::default() }) > 0.0);
        }
    }

    #[test]
    fn a_new_configuration_of_known_units_takes_milliseconds() {
        let kept = Estimator::new("nangate45").unwrap();
        let mut config = base();
        kept.estimate(&config).unwrap();
        let begin = std::time::Instant::now();
        const COUNT: u32 = 50;
        for i in 0..COUNT {
            config.buffer.act_bytes = 32768 + 512 * i;
            config.buffer.acc_bytes = 131_072 + 4096 * i;
            config.array.chunk_rows = 8 + i;
            kept.estimate(&config).unwrap();
        }
        let each = begin.elapsed() / COUNT;
        println!("{each:?} a configuration");
        // Far below what a description takes, also on a machine with other work.
        assert!(each.as_millis() < 20, "{each:?}");
    }
}
