//! The power tables of a cell library: internal energy of each transition, leakage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::liberty::table::Template;
use crate::liberty::tree::{self, Group};
use crate::liberty::{Function, Library, Table};

/// Internal energy of a pin's transitions under a condition.
#[derive(Clone, Debug)]
pub struct Internal {
    /// For an output: the input whose transition it goes with; empty for an input pin, or if the library does not say.
    pub related: String,
    /// Only while this holds.
    pub when: Option<Function>,
    /// Of the rising transition.
    pub rise: Option<Table>,
    /// Of the falling transition.
    pub fall: Option<Table>,
}

/// The power of a cell.
#[derive(Clone, Debug, Default)]
pub struct CellPower {
    /// Mean leakage in nanowatts.
    pub leakage_nw: f64,
    /// Internal energies by pin.
    pub pins: BTreeMap<String, Vec<Internal>>,
}

/// A cell library with its power.
#[derive(Clone, Debug)]
pub struct PowerLibrary {
    /// Cells, pins, functions.
    pub library: Library,
    /// Supply in volts.
    pub volts: f64,
    /// Picojoules of the unit in which internal energy stands: the unit of capacitance times one volt squared.
    pub energy_pj: f64,
    /// Power by cell.
    pub cells: BTreeMap<String, CellPower>,
}

impl PowerLibrary {
    /// Reads a Liberty file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Liberty`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).map_err(|problem| Error::Liberty { path: path.to_path_buf(), problem })
    }

    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let library = Library::parse(text)?;
        let root = tree::parse(text)?;
        let volts = root.number("nom_voltage").ok_or("nom_voltage is missing")?;
        let watts = root.text("leakage_power_unit").unwrap_or("1nW");
        let leakage_unit = leakage_unit(watts).ok_or("leakage_power_unit is not understood")?;
        let templates = Template::all(&root);
        let mut cells = BTreeMap::new();
        for group in root.all("cell") {
            let mut pins = BTreeMap::new();
            for pin in group.all("pin") {
                let internal: Vec<Internal> = pin
                    .all("internal_power")
                    .filter(|g| g.text("related_pg_pin").is_none_or(|pg| pg != "VSS"))
                    .map(|g| internal(g, &templates))
                    .collect::<Result<_, _>>()
                    .map_err(|e| format!("cell {}: {e}", group.name()))?;
                pins.insert(pin.name().to_string(), internal);
            }
            let leakage_nw = leakage(group) * leakage_unit;
            cells.insert(group.name().to_string(), CellPower { leakage_nw, pins });
        }
        let energy_pj = library.cap_ff * 1e-3;
        Ok(Self { library, volts, energy_pj, cells })
    }

    /// Energy in pJ of charging or discharging so many femtofarads: half of C·V².
    pub fn switching_pj(&self, cap_ff: f64) -> f64 {
        0.5 * cap_ff * 1e-3 * self.volts * self.volts
    }
}

fn internal(group: &Group<'_>, templates: &crate::liberty::table::Templates) -> Result<Internal, String> {
    let table = |kind: &str| group.groups.iter().find(|g| g.kind == kind).and_then(|g| Table::read(g, templates));
    let both = table("power");
    Ok(Internal {
        related: group.text("related_pin").unwrap_or_default().trim().to_string(),
        when: group.text("when").map(Function::parse).transpose()?,
        rise: table("rise_power").or_else(|| both.clone()),
        fall: table("fall_power").or(both),
    })
}

/// The figure for the whole cell, or else the mean over its states, in the library's unit.
fn leakage(group: &Group<'_>) -> f64 {
    let of = |g: &Group<'_>| g.number("value").filter(|_| g.text("related_pg_pin").is_none_or(|pg| pg != "VSS"));
    let states: Vec<f64> = group.all("leakage_power").filter_map(of).collect();
    let mean = if states.is_empty() { 0.0 } else { states.iter().sum::<f64>() / states.len() as f64 };
    group.number("cell_leakage_power").filter(|v| *v > 0.0).unwrap_or(mean)
}

/// Nanowatts of `1nW`, `1pW`, ...
fn leakage_unit(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[digits..] {
        "mW" => 1e6,
        "uW" => 1e3,
        "nW" => 1.0,
        "pW" => 1e-3,
        _ => return None,
    };
    text[..digits].trim().parse::<f64>().ok().map(|count| count * factor)
}
