//! Energy of a run from its activity and a technology.

use std::collections::HashMap;

use spec::activity::{Activity, Counts, Part, UnitActivity};
use spec::energy::{Energy, Named, PartEnergy, Split};
use spec::profile::{Profile, Section};

use super::technology::{Dram, Memories, Technology};
use crate::error::Error;
use crate::estimate::census::Logic;

/// What is chosen for a figure.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Kind of DRAM.
    pub dram: String,
    /// Clock in MHz; the technology's own without.
    pub freq_mhz: Option<f64>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { dram: "lpddr4".into(), freq_mhz: None }
    }
}

/// Full adders, with carry or product, in two-input NANDs: FA_X1 of the Nangate 45 nm library, 4.256 µm² over 0.798 µm².
const FULL_ADDER: f64 = 5.33;

/// What a count of one unit costs.
struct Weights {
    register_pj: f64,
    logic_pj: f64,
    output_pj: f64,
    input_pj: f64,
    memory_pj: f64,
    clock_pj: f64,
    leakage_pj: f64,
}

impl Weights {
    fn new(unit: &UnitActivity, logic: Option<&Logic>, to: &Technology, memories: &Memories, cycle_ns: f64) -> Self {
        let logic = logic.copied().unwrap_or_default();
        let instances = unit.instances.max(1) as f64;
        let read_bits: f64 = unit.memories.iter().map(|m| f64::from(m.word_bits) * m.memories as f64).sum();
        let sources = (unit.inputs.bits + unit.registers.bits) as f64 + read_bits;
        let e = &to.logic;
        let full_pj = logic.multiplier_bits * e.multiplier_bit_pj.value
            + logic.adder_bits * e.adder_bit_pj.value
            + logic.gates * e.gate_pj.value;
        let gates = logic.gates + FULL_ADDER * (logic.adder_bits + logic.multiplier_bits);
        let leakage_nw =
            instances * gates * e.gate_leakage_nw.value + unit.registers.bits as f64 * to.register.leakage_nw.value;
        let (mut bits, mut pj) = (0.0, 0.0);
        for memory in &unit.memories {
            let moved = (memory.read_bits + memory.written_bits) as f64;
            bits += moved;
            pj += moved * memories.sram.bit_pj(f64::from(memory.word_bits) * f64::from(memory.words), to);
        }
        Self {
            register_pj: to.register.toggle_pj.value,
            logic_pj: if sources > 0.0 { full_pj * instances / sources } else { 0.0 },
            output_pj: to.bus.toggle_pj.value,
            input_pj: if unit.path.is_empty() { to.bus.toggle_pj.value } else { 0.0 },
            memory_pj: if bits > 0.0 { pj / bits } else { 0.0 },
            clock_pj: unit.registers.bits as f64 * to.register.clock_pj.value,
            // nW times ns are 1e-18 J.
            leakage_pj: leakage_nw * cycle_ns * 1e-6,
        }
    }

    fn of(&self, counts: &Counts, cycles: u64) -> Split {
        let c = |n: u64| n as f64;
        Split {
            registers_pj: self.register_pj * c(counts.registers),
            clock_pj: self.clock_pj * c(cycles),
            logic_pj: self.logic_pj * c(counts.inputs + counts.registers + counts.memory_outputs),
            buses_pj: self.output_pj * c(counts.outputs) + self.input_pj * c(counts.inputs),
            memories_pj: self.memory_pj * c(counts.read_bits + counts.written_bits),
            leakage_pj: self.leakage_pj * c(cycles),
            dram_pj: 0.0,
        }
    }
}

fn dram_pj(dram: &Dram, read_bytes: u64, written_bytes: u64) -> Split {
    let pj =
        8.0 * read_bytes as f64 * dram.read_pj_per_bit.value + 8.0 * written_bytes as f64 * dram.write_pj_per_bit.value;
    Split { dram_pj: pj, ..Split::default() }
}

