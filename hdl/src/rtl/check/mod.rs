//! Structural checks of a finished module: every problem at once, each with its place.

mod block;
mod drivers;
mod loops;
mod names;
mod reads;
mod same;

use std::collections::HashSet;

pub(super) use self::loops::chained_arrays;

use super::expr::{Expr, Node};
use super::module::{Conn, Item, Module};
use super::stmt::Stmt;

/// Every problem of the module (`scope` is its number): poisoned expressions, signals of other modules, names, drivers,
/// unused signals, latches, combinational loops, different modules of one name.
pub(super) fn check(module: &Module, scope: u64) -> Vec<String> {
    let mut problems = names::check(module);
    for item in &module.items {
        let place = place(module, item);
        let mut seen = HashSet::new();
        visit_exprs(item, &mut |expr| check_expr(expr, scope, &place, &mut seen, &mut problems));
    }
    problems.extend(shapes(module));
    if !problems.is_empty() {
        return problems;
    }
    let drivers = drivers::Drivers::of(module);
    problems.extend(drivers.check(module));
    problems.extend(reads::check(module));
    problems.extend(block::check(module));
    problems.extend(same::check(module));
    if problems.is_empty() {
        problems.extend(loops::check(module));
    }
    problems
}

/// Arrays and grids without elements.
fn shapes(module: &Module) -> Vec<String> {
    let mut problems = Vec::new();
    for array in &module.arrays {
        if array.len == 0 || array.ty.width == 0 || array.ty.width > super::ty::MAX_WIDTH {
            problems.push(format!("net array {}: {} elements of {}", array.name, array.len, array.ty));
        }
    }
    for instance in module.instances() {
        if let Some((rows, cols)) = instance.grid
            && (rows == 0 || cols == 0)
        {
            problems.push(format!("{}: a grid of {rows} x {cols} instances", instance.name));
        }
    }
    problems
}

fn place(module: &Module, item: &Item) -> String {
    match item {
        Item::Assign(id, _) => module.signal(*id).name.clone(),
        Item::AssignElem(array, index, _) => format!("{}[{index}]", module.arrays[array.0 as usize].name),
        Item::Reg(reg) => module.signal(reg.sig).name.clone(),
        Item::Memory(memory) => memory.name.clone(),
        Item::Instance(instance) => instance.name.clone(),
        Item::Comb(comment, _) => format!("block \"{comment}\""),
        Item::Section(_) | Item::Split(_) | Item::Join(_) => String::new(),
    }
}

fn check_expr(expr: &Expr, scope: u64, place: &str, seen: &mut HashSet<usize>, problems: &mut Vec<String>) {
    if !seen.insert(expr.key()) {
        return;
    }
    match expr.node() {
        Node::Poison(message) => problems.push(format!("{place}: {message}")),
        Node::Sig(_, s) | Node::Elem(_, _, s) if *s != scope => {
            problems.push(format!("{place}: uses a signal of another module"));
        }
        node => operands(node).into_iter().for_each(|e| check_expr(e, scope, place, seen, problems)),
    }
}

/// The operands of a node.
pub fn operands(node: &Node) -> Vec<&Expr> {
    match node {
        Node::Const(_) | Node::Named(..) | Node::Sig(..) | Node::Elem(..) | Node::Poison(_) => vec![],
        Node::Unary(_, a) | Node::Slice(a, _) | Node::Repeat(_, a) | Node::Extend(a) | Node::Cast(a) => vec![a],
        Node::Binary(_, a, b) | Node::Word(a, b) => vec![a, b],
        Node::Mux(c, a, b) => vec![c, a, b],
        Node::Concat(parts) => parts.iter().collect(),
    }
}

/// Calls `f` with every top-level expression of an item.
pub fn visit_exprs<'a>(item: &'a Item, f: &mut dyn FnMut(&'a Expr)) {
    match item {
        Item::Assign(_, e) | Item::AssignElem(_, _, e) => f(e),
        Item::Reg(reg) => {
            if let Some(enable) = &reg.enable {
                f(enable);
            }
            f(&reg.next);
        }
        Item::Memory(m) => {
            for e in [&m.write.enable, &m.write.addr, &m.write.data, &m.read.enable, &m.read.addr] {
                f(e);
            }
            if let Some(lanes) = &m.write.lanes {
                f(lanes);
            }
        }
        Item::Instance(instance) => {
            for (_, conn) in &instance.conns {
                if let Conn::In(e) = conn {
                    f(e);
                }
            }
        }
        Item::Comb(_, stmts) => visit_stmts(stmts, f),
        Item::Section(_) | Item::Split(_) | Item::Join(_) => {}
    }
}

fn visit_stmts<'a>(stmts: &'a [Stmt], f: &mut dyn FnMut(&'a Expr)) {
    for stmt in stmts {
        match stmt {
            Stmt::Set(_, e) => f(e),
            Stmt::If(cond, then, otherwise) => {
                f(cond);
                visit_stmts(then, f);
                visit_stmts(otherwise, f);
            }
            Stmt::Case(selector, arms, default) => {
                f(selector);
                for (labels, body) in arms {
                    labels.iter().for_each(&mut *f);
                    visit_stmts(body, f);
                }
                visit_stmts(default, f);
            }
        }
    }
}
