//! What moved in a run: bit flips, memory accesses and bytes of DRAM, unit by unit.
//!
//! A signal's value in a cycle is the one just before the clock edge, when all logic has settled. A run of N cycles has N
//! such samples, and a toggle is a bit that differs between a sample and the one before it; glitches are therefore out.

use serde::{Deserialize, Serialize};

/// Bits that exist and how often they flipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toggles {
    /// Bits, over all instances of the unit.
    pub bits: u64,
    /// Flips of those bits.
    pub toggles: u64,
}

/// The memories of a unit and their accesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryActivity {
    /// Memories, over all instances of the unit.
    pub memories: u64,
    /// Bits of a word.
    pub word_bits: u32,
    /// Words of a memory.
    pub words: u32,
    /// Cycles with a read.
    pub reads: u64,
    /// Cycles with a write.
    pub writes: u64,
    /// Bits read: words times their width.
    pub read_bits: u64,
    /// Bits written: enabled lanes alone.
    pub written_bits: u64,
    /// Flips of the registered read data.
    pub output_toggles: u64,
}

/// Activity of one unit: an instance, or all instances of a grid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitActivity {
    /// Instance path below the top, grid places as `[*]`; empty for the top itself.
    pub path: String,
    /// Module.
    pub module: String,
    /// Instances.
    pub instances: u64,
    /// Registers.
    pub registers: Toggles,
    /// Input ports; they are the same nets as outputs or wires elsewhere and are no class of their own but in the top.
    pub inputs: Toggles,
    /// Output ports whose net is not already the output of a unit inside.
    pub outputs: Toggles,
    /// Memories; a module has at most a few.
    pub memories: Vec<MemoryActivity>,
}

/// The classes whose toggles add up to a run's, each bit counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// Registers.
    pub registers: u64,
    /// Registered read data of memories.
    pub memory_outputs: u64,
    /// Buses: output ports of units, and the inputs of the top.
    pub buses: u64,
    /// Cycles with a read of a memory.
    pub memory_reads: u64,
    /// Cycles with a write to a memory.
    pub memory_writes: u64,
}

/// What one unit did in a part of a run; the fields are those of [`UnitActivity`] without what does not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Flips of registers.
    pub registers: u64,
    /// Flips of inputs.
    pub inputs: u64,
    /// Flips of outputs.
    pub outputs: u64,
    /// Reads of memories.
    pub reads: u64,
    /// Writes of memories.
    pub writes: u64,
    /// Bits read.
    pub read_bits: u64,
    /// Bits written.
    pub written_bits: u64,
    /// Flips of read data.
    pub memory_outputs: u64,
}

/// A part of a run: a window of equal length, or a section of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// First cycle.
    pub start_cycle: u64,
    /// Cycles.
    pub cycles: u64,
    /// Number of the section in the run's profile; none for windows, and for cycles outside the program.
    pub section: Option<u32>,
    /// Bytes of DRAM read.
    pub dram_read_bytes: u64,
    /// Bytes of DRAM written.
    pub dram_written_bytes: u64,
    /// Counts of each unit, in the order of [`Activity::units`].
    pub units: Vec<Counts>,
}

/// What moved in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Module of the top.
    pub top: String,
    /// Hash of the configuration; empty for a design that has none.
    pub config_hash: String,
    /// Cycles, each one sample.
    pub cycles: u64,
    /// Bytes of DRAM read.
    pub dram_read_bytes: u64,
    /// Bytes of DRAM written.
    pub dram_written_bytes: u64,
    /// Units, parents before children.
    pub units: Vec<UnitActivity>,
    /// Cycles of a window; 0 without windows.
    pub window_cycles: u64,
    /// Windows in order; the last may be shorter.
    pub windows: Vec<Part>,
    /// Sections in order: one part for each run of cycles of the same section.
    pub sections: Vec<Part>,
}

impl UnitActivity {
    /// What the unit did in all.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            registers: self.registers.toggles,
            inputs: self.inputs.toggles,
            outputs: self.outputs.toggles,
            ..Counts::default()
        };
        for memory in &self.memories {
            counts.reads += memory.reads;
            counts.writes += memory.writes;
            counts.read_bits += memory.read_bits;
            counts.written_bits += memory.written_bits;
            counts.memory_outputs += memory.output_toggles;
        }
        counts
    }
}

impl Counts {
    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            registers: f(self.registers, other.registers),
            inputs: f(self.inputs, other.inputs),
            outputs: f(self.outputs, other.outputs),
            reads: f(self.reads, other.reads),
            writes: f(self.writes, other.writes),
            read_bits: f(self.read_bits, other.read_bits),
            written_bits: f(self.written_bits, other.written_bits),
            memory_outputs: f(self.memory_outputs, other.memory_outputs),
        }
    }

    /// The counts of two parts together.
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }

    /// What came since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        self.zip(earlier, u64::wrapping_sub)
    }
}

impl Activity {
    /// Toggles of each class over all units.
    pub fn classes(&self) -> Classes {
        let mut classes = Classes::default();
        for unit in &self.units {
            let counts = unit.counts();
            classes.registers += counts.registers;
            classes.memory_outputs += counts.memory_outputs;
            classes.buses += counts.outputs + if unit.path.is_empty() { counts.inputs } else { 0 };
            classes.memory_reads += counts.reads;
            classes.memory_writes += counts.writes;
        }
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(path: &str) -> UnitActivity {
        let toggles = |toggles| Toggles { bits: 8, toggles };
        let memory = MemoryActivity { reads: 3, writes: 2, read_bits: 24, output_toggles: 5, ..Default::default() };
        UnitActivity {
            path: path.into(),
            registers: toggles(10),
            inputs: toggles(20),
            outputs: toggles(40),
            memories: vec![memory, memory],
            ..Default::default()
        }
    }

    #[test]
    fn inputs_count_as_buses_in_the_top_alone() {
        let activity = Activity { units: vec![unit(""), unit("u_pe[*][*]")], ..Activity::default() };
        let classes =
            Classes { registers: 20, memory_outputs: 20, buses: 20 + 40 + 40, memory_reads: 12, memory_writes: 8 };
        assert_eq!(activity.classes(), classes);
    }

    #[test]
    fn parts_add_up() {
        let counts = unit("").counts();
        assert_eq!(counts.plus(counts).since(counts), counts);
        assert_eq!(counts.read_bits, 48);
    }

    #[test]
    fn json_goes_there_and_back() {
        let activity = Activity { units: vec![unit("u_pe[*][*]")], cycles: 7, ..Activity::default() };
        let text = serde_json::to_string(&activity).unwrap();
        assert_eq!(serde_json::from_str::<Activity>(&text).unwrap(), activity);
    }
}
