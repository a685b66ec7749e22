//! What a cell does: its values for every index of its pins, and what its transitions cost.

use crate::energy::netlist::Net;
use crate::energy::power::{Internal, PowerLibrary};
use crate::liberty::{Cell, Function};

/// Pins of a cell as bits of an index: inputs first, then outputs.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) inputs: Vec<String>,
    /// Of each output: its value for every index of inputs (and, in a flip-flop, the state as the next bit).
    pub(super) outputs: Vec<(String, Vec<bool>)>,
    /// Next state for every index of inputs and state, and the clock pin's place; for flip-flops.
    pub(super) next: Option<(Vec<bool>, usize)>,
    pub(super) internal: Vec<Event>,
    pub(super) leakage_nw: f64,
    pub(super) area: f64,
}

/// An internal energy of a pin.
#[derive(Debug)]
pub(super) struct Event {
    /// Place among inputs, then outputs.
    pub(super) pin: usize,
    /// Place of the related input, for outputs.
    pub(super) related: Option<usize>,
    /// Whether the condition holds, by index of inputs and outputs; `None`: always.
    pub(super) when: Option<Vec<bool>>,
    pub(super) of: Internal,
}

/// A cell of the netlist.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) kind: usize,
    pub(super) inputs: Vec<Net>,
    pub(super) outputs: Vec<Net>,
    /// Energies of each event's rising and falling transition.
    pub(super) events: Vec<[f64; 2]>,
    /// State of a flip-flop, and what it was in the cycle before.
    pub(super) state: bool,
    pub(super) state_before: bool,
}

/// The value of `function` for all values of `pins`.
pub(super) fn table(function: &Function, pins: &[&str]) -> Vec<bool> {
    let of = |index: usize| {
        function.eval(&|name: &str| pins.iter().position(|p| *p == name).is_some_and(|at| index >> at & 1 == 1))
    };
    (0..1usize << pins.len()).map(of).collect()
}

pub(super) fn kind(cell: &Cell, library: &PowerLibrary) -> Result<Kind, String> {
    let inputs: Vec<String> = cell.pins.iter().filter(|p| !p.is_output).map(|p| p.name.clone()).collect();
    let state = cell.state.as_ref();
    let names: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let with_state: Vec<&str> = names.iter().copied().chain(state.map(|s| s.names.0.as_str())).collect();
    let clock = match state {
        None => None,
        Some(s) if s.is_latch => return Err(format!("cell {} is a latch, which this cannot simulate", cell.name)),
        Some(s) => Some(match &s.clock {
            Function::Pin(pin) => pin.clone(),
            other => return Err(format!("cell {} is clocked by {other}: only rising edges of a pin", cell.name)),
        }),
    };
    let mut outputs = Vec::new();
    for pin in cell.pins.iter().filter(|p| p.is_output) {
        let function =
            pin.function.as_ref().ok_or_else(|| format!("cell {}: {} has no function", cell.name, pin.name))?;
        let mut values = table(function, &with_state);
        if let Some(s) = state {
            // The complement has a name of its own.
            let inverse = |index: usize| {
                let value = |name: &str| match name == s.names.1 {
                    true => index >> names.len() & 1 == 0,
                    false => with_state.iter().position(|p| *p == name).is_some_and(|at| index >> at & 1 == 1),
                };
                function.eval(&value)
            };
            values = (0..values.len()).map(inverse).collect();
        }
        outputs.push((pin.name.clone(), values));
    }
    let next = match (state, &clock) {
        (Some(s), Some(clock)) => {
            let place = inputs.iter().position(|p| p == clock).ok_or("a clock pin is missing")?;
            Some((table(&s.next, &with_state), place))
        }
        _ => None,
    };
    let power = library.cells.get(&cell.name).cloned().unwrap_or_default();
    let all: Vec<&str> = names.iter().copied().chain(outputs.iter().map(|(name, _)| name.as_str())).collect();
    let mut internal = Vec::new();
    for (pin, list) in &power.pins {
        let Some(place) = all.iter().position(|p| p == pin) else { continue };
        for of in list {
            let related = inputs.iter().position(|p| *p == of.related);
            let when = of.when.as_ref().map(|f| table(f, &all));
            internal.push(Event { pin: place, related, when, of: of.clone() });
        }
    }
    Ok(Kind { inputs, outputs, next, internal, leakage_nw: power.leakage_nw, area: cell.area })
}
