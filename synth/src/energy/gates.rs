//! Zero-delay simulation of a mapped netlist with the energies of its cells: each settled value once a cycle, so glitches
//! are out; wires between cells have no capacitance, and there is no clock tree.

use std::collections::BTreeMap;

use super::netlist::{Net, Netlist, ZERO};
use super::power::{Internal, PowerLibrary};
use crate::liberty::{Cell, Function};

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

/// Pins of a cell as bits of an index: inputs first, then outputs.
#[derive(Debug)]
struct Kind {
    inputs: Vec<String>,
    /// Of each output: its value for every index of inputs (and, in a flip-flop, the state as the next bit).
    outputs: Vec<(String, Vec<bool>)>,
    /// Next state for every index of inputs and state, and the clock pin's place; for flip-flops.
    next: Option<(Vec<bool>, usize)>,
    internal: Vec<Event>,
    leakage_nw: f64,
    area: f64,
}

/// An internal energy of a pin.
#[derive(Debug)]
struct Event {
    /// Place among inputs, then outputs.
    pin: usize,
    /// Place of the related input, for outputs.
    related: Option<usize>,
    /// Whether the condition holds, by index of inputs and outputs; `None`: always.
    when: Option<Vec<bool>>,
    of: Internal,
}

#[derive(Debug)]
struct Gate {
    kind: usize,
    inputs: Vec<Net>,
    outputs: Vec<Net>,
    /// Energies of each event's rising and falling transition.
    events: Vec<[f64; 2]>,
    /// State of a flip-flop, and what it was in the cycle before.
    state: bool,
    state_before: bool,
}

/// A netlist ready to run.
#[derive(Debug)]
pub struct GateSim {
    kinds: Vec<Kind>,
    /// Combinational cells in order of evaluation.
    logic: Vec<Gate>,
    flops: Vec<Gate>,
    values: Vec<bool>,
    before: Vec<bool>,
    /// Energy of one flip of a net.
    net_pj: Vec<f64>,
    clocks: Vec<Net>,
    inputs: BTreeMap<String, Vec<Net>>,
    cycles: u64,
    energy: GateEnergy,
}

/// The value of `function` for all values of `pins`.
fn table(function: &Function, pins: &[&str]) -> Vec<bool> {
    let of = |index: usize| {
        function.eval(&|name: &str| pins.iter().position(|p| *p == name).is_some_and(|at| index >> at & 1 == 1))
    };
    (0..1usize << pins.len()).map(of).collect()
}

