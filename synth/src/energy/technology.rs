//! Technology files: energies and areas, each with its source.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The files that come with the program: name, text.
const FILES: [(&str, &str); 5] = [
    ("generic45", include_str!("../../technologies/generic45.toml")),
    ("nangate45", include_str!("../../technologies/nangate45.toml")),
    ("sky130", include_str!("../../technologies/sky130.toml")),
    ("asap7", include_str!("../../technologies/asap7.toml")),
    ("osu018", include_str!("../../technologies/osu018.toml")),
];
/// Memories that are not of the chip's own cells.
const MEMORIES: &str = include_str!("../../technologies/memories.toml");

/// A number and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced {
    /// The number, in the unit that its name says.
    pub value: f64,
    /// Its source.
    pub source: String,
}

/// Energies of flip-flops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// One flip of the state.
    pub toggle_pj: Sourced,
    /// One cycle of the clock at one flip-flop: both edges and the pin's charge.
    pub clock_pj: Sourced,
    /// Leakage of one.
    pub leakage_nw: Sourced,
}

/// Energies of combinational logic, for a cycle in which every bit that enters a module flips; they fall with the share
/// of bits that does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogicEnergy {
    /// A product of two bits in a multiplier, its adder included.
    pub multiplier_bit_pj: Sourced,
    /// A bit of an adder.
    pub adder_bit_pj: Sourced,
    /// Other logic as large as a two-input NAND.
    pub gate_pj: Sourced,
    /// Leakage of logic as large as a two-input NAND.
    pub gate_leakage_nw: Sourced,
}

/// Nets between units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// One flip.
    pub toggle_pj: Sourced,
}

/// A technology.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Technology {
    /// Name on the command line.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Feature size in nm.
    pub node_nm: f64,
    /// Supply in volts.
    pub volts: f64,
    /// Clock in MHz if none is given; leakage and power depend on it.
    pub freq_mhz: f64,
    /// Flip-flops.
    pub register: Register,
    /// Combinational logic.
    pub logic: LogicEnergy,
    /// Nets between units.
    pub bus: Bus,
    /// What the figures leave out.
    pub remarks: Vec<String>,
}

/// Memories on the chip: energy of an access to a word of 64 bits of a memory of `bytes`, which grows with the square root
/// of the size and in proportion to the word; other technologies by their capacitance and voltage.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sram {
    /// Energy of an access to 64 bits.
    pub access_pj: Sourced,
    /// Size of the memory for which it holds.
    pub bytes: f64,
    /// Feature size for which it holds.
    pub node_nm: f64,
    /// Supply for which it holds.
    pub volts: f64,
    /// How it is scaled.
    pub scaling: String,
}

/// Memory macros of a technology: area of one of `words` words of `width` bits is `bit_um2 · words · width + column_um2 ·
/// width`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Macro {
    /// Name of the technology.
    pub technology: String,
    /// Its feature size in nm.
    pub node_nm: f64,
    /// Area of a bit.
    pub bit_um2: Sourced,
    /// Area beside the bits, for each bit of a word.
    pub column_um2: Sourced,
    /// Leakage of a bit.
    pub leakage_nw_per_bit: Sourced,
}

/// A kind of DRAM.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dram {
    /// Name on the command line.
    pub name: String,
    /// Energy of a bit read.
    pub read_pj_per_bit: Sourced,
    /// Energy of a bit written.
    pub write_pj_per_bit: Sourced,
}

/// Memories.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memories {
    /// On the chip.
    pub sram: Sram,
    /// Their macros.
    pub macros: Vec<Macro>,
    /// Beside it.
    pub dram: Vec<Dram>,
}

impl Technology {
    /// Names of the technologies that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// The technology of that name.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the names that there are.
    pub fn find(name: &str) -> Result<Self, Error> {
        let Some((_, text)) = FILES.iter().find(|(n, _)| *n == name) else {
            let names: Vec<&str> = Self::names().collect();
            let cure = "choose one of them, or write a file like those in synth/technologies";
            return Err(Error::Invalid(spec::Problem::new("technology", name, names.join(", "), cure)));
        };
        Self::parse(text)
    }

    /// Reads a technology file.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str::<Self>(text).map_err(|e| wrong(e.message()))?.checked()
    }

    /// The same if every number is one that can be, with a source.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the first that is not.
    pub fn checked(self) -> Result<Self, Error> {
        let (r, l) = (&self.register, &self.logic);
        let all = [
            ("register.toggle_pj", &r.toggle_pj),
            ("register.clock_pj", &r.clock_pj),
            ("register.leakage_nw", &r.leakage_nw),
            ("logic.multiplier_bit_pj", &l.multiplier_bit_pj),
            ("logic.adder_bit_pj", &l.adder_bit_pj),
            ("logic.gate_pj", &l.gate_pj),
            ("logic.gate_leakage_nw", &l.gate_leakage_nw),
            ("bus.toggle_pj", &self.bus.toggle_pj),
        ];
        for (name, number) in all {
            if !number.value.is_finite() || number.value < 0.0 || number.source.trim().len() < 10 {
                return Err(wrong(&format!("{name} = {} from {:?}", number.value, number.source)));
            }
        }
        let positive = [("node_nm", self.node_nm), ("volts", self.volts), ("freq_mhz", self.freq_mhz)];
        match positive.into_iter().find(|(_, v)| !v.is_finite() || *v <= 0.0) {
            Some((name, value)) => Err(wrong(&format!("{name} = {value}"))),
            None => Ok(self),
        }
    }
}

