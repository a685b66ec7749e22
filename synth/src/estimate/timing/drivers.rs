//! What drives each signal of a module.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::Module;
use hdl::rtl::expr::{ArrayId, Expr, SigId};
use hdl::rtl::module::{Conn, Instance, Item, SignalKind};
use hdl::rtl::stmt::Stmt;

use super::{Delays, Known, Summary, summarise};

/// What drives each signal and element of a module.
pub(super) struct Drivers<'m> {
    pub(super) module: &'m Module,
    pub(super) signals: HashMap<SigId, Vec<Driver<'m>>>,
    pub(super) elements: HashMap<(ArrayId, u32), Driver<'m>>,
    /// Outputs of instances on elements, grids as one.
    pub(super) grids: HashMap<ArrayId, Vec<GridOutput<'m>>>,
    pub(super) summaries: Vec<(&'m Instance, Arc<Summary>)>,
}

/// An output of a grid of instances: that at `row`, `col` drives element `offset + row * row_step + col * col_step`.
pub(super) struct GridOutput<'m> {
    number: usize,
    port: &'m str,
    offset: u32,
    steps: (u32, u32),
    size: (u32, u32),
}

impl<'m> GridOutput<'m> {
    /// What drives an element, if this does.
    pub(super) fn driver(&self, element: u32) -> Option<Driver<'m>> {
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
pub(super) fn places(count: u32) -> impl Iterator<Item = u32> + Clone {
    (0..count.min(2)).chain((count > 2).then(|| count - 1))
}

#[derive(Clone, Copy)]
pub(super) enum Driver<'m> {
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
    pub(super) fn of(module: &'m Module, delays: &Delays, known: &mut Known) -> Self {
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

pub(super) fn collect_targets(stmts: &[Stmt], targets: &mut Vec<SigId>) {
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
