//! Templates: each module's expressions once, as a graph in which equal nodes are one node.

mod block;
mod build;

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::module::Module;
use hdl::rtl::{BinOp, Bits, Ty};

pub(super) use self::build::build;

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
    /// Reset of its own.
    pub reset: Option<Ref>,
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
