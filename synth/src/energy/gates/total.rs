//! What was counted.

/// Energy of a netlist's run, in picojoules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GateEnergy {
    /// Cycles counted.
    pub cycles: u64,
    /// Internal energy of combinational cells.
    pub internal_pj: f64,
    /// Nets: half of C·V² of the pins that each drives, every time it switches.
    pub switching_pj: f64,
    /// Flip-flops without their clock pins.
    pub registers_pj: f64,
    /// Clock pins: internal energy of both edges, and their capacitance.
    pub clock_pj: f64,
    /// Leakage, nanowatts.
    pub leakage_nw: f64,
    /// Flips of flip-flop outputs.
    pub register_toggles: u64,
    /// Flips of all nets.
    pub net_toggles: u64,
    /// Area of combinational cells, µm².
    pub logic_um2: f64,
    /// Area of flip-flops, µm².
    pub register_um2: f64,
    /// Flip-flops.
    pub registers: u64,
}

impl GateEnergy {
    /// All but leakage.
    pub fn dynamic_pj(&self) -> f64 {
        self.internal_pj + self.switching_pj + self.registers_pj + self.clock_pj
    }
}
