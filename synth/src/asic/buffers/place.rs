//! Puts buffers and stronger drivers into modules, those without modules below first.

use std::collections::{BTreeMap, BTreeSet};

use super::drive::{Choice, Drives, Level, Load};
use super::view::{Driver, Face, Sink, View};
use crate::liberty::Library;
use crate::netlist::{Bit, Cell, Module, Netlist};

/// Surroundings of a round.
pub struct Round<'a> {
    /// Cells.
    pub library: &'a Library,
    /// Those that drive.
    pub drives: &'a Drives<'a>,
    /// Name of the top.
    pub top: &'a str,
    /// Load of its outputs.
    pub output: Load,
    /// Gain in ns below which nothing is changed.
    pub least_ns: f64,
}

impl Round<'_> {
    /// Bounds the loads of these nets; returns how many nets it changed.
    pub fn run(&self, netlist: &mut Netlist, nets: &BTreeMap<String, BTreeSet<usize>>) -> usize {
        let mut order = Vec::new();
        upwards(netlist, self.top, &mut order);
        let mut faces: BTreeMap<String, Face> = BTreeMap::new();
        let mut changes = 0;
        for name in order {
            let mut view = View::new(&netlist.modules[&name], self.library, &faces);
            let before = changes;
            for &net in nets.get(&name).into_iter().flatten() {
                changes += usize::from(self.net(netlist, &name, &mut view, net));
            }
            if changes > before {
                view = View::new(&netlist.modules[&name], self.library, &faces);
            }
            let face = view.face(&name);
            faces.insert(name, face);
        }
        changes
    }

    /// Does what a net of a module gains by; returns whether it changed something.
    fn net(&self, netlist: &mut Netlist, name: &str, view: &mut View, net: usize) -> bool {
        let is_top = name == self.top;
        let output = if is_top { self.output } else { Load::default() };
        let mut moves = Load::default();
        view.nodes[net].sinks.iter().for_each(|sink| moves += view.sink_load(sink, output));
        let sinks = view.nodes[net].sinks.len();
        let source = view.source(net);
        let all = view.load(source, output);
        let mut stays = Load { ff: (all.ff - moves.ff).max(0.0), pins: all.pins.saturating_sub(moves.pins) };
        let (module, cell, pin) = match view.nodes[source].driver.clone() {
            Driver::Input(_) if is_top => {
                let Some(driver) = self.drives.edge() else { return false };
                let (choice, gain) = self.drives.choose(driver, false, stays, moves, sinks);
                return gain >= self.least_ns && self.plant(netlist, name, view, net, &choice.levels);
            }
            // Its driver is not known here and sees one buffer's load at most.
            Driver::Input(_) if source == net => {
                let levels = self.drives.bounded(moves, sinks);
                return self.plant(netlist, name, view, net, &levels);
            }
            Driver::Cell(cell, pin) => (name.to_string(), cell, pin),
            Driver::Below(module, cell, pin, load) => {
                stays += load;
                (module, cell, pin)
            }
            _ => return false,
        };
        let kind =
            netlist.modules.get(&module).and_then(|module| module.cells.get(&cell)).map(|cell| cell.kind.clone());
        let Some(driver) = kind.and_then(|kind| self.drives.stage(&kind, &pin)) else { return false };
        let (Choice { cell: stronger, levels }, gain) = self.drives.choose(driver, true, stays, moves, sinks);
        if gain < self.least_ns {
            return false;
        }
        if let (Some(kind), Some(module)) = (&stronger, netlist.modules.get_mut(&module))
            && let Some(cell) = module.cells.get_mut(&cell)
        {
            cell.kind.clone_from(kind);
        }
        self.plant(netlist, name, view, net, &levels) || stronger.is_some()
    }

    /// Puts buffers between a net and its sinks.
    fn plant(&self, netlist: &mut Netlist, name: &str, view: &mut View, net: usize, levels: &[Level]) -> bool {
        let Some(module) = netlist.modules.get_mut(name) else { return false };
        if levels.is_empty() {
            return false;
        }
        let mut sinks = std::mem::take(&mut view.nodes[net].sinks);
        for level in levels {
            let stage = self.drives.buffers[level.buffer];
            let mut above = Vec::new();
            for group in groups(sinks, level.groups, view) {
                let made = view.nodes.len();
                view.nodes.push(super::view::Node::default());
                let cell = add(module, &stage.cell.name, (&stage.input().name, net), (&stage.output.name, made));
                for sink in &group {
                    let bits = module.cells.get_mut(&sink.cell).and_then(|c| c.connections.get_mut(&sink.port.0));
                    if let Some(bit) = bits.and_then(|bits| bits.get_mut(sink.port.1)) {
                        *bit = Bit::Net(made);
                    }
                    for &next in &sink.leads_to {
                        view.nodes[next].driver = Driver::Net(made);
                    }
                }
                let load = Load { ff: stage.input().cap_ff, pins: 1 };
                let port = (stage.input().name.clone(), 0);
                view.nodes[made].driver = Driver::Cell(cell.clone(), stage.output.name.clone());
                view.nodes[made].sinks = group;
                above.push(Sink { cell, port, load, leads_to: Vec::new() });
            }
            sinks = above;
        }
        view.nodes[net].sinks = sinks;
        true
    }
}

/// Modules with a body under one, each after those in it.
fn upwards(netlist: &Netlist, name: &str, order: &mut Vec<String>) {
    let Some(module) = netlist.modules.get(name).filter(|module| !module.is_blackbox()) else { return };
    if order.iter().any(|known| known == name) {
        return;
    }
    let kinds: BTreeSet<&str> = module.cells.values().map(|cell| cell.kind.as_str()).collect();
    for kind in kinds {
        upwards(netlist, kind, order);
    }
    order.push(name.to_string());
}

/// Sinks in groups of about the same load.
fn groups(sinks: Vec<Sink>, count: usize, view: &View) -> Vec<Vec<Sink>> {
    let mut sinks: Vec<(f64, Sink)> = sinks.into_iter().map(|s| (view.sink_load(&s, Load::default()).ff, s)).collect();
    // The sort keeps the order of equal ones.
    sinks.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut groups: Vec<(f64, Vec<Sink>)> = vec![(0.0, Vec::new()); count.max(1)];
    for (load, sink) in sinks {
        let least = groups.iter_mut().min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.len().cmp(&b.1.len())));
        if let Some(group) = least {
            group.0 += load;
            group.1.push(sink);
        }
    }
    groups.into_iter().map(|(_, group)| group).filter(|group| !group.is_empty()).collect()
}

/// Adds a buffer and returns its name, which counts as made up by a tool.
fn add(module: &mut Module, kind: &str, input: (&str, usize), output: (&str, usize)) -> String {
    let mut number = module.cells.len();
    while module.cells.contains_key(&format!("{PREFIX}{number}")) {
        number += 1;
    }
    let name = format!("{PREFIX}{number}");
    let pins = [input, output].map(|(pin, net)| (pin.to_string(), vec![Bit::Net(net)]));
    module.cells.insert(name.clone(), Cell { kind: kind.to_string(), connections: pins.into_iter().collect() });
    name
}

/// What names of added cells begin with.
const PREFIX: &str = "$systole$buffer$";
