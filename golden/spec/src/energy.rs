//! Energy of a run: what an activity costs in a technology.

use serde::{Deserialize, Serialize};

/// Energy in picojoules by where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Flips of registers: the flip-flop's own charge and the net it drives.
    pub registers_pj: f64,
    /// Clock pins of registers, in every cycle; the clock tree's buffers and wires are not in it.
    pub clock_pj: f64,
    /// Combinational logic.
    pub logic_pj: f64,
    /// Nets between units.
    pub buses_pj: f64,
    /// Memories on the chip.
    pub memories_pj: f64,
    /// Leakage of cells and memories.
    pub leakage_pj: f64,
    /// DRAM.
    pub dram_pj: f64,
}

impl Split {
    /// Names and values in the order of the fields.
    pub fn parts(&self) -> [(&'static str, f64); 7] {
        [
            ("registers", self.registers_pj),
            ("clock", self.clock_pj),
            ("logic", self.logic_pj),
            ("buses", self.buses_pj),
            ("memories", self.memories_pj),
            ("leakage", self.leakage_pj),
            ("DRAM", self.dram_pj),
        ]
    }

    /// Sum of all parts.
    pub fn total_pj(&self) -> f64 {
        self.parts().iter().map(|(_, pj)| pj).sum()
    }

    /// Two together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            registers_pj: self.registers_pj + other.registers_pj,
            clock_pj: self.clock_pj + other.clock_pj,
            logic_pj: self.logic_pj + other.logic_pj,
            buses_pj: self.buses_pj + other.buses_pj,
            memories_pj: self.memories_pj + other.memories_pj,
            leakage_pj: self.leakage_pj + other.leakage_pj,
            dram_pj: self.dram_pj + other.dram_pj,
        }
    }
}

/// Energy of one thing with a name: a unit, an operator, a layer, a token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Instance path, operator, layer or token; empty for the top itself.
    pub name: String,
    /// Module, for units.
    pub module: String,
    /// Cycles, for parts of a run.
    pub cycles: u64,
    /// Its own energy, without that of units inside it.
    pub energy: Split,
}

/// Energy of a part of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartEnergy {
    /// First cycle.
    pub start_cycle: u64,
    /// Cycles.
    pub cycles: u64,
    /// Number of the section in the run's profile.
    pub section: Option<u32>,
    /// Energy.
    pub energy: Split,
    /// Mean power in milliwatts.
    pub power_mw: f64,
}

/// Energy of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Technology.
    pub technology: String,
    /// Kind of DRAM.
    pub dram: String,
    /// Clock in MHz, for leakage and power.
    pub freq_mhz: f64,
    /// Hash of the configuration.
    pub config_hash: String,
    /// Cycles.
    pub cycles: u64,
    /// Whether glitches are in it.
    pub has_glitches: bool,
    /// All of it.
    pub total: Split,
    /// Mean power in milliwatts.
    pub power_mw: f64,
    /// By unit, in the order of the activity's units; DRAM is a unit of its own at the end.
    pub units: Vec<Named>,
    /// By window.
    pub windows: Vec<PartEnergy>,
    /// By section of the program.
    pub sections: Vec<PartEnergy>,
    /// By operator.
    pub operators: Vec<Named>,
    /// By layer.
    pub layers: Vec<Named>,
    /// By token of the output.
    pub tokens: Vec<Named>,
    /// What the figures leave out or assume.
    pub remarks: Vec<String>,
}

/// Shares in percent with one decimal that add up to exactly 100.0: each is rounded down, and what is missing goes to
/// those that lost most. Nothing has shares of zero.
pub fn shares(values: &[f64]) -> Vec<f64> {
    let total: f64 = values.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return vec![0.0; values.len()];
    }
    let exact: Vec<f64> = values.iter().map(|v| 1000.0 * v.max(0.0) / total).collect();
    let mut tenths: Vec<u32> = exact.iter().map(|v| v.floor() as u32).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let missing = 1000u32.saturating_sub(tenths.iter().sum()) as usize;
    for at in order.into_iter().cycle().take(missing) {
        tenths[at] += 1;
    }
    tenths.into_iter().map(|t| f64::from(t) / 10.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_a_hundred() {
        for values in [vec![1.0, 1.0, 1.0], vec![0.0, 5.0], vec![1.0; 7], vec![1e-9, 1.0, 3.3, 2.2]] {
            let tenths: f64 = shares(&values).iter().map(|s| (s * 10.0).round()).sum();
            assert_eq!(tenths, 1000.0, "{values:?}: {:?}", shares(&values));
        }
        assert_eq!(shares(&[1.0, 1.0, 1.0]), [33.4, 33.3, 33.3]);
        assert_eq!(shares(&[0.0, 0.0]), [0.0, 0.0]);
    }
}
