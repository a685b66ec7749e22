//! Drivers: every signal and every array element that is read has exactly one.

use super::reads::Reads;
use crate::rtl::emit::targets;
use crate::rtl::expr::{ArrayId, SigId};
use crate::rtl::module::{Conn, Item, Module, SignalKind, Strip};

/// What drives what.
pub(super) struct Drivers {
    /// By signal: descriptions of its drivers, with the kind of signal that each may drive.
    signals: Vec<Vec<(String, Drives)>>,
    /// By array and element: number of drivers.
    elements: Vec<Vec<u32>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Drives {
    Net,
    Register,
    ReadData,
}

/// Elements of a strip.
pub(super) fn strip_elements(strip: &Strip) -> impl Iterator<Item = u32> + '_ {
    (0..strip.count).map(|i| strip.offset + i * strip.stride)
}

/// Elements of an array that a port of a grid is connected to, with repetition, row by row.
pub(super) fn grid_elements(
    grid: Option<(u32, u32)>,
    row_step: u32,
    col_step: u32,
    offset: u32,
) -> impl Iterator<Item = u32> {
    let (rows, cols) = grid.unwrap_or((1, 1));
    (0..rows).flat_map(move |r| (0..cols).map(move |c| r * row_step + c * col_step + offset))
}

impl Drivers {
    pub(super) fn of(module: &Module) -> Self {
        let mut drivers = Self {
            signals: vec![Vec::new(); module.signals.len()],
            elements: module.arrays.iter().map(|a| vec![0; a.len as usize]).collect(),
        };
        for item in &module.items {
            drivers.add(module, item);
        }
        drivers
    }

    fn add(&mut self, module: &Module, item: &Item) {
        match item {
            Item::Section(_) => {}
            Item::Assign(id, _) => self.signal(*id, "an assignment".into(), Drives::Net),
            Item::AssignElem(array, index, _) => self.element(*array, *index),
            Item::Comb(comment, stmts) => {
                let mut all: Vec<SigId> = targets(stmts).collect();
                all.sort();
                all.dedup();
                all.into_iter().for_each(|id| self.signal(id, format!("block \"{comment}\""), Drives::Net));
            }
            Item::Reg(reg) => self.signal(reg.sig, "a register's next value".into(), Drives::Register),
            Item::Memory(memory) => {
                self.signal(memory.read.data, format!("memory {}", memory.name), Drives::ReadData);
            }
            Item::Instance(instance) => {
                for (port, conn) in &instance.conns {
                    match conn {
                        Conn::Out(id) => self.signal(*id, instance.name.clone(), Drives::Net),
                        Conn::Net { array, row_step, col_step, offset } => {
                            let output = SignalKind::Output;
                            if instance.module.port(port).is_some_and(|(_, s)| s.kind == output) {
                                let elements = grid_elements(instance.grid, *row_step, *col_step, *offset);
                                elements.for_each(|index| self.element(*array, index));
                            }
                        }
                        Conn::In(_) => {}
                    }
                }
            }
            Item::Split(strip) => strip_elements(strip).for_each(|index| self.element(strip.array, index)),
            Item::Join(strip) => {
                let array = &module.arrays[strip.array.0 as usize].name;
                self.signal(strip.vector, format!("a join of {array}"), Drives::Net);
            }
        }
    }

    fn signal(&mut self, id: SigId, by: String, drives: Drives) {
        self.signals[id.0 as usize].push((by, drives));
    }

    fn element(&mut self, array: ArrayId, index: u32) {
        self.elements[array.0 as usize][index as usize] += 1;
    }

    pub(super) fn check(&self, module: &Module) -> Vec<String> {
        let mut problems = Vec::new();
        for (signal, drivers) in module.signals.iter().zip(&self.signals) {
            let name = &signal.name;
            let (wanted, cure) = match signal.kind {
                SignalKind::Input => {
                    if let Some((by, _)) = drivers.first() {
                        problems.push(format!("{name}: an input is driven by {by}"));
                    }
                    continue;
                }
                SignalKind::Output | SignalKind::Wire => (Drives::Net, "assign it, or set it in a block"),
                SignalKind::Reg => (Drives::Register, "give it a next value"),
                SignalKind::MemOut => (Drives::ReadData, "describe the memory's ports"),
            };
            match &drivers[..] {
                [] => problems.push(format!("{name}: undriven: {cure}")),
                [(by, drives)] if *drives != wanted => {
                    problems.push(format!("{name}: a {:?} cannot be driven by {by}", signal.kind));
                }
                [_] => {}
                more => {
                    let list: Vec<_> = more.iter().map(|(by, _)| by.as_str()).collect();
                    problems.push(format!("{name}: driven {} times: by {}", more.len(), list.join(" and ")));
                }
            }
        }
        let reads = Reads::of(module);
        for (i, (array, counts)) in module.arrays.iter().zip(&self.elements).enumerate() {
            let id = ArrayId(i as u32);
            let undriven = |index: &u32| counts[*index as usize] == 0 && reads.elements.contains(&(id, *index));
            let several = |index: &u32| counts[*index as usize] > 1;
            if let Some(list) = list((0..array.len).filter(undriven)) {
                problems.push(format!("{}: undriven: {list}", array.name));
            }
            if let Some(list) = list((0..array.len).filter(several)) {
                problems.push(format!("{}: driven more than once: {list}", array.name));
            }
        }
        problems
    }
}

/// `element 3` or `elements 3, 4, 5 and 7 more`.
fn list(indices: impl Iterator<Item = u32>) -> Option<String> {
    let all: Vec<String> = indices.map(|i| i.to_string()).collect();
    let shown = all[..all.len().min(3)].join(", ");
    match all.len() {
        0 => None,
        1 => Some(format!("element {shown}")),
        2 | 3 => Some(format!("elements {shown}")),
        n => Some(format!("elements {shown} and {} more", n - 3)),
    }
}
