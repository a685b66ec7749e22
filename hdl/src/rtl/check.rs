//! Structural checks of a finished module.

use super::expr::{Expr, Node};
use super::module::{Conn, Item, Module};
use super::stmt::Stmt;

/// Every problem of the module: poisoned expressions and signals of other modules (`scope` is this module's number).
pub(super) fn check(module: &Module, scope: u64) -> Vec<String> {
    let mut problems = Vec::new();
    for item in &module.items {
        let place = place(module, item);
        visit_exprs(item, &mut |expr| check_expr(expr, scope, &place, &mut problems));
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

fn check_expr(expr: &Expr, scope: u64, place: &str, problems: &mut Vec<String>) {
    match expr.node() {
        Node::Poison(message) => problems.push(format!("{place}: {message}")),
        Node::Sig(_, s) | Node::Elem(_, _, s) if *s != scope => {
            problems.push(format!("{place}: uses a signal of another module"));
        }
        node => operands(node).into_iter().for_each(|e| check_expr(e, scope, place, problems)),
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
