//! Where the cycles of a run went: section by section of its program, and cause by cause.

use serde::{Deserialize, Serialize};

use crate::regs::STALLS;

/// What a run spent between one `INFO` mark of its program and the next.
///
/// A cycle belongs to the section of the oldest instruction (in program order) that has not retired, loads left out: they
/// stand before what uses them, and what waits for them has the cycle. So the sections' cycles add up to the run's. Bytes
/// that are read belong to the section whose weights or parameters they are; other data, and what is stored, to the section
/// in which the instruction stands; bytes of instructions to the section that has the cycle.
///
/// Work overlaps: weights that came during the section before can let a section take fewer cycles than its roofline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// First token (position in the sequence) that is worked on.
    pub token: u32,
    /// Tokens that are worked on; 0 for what comes before the first mark.
    pub tokens: u32,
    /// Block of the model, if it belongs to one.
    pub layer: Option<u32>,
    /// What is done: `q_proj`, `attention`, `embedding`.
    pub operator: String,
    /// Cycles.
    pub cycles: u64,
    /// Cycles by cause, in the order of [`STALLS`]; their sum is `cycles`.
    pub stalls: [u64; STALLS.len()],
    /// True multiplications, as [`crate::isa::Mark`] counts them.
    pub macs: u64,
    /// Bytes that no machine can do without, as [`crate::isa::Mark`] counts them.
    pub compulsory_bytes: u64,
    /// Fewest cycles: of `macs` on the whole array, and of `compulsory_bytes` on the bus, the larger. Rounded up.
    pub roofline_cycles: u64,
    /// Bytes read from memory, in whole beats.
    pub read_bytes: u64,
    /// Bytes written to memory, in whole beats.
    pub write_bytes: u64,
    /// Instructions, `INFO` included.
    pub instructions: u64,
}

/// A run: its sections, and all of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// In program order.
    pub sections: Vec<Section>,
    /// Cycles from start to done.
    pub cycles: u64,
    /// Fewest cycles of the whole program, never above `cycles` and never above the sum of the sections' own.
    pub roofline_cycles: u64,
    /// Hash of the configuration.
    pub config_hash: String,
    /// Sum over the sections.
    pub macs: u64,
    /// Bytes read from memory, in whole beats.
    pub read_bytes: u64,
    /// Bytes written to memory, in whole beats.
    pub write_bytes: u64,
    /// Sum over the sections.
    pub compulsory_bytes: u64,
    /// Most products in a cycle: R·C.
    pub macs_per_cycle: u64,
    /// Bytes of a beat.
    pub beat_bytes: u64,
}

/// Fewest cycles for so many products and bytes: the larger of both, rounded up.
pub fn roofline_cycles(macs: u64, bytes: u64, macs_per_cycle: u64, beat_bytes: u64) -> u64 {
    macs.div_ceil(macs_per_cycle.max(1)).max(bytes.div_ceil(beat_bytes.max(1)))
}

impl Section {
    /// Adds what another section spent; names and tokens stay.
    fn add(&mut self, other: &Self) {
        self.cycles += other.cycles;
        for (sum, more) in self.stalls.iter_mut().zip(&other.stalls) {
            *sum += more;
        }
        self.macs += other.macs;
        self.compulsory_bytes += other.compulsory_bytes;
        self.read_bytes += other.read_bytes;
        self.write_bytes += other.write_bytes;
        self.instructions += other.instructions;
    }

    /// Bytes moved, both ways.
    pub fn bytes(&self) -> u64 {
        self.read_bytes + self.write_bytes
    }
}

impl Profile {
    /// The profile of these sections: sums, and rooflines of each and of all.
    pub fn new(mut sections: Vec<Section>, config_hash: String, macs_per_cycle: u64, beat_bytes: u64) -> Self {
        let mut all = Section::default();
        for section in &mut sections {
            let (macs, bytes) = (section.macs, section.compulsory_bytes);
            section.roofline_cycles = roofline_cycles(macs, bytes, macs_per_cycle, beat_bytes);
            all.add(section);
        }
        Self {
            sections,
            cycles: all.cycles,
            roofline_cycles: roofline_cycles(all.macs, all.compulsory_bytes, macs_per_cycle, beat_bytes),
            config_hash,
            macs: all.macs,
            read_bytes: all.read_bytes,
            write_bytes: all.write_bytes,
            compulsory_bytes: all.compulsory_bytes,
            macs_per_cycle,
            beat_bytes,
        }
    }

    /// Cycles by cause, in the order of [`STALLS`].
    pub fn stalls(&self) -> [u64; STALLS.len()] {
        let mut sums = [0; STALLS.len()];
        for section in &self.sections {
            for (sum, more) in sums.iter_mut().zip(&section.stalls) {
                *sum += more;
            }
        }
        sums
    }

    /// Sections of equal key as one each, in the order in which the keys first come; it has the name, block and token of
    /// the first of them.
    pub fn grouped<K: PartialEq>(&self, key: impl Fn(&Section) -> K) -> Vec<Section> {
        let mut groups: Vec<(K, Section)> = Vec::new();
        for section in &self.sections {
            let own = key(section);
            match groups.iter_mut().find(|(key, _)| *key == own) {
                Some((_, group)) => group.add(section),
                None => groups.push((own, section.clone())),
            }
        }
        let mut groups: Vec<Section> = groups.into_iter().map(|(_, group)| group).collect();
        for group in &mut groups {
            let (macs, bytes) = (group.macs, group.compulsory_bytes);
            group.roofline_cycles = roofline_cycles(macs, bytes, self.macs_per_cycle, self.beat_bytes);
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(layer: Option<u32>, operator: &str, cycles: u64, macs: u64, compulsory_bytes: u64) -> Section {
        let mut stalls = [0; STALLS.len()];
        stalls[1] = cycles / 3;
        stalls[0] = cycles - stalls[1];
        let (operator, instructions) = (operator.into(), 2);
        Section { layer, operator, cycles, stalls, macs, compulsory_bytes, instructions, ..Section::default() }
    }

    #[test]
    fn sums_and_rooflines() {
        let sections = vec![
            section(Some(0), "q_proj", 30, 1000, 80),
            section(Some(0), "o_proj", 20, 10, 800),
            section(Some(1), "q_proj", 40, 1001, 81),
        ];
        let profile = Profile::new(sections, "hash".into(), 64, 16);
        let rooflines: Vec<u64> = profile.sections.iter().map(|s| s.roofline_cycles).collect();
        assert_eq!(rooflines, [16, 50, 16]);
        assert_eq!((profile.cycles, profile.roofline_cycles), (90, 61), "961 bytes in beats of 16");
        assert_eq!(profile.stalls().iter().sum::<u64>(), profile.cycles);
        let layers = profile.grouped(|s| s.layer);
        assert_eq!(layers.iter().map(|l| (l.cycles, l.roofline_cycles)).collect::<Vec<_>>(), [(50, 55), (40, 16)]);
        let operators = profile.grouped(|s| s.operator.clone());
        assert_eq!(operators[0], Section { roofline_cycles: 32, instructions: 4, ..operators[0].clone() });
        assert_eq!((operators[0].operator.as_str(), operators[0].cycles, operators.len()), ("q_proj", 70, 2));
    }
}
