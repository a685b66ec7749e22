//! The longest path of a description, in delays of its operators: static timing before synthesis.
//!
//! A module is summed up once, whatever its instances: when its outputs come after the clock edge, how long each input
//! takes to each output, and how long before the edge each input must be there.

mod arrivals;
mod drivers;

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::Module;
use hdl::rtl::module::SignalKind;

use arrivals::Arrivals;
use drivers::Drivers;

/// Delays of operators in ns. A delay with a `_log` beside it grows by that with every doubling of the width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delays {
    /// Clock to output of a register and set-up before the next edge, together.
    pub register: f64,
    /// A gate.
    pub gate: f64,
    /// A multiplexer, a stage of a shifter, a stage of a selector.
    pub multiplexer: f64,
    /// An adder.
    pub adder: f64,
    /// More for each doubling of its width.
    pub adder_log: f64,
    /// A product.
    pub product: f64,
    /// More for each doubling of its smaller operand.
    pub product_log: f64,
    /// A comparison, for each doubling of its width.
    pub compare_log: f64,
    /// A memory, from the clock edge to its data.
    pub memory: f64,
}

impl Default for Delays {
    /// Proportions of a cell library of 45 nm: a model scales the paths that they give to its own.
    fn default() -> Self {
        Self {
            register: 0.12,
            gate: 0.04,
            multiplexer: 0.06,
            adder: 0.1,
            adder_log: 0.05,
            product: 0.2,
            product_log: 0.15,
            compare_log: 0.05,
            memory: 0.3,
        }
    }
}

const NEVER: f64 = f64::NEG_INFINITY;

/// Times of one module.
#[derive(Debug)]
struct Summary {
    /// Longest path between its own registers.
    inside: f64,
    /// By output name: from the clock edge.
    from_edge: HashMap<String, f64>,
    /// By input and output name, where there is a path.
    through: HashMap<String, HashMap<String, f64>>,
    /// By input name: to the clock edge, where there is a register behind it.
    to_edge: HashMap<String, f64>,
}

/// Longest path of a design between registers, and from and to its ports, in ns, and the module in which it ends.
pub fn period(top: &Arc<Module>, delays: &Delays) -> (f64, String) {
    let mut known = HashMap::new();
    let summary = summarise(top, delays, &mut known);
    let ports = summary
        .from_edge
        .values()
        .chain(summary.to_edge.values())
        .chain(summary.through.values().flat_map(HashMap::values));
    let at_ports = ports.copied().fold(0.0, f64::max);
    let mut worst = (at_ports, top.name.clone());
    let mut names: Vec<&usize> = known.keys().collect();
    names.sort_by_key(|key| &known[*key].0);
    for (name, summary) in names.into_iter().map(|key| &known[key]) {
        if summary.inside > worst.0 {
            worst = (summary.inside, name.clone());
        }
    }
    (worst.0 + delays.register, worst.1)
}

type Known = HashMap<usize, (String, Arc<Summary>)>;

fn summarise(module: &Arc<Module>, delays: &Delays, known: &mut Known) -> Arc<Summary> {
    let key = Arc::as_ptr(module) as usize;
    if let Some((_, summary)) = known.get(&key) {
        return summary.clone();
    }
    let drivers = Drivers::of(module, delays, known);
    let names = |kind: SignalKind| {
        module.ports().filter(move |(_, p)| p.kind == kind).map(|(id, p)| (id, p.name.clone())).collect::<Vec<_>>()
    };
    let (inputs, outputs) = (names(SignalKind::Input), names(SignalKind::Output));
    let mut own = Arrivals::new(&drivers, delays, None);
    let inside = own.ends();
    let from_edge =
        outputs.iter().map(|(id, name)| (name.clone(), own.signal(*id))).filter(|(_, t)| *t > NEVER).collect();
    let (mut through, mut to_edge) = (HashMap::new(), HashMap::new());
    for (input, name) in &inputs {
        let mut from = Arrivals::new(&drivers, delays, Some(*input));
        let end = from.ends();
        if end > NEVER {
            to_edge.insert(name.clone(), end);
        }
        let reached = outputs.iter().map(|(id, name)| (name.clone(), from.signal(*id)));
        let reached: HashMap<String, f64> = reached.filter(|(_, t)| *t > NEVER).collect();
        if !reached.is_empty() {
            through.insert(name.clone(), reached);
        }
    }
    let summary = Arc::new(Summary { inside, from_edge, through, to_edge });
    known.insert(key, (module.name.clone(), summary.clone()));
    summary
}
