//! What designs are synthesised for: FPGA families and cell libraries, as data.

use std::fmt;

use serde::Deserialize;
use tool::{NEXTPNR_ECP5, NEXTPNR_GOWIN, NEXTPNR_ICE40, NEXTPNR_NEXUS, Tool};

/// A target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Lattice iCE40.
    Ice40,
    /// Lattice ECP5.
    Ecp5,
    /// Lattice Nexus.
    Nexus,
    /// Gowin.
    Gowin,
    /// AMD (Xilinx) 7 series: counts only.
    Xilinx,
    /// A cell library.
    Asic,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 6] = [Self::Ice40, Self::Ecp5, Self::Nexus, Self::Gowin, Self::Xilinx, Self::Asic];

    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ice40 => "ice40",
            Self::Ecp5 => "ecp5",
            Self::Nexus => "nexus",
            Self::Gowin => "gowin",
            Self::Xilinx => "xilinx",
            Self::Asic => "asic",
        }
    }

    /// The target of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// The FPGA family; `None` for cell libraries.
    ///
    /// # Panics
    /// Never: the files are part of this crate and a test reads all of them.
    pub fn family(self) -> Option<Family> {
        let text = match self {
            Self::Ice40 => include_str!("../flows/ice40.toml"),
            Self::Ecp5 => include_str!("../flows/ecp5.toml"),
            Self::Nexus => include_str!("../flows/nexus.toml"),
            Self::Gowin => include_str!("../flows/gowin.toml"),
            Self::Xilinx => include_str!("../flows/xilinx.toml"),
            Self::Asic => return None,
        };
        Some(toml::from_str(text).unwrap_or_else(|e| panic!("flows of {self}: {e}")))
    }

    /// The program that places and times, where there is one.
    pub const fn placer(self) -> Option<Tool> {
        match self {
            Self::Ice40 => Some(NEXTPNR_ICE40),
            Self::Ecp5 => Some(NEXTPNR_ECP5),
            Self::Nexus => Some(NEXTPNR_NEXUS),
            Self::Gowin => Some(NEXTPNR_GOWIN),
            Self::Xilinx | Self::Asic => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An FPGA family: a file of `synth/flows`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Command of yosys.
    pub synth: Commands,
    /// Command of older yosys.
    pub older: Commands,
    /// Frequency that placement aims at, in MHz.
    pub freq_mhz: u32,
    /// Options of nextpnr about the frame's pins.
    pub pin_options: Vec<String>,
    /// Files that the other fields name: places of the frame's pins, maps of cells.
    #[serde(default)]
    pub files: Vec<File>,
    /// Commands of yosys for the flattened frame, before it is placed.
    #[serde(default)]
    pub finish: Vec<String>,
    /// Cells that are look-up tables.
    pub luts: Vec<String>,
    /// Cells that are flip-flops.
    pub ffs: Vec<String>,
    /// Cells that are multipliers.
    pub dsps: Vec<String>,
    /// Cells that are block RAMs.
    pub brams: Vec<String>,
    /// Other cells that take the place of look-up tables, and of how many.
    #[serde(default)]
    pub lut_weights: std::collections::BTreeMap<String, u64>,
    /// Devices, smallest first.
    pub devices: Vec<Device>,
}

/// A file in a run's folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// A command of yosys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// As it is usually used.
    pub with_dsp: String,
    /// Without multiplier blocks.
    pub without_dsp: String,
}

/// A device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name, package and speed grade.
    pub name: String,
    /// Options of nextpnr.
    pub args: Vec<String>,
    /// Look-up tables.
    pub luts: u64,
    /// Block RAMs.
    pub brams: u64,
    /// Multipliers.
    pub dsps: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_can_be_read_and_has_a_device() {
        for target in Target::ALL {
            assert_eq!(Target::parse(target.name()), Some(target));
            let Some(family) = target.family() else { continue };
            assert!(!family.devices.is_empty() && family.synth.with_dsp.starts_with("synth_"), "{target}");
            assert!(family.devices.windows(2).all(|pair| pair[0].luts <= pair[1].luts), "{target}");
            assert_eq!(target.placer().is_some(), family.freq_mhz > 0, "{target}");
            for File { name, text } in family.files {
                let mut named = family.pin_options.iter().chain(&family.finish);
                assert!(named.any(|words| words.ends_with(&name)), "{target}: {name} is not used");
                let is_whole = ["clk_i", "bit_i", "bit_o"].iter().all(|pin| text.contains(pin));
                assert!(is_whole || !name.starts_with("pins"), "{target}: a pin has no place");
            }
        }
    }
}
