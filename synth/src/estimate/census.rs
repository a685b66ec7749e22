//! A census of a description: how many bits of which operators a module is made of, before any tool has seen it.
//!
//! The counts are what estimates are linear in. They are taken from the description itself, so that a new unit, format or
//! width needs no model of its own.

use std::collections::{HashMap, HashSet};

use hdl::rtl::expr::{BinOp, Expr, Node, SigId, UnOp};
use hdl::rtl::module::{Conn, Item};
use hdl::rtl::stmt::Stmt;
use hdl::rtl::{Design, Module};

use crate::asic::MOST_FLOP_BITS;

/// Kinds of operators, in the order of [`Census::counts`].
pub const KINDS: [&str; 15] = [
    "registers",
    "enables",
    "resets",
    "adders",
    "comparators",
    "equalities",
    "products",
    "product_edges",
    "multiplexers",
    "gates",
    "xors",
    "shifters",
    "selectors",
    "memory_bits",
    "modules",
];

/// Place of bits of registers among [`KINDS`].
pub const REGISTERS: usize = 0;
const ENABLES: usize = 1;
const RESETS: usize = 2;
const ADDERS: usize = 3;
const COMPARATORS: usize = 4;
const EQUALITIES: usize = 5;
const PRODUCTS: usize = 6;
const EDGES: usize = 7;
const MULTIPLEXERS: usize = 8;
const GATES: usize = 9;
const XORS: usize = 10;
const SHIFTERS: usize = 11;
const SELECTORS: usize = 12;
/// Place of bits of memories that are made of flip-flops.
pub const MEMORY_BITS: usize = 13;
const MODULES: usize = 14;

/// Sizes in two-input NANDs: cell areas of the Nangate 45 nm library over that of its NAND2_X1 (0.798 µm²).
mod nands {
    /// AND2_X1, 1.064 µm².
    pub const AND: f64 = 1.33;
    /// XOR2_X1, 1.596 µm².
    pub const XOR: f64 = 2.0;
    /// MUX2_X1, 1.862 µm².
    pub const MUX: f64 = 2.33;
}

/// Logic of one module in the three sorts whose energies a technology file states.
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

/// What one module has, without the modules inside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// By [`KINDS`]: bits of registers, of those with an enable, with a reset; bits of adders; bits compared by size, and
    /// for equality; of products the products of both widths, and their sums; bits of multiplexers; of gates; of exclusive
    /// ors; bits times stages of shifters; bits that words are chosen from; bits of
    /// memories that are made of flip-flops; 1. Operators with a constant count half.
    pub counts: [f64; KINDS.len()],
    /// Memories that are left for macros: words and bits of a word.
    pub memories: Vec<(u32, u32)>,
}

impl Census {
    /// The same in the sorts of technology files.
    pub fn logic(&self) -> Logic {
        let c = &self.counts;
        Logic {
            adder_bits: c[ADDERS] + c[COMPARATORS],
            multiplier_bits: c[PRODUCTS],
            gates: nands::MUX * (c[ENABLES] + c[MULTIPLEXERS] + c[SHIFTERS] + c[SELECTORS])
                + nands::AND * (c[RESETS] + c[GATES])
                + nands::XOR * c[XORS]
                + (nands::XOR + nands::AND) * c[EQUALITIES],
            register_bits: c[REGISTERS],
        }
    }

    /// Adds `times` of another's counts.
    pub fn add(&mut self, other: &Self, times: f64) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count * times;
        }
    }
}

/// The logic of every module of a design, by the module's name.
pub fn logic(design: &Design) -> HashMap<String, Logic> {
    design.modules().iter().map(|(name, module)| (name.clone(), of_module(module).logic())).collect()
}

/// What one module has.
pub fn of_module(module: &Module) -> Census {
    let wires = module.items.iter().filter_map(|item| match item {
        Item::Assign(sig, value) => Some((*sig, value)),
        _ => None,
    });
    let mut taken = Taken { census: Census::default(), seen: HashSet::new(), wires: wires.collect() };
    taken.census.counts[MODULES] = 1.0;
    for item in &module.items {
        match item {
            Item::Assign(_, value) | Item::AssignElem(_, _, value) => taken.expr(value),
            Item::Comb(_, stmts) => taken.stmts(stmts, 0),
            Item::Reg(reg) => {
                let bits = f64::from(module.signal(reg.sig).ty.width);
                taken.census.counts[REGISTERS] += bits;
                if let Some(enable) = &reg.enable {
                    taken.census.counts[ENABLES] += bits;
                    taken.expr(enable);
                }
                if reg.reset.is_some() {
                    taken.census.counts[RESETS] += bits;
                }
                taken.expr(&reg.next);
            }
            Item::Memory(memory) => {
                let bits = u64::from(memory.depth) * u64::from(memory.width);
                match bits > MOST_FLOP_BITS {
                    true => taken.census.memories.push((memory.depth, memory.width)),
                    false => taken.add(MEMORY_BITS, bits as f64),
                }
                let (write, read) = (&memory.write, &memory.read);
                for expr in [&write.enable, &write.addr, &write.data, &read.enable, &read.addr] {
                    taken.expr(expr);
                }
                if let Some(lanes) = &write.lanes {
                    taken.expr(lanes);
                }
            }
            Item::Instance(instance) => {
                for (_, conn) in &instance.conns {
                    if let Conn::In(expr) = conn {
                        taken.expr(expr);
                    }
                }
            }
            Item::Section(_) | Item::Split(_) | Item::Join(_) => {}
        }
    }
    taken.census
}

