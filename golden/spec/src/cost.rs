//! What a design costs: the result of synthesis, and of estimates in the same form.

use serde::{Deserialize, Serialize};

/// Where a design's longest path between registers begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorstPath {
    /// Register or port where it begins, with the instances above it.
    pub start: String,
    /// Register or port where it ends, with the instances above it.
    pub end: String,
    /// Module in which it ends.
    pub unit: String,
    /// Time from clock edge to clock edge that it needs, in ns; `None` if the timing tool gives frequencies only.
    pub period_ns: Option<f64>,
}

/// Share of one module, all its instances together, without the modules below it that have a row of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModuleCost {
    /// Module.
    pub module: String,
    /// Instances in the design.
    pub instances: u64,
    /// Cell area in µm², all instances together; 0 for FPGA targets.
    pub area_um2: f64,
    /// Of that area, flip-flops and latches, in µm².
    pub seq_area_um2: f64,
    /// Look-up tables; 0 for ASIC targets.
    pub luts: u64,
    /// Flip-flops.
    pub ffs: u64,
    /// Multiplier blocks.
    pub dsps: u64,
    /// Block RAMs.
    pub brams: u64,
    /// All library cells, or all primitives.
    pub cells: u64,
    /// Longest path that ends in it.
    pub worst_path: Option<WorstPath>,
}

/// A memory that was not made of cells: a macro is to be put in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryCost {
    /// Module that holds it.
    pub module: String,
    /// Instances in the design.
    pub instances: u64,
    /// Words.
    pub words: u32,
    /// Bits of a word.
    pub width_bits: u32,
}

/// Resources of a device: how many a design takes of how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utilisation {
    /// Name that the vendor gives the resource.
    pub resource: String,
    /// Taken.
    pub used: u64,
    /// There are.
    pub available: u64,
}

/// An external program that had a part in a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolVersion {
    /// Program.
    pub name: String,
    /// Version, as it says.
    pub version: String,
}

/// What one unit of one configuration costs on one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// `ice40`, `ecp5`, `nexus`, `gowin`, `xilinx` or `asic`.
    pub target: String,
    /// Cell library, or device; what the figures hold for.
    pub technology: String,
    /// Part of the hardware: `top`, `array`, `pe`, ...
    pub unit: String,
    /// Its module.
    pub top: String,
    /// Hash of the configuration.
    pub config_hash: String,
    /// Cell area in µm², without memories; `None` for FPGA targets.
    pub area_um2: Option<f64>,
    /// Of that area, flip-flops and latches, in µm².
    pub seq_area_um2: Option<f64>,
    /// Of that area, the skew and de-skew registers around an array, in µm².
    pub skew_area_um2: Option<f64>,
    /// Look-up tables; `None` for ASIC targets.
    pub luts: Option<u64>,
    /// Flip-flops.
    pub ffs: u64,
    /// Multiplier blocks; `None` for ASIC targets.
    pub dsps: Option<u64>,
    /// Block RAMs; `None` for ASIC targets.
    pub brams: Option<u64>,
    /// Highest clock frequency in MHz; `None` where no timing tool is installed or the design does not fit the device.
    pub freq_mhz: Option<f64>,
    /// What gave the frequency: `nextpnr-ecp5`, `opensta`, `systole` (levelised, from the Liberty tables), ...
    pub timing: Option<String>,
    /// The path that limits it.
    pub worst_path: Option<WorstPath>,
    /// The systole estimate of the period in ns for ASIC targets, beside that of a timing tool.
    pub own_period_ns: Option<f64>,
    /// Largest first.
    pub modules: Vec<ModuleCost>,
    /// Memories outside the area.
    pub memories: Vec<MemoryCost>,
    /// Of the whole device, the test frame of shift registers around the design included.
    pub utilisation: Vec<Utilisation>,
    /// Programs and versions.
    pub tools: Vec<ToolVersion>,
    /// What is worth knowing: what is missing and how to get it, what does not fit.
    pub remarks: Vec<String>,
}
