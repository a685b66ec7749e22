//! Static timing of a cell netlist from the Liberty tables: one pass in the order of the logic.
//!
//! Ideal clock, inputs at time 0 behind a driving cell, a load at every output, the library's own wires without
//! resistance: what OpenSTA assumes, too. Rising and falling edges are kept apart; of several transitions at a gate the slowest goes on with each edge.

use std::collections::BTreeMap;

use crate::liberty::library::{ArcKind, Cell, Library, Pin};
use crate::netlist::{Bit, Module};

/// Surroundings of a netlist.
#[derive(Clone, Debug)]
pub struct Edge<'a> {
    /// Cell that drives the inputs: its output's name.
    pub driver: Option<(&'a Cell, &'a Pin)>,
    /// Load of each output in fF.
    pub load_ff: f64,
    /// Name of the clock port.
    pub clock: &'a str,
    /// Whether inputs come later by what their load slows the driving cell down, as OpenSTA has it.
    pub slows_inputs: bool,
}

/// The longest path to one end.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Net where it begins: the output of a register, or an input.
    pub start: String,
    /// Register's data net, or output.
    pub end: String,
    /// Cell in which it ends; empty for outputs.
    pub end_cell: String,
    /// Time it needs with the setup time, in ns.
    pub period_ns: f64,
    /// Gates on it.
    pub gates: usize,
    /// Nets on it, from its end to its start.
    pub nets: Vec<usize>,
}

/// Arrival of an edge at a net.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// Library units.
    time: f64,
    slew: f64,
    /// Net and edge that it came from.
    from: Option<(u32, u8)>,
}

struct Gate<'a> {
    name: &'a str,
    cell: &'a Cell,
    nets: BTreeMap<&'a str, usize>,
}