struct Taken<'m> {
    census: Census,
    /// Shared nodes count once.
    seen: HashSet<usize>,
    wires: HashMap<SigId, &'m Expr>,
}

/// Bits that an operand really has, without what widening adds.
pub(super) fn bits(expr: &Expr) -> u32 {
    match expr.node() {
        Node::Extend(inner) | Node::Cast(inner) => bits(inner),
        _ => expr.width(),
    }
}

pub(super) fn is_constant(expr: &Expr) -> bool {
    match expr.node() {
        Node::Const(_) | Node::Named(..) => true,
        Node::Extend(inner) | Node::Cast(inner) | Node::Repeat(_, inner) => is_constant(inner),
        _ => false,
    }
}

impl Taken<'_> {
    /// [`bits`], also where a wire of its own holds the wide form.
    fn bits(&self, expr: &Expr) -> u32 {
        match expr.node() {
            Node::Extend(inner) | Node::Cast(inner) => self.bits(inner),
            Node::Sig(id, _) => match self.wires.get(id) {
                Some(wire) if matches!(wire.node(), Node::Extend(_) | Node::Cast(_)) => self.bits(wire),
                _ => expr.width(),
            },
            _ => expr.width(),
        }
    }

    fn add(&mut self, kind: usize, amount: impl Into<f64>) {
        self.census.counts[kind] += amount.into();
    }

    fn expr(&mut self, expr: &Expr) {
        if !self.seen.insert(expr.key()) {
            return;
        }
        let width = expr.width();
        match expr.node() {
            Node::Const(_) | Node::Named(..) | Node::Sig(..) | Node::Elem(..) | Node::Poison(_) => {}
            Node::Unary(op, operand) => {
                self.expr(operand);
                match op {
                    UnOp::Not => self.add(GATES, f64::from(width) * 0.5),
                    UnOp::Neg => self.add(ADDERS, f64::from(width)),
                    UnOp::RedAnd | UnOp::RedOr => self.add(GATES, operand.width()),
                    UnOp::RedXor => self.add(XORS, operand.width()),
                }
            }
            Node::Binary(op, a, b) => {
                self.expr(a);
                self.expr(b);
                self.binary(*op, a, b, width);
            }
            Node::Mux(cond, then, otherwise) => {
                for part in [cond, then, otherwise] {
                    self.expr(part);
                }
                let kind = if is_constant(then) || is_constant(otherwise) { GATES } else { MULTIPLEXERS };
                self.add(kind, width);
            }
            Node::Slice(operand, _) | Node::Repeat(_, operand) | Node::Extend(operand) | Node::Cast(operand) => {
                self.expr(operand);
            }
            Node::Word(vector, index) => {
                self.expr(vector);
                self.expr(index);
                self.add(SELECTORS, vector.width().saturating_sub(width));
            }
            Node::Concat(parts) => parts.iter().for_each(|part| self.expr(part)),
        }
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr, width: u32) {
        let constant = is_constant(a) || is_constant(b);
        let share = if constant { 0.5 } else { 1.0 };
        let (own, other) = (self.bits(a), self.bits(b));
        let compared = f64::from(a.width().min(own.max(other)));
        match op {
            BinOp::Add | BinOp::Sub => self.add(ADDERS, f64::from(width.min(own.max(other) + 1)) * share),
            BinOp::Mul => {
                let (a, b) = (f64::from(own.min(width)), f64::from(other.min(width)));
                self.add(PRODUCTS, a * b * share);
                self.add(EDGES, (a + b) * share);
            }
            BinOp::And | BinOp::Or => self.add(GATES, f64::from(width) * share),
            BinOp::Xor => self.add(XORS, f64::from(width) * share),
            BinOp::Eq | BinOp::Ne if constant => self.add(GATES, compared),
            BinOp::Eq | BinOp::Ne => self.add(EQUALITIES, compared),
            BinOp::Lt | BinOp::Le => self.add(COMPARATORS, compared * share),
            BinOp::Shl | BinOp::Shr => {
                if !is_constant(b) {
                    let stages = other.min(u32::BITS - width.leading_zeros());
                    self.add(SHIFTERS, f64::from(width) * f64::from(stages));
                }
            }
        }
    }

    /// Statements under so many conditions: what is set under one is chosen by a multiplexer.
    fn stmts(&mut self, stmts: &[Stmt], depth: u32) {
        for stmt in stmts {
            match stmt {
                Stmt::Set(_, value) => {
                    self.expr(value);
                    if depth > 0 {
                        let kind = if is_constant(value) { GATES } else { MULTIPLEXERS };
                        self.add(kind, value.width());
                    }
                }
                Stmt::If(cond, then, otherwise) => {
                    self.expr(cond);
                    self.stmts(then, depth + 1);
                    self.stmts(otherwise, depth + 1);
                }
                Stmt::Case(selector, arms, default) => {
                    self.expr(selector);
                    for (labels, arm) in arms {
                        self.add(GATES, 0.5 * f64::from(selector.width()) * labels.len() as f64);
                        self.stmts(arm, depth + 1);
                    }
                    self.stmts(default, depth + 1);
                }
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
        let census = of_module(&m.build().unwrap());
        let logic = census.logic();
        assert_eq!((logic.multiplier_bits, logic.adder_bits), (32.0, 12.0));
        assert_eq!(logic.gates, 12.0 * 2.33);
        assert_eq!((logic.register_bits, census.counts[EDGES]), (0.0, 12.0));
    }
}
