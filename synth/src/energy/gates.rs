//! Zero-delay simulation of a mapped netlist with the energies of its cells: each settled value once a cycle, so glitches
//! are out; wires between cells have no capacitance, and there is no clock tree.

mod kind;
mod order;
mod total;
mod transitions;

use std::collections::BTreeMap;

use self::kind::{Gate, Kind, kind};
use self::order::order;
pub use self::total::GateEnergy;
use self::transitions::{events, index, inputs_of, outputs_of, pin_event, pins};
use super::netlist::{Net, Netlist, ZERO};
use super::power::PowerLibrary;

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
