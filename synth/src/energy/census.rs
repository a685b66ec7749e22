//! How much logic a module describes, counted from its expressions: adder bits, multiplier cells, other gates.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hdl::rtl::Design;
use hdl::rtl::expr::{BinOp, Expr, Node, SigId, UnOp};
use hdl::rtl::module::{Conn, Item, Module};
use hdl::rtl::stmt::Stmt;

/// Sizes in two-input NANDs: cell areas of the Nangate 45 nm library over that of its NAND2_X1 (0.798 µm²).
mod gates {
    /// AND2_X1, 1.064 µm².
    pub const AND: f64 = 1.33;
    /// XOR2_X1, 1.596 µm².
    pub const XOR: f64 = 2.0;
    /// INV_X1, 0.532 µm².
    pub const INV: f64 = 0.67;
    /// MUX2_X1, 1.862 µm².
    pub const MUX: f64 = 2.33;
}

/// Logic of one module, without the modules inside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Logic {
    /// Bits of adders, subtractors and comparisons of size.
    pub adder_bits: f64,
    /// Products of two bits: width times width of each multiplier.
    pub multiplier_bits: f64,
    /// Other logic, in two-input NANDs.
    pub gates: f64,
    /// Bits of registers.
    pub register_bits: f64,
}

/// The logic of every module of a design, by the module's name.
pub fn census(design: &Design) -> HashMap<String, Logic> {
    let mut found = HashMap::new();
    visit(&design.top, &mut found);
    found
}

fn visit(module: &Arc<Module>, found: &mut HashMap<String, Logic>) {
    if found.contains_key(&module.name) {
        return;
    }
    found.insert(module.name.clone(), of(module));
    for instance in module.instances() {
        visit(&instance.module, found);
    }
}

/// The logic of one module.
pub fn of(module: &Module) -> Logic {
    let assigned = module.items.iter().filter_map(|item| match item {
        Item::Assign(sig, value) => Some((*sig, value)),
        _ => None,
    });
    let mut count = Count { logic: Logic::default(), seen: HashSet::new(), wires: assigned.collect() };
    for item in &module.items {
        match item {
            Item::Assign(_, value) | Item::AssignElem(_, _, value) => count.expr(value),
            Item::Comb(_, stmts) => count.stmts(stmts, 0),
            Item::Reg(reg) => {
                let bits = f64::from(module.signal(reg.sig).ty.width);
                count.logic.register_bits += bits;
                count.expr(&reg.next);
                count.logic.gates += reg.enable.as_ref().map_or(0.0, |_| gates::MUX * bits);
                count.logic.gates += reg.reset.as_ref().map_or(0.0, |_| gates::AND * bits);
                reg.enable.iter().for_each(|e| count.expr(e));
            }
            Item::Memory(memory) => {
                let write = &memory.write;
                let read = [&memory.read.enable, &memory.read.addr];
                let all = [&write.enable, &write.addr, &write.data].into_iter().chain(&write.lanes).chain(read);
                all.for_each(|e| count.expr(e));
            }
            Item::Instance(instance) => {
                for (_, conn) in &instance.conns {
                    if let Conn::In(value) = conn {
                        count.expr(value);
                    }
                }
            }
            Item::Section(_) | Item::Split(_) | Item::Join(_) => {}
        }
    }
    count.logic
}

struct Count<'a> {
    logic: Logic,
    seen: HashSet<usize>,
    wires: HashMap<SigId, &'a Expr>,
}

fn is_constant(expr: &Expr) -> bool {
    match expr.node() {
        Node::Extend(inner) | Node::Cast(inner) => is_constant(inner),
        node => matches!(node, Node::Const(_) | Node::Named(..)),
    }
}