fn kind(cell: &Cell, library: &PowerLibrary) -> Result<Kind, String> {
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

impl GateSim {
    /// Prepares a netlist of cells of `library`; transitions at all pins take `slew_ns`.
    ///
    /// # Errors
    /// A cell that the library does not have or that cannot be simulated; a combinational loop.
    pub fn new(netlist: &Netlist, library: &PowerLibrary, slew_ns: f64) -> Result<Self, String> {
        let mut kinds: Vec<Kind> = Vec::new();
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        let mut caps = vec![0.0; netlist.nets];
        let (mut logic, mut flops) = (Vec::new(), Vec::new());
        let mut energy = GateEnergy::default();
        for instance in &netlist.cells {
            let name = instance.cell.as_str();
            let cell = library.library.cells.get(name).ok_or_else(|| format!("the library has no cell {name}"))?;
            let number = match known.get(name) {
                Some(number) => *number,
                None => {
                    kinds.push(kind(cell, library)?);
                    known.insert(name, kinds.len() - 1);
                    kinds.len() - 1
                }
            };
            let of = &kinds[number];
            let net = |pin: &String| instance.pins.get(pin).copied().unwrap_or(ZERO);
            let inputs: Vec<Net> = of.inputs.iter().map(net).collect();
            for (pin, net) in of.inputs.iter().zip(&inputs) {
                caps[*net as usize] += cell.pin(pin).map_or(0.0, |p| p.cap_ff);
            }
            // An output that nothing uses has a net of its own in the netlist or none at all.
            let outputs =
                of.outputs.iter().map(|(pin, _)| instance.pins.get(pin).copied().unwrap_or(Net::MAX)).collect();
            energy.leakage_nw += of.leakage_nw;
            let gate = Gate { kind: number, inputs, outputs, events: Vec::new(), state: false, state_before: false };
            if of.next.is_some() {
                energy.register_um2 += of.area;
                energy.registers += 1;
                flops.push(gate);
            } else {
                energy.logic_um2 += of.area;
                logic.push(gate);
            }
        }
        let slew = slew_ns / library.library.time_ns;
        for gate in logic.iter_mut().chain(&mut flops) {
            let of = &kinds[gate.kind];
            gate.events = of
                .internal
                .iter()
                .map(|event| {
                    let load_ff = match event.pin.checked_sub(of.inputs.len()) {
                        Some(out) if gate.outputs[out] != Net::MAX => caps[gate.outputs[out] as usize],
                        _ => 0.0,
                    };
                    let at = |t: &Option<crate::liberty::Table>| {
                        t.as_ref().map_or(0.0, |t| t.at(slew, load_ff / library.library.cap_ff) * library.energy_pj)
                    };
                    [at(&event.of.fall), at(&event.of.rise)]
                })
                .collect();
        }
        let logic = order(logic, netlist.nets)?;
        let mut clocks: Vec<Net> =
            flops.iter().map(|f| f.inputs[kinds[f.kind].next.as_ref().map_or(0, |n| n.1)]).collect();
        clocks.sort_unstable();
        clocks.dedup();
        let net_pj = caps.iter().map(|cap| library.switching_pj(*cap)).collect();
        let mut values = vec![false; netlist.nets];
        values[1] = true;
        Ok(Self {
            kinds,
            logic,
            flops,
            before: values.clone(),
            values,
            net_pj,
            clocks,
            inputs: netlist.inputs.iter().cloned().collect(),
            cycles: 0,
            energy,
        })
    }

    /// Sets an input port from limbs, lowest first.
    pub fn set(&mut self, port: &str, value: &[u64]) {
        for (i, net) in self.inputs.get(port).into_iter().flatten().enumerate() {
            self.values[*net as usize] = value.get(i / 64).is_some_and(|limb| limb >> (i % 64) & 1 == 1);
        }
    }

    /// The value of nets, lowest bit first, as of the last [`Self::cycle`], before its clock edge.
    pub fn get(&self, nets: &[Net]) -> u64 {
        nets.iter().enumerate().fold(0, |value, (i, net)| value | u64::from(self.before[*net as usize]) << i)
    }

    /// A clock cycle: settles, counts what differs from the cycle before (nothing in the first), and the clock edge.
    pub fn cycle(&mut self) {
        for gate in &self.logic {
            let kind = &self.kinds[gate.kind];
            let index = index(&gate.inputs, &self.values);
            for ((_, values), net) in kind.outputs.iter().zip(&gate.outputs) {
                if let Some(value) = self.values.get_mut(*net as usize) {
                    *value = values[index];
                }
            }
        }
        if self.cycles > 0 {
            self.count();
        }
        self.cycles += 1;
        self.before.copy_from_slice(&self.values);
        self.edge();
    }

    /// Energy of what changed since the last cycle, the clock's two edges in it.
    fn count(&mut self) {
        self.energy.cycles += 1;
        for (net, (now, before)) in self.values.iter().zip(&self.before).enumerate() {
            if now != before {
                self.energy.switching_pj += self.net_pj[net];
                self.energy.net_toggles += 1;
            }
        }
        for gate in &self.logic {
            let kind = &self.kinds[gate.kind];
            let of = |values: &[bool]| pins(kind, index(&gate.inputs, values));
            let (now, then) = (of(&self.values), of(&self.before));
            if now != then {
                self.energy.internal_pj += events(kind, gate, now, then);
            }
        }
        for gate in &mut self.flops {
            let kind = &self.kinds[gate.kind];
            let clock = 1 << kind.next.as_ref().map_or(0, |n| n.1);
            let of = |values: &[bool], state: bool| {
                pins(kind, index(&gate.inputs, values) & !clock | usize::from(state) << gate.inputs.len())
            };
            let (now, then) = (of(&self.values, gate.state), of(&self.before, gate.state_before));
            gate.state_before = gate.state;
            let outputs_mask = usize::MAX << kind.inputs.len();
            // The rising edge: outputs change, other inputs are those that were captured.
            let captured = then & !outputs_mask;
            let launched = (now & outputs_mask) | captured;
            self.energy.registers_pj += outputs_of(kind, gate, launched | clock, then | clock);
            self.energy.clock_pj += pin_event(kind, gate, kind.next.as_ref().map_or(0, |n| n.1), then | clock, true);
            // Then the inputs change, half of the cells with the clock still high; then it falls.
            let moved = inputs_of(kind, gate, now | clock, launched | clock) + inputs_of(kind, gate, now, launched);
            self.energy.registers_pj += moved / 2.0;
            self.energy.clock_pj += pin_event(kind, gate, kind.next.as_ref().map_or(0, |n| n.1), now, false);
            if (now ^ then) & outputs_mask != 0 {
                self.energy.register_toggles += 1;
            }
        }
        for clock in &self.clocks {
            self.energy.clock_pj += 2.0 * self.net_pj[*clock as usize];
        }
    }

    fn edge(&mut self) {
        for gate in &mut self.flops {
            if let Some((next, _)) = &self.kinds[gate.kind].next {
                let index = index(&gate.inputs, &self.values) | usize::from(gate.state) << gate.inputs.len();
                gate.state = next[index];
            }
        }
        self.drive_states();
    }

    fn drive_states(&mut self) {
        for gate in &self.flops {
            let index = index(&gate.inputs, &self.values) | usize::from(gate.state) << gate.inputs.len();
            for ((_, values), net) in self.kinds[gate.kind].outputs.iter().zip(&gate.outputs) {
                if let Some(value) = self.values.get_mut(*net as usize) {
                    *value = values[index];
                }
            }
        }
    }

    /// What was counted so far.
    pub fn energy(&self) -> GateEnergy {
        self.energy
    }
}

#[inline]
fn index(nets: &[Net], values: &[bool]) -> usize {
    nets.iter().enumerate().fold(0, |index, (i, net)| index | usize::from(values[*net as usize]) << i)
}

/// Inputs and outputs of a cell as an index, from its inputs and state.
#[inline]
fn pins(kind: &Kind, index: usize) -> usize {
    let n = kind.inputs.len();
    let inputs = index & !(usize::MAX << n);
    kind.outputs.iter().enumerate().fold(inputs, |pins, (i, (_, values))| pins | usize::from(values[index]) << (n + i))
}

/// Energy of one pin's transition under the conditions that hold.
fn pin_event(kind: &Kind, gate: &Gate, pin: usize, state: usize, rises: bool) -> f64 {
    let events = kind.internal.iter().zip(&gate.events).filter(|(e, _)| e.pin == pin);
    let holds = |e: &Event| e.when.as_ref().is_none_or(|w| w[state]);
    events.filter(|(e, _)| holds(e)).map(|(_, pj)| pj[usize::from(rises)]).sum()
}

/// Energy of the inputs' transitions.
fn inputs_of(kind: &Kind, gate: &Gate, now: usize, then: usize) -> f64 {
    let changed = now ^ then;
    let inputs = (0..kind.inputs.len()).filter(|pin| changed >> pin & 1 == 1);
    inputs.map(|pin| pin_event(kind, gate, pin, now, now >> pin & 1 == 1)).sum()
}

/// Energy of the outputs' transitions: the mean over the related inputs that changed and the conditions that hold.
fn outputs_of(kind: &Kind, gate: &Gate, now: usize, then: usize) -> f64 {
    let (changed, n) = (now ^ then, kind.inputs.len());
    let mut sum = 0.0;
    for out in (0..kind.outputs.len()).filter(|out| changed >> (n + out) & 1 == 1) {
        let rises = usize::from(now >> (n + out) & 1 == 1);
        let mut best = [(0.0, 0.0f64); 3];
        for (event, pj) in kind.internal.iter().zip(&gate.events).filter(|(e, _)| e.pin == n + out) {
            let holds = event.when.as_ref().is_none_or(|w| w[now] || w[then]);
            let moved = event.related.is_none_or(|pin| changed >> pin & 1 == 1);
            let rank = if holds && moved {
                0
            } else if moved {
                1
            } else {
                2
            };
            best[rank].0 += 1.0;
            best[rank].1 += pj[rises];
        }
        sum += best.iter().find(|(count, _)| *count > 0.0).map_or(0.0, |(count, total)| total / count);
    }
    sum
}

fn events(kind: &Kind, gate: &Gate, now: usize, then: usize) -> f64 {
    inputs_of(kind, gate, now, then) + outputs_of(kind, gate, now, then)
}

/// Cells so that each comes after those that drive it.
fn order(gates: Vec<Gate>, nets: usize) -> Result<Vec<Gate>, String> {
    let mut driver = vec![usize::MAX; nets];
    for (i, gate) in gates.iter().enumerate() {
        for net in gate.outputs.iter().filter(|net| **net != Net::MAX) {
            driver[*net as usize] = i;
        }
    }
    let mut level = vec![0u32; gates.len()];
    let mut waits: Vec<u32> = vec![0; gates.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); gates.len()];
    for (i, gate) in gates.iter().enumerate() {
        for net in &gate.inputs {
            if let Some(from) = Some(driver[*net as usize]).filter(|d| *d != usize::MAX) {
                readers[from].push(i);
                waits[i] += 1;
            }
        }
    }
    let mut ready: Vec<usize> = (0..gates.len()).filter(|i| waits[*i] == 0).collect();
    let mut done = 0;
    while let Some(i) = ready.pop() {
        done += 1;
        for r in readers[i].clone() {
            level[r] = level[r].max(level[i] + 1);
            waits[r] -= 1;
            if waits[r] == 0 {
                ready.push(r);
            }
        }
    }
    if done < gates.len() {
        return Err(format!("{} cells are in a combinational loop", gates.len() - done));
    }
    let mut numbered: Vec<(u32, usize, Gate)> = gates.into_iter().enumerate().map(|(i, g)| (level[i], i, g)).collect();
    numbered.sort_by_key(|(level, i, _)| (*level, *i));
    Ok(numbered.into_iter().map(|(_, _, gate)| gate).collect())
}
