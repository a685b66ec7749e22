//! The cells of a library: area, pins, functions, timing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::function::Function;
use super::table::{Table, Template, Templates};
use super::tree::{self, Group};
use crate::error::Error;

/// A cell library; times in ns, capacitances in fF, areas as the library has them (µm²).
#[derive(Clone, Debug)]
pub struct Library {
    /// Its own name.
    pub name: String,
    /// Cells by name.
    pub cells: BTreeMap<String, Cell>,
    /// Nanoseconds of the library's unit of time.
    pub time_ns: f64,
    /// Femtofarads of the library's unit of capacitance.
    pub cap_ff: f64,
    /// The wires that the library assumes unless told otherwise.
    pub wire: Option<Wire>,
}

/// Capacitance of a wire by the number of pins that it leads to (`wire_load`).
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    /// fF of a unit of length.
    cap_ff: f64,
    /// Length for each further pin beyond the last entry.
    slope: f64,
    /// Pins and length, ascending.
    lengths: Vec<(f64, f64)>,
}

impl Wire {
    fn read(library: &Group<'_>, cap_ff: f64) -> Option<Self> {
        let name = library.text("default_wire_load")?;
        let group = library.all("wire_load").find(|group| group.name() == name)?;
        let entries = group.attributes.iter().filter(|(name, _)| *name == "fanout_length");
        let pair =
            |values: &Vec<&str>| Some((values.first()?.trim().parse().ok()?, values.get(1)?.trim().parse().ok()?));
        let mut lengths: Vec<(f64, f64)> = entries.filter_map(|(_, values)| pair(values)).collect();
        lengths.sort_by(|a, b| a.0.total_cmp(&b.0));
        let cap_ff = group.number("capacitance")? * cap_ff;
        Some(Self { cap_ff, slope: group.number("slope").unwrap_or(0.0), lengths })
    }

    /// Capacitance in fF of the wire to that many pins: between entries linearly, below the first entry that one's.
    pub fn load_ff(&self, pins: usize) -> f64 {
        let pins = pins as f64;
        let after = self.lengths.iter().position(|(fanout, _)| *fanout >= pins);
        let length = match (after, self.lengths.last()) {
            (Some(0), _) => self.lengths[0].1,
            (Some(i), _) => {
                let ((a, low), (b, high)) = (self.lengths[i - 1], self.lengths[i]);
                low + (high - low) * (pins - a) / (b - a)
            }
            (None, Some((last, length))) => length + self.slope * (pins - last),
            (None, None) => self.slope * pins,
        };
        length * self.cap_ff
    }
}

/// A cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Name.
    pub name: String,
    /// Area in µm².
    pub area: f64,
    /// Pins in order, without supplies.
    pub pins: Vec<Pin>,
    /// What it stores.
    pub state: Option<Sequential>,
}

/// The flip-flop or latch in a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequential {
    /// Whether it is a latch.
    pub is_latch: bool,
    /// Name of the state and of its complement in the pins' functions.
    pub names: (String, String),
    /// When the state is taken: a rising edge of this (flip-flop), or while it holds (latch).
    pub clock: Function,
    /// The state that is taken.
    pub next: Function,
    /// Asynchronous clear.
    pub clear: Option<Function>,
    /// Asynchronous preset.
    pub preset: Option<Function>,
}

/// A pin.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Name.
    pub name: String,
    /// Whether it is an output.
    pub is_output: bool,
    /// Input capacitance in fF.
    pub cap_ff: f64,
    /// An output's function.
    pub function: Option<Function>,
    /// Timing arcs that end here.
    pub arcs: Vec<Arc>,
}

/// What an arc says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArcKind {
    /// Output follows input: with the same edge, with the other one.
    Through {
        /// The output rises when the input rises, or may.
        same: bool,
        /// The output rises when the input falls, or may.
        opposite: bool,
    },
    /// Output follows a clock's edge.
    Launch,
    /// Input must be stable before a clock's edge.
    Setup,
}

/// A timing arc.
#[derive(Clone, Debug)]
pub struct Arc {
    /// Where it begins.
    pub related: String,
    /// What it says.
    pub kind: ArcKind,
    /// Delay (or setup time) of the pin's rising and falling edge, in the library's unit.
    pub delay: [Option<Table>; 2],
    /// Transition of the output's rising and falling edge, in the library's unit.
    pub slew: [Option<Table>; 2],
}

