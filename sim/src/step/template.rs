//! Templates: each module's expressions once, as a graph in which equal nodes are one node.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hdl::rtl::module::{Conn, Instance, Item, Module};
use hdl::rtl::{BinOp, Bits, Expr, Node, SigId, Stmt, Ty, UnOp};

use crate::error::Error;

/// A value as seen inside a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ref {
    /// Constant of the pool.
    Const(u32),
    /// Node of the template.
    Node(u32),
    /// Signal of the module.
    Sig(u32),
    /// Element of a net array.
    Elem(u32, u32),
}

/// Operations after simplification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// State of a register.
    Reg,
    /// Read data of a memory.
    MemOut,
    /// The operand itself: its stored form is the same under the new type.
    Alias,
    /// Complement.
    Not,
    /// Negation.
    Neg,
    /// Parity.
    Parity,
    /// Two operands.
    Bin(BinOp),
    /// Condition, then, otherwise.
    Mux,
    /// Bits from that one on.
    Field(u32),
    /// Vector, index.
    Word,
    /// Highest first.
    Concat,
    /// Repeated.
    Repeat(u32),
    /// Widened into another storage class.
    Extend,
    /// Elements of a packed vector: that many lanes an instance.
    Split(u32),
    /// A packed vector of elements, lowest first.
    Join,
}

/// An operand with its type.
pub(super) type Arg = (Ref, Ty);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LNode {
    pub op: Op,
    pub ty: Ty,
    pub args: Vec<Arg>,
}

/// What drives a signal or an element.
#[derive(Clone, Copy, Debug)]
pub(super) enum Driver {
    /// Input port: see the instance's connection.
    Input,
    /// A value of this module.
    Is(Ref),
    /// Lane of a split.
    Lane(u32, u32),
    /// Output of child item `.0`, instance `.1` of its grid, port `.2`.
    Child(u32, u32, u32),
}

#[derive(Clone, Debug)]
pub(super) struct LReg {
    pub node: u32,
    pub reset: Option<Bits>,
    pub enable: Option<Arg>,
    pub next: Arg,
}

#[derive(Clone, Debug)]
pub(super) struct LMem {
    pub name: String,
    pub node: u32,
    pub width: u32,
    pub depth: u32,
    pub write_enable: Arg,
    pub lanes: Option<Arg>,
    pub write_addr: Arg,
    pub data: Arg,
    pub read_enable: Arg,
    pub read_addr: Arg,
}

impl LMem {
    /// Everything the memory reads at a clock edge.
    pub fn args(&self) -> impl Iterator<Item = Arg> {
        [self.write_enable, self.write_addr, self.data, self.read_enable, self.read_addr].into_iter().chain(self.lanes)
    }
}

/// How a child's input is connected.
#[derive(Clone, Copy, Debug)]
pub(super) enum LConn {
    In(Ref),
    Net { array: u32, row_step: u32, col_step: u32, offset: u32 },
}

#[derive(Clone, Debug)]
pub(super) struct Child {
    pub name: String,
    pub module: Arc<Module>,
    pub grid: Option<(u32, u32)>,
    /// Connection of each input port of the child.
    pub inputs: HashMap<u32, LConn>,
}

/// A module ready to be instantiated.
#[derive(Debug)]
pub(super) struct Template {
    pub module: Arc<Module>,
    pub nodes: Vec<LNode>,
    pub sigs: Vec<Option<Driver>>,
    pub arrays: Vec<Vec<Option<Driver>>>,
    pub regs: Vec<LReg>,
    pub mems: Vec<LMem>,
    pub children: Vec<Child>,
}

/// All constants of a design.
#[derive(Debug, Default)]
pub(super) struct Consts {
    pub list: Vec<(Bits, Ty)>,
    index: HashMap<(Bits, bool), u32>,
}

impl Consts {
    pub fn get(&mut self, bits: &Bits, ty: Ty) -> Ref {
        let list = &mut self.list;
        let number = *self.index.entry((bits.clone(), ty.signed)).or_insert_with(|| {
            list.push((bits.clone(), ty));
            list.len() as u32 - 1
        });
        Ref::Const(number)
    }
}

/// Storage class of a width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    /// Up to 32 bits: a `u32`, sign- or zero-extended by its type.
    Half,
    /// Up to 64 bits: a `u64`, likewise.
    Full,
    /// Limbs, lowest first, zeros above the width.
    Wide,
}

pub(super) fn class(width: u32) -> Class {
    match width {
        0..=32 => Class::Half,
        33..=64 => Class::Full,
        _ => Class::Wide,
    }
}