/// Picojoules in so many nanoseconds, in milliwatts.
fn power_mw(pj: f64, ns: f64) -> f64 {
    if ns > 0.0 { pj / ns } else { 0.0 }
}

/// Energy of a run; `logic` is the census of its design.
///
/// Glitches are out: activity counts settled values. So are the clock tree's buffers and wires, the wires between cells,
/// and the leakage of memories.
///
/// # Errors
/// [`Error::Invalid`] for a kind of DRAM or a clock that there is not.
pub fn energy(
    activity: &Activity,
    technology: &Technology,
    logic: &HashMap<String, Logic>,
    choice: &Choice,
) -> Result<Energy, Error> {
    let memories = Memories::load();
    let dram = memories.dram(&choice.dram)?;
    let freq_mhz = choice.freq_mhz.unwrap_or(technology.freq_mhz);
    if !(1e-3..=1e5).contains(&freq_mhz) {
        return Err(Error::Invalid(spec::Problem::new("freq_mhz", freq_mhz, "0.001..=100000", "give a clock in MHz")));
    }
    let cycle_ns = 1e3 / freq_mhz;
    let weights: Vec<Weights> = activity
        .units
        .iter()
        .map(|unit| Weights::new(unit, logic.get(&unit.module), technology, &memories, cycle_ns))
        .collect();
    let part = |part: &Part| {
        let units = part.units.iter().zip(&weights);
        let sum = units.fold(Split::default(), |sum, (counts, w)| sum.plus(&w.of(counts, part.cycles)));
        let energy = sum.plus(&dram_pj(dram, part.dram_read_bytes, part.dram_written_bytes));
        let power_mw = power_mw(energy.total_pj(), part.cycles as f64 * cycle_ns);
        PartEnergy { start_cycle: part.start_cycle, cycles: part.cycles, section: part.section, energy, power_mw }
    };
    let mut units: Vec<Named> = activity
        .units
        .iter()
        .zip(&weights)
        .map(|(unit, w)| Named {
            name: unit.path.clone(),
            module: unit.module.clone(),
            cycles: activity.cycles,
            energy: w.of(&unit.counts(), activity.cycles),
        })
        .collect();
    let outside = dram_pj(dram, activity.dram_read_bytes, activity.dram_written_bytes);
    units.push(Named { name: dram.name.clone(), module: "DRAM".into(), cycles: activity.cycles, energy: outside });
    let total = units.iter().fold(Split::default(), |sum, unit| sum.plus(&unit.energy));
    Ok(Energy {
        technology: technology.name.clone(),
        dram: dram.name.clone(),
        freq_mhz,
        config_hash: activity.config_hash.clone(),
        cycles: activity.cycles,
        has_glitches: false,
        total,
        power_mw: power_mw(total.total_pj(), activity.cycles as f64 * cycle_ns),
        units,
        windows: activity.windows.iter().map(part).collect(),
        sections: activity.sections.iter().map(part).collect(),
        remarks: technology.remarks.clone(),
        ..Energy::default()
    })
}

/// Gives the energy of the sections to operators, layers and tokens; cycles outside the program's sections are `other`.
pub fn attribute(energy: &mut Energy, profile: &Profile) {
    let layer = |s: &Section| s.layer.map_or("outside the layers".to_string(), |layer| layer.to_string());
    energy.operators = group(&energy.sections, profile, |s| s.operator.clone());
    energy.layers = group(&energy.sections, profile, layer);
    energy.tokens = group(&energy.sections, profile, |s| s.token.to_string());
}

