//! A netlist of modules as one module, for timing.

use std::collections::{BTreeMap, BTreeSet};

use crate::netlist::{Bit, Cell, Module, Netlist, Port};

/// Nets of modules, by the module's name.
pub type Nets<'a> = BTreeMap<&'a str, BTreeSet<usize>>;

/// A flattened netlist.
pub struct Flat<'a> {
    /// Its cells, numbered, and the ports of the top.
    pub module: Module,
    /// Module and net there of each net, all that were joined.
    origins: Vec<(&'a str, usize, usize)>,
}

/// Pins of a cell and their nets.
type Pins<'a> = Vec<(&'a str, Vec<Option<usize>>)>;

struct Maker<'a> {
    netlist: &'a Netlist,
    cells: Vec<(&'a str, Pins<'a>)>,
    origins: Vec<(&'a str, usize, usize)>,
    /// The net that another one was found to be.
    same: Vec<usize>,
}

impl<'a> Flat<'a> {
    /// Flattens the module `top`; modules without a body stay as cells.
    pub fn new(netlist: &'a Netlist, top: &str) -> Self {
        let mut maker = Maker { netlist, cells: Vec::new(), origins: Vec::new(), same: Vec::new() };
        let mut module = Module::default();
        let Some((name, body)) = netlist.modules.get_key_value(top) else {
            return Self { module, origins: Vec::new() };
        };
        let nets = maker.add(name, body, &BTreeMap::new());
        let roots: Vec<usize> = (0..maker.same.len()).map(|net| maker.root(net)).collect();
        let number = |net: Option<usize>| net.map_or(Bit::Constant("0".to_string()), |net| Bit::Net(roots[net]));
        for (i, (kind, pins)) in maker.cells.into_iter().enumerate() {
            let pins = pins.into_iter().map(|(pin, bits)| (pin.to_string(), bits.into_iter().map(number).collect()));
            module.cells.insert(i.to_string(), Cell { kind: kind.to_string(), connections: pins.collect() });
        }
        for (name, port) in &body.ports {
            let bits = port.bits.iter().map(|bit| number(local(&nets, bit))).collect();
            module.ports.insert(name.clone(), Port { direction: port.direction.clone(), bits });
        }
        let origins = maker.origins.into_iter().map(|(name, net, flat)| (name, net, roots[flat])).collect();
        Self { module, origins }
    }

    /// The nets within modules that nets of the flat module are.
    pub fn origins(&self, nets: &BTreeSet<usize>) -> Nets<'a> {
        let mut found: Nets<'a> = BTreeMap::new();
        for (module, net, flat) in &self.origins {
            if nets.contains(flat) {
                found.entry(module).or_default().insert(*net);
            }
        }
        found
    }
}

fn local(nets: &[Option<usize>], bit: &Bit) -> Option<usize> {
    let Bit::Net(net) = bit else { return None };
    nets.get(*net).copied().flatten()
}

impl<'a> Maker<'a> {
    fn root(&self, mut net: usize) -> usize {
        while self.same[net] != net {
            net = self.same[net];
        }
        net
    }

    /// Adds a module with its ports at nets, and returns its nets.
    fn add(
        &mut self,
        name: &'a str,
        module: &'a Module,
        at: &BTreeMap<&str, Vec<Option<usize>>>,
    ) -> Vec<Option<usize>> {
        let mut nets: Vec<Option<usize>> = vec![None; module.nets()];
        for (port, outside) in at {
            let inside = module.ports.get(*port).into_iter().flat_map(|port| &port.bits);
            for (bit, outside) in inside.zip(outside) {
                let (Bit::Net(inside), Some(outside)) = (bit, outside) else { continue };
                match nets[*inside] {
                    // A net that is at two ports joins what is outside.
                    Some(known) => {
                        let (a, b) = (self.root(known), self.root(*outside));
                        self.same[a.max(b)] = a.min(b);
                    }
                    None => nets[*inside] = Some(*outside),
                }
            }
        }
        for (number, net) in nets.iter_mut().enumerate() {
            let flat = *net.get_or_insert_with(|| {
                self.same.push(self.same.len());
                self.same.len() - 1
            });
            self.origins.push((name, number, flat));
        }
        for cell in module.cells.values() {
            let pins = cell.connections.iter();
            let pins: Pins<'_> =
                pins.map(|(pin, bits)| (pin.as_str(), bits.iter().map(|bit| local(&nets, bit)).collect())).collect();
            match self.netlist.modules.get_key_value(&cell.kind).filter(|(_, module)| !module.is_blackbox()) {
                Some((kind, inner)) => {
                    self.add(kind, inner, &pins.into_iter().collect());
                }
                None => self.cells.push((&cell.kind, pins)),
            }
        }
        nets
    }
}
