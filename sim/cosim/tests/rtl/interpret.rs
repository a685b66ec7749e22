//! A slow, direct interpreter of modules with big integers: the third opinion beside the step simulator and Verilator.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::module::{Conn, Item, SignalKind};
use hdl::rtl::{BinOp, Bits, Expr, Module, Node, Stmt, Ty, UnOp};
use num_bigint::{BigInt, BigUint, Sign};

fn ones(width: u32) -> BigUint {
    (BigUint::from(1u32) << width) - 1u32
}

fn from_bits(bits: &Bits) -> BigUint {
    bits.limbs().iter().rev().fold(BigUint::ZERO, |value, limb| (value << 64) + limb)
}

fn signed(value: &BigUint, ty: Ty) -> BigInt {
    let value = BigInt::from(value.clone());
    if ty.signed && value.bit(u64::from(ty.width) - 1) { value - (BigInt::from(1) << ty.width) } else { value }
}

fn wrap(value: BigInt, width: u32) -> BigUint {
    let modulus = BigInt::from(1) << width;
    let rest = value % &modulus;
    let rest = if rest.sign() == Sign::Minus { rest + modulus } else { rest };
    rest.to_biguint().unwrap_or_default()
}

/// One instance of a module: all its values.
pub struct Interpreter {
    module: Arc<Module>,
    signals: Vec<BigUint>,
    arrays: Vec<Vec<BigUint>>,
    memories: HashMap<usize, Vec<BigUint>>,
    children: HashMap<usize, Vec<Interpreter>>,
    changed: bool,
}

type Memo = HashMap<usize, BigUint>;

impl Interpreter {
    /// Everything zero.
    pub fn new(module: &Arc<Module>) -> Self {
        let mut memories = HashMap::new();
        let mut children = HashMap::new();
        for (at, item) in module.items.iter().enumerate() {
            match item {
                Item::Memory(m) => {
                    memories.insert(at, vec![BigUint::ZERO; m.depth as usize]);
                }
                Item::Instance(i) => {
                    let (rows, cols) = i.grid.unwrap_or((1, 1));
                    children.insert(at, (0..rows * cols).map(|_| Self::new(&i.module)).collect());
                }
                _ => {}
            }
        }
        Self {
            module: module.clone(),
            signals: vec![BigUint::ZERO; module.signals.len()],
            arrays: module.arrays.iter().map(|a| vec![BigUint::ZERO; a.len as usize]).collect(),
            memories,
            children,
            changed: false,
        }
    }

    pub fn get(&self, port: &str) -> BigUint {
        self.module.port(port).map(|(id, _)| self.signals[id.0 as usize].clone()).unwrap_or_default()
    }

    pub fn set(&mut self, port: &str, value: &BigUint) {
        if let Some((id, _)) = self.module.port(port) {
            self.put(id.0 as usize, value.clone());
        }
    }

    fn put(&mut self, at: usize, value: BigUint) {
        if self.signals[at] != value {
            self.signals[at] = value;
            self.changed = true;
        }
    }

    fn put_element(&mut self, array: u32, index: u32, value: BigUint) {
        let element = &mut self.arrays[array as usize][index as usize];
        if *element != value {
            *element = value;
            self.changed = true;
        }
    }

    /// Evaluates every item in order until nothing changes.
    pub fn settle(&mut self) {
        loop {
            self.changed = false;
            let module = self.module.clone();
            for (at, item) in module.items.iter().enumerate() {
                self.item(at, item);
            }
            if !self.changed {
                return;
            }
        }
    }