struct Builder<'a> {
    consts: &'a mut Consts,
    template: Template,
    memo: HashMap<usize, Ref>,
    shared: HashMap<LNode, u32>,
}

type Env = BTreeMap<u32, Ref>;

pub(super) fn build(module: &Arc<Module>, consts: &mut Consts) -> Result<Template, Error> {
    let inputs = module.signals.iter().map(|s| match s.kind {
        hdl::rtl::module::SignalKind::Input => Some(Driver::Input),
        _ => None,
    });
    let template = Template {
        module: module.clone(),
        nodes: Vec::new(),
        sigs: inputs.collect(),
        arrays: module.arrays.iter().map(|a| vec![None; a.len as usize]).collect(),
        regs: Vec::new(),
        mems: Vec::new(),
        children: Vec::new(),
    };
    let mut builder = Builder { consts, template, memo: HashMap::new(), shared: HashMap::new() };
    for item in &module.items {
        builder.item(item)?;
    }
    Ok(builder.template)
}

impl Builder<'_> {
    fn item(&mut self, item: &Item) -> Result<(), Error> {
        match item {
            Item::Section(_) => {}
            Item::Assign(id, e) => {
                let value = self.expr(e)?;
                self.template.sigs[id.0 as usize] = Some(Driver::Is(value));
            }
            Item::AssignElem(array, index, e) => {
                let value = self.expr(e)?;
                self.template.arrays[array.0 as usize][*index as usize] = Some(Driver::Is(value));
            }
            Item::Comb(_, stmts) => {
                let mut env = Env::new();
                self.block(stmts, &mut env)?;
                for (sig, value) in env {
                    self.template.sigs[sig as usize] = Some(Driver::Is(value));
                }
            }
            Item::Reg(reg) => {
                let node = self.state(Op::Reg, reg.sig);
                let enable = reg.enable.as_ref().map(|e| self.arg(e)).transpose()?;
                let next = self.arg(&reg.next)?;
                self.template.regs.push(LReg { node, reset: reg.reset.clone(), enable, next });
            }
            Item::Memory(m) => {
                let node = self.state(Op::MemOut, m.read.data);
                let mem = LMem {
                    name: m.name.clone(),
                    node,
                    width: m.width,
                    depth: m.depth,
                    write_enable: self.arg(&m.write.enable)?,
                    lanes: m.write.lanes.as_ref().map(|e| self.arg(e)).transpose()?,
                    write_addr: self.arg(&m.write.addr)?,
                    data: self.arg(&m.write.data)?,
                    read_enable: self.arg(&m.read.enable)?,
                    read_addr: self.arg(&m.read.addr)?,
                };
                self.template.mems.push(mem);
            }
            Item::Instance(instance) => self.instance(instance)?,
            Item::Split(strip) => {
                let vector = (Ref::Sig(strip.vector.0), self.template.module.signal(strip.vector).ty);
                let ty = self.template.module.arrays[strip.array.0 as usize].ty;
                let node = self.push(LNode { op: Op::Split(strip.count), ty, args: vec![vector] });
                for i in 0..strip.count {
                    let at = (strip.offset + i * strip.stride) as usize;
                    self.template.arrays[strip.array.0 as usize][at] = Some(Driver::Lane(node, i));
                }
            }
            Item::Join(strip) => {
                let ty = self.template.module.arrays[strip.array.0 as usize].ty;
                let args =
                    (0..strip.count).map(|i| (Ref::Elem(strip.array.0, strip.offset + i * strip.stride), ty)).collect();
                let vector = self.template.module.signal(strip.vector).ty;
                let node = self.push(LNode { op: Op::Join, ty: vector, args });
                self.template.sigs[strip.vector.0 as usize] = Some(Driver::Is(Ref::Node(node)));
            }
        }
        Ok(())
    }

    fn instance(&mut self, instance: &Instance) -> Result<(), Error> {
        let item = self.template.children.len() as u32;
        let mut inputs = HashMap::new();
        let (rows, cols) = instance.grid.unwrap_or((1, 1));
        for (name, conn) in &instance.conns {
            let Some((port, signal)) = instance.module.port(name) else { continue };
            let output = signal.kind == hdl::rtl::module::SignalKind::Output;
            match conn {
                Conn::In(e) => {
                    let value = self.expr(e)?;
                    inputs.insert(port.0, LConn::In(value));
                }
                Conn::Out(id) => self.template.sigs[id.0 as usize] = Some(Driver::Child(item, 0, port.0)),
                Conn::Net { array, row_step, col_step, offset } if output => {
                    for r in 0..rows {
                        for c in 0..cols {
                            let at = (r * row_step + c * col_step + offset) as usize;
                            let driver = Driver::Child(item, r * cols + c, port.0);
                            self.template.arrays[array.0 as usize][at] = Some(driver);
                        }
                    }
                }
                Conn::Net { array, row_step, col_step, offset } => {
                    let conn = LConn::Net { array: array.0, row_step: *row_step, col_step: *col_step, offset: *offset };
                    inputs.insert(port.0, conn);
                }
            }
        }
        let child = Child { name: instance.name.clone(), module: instance.module.clone(), grid: instance.grid, inputs };
        self.template.children.push(child);
        Ok(())
    }

    fn state(&mut self, op: Op, sig: SigId) -> u32 {
        let node = self.push(LNode { op, ty: self.template.module.signal(sig).ty, args: Vec::new() });
        self.template.sigs[sig.0 as usize] = Some(Driver::Is(Ref::Node(node)));
        node
    }

    fn push(&mut self, node: LNode) -> u32 {
        self.template.nodes.push(node);
        self.template.nodes.len() as u32 - 1
    }

    fn node(&mut self, op: Op, ty: Ty, args: Vec<Arg>) -> Ref {
        let node = LNode { op, ty, args };
        if let Some(&found) = self.shared.get(&node) {
            return Ref::Node(found);
        }
        let number = self.push(node.clone());
        self.shared.insert(node, number);
        Ref::Node(number)
    }

    fn arg(&mut self, e: &Expr) -> Result<Arg, Error> {
        Ok((self.expr(e)?, e.ty()))
    }

    fn mux(&mut self, cond: Ref, then: Ref, otherwise: Ref, ty: Ty) -> Ref {
        if then == otherwise {
            return then;
        }
        if let Ref::Const(c) = cond {
            return if self.consts.list[c as usize].0.bit(0) { then } else { otherwise };
        }
        self.node(Op::Mux, ty, vec![(cond, Ty::bit()), (then, ty), (otherwise, ty)])
    }

    fn expr(&mut self, e: &Expr) -> Result<Ref, Error> {
        if let Some(&found) = self.memo.get(&e.key()) {
            return Ok(found);
        }
        let ty = e.ty();
        let value = match e.node() {
            Node::Const(bits) | Node::Named(bits, _) => self.consts.get(bits, ty),
            Node::Sig(id, _) => Ref::Sig(id.0),
            Node::Elem(array, index, _) => Ref::Elem(array.0, *index),
            Node::Unary(op, a) => self.unary(*op, a, ty)?,
            Node::Binary(op, a, b) => {
                let args = vec![self.arg(a)?, self.arg(b)?];
                self.node(Op::Bin(*op), ty, args)
            }
            Node::Mux(c, a, b) => {
                let (c, a, b) = (self.expr(c)?, self.expr(a)?, self.expr(b)?);
                self.mux(c, a, b, ty)
            }
            Node::Slice(a, lsb) => {
                let args = vec![self.arg(a)?];
                self.node(Op::Field(*lsb), ty, args)
            }
            Node::Word(a, index) => {
                let args = vec![self.arg(a)?, self.arg(index)?];
                self.node(Op::Word, ty, args)
            }
            Node::Concat(parts) => {
                let args = parts.iter().map(|p| self.arg(p)).collect::<Result<_, _>>()?;
                self.node(Op::Concat, ty, args)
            }
            Node::Repeat(count, a) => {
                let args = vec![self.arg(a)?];
                self.node(Op::Repeat(*count), ty, args)
            }
            Node::Extend(a) | Node::Cast(a) => self.convert(a, ty, matches!(e.node(), Node::Cast(_)))?,
            Node::Poison(message) => {
                let module = self.template.module.name.clone();
                return Err(Error::Poison { module, message: message.clone() });
            }
        };
        self.memo.insert(e.key(), value);
        Ok(value)
    }

    fn unary(&mut self, op: UnOp, a: &Expr, ty: Ty) -> Result<Ref, Error> {
        let arg = self.arg(a)?;
        Ok(match op {
            UnOp::Not => self.node(Op::Not, ty, vec![arg]),
            UnOp::Neg => self.node(Op::Neg, ty, vec![arg]),
            UnOp::RedXor => self.node(Op::Parity, ty, vec![arg]),
            UnOp::RedAnd | UnOp::RedOr if arg.1 == Ty::bit() => arg.0,
            UnOp::RedAnd => {
                let ones = self.consts.get(&Bits::from_i128(a.width(), -1), a.ty());
                self.node(Op::Bin(BinOp::Eq), ty, vec![arg, (ones, a.ty())])
            }
            UnOp::RedOr => {
                let zero = self.consts.get(&Bits::zero(a.width()), a.ty());
                self.node(Op::Bin(BinOp::Ne), ty, vec![arg, (zero, a.ty())])
            }
        })
    }

    /// A change of type that keeps the value (extension) or the bits (cast).
    fn convert(&mut self, a: &Expr, ty: Ty, cast: bool) -> Result<Ref, Error> {
        let arg = self.arg(a)?;
        if let Ref::Const(c) = arg.0 {
            let bits = &self.consts.list[c as usize].0;
            let mut limbs = bits.limbs().to_vec();
            limbs.resize(ty.width.div_ceil(64) as usize, 0);
            if a.ty().signed && bits.bit(a.width() - 1) {
                for i in a.width()..ty.width {
                    limbs[i as usize / 64] |= 1 << (i % 64);
                }
            }
            return Ok(self.consts.get(&Bits::from_limbs(ty.width, &limbs), ty));
        }
        let same = class(a.width()) == class(ty.width);
        if !cast {
            let alias = same && (class(ty.width) != Class::Wide);
            return Ok(self.node(if alias { Op::Alias } else { Op::Extend }, ty, vec![arg]));
        }
        // A zero-extended value has no sign bit, a full word none of its own.
        let positive = matches!(a.node(), Node::Extend(_)) && !a.ty().signed;
        if positive || matches!(ty.width, 32 | 64) || class(ty.width) == Class::Wide {
            return Ok(self.node(Op::Alias, ty, vec![arg]));
        }
        if let Node::Slice(from, lsb) = a.node() {
            let args = vec![self.arg(from)?];
            return Ok(self.node(Op::Field(*lsb), ty, args));
        }
        Ok(self.node(Op::Field(0), ty, vec![arg]))
    }

    fn block(&mut self, stmts: &[Stmt], env: &mut Env) -> Result<(), Error> {
        for stmt in stmts {
            match stmt {
                Stmt::Set(id, e) => {
                    let value = self.expr(e)?;
                    env.insert(id.0, value);
                }
                Stmt::If(cond, then, otherwise) => {
                    let cond = self.expr(cond)?;
                    let mut yes = env.clone();
                    self.block(then, &mut yes)?;
                    self.block(otherwise, env)?;
                    self.merge(cond, yes, env)?;
                }
                Stmt::Case(selector, arms, default) => {
                    let select = self.arg(selector)?;
                    let before = env.clone();
                    let labels: usize = arms.iter().map(|(l, _)| l.len()).sum();
                    let complete = selector.width() < 20 && labels == 1 << selector.width();
                    self.block(default, env)?;
                    for (i, (labels, body)) in arms.iter().enumerate().rev() {
                        let mut arm = before.clone();
                        self.block(body, &mut arm)?;
                        if complete && i + 1 == arms.len() {
                            *env = arm;
                            continue;
                        }
                        let mut hit = None;
                        for label in labels {
                            let args = vec![select, self.arg(label)?];
                            let equal = self.node(Op::Bin(BinOp::Eq), Ty::bit(), args);
                            hit = Some(match hit {
                                None => equal,
                                Some(other) => {
                                    let args = vec![(other, Ty::bit()), (equal, Ty::bit())];
                                    self.node(Op::Bin(BinOp::Or), Ty::bit(), args)
                                }
                            });
                        }
                        if let Some(hit) = hit {
                            self.merge(hit, arm, env)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// `env` becomes `cond ? yes : env`.
    fn merge(&mut self, cond: Ref, yes: Env, env: &mut Env) -> Result<(), Error> {
        let missing = env.keys().find(|k| !yes.contains_key(k)).or(yes.keys().find(|k| !env.contains_key(k)));
        if let Some(&sig) = missing {
            let module = &self.template.module;
            let signal = format!("{}.{}", module.name, module.signals[sig as usize].name);
            return Err(Error::Undriven { signal, place: "on every path of its block: set it first".into() });
        }
        for (sig, then) in yes {
            let ty = self.template.module.signals[sig as usize].ty;
            let otherwise = env[&sig];
            let value = self.mux(cond, then, otherwise, ty);
            env.insert(sig, value);
        }
        Ok(())
    }
}
