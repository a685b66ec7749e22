//! The longest path of a description, in delays of its operators: static timing before synthesis.
//!
//! A module is summed up once, whatever its instances: when its outputs come after the clock edge, how long each input
//! takes to each output, and how long before the edge each input must be there.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::Module;
use hdl::rtl::expr::{ArrayId, BinOp, Expr, Node, SigId, UnOp};
use hdl::rtl::module::{Conn, Instance, Item, SignalKind};
use hdl::rtl::stmt::Stmt;

use super::census::{bits, is_constant};

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
    let own = Arrivals::new(&drivers, delays, None);
    let mut own = own;
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

/// What drives each signal and element of a module.
struct Drivers<'m> {
    module: &'m Module,
    signals: HashMap<SigId, Vec<Driver<'m>>>,
    elements: HashMap<(ArrayId, u32), Driver<'m>>,
    /// Outputs of instances on elements, grids as one.
    grids: HashMap<ArrayId, Vec<GridOutput<'m>>>,
    summaries: Vec<(&'m Instance, Arc<Summary>)>,
}

/// An output of a grid of instances: that at `row`, `col` drives element `offset + row * row_step + col * col_step`.
struct GridOutput<'m> {
    number: usize,
    port: &'m str,
    offset: u32,
    steps: (u32, u32),
    size: (u32, u32),
}

impl<'m> GridOutput<'m> {
    /// What drives an element, if this does.
    fn driver(&self, element: u32) -> Option<Driver<'m>> {
        let at = element.checked_sub(self.offset)?;
        let (row_step, col_step) = self.steps;
        let along = |at: u32, step: u32, count: u32| at.checked_div(step).map_or(0, |place| place.min(count - 1));
        // The larger step first.
        let (row, col) = if row_step >= col_step {
            let row = along(at, row_step, self.size.0);
            (row, along(at - row * row_step, col_step, self.size.1))
        } else {
            let col = along(at, col_step, self.size.1);
            (along(at - col * col_step, row_step, self.size.0), col)
        };
        let is_there = row * row_step + col * col_step == at;
        is_there.then_some(Driver::Output(self.number, row, col, self.port))
    }
}

/// Places of a line of a grid that may see something else than their neighbours.
fn places(count: u32) -> impl Iterator<Item = u32> + Clone {
    (0..count.min(2)).chain((count > 2).then(|| count - 1))
}