    fn item(&mut self, at: usize, item: &Item) {
        let mut memo = Memo::new();
        match item {
            Item::Assign(id, value) => {
                let value = self.eval(value, &mut memo);
                self.put(id.0 as usize, value);
            }
            Item::AssignElem(array, index, value) => {
                let value = self.eval(value, &mut memo);
                self.put_element(array.0, *index, value);
            }
            Item::Comb(_, stmts) => {
                let mut set = HashMap::new();
                self.run(stmts, &mut set, &mut memo);
                set.into_iter().for_each(|(id, value)| self.put(id, value));
            }
            Item::Split(s) => {
                let width = self.module.arrays[s.array.0 as usize].ty.width;
                for i in 0..s.count {
                    let value = (&self.signals[s.vector.0 as usize] >> (i * width)) & ones(width);
                    self.put_element(s.array.0, s.offset + i * s.stride, value);
                }
            }
            Item::Join(s) => {
                let width = self.module.arrays[s.array.0 as usize].ty.width;
                let elements = &self.arrays[s.array.0 as usize];
                let words = (0..s.count).map(|i| &elements[(s.offset + i * s.stride) as usize] << (i * width));
                let value = words.fold(BigUint::ZERO, |all, word| all | word);
                self.put(s.vector.0 as usize, value);
            }
            Item::Instance(instance) => {
                let mut children = self.children.remove(&at).unwrap_or_default();
                let cols = instance.grid.map_or(1, |(_, cols)| cols);
                for (i, child) in children.iter_mut().enumerate() {
                    let (row, col) = (i as u32 / cols, i as u32 % cols);
                    for pass in [SignalKind::Input, SignalKind::Output] {
                        for (port, conn) in &instance.conns {
                            let Some((id, signal)) = instance.module.port(port) else { continue };
                            if signal.kind != pass {
                                continue;
                            }
                            let inward = pass == SignalKind::Input;
                            match conn {
                                Conn::In(e) => child.put(id.0 as usize, self.eval(e, &mut memo)),
                                Conn::Out(to) => self.put(to.0 as usize, child.signals[id.0 as usize].clone()),
                                Conn::Net { array, row_step, col_step, offset } => {
                                    let index = row * row_step + col * col_step + offset;
                                    if inward {
                                        let value = self.arrays[array.0 as usize][index as usize].clone();
                                        child.put(id.0 as usize, value);
                                    } else {
                                        self.put_element(array.0, index, child.signals[id.0 as usize].clone());
                                    }
                                }
                            }
                        }
                        if pass == SignalKind::Input {
                            child.settle();
                        }
                    }
                }
                self.children.insert(at, children);
            }
            Item::Section(_) | Item::Reg(_) | Item::Memory(_) => {}
        }
    }

    fn run(&self, stmts: &[Stmt], set: &mut HashMap<usize, BigUint>, memo: &mut Memo) {
        for stmt in stmts {
            match stmt {
                Stmt::Set(id, value) => {
                    set.insert(id.0 as usize, self.eval(value, memo));
                }
                Stmt::If(cond, then, otherwise) => {
                    let taken = self.eval(cond, memo) != BigUint::ZERO;
                    self.run(if taken { then } else { otherwise }, set, memo);
                }
                Stmt::Case(selector, arms, default) => {
                    let value = self.eval(selector, memo);
                    let arm =
                        arms.iter().find(|(labels, _)| labels.iter().any(|l| self.eval(l, &mut Memo::new()) == value));
                    self.run(arm.map_or(default, |(_, body)| body), set, memo);
                }
            }
        }
    }

    /// A clock edge; values must be settled.
    pub fn tick(&mut self, rst_n: bool) {
        self.children.values_mut().flatten().for_each(|child| child.tick(rst_n));
        let module = self.module.clone();
        let mut memo = Memo::new();
        let mut next = Vec::new();
        for (at, item) in module.items.iter().enumerate() {
            match item {
                Item::Reg(reg) => {
                    let enabled = reg.enable.as_ref().is_none_or(|e| self.eval(e, &mut memo) != BigUint::ZERO);
                    match &reg.reset {
                        Some(value) if !rst_n => next.push((reg.sig.0 as usize, from_bits(value))),
                        _ if enabled => next.push((reg.sig.0 as usize, self.eval(&reg.next, &mut memo))),
                        _ => {}
                    }
                }
                Item::Memory(m) => {
                    let on = |g: &Self, e: &Expr, memo: &mut Memo| g.eval(e, memo) != BigUint::ZERO;
                    let index = |value: BigUint| value.iter_u64_digits().next().unwrap_or(0) as usize;
                    if on(self, &m.read.enable, &mut memo) {
                        let addr = index(self.eval(&m.read.addr, &mut memo));
                        next.push((m.read.data.0 as usize, self.memories[&at][addr].clone()));
                    }
                    if on(self, &m.write.enable, &mut memo) {
                        let addr = index(self.eval(&m.write.addr, &mut memo));
                        let data = self.eval(&m.write.data, &mut memo);
                        let mask = match &m.write.lanes {
                            None => ones(m.width),
                            Some(lanes) => {
                                let bits = m.width / lanes.width();
                                let enables = self.eval(lanes, &mut memo);
                                let set = (0..lanes.width()).filter(|i| enables.bit(u64::from(*i)));
                                set.fold(BigUint::ZERO, |all, i| all | (ones(bits) << (i * bits)))
                            }
                        };
                        if let Some(word) = self.memories.get_mut(&at).map(|words| &mut words[addr]) {
                            let kept = word.clone() & (ones(m.width) ^ &mask);
                            *word = kept | (data & mask);
                        }
                    }
                }
                _ => {}
            }
        }
        next.into_iter().for_each(|(at, value)| self.signals[at] = value);
    }

