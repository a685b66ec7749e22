//! The result of a comparison.

use serde::Serialize;

/// Where and how two models first differed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Clock cycle after reset, from 0.
    pub cycle: u64,
    /// Observation point: a port or a probe of the design.
    pub point: String,
    /// Layer, or the GEMM's shape.
    pub layer: String,
    /// Tile, as `chunk/n_tile` or `chunk/n_tile/k_tile`.
    pub tile: String,
    /// Row (token), if the point carries a tensor element.
    pub row: Option<u64>,
    /// Column (output channel), if the point carries a tensor element.
    pub col: Option<u64>,
    /// Instruction of a program: its number and what it says in assembly.
    pub instruction: Option<String>,
    /// Place in a memory of the machine, element included: `acc bank 1 word 7 column 3`.
    pub place: Option<String>,
    /// Golden's value, where it has one.
    pub golden: Option<String>,
    /// The step simulator's value.
    pub step: Option<String>,
    /// The Verilog's value.
    pub rtl: Option<String>,
    /// The command that repeats it.
    pub repeat: String,
    /// Wave file with a window around the cycle.
    pub vcd: Option<String>,
}

/// What was compared and how much of it differed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Clock cycles simulated.
    pub cycles: u64,
    /// Cycles in which every output of the Verilog was compared with the step simulator's.
    pub cycles_checked: u64,
    /// Values compared with golden.
    pub golden_values_checked: u64,
    /// Values and cycles that differed, up to the point where the comparison stopped.
    pub mismatches: u64,
    /// The first mismatch.
    pub first: Option<Mismatch>,
}

impl Verdict {
    /// Whether everything that was to be compared was, and was equal; nothing checked is a failure.
    pub fn matched(&self) -> bool {
        self.mismatches == 0 && self.cycles_checked > 0 && self.golden_values_checked > 0 && self.first.is_none()
    }

    /// Both verdicts as one, the earlier mismatch first.
    pub fn and(mut self, other: Self) -> Self {
        self.cycles += other.cycles;
        self.cycles_checked += other.cycles_checked;
        self.golden_values_checked += other.golden_values_checked;
        self.mismatches += other.mismatches;
        self.first = self.first.or(other.first);
        self
    }
}