fn wrong(what: &str) -> Error {
    let cure = "write the file like those in synth/technologies";
    Error::Invalid(spec::Problem::new("technology", what.trim(), "every field, each number with its source", cure))
}

impl Memories {
    /// Those that come with the program.
    pub fn load() -> Self {
        toml::from_str(MEMORIES).unwrap_or_else(|e| unreachable!("the file is tested: {e}"))
    }

    /// The kind of DRAM of that name.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the names that there are.
    pub fn dram(&self, name: &str) -> Result<&Dram, Error> {
        self.dram.iter().find(|d| d.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.dram.iter().map(|d| d.name.as_str()).collect();
            Error::Invalid(spec::Problem::new("dram", name, names.join(", "), "choose one of them"))
        })
    }
}

impl Memories {
    /// Macros of a technology: its own, or those of the nearest feature size, areas in proportion to its square.
    pub fn macros(&self, technology: &Technology) -> Macro {
        if let Some(own) = self.macros.iter().find(|m| m.technology == technology.name) {
            return own.clone();
        }
        let distance = |m: &&Macro| (m.node_nm / technology.node_nm).ln().abs();
        let near = self.macros.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let mut scaled = near.expect("the file has macros: a test reads it").clone();
        let factor = (technology.node_nm / scaled.node_nm).powi(2);
        for area in [&mut scaled.bit_um2, &mut scaled.column_um2] {
            area.value *= factor;
            area.source = format!("{}; times {factor:.3} for {} nm", area.source, technology.node_nm);
        }
        scaled
    }
}

impl Macro {
    /// Area of a memory.
    pub fn area_um2(&self, words: f64, width: f64) -> f64 {
        self.bit_um2.value * words * width + self.column_um2.value * width
    }
}

impl Sram {
    /// Energy of one bit of an access to a memory of so many bits.
    pub fn bit_pj(&self, memory_bits: f64, technology: &Technology) -> f64 {
        let size = (memory_bits / 8.0 / self.bytes).sqrt();
        let scale = technology.node_nm / self.node_nm * (technology.volts / self.volts).powi(2);
        self.access_pj.value / 64.0 * size * scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_whole_and_every_number_has_a_source() {
        for name in Technology::names() {
            assert_eq!(Technology::find(name).unwrap().name, name);
        }
        let memories = Memories::load();
        for dram in &memories.dram {
            assert!(dram.read_pj_per_bit.source.len() > 20 && dram.write_pj_per_bit.source.len() > 20, "{}", dram.name);
        }
        assert!(memories.dram("hbm2").is_ok());
        let error = memories.dram("core").unwrap_err().to_string();
        assert!(error.contains("ddr4") && error.contains("lpddr4"), "{error}");
    }

    #[test]
    fn a_number_without_a_source_is_refused() {
        let (_, text) = FILES[1];
        let at = text.find("source = ").unwrap();
        let end = at + text[at..].find('\n').unwrap();
        let without = format!("{}source = \"\"{}", &text[..at], &text[end..]);
        assert!(Technology::parse(&without).unwrap_err().to_string().contains("source"));
        assert!(Technology::find("mine").unwrap_err().to_string().contains("nangate45"));
    }

    #[test]
    fn macros_are_those_that_they_were_taken_from_and_scale_with_the_square() {
        let memories = Memories::load();
        let of = |name: &str| memories.macros(&Technology::find(name).unwrap());
        for (name, words, width, area) in [
            ("nangate45", 1024.0, 32.0, 16406.1),
            ("nangate45", 256.0, 96.0, 13701.7),
            ("sky130", 512.0, 32.0, 284_538.5),
            ("sky130", 256.0, 32.0, 190_712.6),
            ("asap7", 2048.0, 39.0, 3353.9),
        ] {
            let found = of(name).area_um2(words, width);
            assert!((found / area - 1.0).abs() < 0.05, "{name} {words}x{width}: {found} for {area}");
        }
        let factor = (180.0f64 / 130.0).powi(2);
        assert!((of("osu018").bit_um2.value / of("sky130").bit_um2.value / factor - 1.0).abs() < 1e-9);
        for one in &memories.macros {
            for number in [&one.bit_um2, &one.column_um2, &one.leakage_nw_per_bit] {
                assert!(number.value >= 0.0 && number.source.len() > 20, "{}", one.technology);
            }
        }
    }

    #[test]
    fn memories_are_those_of_the_table() {
        let (memories, mut technology) = (Memories::load(), Technology::find("generic45").unwrap());
        technology.volts = memories.sram.volts;
        let word = |kib: f64| 64.0 * memories.sram.bit_pj(kib * 8192.0, &technology);
        assert!((word(8.0) - 10.0).abs() < 1e-9 && (word(32.0) - 20.0).abs() < 1e-9);
        assert!((word(1024.0) / 100.0 - 1.0).abs() < 0.15, "{}", word(1024.0));
    }
}
