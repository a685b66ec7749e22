//! The nets of a module with what drives them and what they lead to, modules below included.

use std::collections::BTreeMap;

use super::drive::Load;
use crate::liberty::Library;
use crate::netlist::{Bit, Module};

/// Modules that a net is followed through within another one; a loop of wires ends there.
const DEEP: usize = 12;

/// A bit of a port.
pub type PortBit = (String, usize);

/// What drives a net.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Driver {
    /// Nothing, a constant, a memory.
    #[default]
    None,
    /// The module's input.
    Input(PortBit),
    /// An output of a cell of this module.
    Cell(String, String),
    /// A cell in a module below: module, cell, output, and what hangs on that net there.
    Below(String, String, String, Load),
    /// An input of a module below that leads to an output: the net there.
    Net(usize),
}

/// A pin or port that a net leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// Cell or instance.
    pub cell: String,
    /// Its pin or port.
    pub port: PortBit,
    /// Load there, without that of the nets it leads on to.
    pub load: Load,
    /// Nets of this module that are the same net by way of the module below.
    pub leads_to: Vec<usize>,
}

/// A net.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// What drives it.
    pub driver: Driver,
    /// What it leads to in this module.
    pub sinks: Vec<Sink>,
    /// Outputs of the module that it is.
    pub outputs: Vec<PortBit>,
}

/// What a module is from outside.
#[derive(Clone, Debug, Default)]
pub struct Face {
    /// Load of each input, and the outputs that are the same net.
    inputs: BTreeMap<PortBit, (Load, Vec<PortBit>)>,
    /// Driver of each output.
    outputs: BTreeMap<PortBit, Driver>,
}

/// The nets of a module.
pub struct View {
    /// By number.
    pub nodes: Vec<Node>,
}

impl View {
    /// The nets of a module whose modules below have these faces.
    pub fn new(module: &Module, library: &Library, faces: &BTreeMap<String, Face>) -> Self {
        let mut nodes = vec![Node::default(); module.nets()];
        for (name, port) in &module.ports {
            for (i, bit) in port.bits.iter().enumerate() {
                let Bit::Net(net) = bit else { continue };
                match port.direction.as_str() {
                    "output" => nodes[*net].outputs.push((name.clone(), i)),
                    _ => nodes[*net].driver = Driver::Input((name.clone(), i)),
                }
            }
        }
        for (name, cell) in &module.cells {
            if let Some(known) = library.cells.get(&cell.kind) {
                for pin in &known.pins {
                    let Some(Bit::Net(net)) = cell.connections.get(&pin.name).and_then(|bits| bits.first()) else {
                        continue;
                    };
                    if pin.is_output {
                        nodes[*net].driver = Driver::Cell(name.clone(), pin.name.clone());
                    } else {
                        let load = Load { ff: pin.cap_ff, pins: 1 };
                        let port = (pin.name.clone(), 0);
                        nodes[*net].sinks.push(Sink { cell: name.clone(), port, load, leads_to: Vec::new() });
                    }
                }
            } else if let Some(face) = faces.get(&cell.kind) {
                let net = |port: &PortBit| match cell.connections.get(&port.0).and_then(|bits| bits.get(port.1)) {
                    Some(Bit::Net(net)) => Some(*net),
                    _ => None,
                };
                for (port, (load, outputs)) in &face.inputs {
                    let Some(at) = net(port) else { continue };
                    let leads_to: Vec<usize> = outputs.iter().filter_map(net).collect();
                    for &next in &leads_to {
                        nodes[next].driver = Driver::Net(at);
                    }
                    let sink = Sink { cell: name.clone(), port: port.clone(), load: *load, leads_to };
                    nodes[at].sinks.push(sink);
                }
                for (port, driver) in &face.outputs {
                    let Some(at) = net(port) else { continue };
                    nodes[at].driver = driver.clone();
                }
            }
        }
        Self { nodes }
    }

    /// What hangs on a net, `output` on each output of the module.
    pub fn load(&self, net: usize, output: Load) -> Load {
        self.load_below(net, output, 0)
    }

    fn load_below(&self, net: usize, output: Load, depth: usize) -> Load {
        let mut load = Load::default();
        for sink in &self.nodes[net].sinks {
            load += self.sink_load_below(sink, output, depth);
        }
        for _ in &self.nodes[net].outputs {
            load += output;
        }
        load
    }

    /// What a sink is, with the nets it leads on to.
    pub fn sink_load(&self, sink: &Sink, output: Load) -> Load {
        self.sink_load_below(sink, output, 0)
    }

    fn sink_load_below(&self, sink: &Sink, output: Load, depth: usize) -> Load {
        let mut load = sink.load;
        if depth < DEEP {
            for &net in &sink.leads_to {
                load += self.load_below(net, output, depth + 1);
            }
        }
        load
    }

    /// The net that drives a net by way of modules below.
    pub fn source(&self, net: usize) -> usize {
        let mut at = net;
        for _ in 0..DEEP {
            match self.nodes[at].driver {
                Driver::Net(next) => at = next,
                _ => break,
            }
        }
        at
    }

    /// The module of that name from outside.
    pub fn face(&self, name: &str) -> Face {
        let mut face = Face::default();
        for (net, node) in self.nodes.iter().enumerate() {
            if let Driver::Input(port) = &node.driver {
                // Outputs that are the same net, directly or by way of modules below.
                let outputs = self.reached(net, 0);
                face.inputs.insert(port.clone(), (self.load(net, Load::default()), outputs));
            }
            if node.outputs.is_empty() {
                continue;
            }
            let source = self.source(net);
            let on = self.load(source, Load::default());
            let driver = match self.nodes[source].driver.clone() {
                Driver::Cell(cell, pin) => Driver::Below(name.to_string(), cell, pin, on),
                Driver::Below(module, cell, pin, inner) => {
                    let mut on = on;
                    on += inner;
                    Driver::Below(module, cell, pin, on)
                }
                _ => continue,
            };
            for port in &node.outputs {
                face.outputs.insert(port.clone(), driver.clone());
            }
        }
        face
    }

    fn reached(&self, net: usize, depth: usize) -> Vec<PortBit> {
        let mut found = self.nodes[net].outputs.clone();
        if depth < DEEP {
            for next in self.nodes[net].sinks.iter().flat_map(|sink| &sink.leads_to) {
                found.extend(self.reached(*next, depth + 1));
            }
        }
        found
    }
}