    fn eval(&self, expr: &Expr, memo: &mut Memo) -> BigUint {
        if let Some(known) = memo.get(&expr.key()) {
            return known.clone();
        }
        let value = self.compute(expr, memo);
        memo.insert(expr.key(), value.clone());
        value
    }

    fn compute(&self, expr: &Expr, memo: &mut Memo) -> BigUint {
        let width = expr.width();
        match expr.node() {
            Node::Const(bits) | Node::Named(bits, _) => from_bits(bits),
            Node::Sig(id, _) => self.signals[id.0 as usize].clone(),
            Node::Elem(array, index, _) => self.arrays[array.0 as usize][*index as usize].clone(),
            Node::Unary(op, a) => {
                let value = self.eval(a, memo);
                let bit = |b: bool| BigUint::from(u32::from(b));
                match op {
                    UnOp::Not => value ^ ones(width),
                    UnOp::Neg => wrap(-BigInt::from(value), width),
                    UnOp::RedAnd => bit(value == ones(a.width())),
                    UnOp::RedOr => bit(value != BigUint::ZERO),
                    UnOp::RedXor => bit(value.count_ones() % 2 == 1),
                }
            }
            Node::Binary(op, a, b) => {
                let (va, vb) = (self.eval(a, memo), self.eval(b, memo));
                let (sa, sb) = (signed(&va, a.ty()), signed(&vb, b.ty()));
                let bit = |b: bool| BigUint::from(u32::from(b));
                let amount = || if vb.bits() > 32 { u32::MAX } else { vb.iter_u32_digits().next().unwrap_or(0) };
                match op {
                    BinOp::Add => wrap(sa + sb, width),
                    BinOp::Sub => wrap(sa - sb, width),
                    BinOp::Mul => wrap(sa * sb, width),
                    BinOp::And => va & vb,
                    BinOp::Or => va | vb,
                    BinOp::Xor => va ^ vb,
                    BinOp::Eq => bit(va == vb),
                    BinOp::Ne => bit(va != vb),
                    BinOp::Lt => bit(sa < sb),
                    BinOp::Le => bit(sa <= sb),
                    BinOp::Shl if amount() >= width => BigUint::ZERO,
                    BinOp::Shl => (va << amount()) & ones(width),
                    BinOp::Shr => wrap(sa >> amount().min(width), width),
                }
            }
            Node::Mux(c, a, b) => {
                if self.eval(c, memo) != BigUint::ZERO {
                    self.eval(a, memo)
                } else {
                    self.eval(b, memo)
                }
            }
            Node::Slice(a, lsb) => (self.eval(a, memo) >> *lsb) & ones(width),
            Node::Word(a, index) => {
                let index = self.eval(index, memo).iter_u32_digits().next().unwrap_or(0);
                (self.eval(a, memo) >> (index * width)) & ones(width)
            }
            Node::Concat(parts) => {
                parts.iter().fold(BigUint::ZERO, |all, part| (all << part.width()) | self.eval(part, memo))
            }
            Node::Repeat(count, a) => {
                let value = self.eval(a, memo);
                (0..*count).fold(BigUint::ZERO, |all, _| (all << a.width()) | &value)
            }
            Node::Extend(a) => wrap(signed(&self.eval(a, memo), a.ty()), width),
            Node::Cast(a) => self.eval(a, memo),
            Node::Poison(message) => panic!("a poisoned expression was built: {message}"),
        }
    }
}