#[derive(Clone, Copy)]
enum Driver<'m> {
    Value(&'m Expr),
    /// A block sets it, among others.
    Block(&'m [Stmt]),
    /// Register, or read data of a memory.
    Edge(bool),
    /// Instance, place in the grid, and port.
    Output(usize, u32, u32, &'m str),
    Element(ArrayId, u32),
    Whole(SigId),
}

impl<'m> Drivers<'m> {
    fn of(module: &'m Module, delays: &Delays, known: &mut Known) -> Self {
        let (signals, elements, grids) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut drivers = Self { module, signals, elements, grids, summaries: Vec::new() };
        for item in &module.items {
            match item {
                Item::Section(_) => {}
                Item::Assign(id, value) => drivers.drive(*id, Driver::Value(value)),
                Item::AssignElem(array, index, value) => {
                    drivers.elements.insert((*array, *index), Driver::Value(value));
                }
                Item::Comb(_, stmts) => {
                    let mut targets = Vec::new();
                    collect_targets(stmts, &mut targets);
                    for id in targets {
                        drivers.drive(id, Driver::Block(stmts));
                    }
                }
                Item::Reg(reg) => drivers.drive(reg.sig, Driver::Edge(false)),
                Item::Memory(memory) => drivers.drive(memory.read.data, Driver::Edge(true)),
                Item::Split(strip) => {
                    for word in 0..strip.count {
                        let element = strip.offset + word * strip.stride;
                        drivers.elements.insert((strip.array, element), Driver::Whole(strip.vector));
                    }
                }
                Item::Join(strip) => {
                    for word in 0..strip.count {
                        let element = strip.offset + word * strip.stride;
                        drivers.drive(strip.vector, Driver::Element(strip.array, element));
                    }
                }
                Item::Instance(instance) => {
                    let number = drivers.summaries.len();
                    drivers.summaries.push((instance, summarise(&instance.module, delays, known)));
                    drivers.instance(instance, number);
                }
            }
        }
        drivers
    }

    fn drive(&mut self, id: SigId, driver: Driver<'m>) {
        self.signals.entry(id).or_default().push(driver);
    }

    fn instance(&mut self, instance: &'m Instance, number: usize) {
        let (rows, cols) = instance.grid.unwrap_or((1, 1));
        for (port, conn) in &instance.conns {
            match conn {
                Conn::In(_) => {}
                Conn::Out(id) => self.drive(*id, Driver::Output(number, 0, 0, port)),
                Conn::Net { array, row_step, col_step, offset } => {
                    if instance.module.port(port).is_some_and(|(_, p)| p.kind == SignalKind::Output) {
                        let (steps, size) = ((*row_step, *col_step), (rows, cols));
                        let output = GridOutput { number, port, offset: *offset, steps, size };
                        self.grids.entry(*array).or_default().push(output);
                    }
                }
            }
        }
    }
}

fn collect_targets(stmts: &[Stmt], targets: &mut Vec<SigId>) {
    for stmt in stmts {
        match stmt {
            Stmt::Set(id, _) if !targets.contains(id) => targets.push(*id),
            Stmt::Set(..) => {}
            Stmt::If(_, then, otherwise) => {
                collect_targets(then, targets);
                collect_targets(otherwise, targets);
            }
            Stmt::Case(_, arms, default) => {
                arms.iter().for_each(|(_, arm)| collect_targets(arm, targets));
                collect_targets(default, targets);
            }
        }
    }
}

/// When values come, from the clock edge or from one input.
struct Arrivals<'d, 'm> {
    drivers: &'d Drivers<'m>,
    delays: &'d Delays,
    /// The input that changes at 0; registers do if there is none.
    from: Option<SigId>,
    signals: HashMap<SigId, f64>,
    elements: HashMap<(ArrayId, u32), f64>,
    exprs: HashMap<usize, f64>,
}

impl<'d, 'm> Arrivals<'d, 'm> {
    fn new(drivers: &'d Drivers<'m>, delays: &'d Delays, from: Option<SigId>) -> Self {
        let empty = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { drivers, delays, from, signals: empty.0, elements: empty.1, exprs: empty.2 }
    }

    /// Latest arrival at a register, a memory, or an instance's registers.
    fn ends(&mut self) -> f64 {
        let mut latest = NEVER;
        for item in &self.drivers.module.items {
            match item {
                Item::Reg(reg) => {
                    latest = latest.max(self.expr(&reg.next));
                    if let Some(enable) = &reg.enable {
                        latest = latest.max(self.expr(enable) + self.delays.multiplexer);
                    }
                }
                Item::Memory(memory) => {
                    let (write, read) = (&memory.write, &memory.read);
                    for expr in [&write.enable, &write.addr, &write.data, &read.enable, &read.addr] {
                        latest = latest.max(self.expr(expr));
                    }
                }
                _ => {}
            }
        }
        for (number, (instance, summary)) in self.drivers.summaries.iter().enumerate() {
            let (rows, cols) = instance.grid.unwrap_or((1, 1));
            for (port, time) in &summary.to_edge {
                for (row, col) in places(rows).flat_map(|r| places(cols).map(move |c| (r, c))) {
                    latest = latest.max(self.input(number, row, col, port) + time);
                }
            }
        }
        latest
    }

    /// When an input of an instance comes.
    fn input(&mut self, number: usize, row: u32, col: u32, port: &str) -> f64 {
        let (instance, _) = &self.drivers.summaries[number];
        match instance.conns.iter().find(|(name, _)| name == port) {
            Some((_, Conn::In(expr))) => self.expr(expr),
            Some((_, Conn::Net { array, row_step, col_step, offset })) => {
                self.element((*array, offset + row * row_step + col * col_step))
            }
            _ => NEVER,
        }
    }

    fn signal(&mut self, id: SigId) -> f64 {
        if let Some(time) = self.signals.get(&id) {
            return *time;
        }
        // What is asked again on the way to itself is no path: vectors hold bits that do not depend on each other.
        self.signals.insert(id, NEVER);
        let mut latest = if self.from == Some(id) { 0.0 } else { NEVER };
        let drivers = self.drivers;
        for driver in drivers.signals.get(&id).into_iter().flatten() {
            latest = latest.max(self.driver(*driver, Some(id)));
        }
        self.signals.insert(id, latest);
        latest
    }

    fn element(&mut self, element: (ArrayId, u32)) -> f64 {
        if let Some(time) = self.elements.get(&element) {
            return *time;
        }
        self.elements.insert(element, NEVER);
        let drivers = self.drivers;
        let of_grids = || drivers.grids.get(&element.0)?.iter().find_map(|grid| grid.driver(element.1));
        let driver = drivers.elements.get(&element).copied().or_else(of_grids);
        let latest = driver.map_or(NEVER, |driver| self.driver(driver, None));
        self.elements.insert(element, latest);
        latest
    }

    fn driver(&mut self, driver: Driver<'m>, target: Option<SigId>) -> f64 {
        match driver {
            Driver::Value(expr) => self.expr(expr),
            Driver::Block(stmts) => target.map_or(NEVER, |id| self.block(stmts, id)),
            Driver::Edge(_) if self.from.is_some() => NEVER,
            Driver::Edge(is_memory) => {
                if is_memory {
                    self.delays.memory
                } else {
                    0.0
                }
            }
            Driver::Whole(id) => self.signal(id),
            Driver::Element(array, index) => self.element((array, index)),
            Driver::Output(number, row, col, port) => {
                let summary = self.drivers.summaries[number].1.clone();
                let own =
                    if self.from.is_none() { summary.from_edge.get(port).copied().unwrap_or(NEVER) } else { NEVER };
                let mut latest = own;
                for (input, outputs) in &summary.through {
                    if let Some(time) = outputs.get(port) {
                        latest = latest.max(self.input(number, row, col, input) + time);
                    }
                }
                latest
            }
        }
    }

    /// When a block has set a signal: values, and the conditions above them.
    fn block(&mut self, stmts: &[Stmt], id: SigId) -> f64 {
        let mut latest = NEVER;
        for stmt in stmts {
            let (condition, branches): (&Expr, Vec<&[Stmt]>) = match stmt {
                Stmt::Set(target, value) => {
                    if *target == id {
                        latest = latest.max(self.expr(value));
                    }
                    continue;
                }
                Stmt::If(condition, then, otherwise) => (condition, vec![then, otherwise]),
                Stmt::Case(selector, arms, default) => {
                    (selector, arms.iter().map(|(_, arm)| arm.as_slice()).chain([default.as_slice()]).collect())
                }
            };
            let mut set = Vec::new();
            branches.iter().for_each(|branch| collect_targets(branch, &mut set));
            if !set.contains(&id) {
                continue;
            }
            let mut chosen = self.expr(condition);
            for branch in branches {
                chosen = chosen.max(self.block(branch, id));
            }
            latest = latest.max(chosen + self.delays.multiplexer);
        }
        latest
    }

    fn expr(&mut self, expr: &Expr) -> f64 {
        if let Some(time) = self.exprs.get(&expr.key()) {
            return *time;
        }
        let d = self.delays;
        let log = |width: u32| f64::from(width.max(1)).log2();
        let time = match expr.node() {
            Node::Const(_) | Node::Named(..) | Node::Poison(_) => NEVER,
            Node::Sig(id, _) => return self.signal(*id),
            Node::Elem(array, index, _) => return self.element((*array, *index)),
            Node::Unary(op, a) => {
                let width = a.width();
                self.expr(a)
                    + match op {
                        UnOp::Not => 0.0,
                        UnOp::Neg => d.adder + d.adder_log * log(width),
                        UnOp::RedAnd | UnOp::RedOr | UnOp::RedXor => d.gate * log(width),
                    }
            }
            Node::Binary(op, a, b) => {
                let width = expr.width().min(bits(a).max(bits(b)) + 1);
                let at = self.expr(a).max(self.expr(b));
                at + match op {
                    BinOp::Add | BinOp::Sub => d.adder + d.adder_log * log(width),
                    BinOp::Mul => d.product + d.product_log * log(bits(a).min(bits(b))),
                    BinOp::And | BinOp::Or | BinOp::Xor => d.gate,
                    BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le => d.compare_log * log(bits(a).max(bits(b))),
                    BinOp::Shl | BinOp::Shr if is_constant(b) => 0.0,
                    BinOp::Shl | BinOp::Shr => d.multiplexer * f64::from(bits(b).min(7)),
                }
            }
            Node::Mux(condition, then, otherwise) => {
                let values = self.expr(then).max(self.expr(otherwise));
                self.expr(condition).max(values) + d.multiplexer
            }
            Node::Slice(a, _) | Node::Repeat(_, a) | Node::Extend(a) | Node::Cast(a) => self.expr(a),
            Node::Word(vector, index) => {
                self.expr(vector).max(self.expr(index)) + d.multiplexer * f64::from(index.width())
            }
            Node::Concat(parts) => parts.iter().map(|part| self.expr(part)).fold(NEVER, f64::max),
        };
        self.exprs.insert(expr.key(), time);
        time
    }
}