impl Library {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Liberty`] for what is not a Liberty file or has no cells.
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
        let root = tree::parse(text)?;
        let time_ns = root.text("time_unit").map_or(Some(1.0), time_unit).ok_or("time_unit is not understood")?;
        let cap = root.values("capacitive_load_unit").unwrap_or(&["1", "pf"]);
        let cap_ff = cap_unit(cap).ok_or("capacitive_load_unit is not understood")?;
        let templates = Template::all(&root);
        let mut cells = BTreeMap::new();
        for group in root.all("cell") {
            let cell = cell(group, &templates, cap_ff).map_err(|e| format!("cell {}: {e}", group.name()))?;
            cells.insert(cell.name.clone(), cell);
        }
        if cells.is_empty() {
            return Err("the library has no cells".to_string());
        }
        let wire = Wire::read(&root, cap_ff);
        Ok(Self { name: root.name().to_string(), cells, time_ns, cap_ff, wire })
    }

    /// Area of the smallest two-input NAND; 0 if there is none.
    pub fn nand_area(&self) -> f64 {
        let is_nand = |function: &Function, cell: &Cell| {
            let inputs: Vec<&str> =
                cell.pins.iter().filter(|pin| !pin.is_output).map(|pin| pin.name.as_str()).collect();
            let value = |a: bool, b: bool| function.eval(&|name: &str| if name == inputs[0] { a } else { b });
            inputs.len() == 2 && !value(true, true) && value(true, false) && value(false, true) && value(false, false)
        };
        self.smallest(is_nand).map_or(0.0, |(cell, _)| cell.area)
    }

    /// Cells of one output, smallest area first, whose function is `wanted` of its one input (constants have none).
    pub fn smallest(&self, wanted: impl Fn(&Function, &Cell) -> bool) -> Option<(&Cell, &Pin)> {
        let fits = |cell: &'_ &Cell| {
            let mut outputs = cell.pins.iter().filter(|pin| pin.is_output);
            let only = outputs.next().filter(|_| outputs.next().is_none() && cell.state.is_none());
            only.and_then(|pin| pin.function.as_ref()).is_some_and(|function| wanted(function, cell))
        };
        let cell = self.cells.values().filter(fits).min_by(|a, b| a.area.total_cmp(&b.area))?;
        cell.pins.iter().find(|pin| pin.is_output).map(|pin| (cell, pin))
    }
}

impl Cell {
    /// The pin of that name.
    pub fn pin(&self, name: &str) -> Option<&Pin> {
        self.pins.iter().find(|pin| pin.name == name)
    }
}

fn time_unit(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[digits..] {
        "ns" => 1.0,
        "ps" => 1e-3,
        "fs" => 1e-6,
        "us" => 1e3,
        _ => return None,
    };
    text[..digits].trim().parse::<f64>().ok().map(|count| count * factor)
}

fn cap_unit(values: &[&str]) -> Option<f64> {
    let [count, unit] = values else { return None };
    let factor = match unit.to_ascii_lowercase().as_str() {
        "ff" => 1.0,
        "pf" => 1e3,
        _ => return None,
    };
    count.trim().parse::<f64>().ok().map(|count| count * factor)
}

fn cell(group: &Group<'_>, templates: &Templates, cap_ff: f64) -> Result<Cell, String> {
    // A pin in several arcs' `when` has as many groups; buses do not occur in cells that yosys maps to.
    let pins = group.all("pin").map(|pin| read_pin(pin, templates, cap_ff)).collect::<Result<_, _>>()?;
    let state = group.groups.iter().find(|inner| matches!(inner.kind, "ff" | "latch")).map(sequential).transpose()?;
    Ok(Cell { name: group.name().to_string(), area: group.number("area").unwrap_or(0.0), pins, state })
}

fn sequential(group: &Group<'_>) -> Result<Sequential, String> {
    let is_latch = group.kind == "latch";
    let (clock, next) = if is_latch { ("enable", "data_in") } else { ("clocked_on", "next_state") };
    let function = |name: &str| group.text(name).map(Function::parse).transpose();
    let wanted = |name: &str| function(name)?.ok_or_else(|| format!("{} without {name}", group.kind));
    let name = |i: usize| group.names.get(i).copied().unwrap_or_default().to_string();
    // Latches that only set and reset have neither; their outputs follow clear and preset.
    let or_zero =
        |name: &str| if is_latch { Ok(function(name)?.unwrap_or(Function::Constant(false))) } else { wanted(name) };
    Ok(Sequential {
        is_latch,
        names: (name(0), name(1)),
        clock: or_zero(clock)?,
        next: or_zero(next)?,
        clear: function("clear")?,
        preset: function("preset")?,
    })
}

fn read_pin(group: &Group<'_>, templates: &Templates, cap_ff: f64) -> Result<Pin, String> {
    let mut arcs = Vec::new();
    for timing in group.all("timing") {
        let kind = match timing.text("timing_type").unwrap_or("combinational") {
            "combinational" | "combinational_rise" | "combinational_fall" => match timing.text("timing_sense") {
                Some("positive_unate") => ArcKind::Through { same: true, opposite: false },
                Some("negative_unate") => ArcKind::Through { same: false, opposite: true },
                _ => ArcKind::Through { same: true, opposite: true },
            },
            "rising_edge" | "falling_edge" => ArcKind::Launch,
            "setup_rising" | "setup_falling" => ArcKind::Setup,
            _ => continue,
        };
        let table =
            |name: &'static str| timing.groups.iter().find(|g| g.kind == name).and_then(|g| Table::read(g, templates));
        let (delay, slew) = match kind {
            ArcKind::Setup => (["rise_constraint", "fall_constraint"].map(table), [None, None]),
            _ => (["cell_rise", "cell_fall"].map(table), ["rise_transition", "fall_transition"].map(table)),
        };
        for related in timing.text("related_pin").unwrap_or_default().split_whitespace() {
            arcs.push(Arc { related: related.to_string(), kind, delay: delay.clone(), slew: slew.clone() });
        }
    }
    Ok(Pin {
        name: group.name().to_string(),
        is_output: group.text("direction") == Some("output"),
        cap_ff: group.number("capacitance").unwrap_or(0.0) * cap_ff,
        // Functions of three-state and statetable pins that cannot be read leave the pin without one.
        function: group.text("function").map(Function::parse).transpose()?,
        arcs,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A library of an inverter, a NAND, a buffer, constants and a flip-flop with simple numbers.
    pub const DEMO: &str = include_str!("../../tests/demo.lib");

    #[test]
    fn the_demo_library_is_read() {
        let library = Library::parse(DEMO).unwrap();
        assert_eq!((library.name.as_str(), library.cells.len()), ("demo", 6));
        assert_eq!((library.time_ns, library.cap_ff), (1e-3, 1.0));
        let nand = &library.cells["NAND2"];
        assert_eq!((nand.area, nand.pins.len(), nand.pin("A").unwrap().cap_ff), (2.0, 3, 1.0));
        let output = nand.pin("Y").unwrap();
        assert_eq!((output.arcs.len(), output.arcs[1].related.as_str()), (2, "B"));
        assert_eq!(output.arcs[0].kind, ArcKind::Through { same: false, opposite: true });
        let flop = library.cells["DFF"].state.as_ref().unwrap();
        assert_eq!((flop.clock.to_string(), flop.next.to_string(), flop.is_latch), ("CK".into(), "D".into(), false));
        let setup = &library.cells["DFF"].pin("D").unwrap().arcs[0];
        assert_eq!((setup.kind, setup.delay[0].as_ref().unwrap().at(0.0, 0.0)), (ArcKind::Setup, 30.0));
        let (buffer, pin) = library.smallest(|f, _| matches!(f, Function::Pin(_))).unwrap();
        assert_eq!((buffer.name.as_str(), pin.name.as_str()), ("BUF", "Y"));
        let one = library.smallest(|f, _| *f == Function::Constant(true)).unwrap().0;
        assert_eq!(one.name, "TIE1");
    }

    #[test]
    fn wires_grow_with_their_pins() {
        let text = "library (x) { capacitive_load_unit (1, pf); default_wire_load : \"w\"; wire_load (\"w\") {
            capacitance : 0.002; slope : 3; fanout_length (1, 1); fanout_length (2, 2); fanout_length (4, 8); }
            cell (A) { area : 1; } }";
        let wire = Library::parse(text).unwrap().wire.unwrap();
        for (pins, load) in [(0, 2.0), (1, 2.0), (2, 4.0), (3, 10.0), (4, 16.0), (6, 28.0)] {
            assert!((wire.load_ff(pins) - load).abs() < 1e-9, "{pins}: {}", wire.load_ff(pins));
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, problem) in [
            ("library (x) { }", "no cells"),
            ("library (x) { time_unit : \"1 week\"; cell (A) { area : 1; } }", "time_unit"),
            ("library (x) { cell (A) { pin (Y) { function : \"A &\"; } } }", "cell A"),
        ] {
            assert!(Library::parse(text).unwrap_err().contains(problem), "{text}");
        }
    }
}
