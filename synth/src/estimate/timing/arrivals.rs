//! When the values of a module come.

use std::collections::HashMap;

use hdl::rtl::expr::{ArrayId, BinOp, Expr, Node, SigId, UnOp};
use hdl::rtl::module::{Conn, Item};
use hdl::rtl::stmt::Stmt;

use super::drivers::{Driver, Drivers, collect_targets, places};
use super::{Delays, NEVER};
use crate::estimate::census::{bits, is_constant};

/// When values come, from the clock edge or from one input.
pub(super) struct Arrivals<'d, 'm> {
    drivers: &'d Drivers<'m>,
    delays: &'d Delays,
    /// The input that changes at 0; registers do if there is none.
    from: Option<SigId>,
    signals: HashMap<SigId, f64>,
    elements: HashMap<(ArrayId, u32), f64>,
    exprs: HashMap<usize, f64>,
}

impl<'d, 'm> Arrivals<'d, 'm> {
    pub(super) fn new(drivers: &'d Drivers<'m>, delays: &'d Delays, from: Option<SigId>) -> Self {
        let empty = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { drivers, delays, from, signals: empty.0, elements: empty.1, exprs: empty.2 }
    }

    /// Latest arrival at a register, a memory, or an instance's registers.
    pub(super) fn ends(&mut self) -> f64 {
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

    pub(super) fn signal(&mut self, id: SigId) -> f64 {
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