impl Count<'_> {
    /// Bits of an operand without its widening, also where a wire of its own holds the wide form.
    fn narrow_bits(&self, expr: &Expr) -> f64 {
        match expr.node() {
            Node::Extend(inner) | Node::Cast(inner) => self.narrow_bits(inner),
            Node::Sig(id, _) => match self.wires.get(id).map(|wire| (wire.node(), wire)) {
                Some((Node::Extend(_) | Node::Cast(_), wire)) => self.narrow_bits(wire),
                _ => f64::from(expr.width()),
            },
            _ => f64::from(expr.width()),
        }
    }

    fn stmts(&mut self, stmts: &[Stmt], depth: u32) {
        for stmt in stmts {
            match stmt {
                Stmt::Set(_, value) => {
                    // A value that depends on a condition is chosen by a multiplexer.
                    if depth > 0 {
                        let each = if is_constant(value) { gates::AND } else { gates::MUX };
                        self.logic.gates += each * f64::from(value.width());
                    }
                    self.expr(value);
                }
                Stmt::If(cond, then, otherwise) => {
                    self.expr(cond);
                    self.stmts(then, depth + 1);
                    self.stmts(otherwise, depth + 1);
                }
                Stmt::Case(selector, arms, default) => {
                    self.expr(selector);
                    for (labels, body) in arms {
                        self.logic.gates += gates::AND * f64::from(selector.width()) * labels.len() as f64;
                        self.stmts(body, depth + 1);
                    }
                    self.stmts(default, depth + 1);
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        if !self.seen.insert(expr.key()) {
            return;
        }
        let width = f64::from(expr.width());
        match expr.node() {
            Node::Const(_) | Node::Named(..) | Node::Sig(..) | Node::Elem(..) | Node::Poison(_) => {}
            Node::Slice(a, _) | Node::Repeat(_, a) | Node::Extend(a) | Node::Cast(a) => self.expr(a),
            Node::Concat(parts) => parts.iter().for_each(|part| self.expr(part)),
            Node::Unary(op, a) => {
                let bits = f64::from(a.width());
                match op {
                    UnOp::Not => self.logic.gates += gates::INV * bits,
                    UnOp::Neg => self.logic.adder_bits += bits,
                    UnOp::RedAnd | UnOp::RedOr => self.logic.gates += gates::AND * (bits - 1.0),
                    UnOp::RedXor => self.logic.gates += gates::XOR * (bits - 1.0),
                }
                self.expr(a);
            }
            Node::Binary(op, a, b) => {
                self.binary(*op, a, b, width);
                self.expr(a);
                self.expr(b);
            }
            Node::Mux(cond, a, b) => {
                let one = is_constant(a) || is_constant(b);
                self.logic.gates += width * if one { gates::AND } else { gates::MUX };
                [cond, a, b].into_iter().for_each(|e| self.expr(e));
            }
            Node::Word(from, index) => {
                let words = f64::from(from.width()) / width;
                self.logic.gates += gates::MUX * width * (words - 1.0).max(0.0);
                self.expr(from);
                self.expr(index);
            }
        }
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr, width: f64) {
        let one = is_constant(a) || is_constant(b);
        let bits = f64::from(a.width());
        match op {
            BinOp::Mul => {
                self.logic.multiplier_bits += self.narrow_bits(a) * self.narrow_bits(b);
            }
            // With a constant, half of a full adder is left.
            BinOp::Add | BinOp::Sub | BinOp::Lt | BinOp::Le => {
                self.logic.adder_bits += if one { bits / 2.0 } else { bits };
            }
            BinOp::And | BinOp::Or => self.logic.gates += if one { 0.0 } else { gates::AND * width },
            BinOp::Xor => self.logic.gates += if one { gates::INV * width } else { gates::XOR * width },
            BinOp::Eq | BinOp::Ne => {
                self.logic.gates += bits * if one { gates::AND } else { gates::XOR + gates::AND };
            }
            BinOp::Shl | BinOp::Shr => {
                let stages = if is_constant(b) { 0.0 } else { f64::from(b.width()).min(bits.log2().ceil() + 1.0) };
                self.logic.gates += gates::MUX * width * stages;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::rtl::{ModuleBuilder, Ty};

    #[test]
    fn operators_count_once_and_by_their_operands_widths() {
        let mut m = ModuleBuilder::new("m", "Test.");
        let a = m.input("a_i", Ty::s(8));
        let b = m.input("b_i", Ty::s(4));
        let wide = m.wire("wide", &a.extend(12));
        let product = &wide * &b.extend(12);
        let sum = &product + &product;
        let chosen = a.slice(0, 0).mux(&sum, &product);
        m.output_is("y_o", &chosen);
        let logic = of(&m.build().unwrap());
        assert_eq!((logic.multiplier_bits, logic.adder_bits), (32.0, 12.0));
        assert_eq!(logic.gates, 12.0 * 2.33);
        assert_eq!(logic.register_bits, 0.0);
    }
}
