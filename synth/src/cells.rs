//! Settings of a cell library: the known ones as data, others from what the library holds.

use serde::Deserialize;

use crate::liberty::trim::matches;
use crate::liberty::{Function, Library};

/// How a library is used.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name for reports.
    pub name: String,
    /// Which libraries these settings are for.
    pub pattern: String,
    /// Cell that drives inputs.
    pub driver: String,
    /// Load of outputs in fF.
    pub load_ff: f64,
    /// Cells that are not used.
    pub exclude: Vec<String>,
    /// Cell and pin of a constant one; empty if there is none.
    pub tie_high: Vec<String>,
    /// Cell and pin of a constant zero.
    pub tie_low: Vec<String>,
    /// Period in ps that mapping aims at.
    pub period_ps: u32,
}

#[derive(Deserialize)]
struct File {
    libraries: Vec<Settings>,
}

/// The known libraries.
///
/// # Panics
/// Never: the file is part of this crate and a test reads it.
pub fn known() -> Vec<Settings> {
    let file: File =
        toml::from_str(include_str!("../flows/libraries.toml")).unwrap_or_else(|e| panic!("libraries: {e}"));
    file.libraries
}

/// Settings for a library: those under its name, otherwise its smallest buffer as driver, four of that buffer's inputs as
/// load, its smallest constants, every cell, and a period of 50 of the buffer's delays.
pub fn settings(library: &Library) -> Settings {
    if let Some(found) = known().into_iter().find(|settings| matches(&settings.pattern, &library.name)) {
        return found;
    }
    let buffer = library.smallest(|function, cell| {
        matches!(function, Function::Pin(_)) && cell.pins.iter().filter(|pin| !pin.is_output).count() == 1
    });
    let tie = |value: bool| {
        let found = library.smallest(|function, _| *function == Function::Constant(value));
        found.map_or(Vec::new(), |(cell, pin)| vec![cell.name.clone(), pin.name.clone()])
    };
    let input = buffer.and_then(|(cell, _)| cell.pins.iter().find(|pin| !pin.is_output));
    let load_ff = 4.0 * input.map_or(1.0, |pin| pin.cap_ff);
    let delay =
        buffer.and_then(|(_, pin)| pin.arcs.first()?.delay[0].as_ref().map(|t| t.at(0.0, load_ff / library.cap_ff)));
    Settings {
        name: library.name.clone(),
        pattern: library.name.clone(),
        driver: buffer.map_or(String::new(), |(cell, _)| cell.name.clone()),
        load_ff,
        exclude: Vec::new(),
        tie_high: tie(true),
        tie_low: tie(false),
        period_ps: delay.map_or(1000, |delay| (delay * library.time_ns * 50e3).max(1.0) as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_libraries_are_found_and_others_get_settings_of_their_own() {
        assert_eq!(known().len(), 4);
        let mut library = Library::parse(crate::liberty::library::tests::DEMO).unwrap();
        let made = settings(&library);
        assert_eq!((made.driver.as_str(), made.load_ff, made.tie_high.join(" ")), ("BUF", 4.0, "TIE1 Y".into()));
        // 50 delays of 20 + 4 ps.
        assert_eq!(made.period_ps, 1200);
        library.name = "NangateOpenCellLibrary".into();
        assert_eq!(settings(&library).driver, "BUF_X1");
    }
}
