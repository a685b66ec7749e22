//! Readers: what is described must be read somewhere; only outputs of instances may be left.

use std::collections::{BTreeSet, HashSet};

use super::drivers::{grid_elements, strip_elements};
use super::{operands, visit_exprs};
use crate::rtl::expr::{ArrayId, Expr, Node, SigId};
use crate::rtl::module::{Conn, Item, Module, SignalKind};

/// Signals and array elements that something reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) signals: BTreeSet<SigId>,
    pub(super) elements: BTreeSet<(ArrayId, u32)>,
    seen: HashSet<usize>,
}

impl Reads {
    /// What the whole module reads.
    pub(super) fn of(module: &Module) -> Self {
        let mut reads = Self::default();
        for item in &module.items {
            visit_exprs(item, &mut |expr| reads.expr(expr));
            match item {
                Item::Instance(instance) => {
                    for (port, conn) in &instance.conns {
                        if let Conn::Net { array, row_step, col_step, offset } = conn
                            && instance.module.port(port).is_some_and(|(_, s)| s.kind == SignalKind::Input)
                        {
                            let elements = grid_elements(instance.grid, *row_step, *col_step, *offset);
                            reads.elements.extend(elements.map(|index| (*array, index)));
                        }
                    }
                }
                Item::Split(strip) => {
                    reads.signals.insert(strip.vector);
                }
                Item::Join(strip) => reads.elements.extend(strip_elements(strip).map(|index| (strip.array, index))),
                _ => {}
            }
        }
        reads
    }

    /// Adds what an expression reads.
    pub(super) fn expr(&mut self, expr: &Expr) {
        if !self.seen.insert(expr.key()) {
            return;
        }
        match expr.node() {
            Node::Sig(id, _) => {
                self.signals.insert(*id);
            }
            Node::Elem(array, index, _) => {
                self.elements.insert((*array, *index));
            }
            node => operands(node).into_iter().for_each(|e| self.expr(e)),
        }
    }
}

fn is_zero(expr: &Expr) -> bool {
    match expr.node() {
        Node::Const(bits) | Node::Named(bits, _) => bits.limbs().iter().all(|limb| *limb == 0),
        _ => false,
    }
}

pub(super) fn check(module: &Module) -> Vec<String> {
    let reads = Reads::of(module);
    let mut problems = Vec::new();
    let from_instances: BTreeSet<SigId> = module
        .instances()
        .flat_map(|instance| &instance.conns)
        .filter_map(|(_, conn)| if let Conn::Out(id) = conn { Some(*id) } else { None })
        .collect();
    for (i, signal) in module.signals.iter().enumerate() {
        let id = SigId(i as u32);
        let what = match signal.kind {
            SignalKind::Output => continue,
            SignalKind::Input if module.ignored.contains(&id) => continue,
            SignalKind::Input => "the input is never read",
            SignalKind::Wire if from_instances.contains(&id) => continue,
            SignalKind::Wire => "the wire is never read",
            SignalKind::Reg => "the register is never read",
            SignalKind::MemOut => "the memory is never read",
        };
        if !reads.signals.contains(&id) {
            problems.push(format!("{}: {what}", signal.name));
        }
    }
    for item in &module.items {
        match item {
            Item::Memory(memory) => {
                if is_zero(&memory.write.enable) {
                    problems.push(format!("memory {}: never written", memory.name));
                }
                if is_zero(&memory.read.enable) {
                    problems.push(format!("memory {}: never read", memory.name));
                }
            }
            Item::Reg(reg) if reg.enable.as_ref().is_some_and(is_zero) => {
                problems.push(format!("{}: the register is never enabled", module.signal(reg.sig).name));
            }
            Item::AssignElem(array, index, _) if !reads.elements.contains(&(*array, *index)) => {
                let name = &module.arrays[array.0 as usize].name;
                problems.push(format!("{name}: element {index} is never read"));
            }
            Item::Split(strip) => {
                if let Some(index) = strip_elements(strip).find(|i| !reads.elements.contains(&(strip.array, *i))) {
                    let name = &module.arrays[strip.array.0 as usize].name;
                    problems.push(format!("{name}: element {index} is never read"));
                }
            }
            _ => {}
        }
    }
    problems
}