fn group(parts: &[PartEnergy], profile: &Profile, name: impl Fn(&Section) -> String) -> Vec<Named> {
    let mut groups: Vec<Named> = Vec::new();
    for part in parts {
        let section = part.section.and_then(|s| profile.sections.get(s as usize));
        let name = section.map_or("other".to_string(), &name);
        let at = groups.iter().position(|g| g.name == name).unwrap_or_else(|| {
            groups.push(Named { name, ..Named::default() });
            groups.len() - 1
        });
        groups[at].cycles += part.cycles;
        groups[at].energy = groups[at].energy.plus(&part.energy);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::activity::{MemoryActivity, Toggles};

    fn activity() -> Activity {
        let unit = |path: &str| UnitActivity {
            path: path.into(),
            module: "m".into(),
            instances: 2,
            registers: Toggles { bits: 16, toggles: 40 },
            inputs: Toggles { bits: 16, toggles: 24 },
            outputs: Toggles { bits: 16, toggles: 10 },
            memories: vec![MemoryActivity {
                memories: 1,
                word_bits: 64,
                words: 1024,
                read_bits: 640,
                ..MemoryActivity::default()
            }],
        };
        let units = vec![unit(""), unit("u_a")];
        let half = |c: Counts| Counts {
            registers: c.registers / 2,
            inputs: c.inputs / 2,
            outputs: c.outputs / 2,
            read_bits: c.read_bits / 2,
            ..c
        };
        let part = |start_cycle, section| Part {
            start_cycle,
            cycles: 5,
            section,
            dram_read_bytes: 32,
            dram_written_bytes: 8,
            units: units.iter().map(|u| half(u.counts())).collect(),
        };
        Activity {
            cycles: 10,
            dram_read_bytes: 64,
            dram_written_bytes: 16,
            windows: vec![part(0, None), part(5, None)],
            sections: vec![part(0, None), part(5, Some(0))],
            units,
            ..Activity::default()
        }
    }

    #[test]
    fn units_parts_and_groups_add_up_to_the_run() {
        let technology = Technology::find("nangate45").unwrap();
        let logic = Logic { adder_bits: 8.0, multiplier_bits: 64.0, gates: 20.0, register_bits: 8.0 };
        let logic = HashMap::from([("m".to_string(), logic)]);
        let mut energy = energy(&activity(), &technology, &logic, &Choice::default()).unwrap();
        let section = Section { operator: "q_proj".into(), layer: Some(3), token: 7, ..Section::default() };
        attribute(&mut energy, &Profile::new(vec![section], String::new(), 16, 8));
        let total = energy.total.total_pj();
        let near = |pj: f64| assert!((pj / total - 1.0).abs() < 1e-12, "{pj} of {total}");
        near(energy.units.iter().map(|u| u.energy.total_pj()).sum());
        near(energy.windows.iter().map(|p| p.energy.total_pj()).sum());
        for groups in [&energy.operators, &energy.layers, &energy.tokens] {
            assert_eq!((groups.len(), groups[0].name.as_str(), groups[1].cycles), (2, "other", 5));
            near(groups.iter().map(|g| g.energy.total_pj()).sum());
        }
        // 10 words of 64 bits of 8 KiB each at 10 pJ, scaled to this supply; two units.
        let memories = 200.0 * (technology.volts / 0.9f64).powi(2);
        assert!((energy.total.memories_pj - memories).abs() < 1e-6, "{}", energy.total.memories_pj);
        // Both units: 64 flips into 32 bits of 2 instances, four times the logic of an instance.
        let e = &technology.logic;
        let full = 8.0 * e.adder_bit_pj.value + 64.0 * e.multiplier_bit_pj.value + 20.0 * e.gate_pj.value;
        let bits = 32.0 + 64.0;
        assert!((energy.total.logic_pj / (2.0 * 64.0 * 2.0 / bits * full) - 1.0).abs() < 1e-12);
        assert!(energy.power_mw > 0.0);
    }

    #[test]
    fn what_there_is_not_is_named() {
        let technology = Technology::find("sky130").unwrap();
        let of = |choice: &Choice| energy(&activity(), &technology, &HashMap::new(), choice).unwrap_err().to_string();
        assert!(of(&Choice { dram: "sram".into(), freq_mhz: None }).contains("hbm2"));
        assert!(of(&Choice { freq_mhz: Some(0.0), ..Choice::default() }).contains("freq_mhz"));
    }
}
