//! From a module's items to its template.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::module::{Conn, Instance, Item, Module, RESET};
use hdl::rtl::{BinOp, Bits, Expr, Node, SigId, Ty, UnOp};

use super::block::Env;
use super::{Arg, Child, Class, Consts, Driver, LConn, LMem, LNode, LReg, Op, Ref, Template, class};
use crate::error::Error;

pub(super) struct Builder<'a> {
    pub(super) consts: &'a mut Consts,
    pub(super) template: Template,
    memo: HashMap<usize, Ref>,
    shared: HashMap<LNode, u32>,
}

pub fn build(module: &Arc<Module>, consts: &mut Consts) -> Result<Template, Error> {
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
        let mut reset = None;
        for (name, conn) in &instance.conns {
            if let (RESET, Conn::In(e)) = (name.as_str(), conn) {
                reset = Some(self.expr(e)?);
            }
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
        let (name, module) = (instance.name.clone(), instance.module.clone());
        let child = Child { name, module, grid: instance.grid, inputs, reset };
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

    pub(super) fn node(&mut self, op: Op, ty: Ty, args: Vec<Arg>) -> Ref {
        let node = LNode { op, ty, args };
        if let Some(&found) = self.shared.get(&node) {
            return Ref::Node(found);
        }
        let number = self.push(node.clone());
        self.shared.insert(node, number);
        Ref::Node(number)
    }

    pub(super) fn arg(&mut self, e: &Expr) -> Result<Arg, Error> {
        Ok((self.expr(e)?, e.ty()))
    }

    pub(super) fn mux(&mut self, cond: Ref, then: Ref, otherwise: Ref, ty: Ty) -> Ref {
        if then == otherwise {
            return then;
        }
        if let Ref::Const(c) = cond {
            return if self.consts.list[c as usize].0.bit(0) { then } else { otherwise };
        }
        self.node(Op::Mux, ty, vec![(cond, Ty::bit()), (then, ty), (otherwise, ty)])
    }

    pub(super) fn expr(&mut self, e: &Expr) -> Result<Ref, Error> {
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
}