/// The longest path to every register and output, longest first.
///
/// Cells that the library does not have (memories) end and begin paths, without a time of their own.
///
/// # Errors
/// A combinational loop: the name of a cell in it.
pub fn paths(module: &Module, library: &Library, edge: &Edge<'_>) -> Result<Vec<Path>, String> {
    let nets = module.nets();
    let mut gates = Vec::new();
    let mut load = vec![0.0; nets];
    let mut fanout = vec![0usize; nets];
    let mut arrivals: Vec<[Option<Arrival>; 2]> = vec![[None; 2]; nets];
    let mut driven = vec![false; nets];
    let mut readers: Vec<Vec<u32>> = vec![Vec::new(); nets];
    let mut ends: Vec<(usize, Option<usize>, String)> = Vec::new();
    for (name, instance) in &module.cells {
        let Some(cell) = library.cells.get(&instance.kind) else {
            continue;
        };
        let mut gate = Gate { name, cell, nets: BTreeMap::new() };
        for pin in &cell.pins {
            if let Some(Bit::Net(net)) = instance.connections.get(&pin.name).and_then(|bits| bits.first()) {
                gate.nets.insert(&pin.name, *net);
                if pin.is_output {
                    driven[*net] = true;
                } else {
                    load[*net] += pin.cap_ff;
                    fanout[*net] += 1;
                }
            }
        }
        gates.push(gate);
    }
    for port in module.ports.values().filter(|port| port.direction == "output") {
        for bit in &port.bits {
            if let Bit::Net(net) = bit {
                load[*net] += edge.load_ff;
                fanout[*net] += 1;
            }
        }
    }
    if let Some(wire) = &library.wire {
        load.iter_mut().zip(&fanout).for_each(|(load, &pins)| *load += wire.load_ff(pins));
    }
    let scale = 1.0 / library.cap_ff;
    let start = |net: usize, driver: Option<(&Cell, &Pin)>, related: ArcKind| -> [Option<Arrival>; 2] {
        let mut found = [Some(Arrival { time: 0.0, slew: 0.0, from: None }); 2];
        let Some((_, pin)) = driver else { return found };
        for (side, slot) in found.iter_mut().enumerate() {
            let arcs = pin.arcs.iter().filter(|arc| match related {
                ArcKind::Launch => arc.kind == ArcKind::Launch,
                _ => matches!(arc.kind, ArcKind::Through { .. }),
            });
            let at = |arc: &crate::liberty::library::Arc| {
                let time = arc.delay[side].as_ref().map_or(0.0, |t| match related {
                    ArcKind::Launch => t.at(0.0, load[net] * scale),
                    _ if edge.slows_inputs => t.at(0.0, load[net] * scale) - t.at(0.0, 0.0),
                    // The driving cell gives the inputs their transition only; its own delay is not the design's.
                    _ => 0.0,
                });
                let slew = arc.slew[side].as_ref().map_or(0.0, |t| t.at(0.0, load[net] * scale));
                (time, slew)
            };
            let (time, slew) = arcs.map(at).fold((0.0, 0.0), |a: (f64, f64), b| (a.0.max(b.0), a.1.max(b.1)));
            *slot = Some(Arrival { time, slew, from: None });
        }
        found
    };
    for (name, port) in &module.ports {
        if port.direction != "output" && name != edge.clock {
            for bit in &port.bits {
                if let Bit::Net(net) = bit {
                    let through = ArcKind::Through { same: true, opposite: true };
                    arrivals[*net] = start(*net, edge.driver, through);
                }
            }
        }
    }
    let mut ready: Vec<u32> = Vec::new();
    let mut waiting = vec![0usize; gates.len()];
    for (index, gate) in gates.iter().enumerate() {
        let is_through =
            |pin: &&Pin| pin.is_output && pin.arcs.iter().any(|a| matches!(a.kind, ArcKind::Through { .. }));
        let mut related: Vec<usize> = Vec::new();
        for pin in &gate.cell.pins {
            if gate.cell.state.is_some() && pin.is_output {
                if let Some(&net) = gate.nets.get(pin.name.as_str()) {
                    arrivals[net] = start(net, Some((gate.cell, pin)), ArcKind::Launch);
                }
            } else if pin.arcs.iter().any(|arc| arc.kind == ArcKind::Setup)
                && let Some(&net) = gate.nets.get(pin.name.as_str())
            {
                ends.push((net, Some(index), pin.name.clone()));
            }
        }
        if gate.cell.state.is_none() {
            for pin in gate.cell.pins.iter().filter(is_through) {
                let named = pin.arcs.iter().filter_map(|arc| gate.nets.get(arc.related.as_str()));
                related.extend(named.copied().filter(|&net| driven[net]));
            }
            related.sort_unstable();
            related.dedup();
            // Nets of registers and inputs have their arrivals already.
            related.retain(|&net| arrivals[net][0].is_none());
            waiting[index] = related.len();
            for net in related {
                readers[net].push(index as u32);
            }
        }
    }
    // A register later in the list may have given a net its arrival after a reader was counted as waiting for it.
    for net in 0..nets {
        if arrivals[net][0].is_some() {
            for reader in std::mem::take(&mut readers[net]) {
                waiting[reader as usize] -= 1;
            }
        }
    }
    for (index, gate) in gates.iter().enumerate() {
        if gate.cell.state.is_none() && waiting[index] == 0 {
            ready.push(index as u32);
        }
    }
    let combinational = gates.iter().filter(|gate| gate.cell.state.is_none()).count();
    let mut done = 0;
    while let Some(index) = ready.pop() {
        done += 1;
        let gate = &gates[index as usize];
        for pin in gate.cell.pins.iter().filter(|pin| pin.is_output) {
            let Some(&net) = gate.nets.get(pin.name.as_str()) else { continue };
            let mut out: [Option<Arrival>; 2] = [None; 2];
            for arc in &pin.arcs {
                let ArcKind::Through { same, opposite } = arc.kind else { continue };
                let Some(&input) = gate.nets.get(arc.related.as_str()) else { continue };
                for side in 0..2usize {
                    for (is_possible, from) in [(same, side), (opposite, 1 - side)] {
                        let Some(arrival) = arrivals[input][from].filter(|_| is_possible) else { continue };
                        let Some(delay) = &arc.delay[side] else { continue };
                        let time = arrival.time + delay.at(arrival.slew, load[net] * scale);
                        let slew = arc.slew[side].as_ref().map_or(0.0, |t| t.at(arrival.slew, load[net] * scale));
                        let slot = &mut out[side];
                        let slowest = slot.map_or(slew, |s| s.slew.max(slew));
                        if slot.is_none_or(|s| time > s.time) {
                            *slot = Some(Arrival { time, slew, from: Some((input as u32, from as u8)) });
                        }
                        if let Some(slot) = slot {
                            slot.slew = slowest;
                        }
                    }
                }
            }
            arrivals[net] = out;
            for reader in std::mem::take(&mut readers[net]) {
                waiting[reader as usize] -= 1;
                if waiting[reader as usize] == 0 {
                    ready.push(reader);
                }
            }
        }
    }
    if done < combinational {
        let stuck = gates.iter().zip(&waiting).find(|(gate, waiting)| gate.cell.state.is_none() && **waiting > 0);
        return Err(format!("a combinational loop through {}", stuck.map_or("", |(gate, _)| gate.name)));
    }
    for (name, port) in module.ports.iter().filter(|(_, port)| port.direction == "output") {
        for (i, bit) in port.bits.iter().enumerate() {
            if let Bit::Net(net) = bit {
                let label = if port.bits.len() == 1 { name.clone() } else { format!("{name}[{i}]") };
                ends.push((*net, None, label));
            }
        }
    }
    let labels = module.net_labels();
    let mut found: Vec<Path> = ends
        .into_iter()
        .filter_map(|(net, gate, label)| {
            let mut worst: Option<(f64, usize)> = None;
            for side in 0..2 {
                let Some(arrival) = arrivals[net][side] else { continue };
                let setup = gate.map_or(0.0, |gate| setup(&gates[gate], &label, side, arrival.slew));
                if worst.is_none_or(|(time, _)| arrival.time + setup > time) {
                    worst = Some((arrival.time + setup, side));
                }
            }
            let (time, side) = worst?;
            let (mut at, mut side, mut nets) = (net, side, vec![net]);
            while let Some((from, from_side)) = arrivals[at][side].and_then(|arrival| arrival.from) {
                (at, side) = (from as usize, usize::from(from_side));
                nets.push(at);
            }
            let end_cell = gate.map_or(String::new(), |gate| gates[gate].name.to_string());
            let end = match gate {
                None => label,
                Some(gate) => register(&gates[gate], &labels).unwrap_or_else(|| end_cell.clone()),
            };
            let period_ns = time * library.time_ns;
            Some(Path { start: labels[at].clone(), end, end_cell, period_ns, gates: nets.len() - 1, nets })
        })
        .collect();
    found.sort_by(|a, b| b.period_ns.total_cmp(&a.period_ns).then_with(|| a.end.cmp(&b.end)));
    Ok(found)
}

/// Setup time of an edge at an input of a register, the clock's transition being 0.
fn setup(gate: &Gate<'_>, pin: &str, side: usize, slew: f64) -> f64 {
    let arcs = gate.cell.pin(pin).into_iter().flat_map(|pin| &pin.arcs).filter(|arc| arc.kind == ArcKind::Setup);
    arcs.filter_map(|arc| arc.delay[side].as_ref()).map(|table| table.at(slew, 0.0)).fold(0.0, f64::max)
}

/// The net that a register drives.
fn register(gate: &Gate<'_>, labels: &[String]) -> Option<String> {
    let outputs = gate.cell.pins.iter().filter(|pin| pin.is_output);
    let named = outputs.filter_map(|pin| gate.nets.get(pin.name.as_str())).map(|&net| labels[net].clone());
    named.filter(|name| !name.is_empty()).min_by_key(|name| crate::netlist::is_made_up(name))
}

#[cfg(test)]
mod tests;
