//! Modules and designs as data, for the emitter, the checks and the simulator.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bits::Bits;
use super::expr::{ArrayId, Expr, SigId};
use super::stmt::Stmt;
use super::ty::Ty;

/// What drives a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// Input port.
    Input,
    /// Output port, driven by an [`Item::Assign`], a [`Item::Comb`], a [`Item::Join`] or an instance.
    Output,
    /// Wire, driven likewise.
    Wire,
    /// Register, driven by an [`Item::Reg`].
    Reg,
    /// The registered read data of a memory.
    MemOut,
}

/// A signal.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Name in the Verilog.
    pub name: String,
    /// Type.
    pub ty: Ty,
    /// What it is.
    pub kind: SignalKind,
}

/// An array of nets, for the connections inside a grid of instances.
#[derive(Clone, Debug)]
pub struct NetArray {
    /// Name in the Verilog.
    pub name: String,
    /// Type of an element.
    pub ty: Ty,
    /// Elements.
    pub len: u32,
}

/// A register: `next` is taken at the clock edge when `enable` holds (always, if there is none).
#[derive(Clone, Debug)]
pub struct Reg {
    /// The register's signal.
    pub sig: SigId,
    /// Value that synchronous reset gives; a datapath register has none.
    pub reset: Option<Bits>,
    /// Clock enable, one bit.
    pub enable: Option<Expr>,
    /// Next value.
    pub next: Expr,
}

/// A memory with one write port and one read port, synchronous read, read-during-write gives the old word.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Name in the Verilog.
    pub name: String,
    /// Bits of a word.
    pub width: u32,
    /// Words; addresses have `index_bits(depth)` bits and must stay below it.
    pub depth: u32,
    /// Write port.
    pub write: WritePort,
    /// Read port.
    pub read: ReadPort,
}

/// Write port of a memory.
#[derive(Clone, Debug)]
pub struct WritePort {
    /// Write enable, one bit.
    pub enable: Expr,
    /// Lane enables, one bit for each `width / lanes.width` bits of a word, lowest first.
    pub lanes: Option<Expr>,
    /// Address.
    pub addr: Expr,
    /// Data.
    pub data: Expr,
}

/// Read port of a memory.
#[derive(Clone, Debug)]
pub struct ReadPort {
    /// Read enable, one bit: without it the data stays.
    pub enable: Expr,
    /// Address.
    pub addr: Expr,
    /// Where the word read appears after the clock edge ([`SignalKind::MemOut`]).
    pub data: SigId,
}

/// How a port of an instance is connected.
#[derive(Clone, Debug)]
pub enum Conn {
    /// An input to an expression; every instance of a grid gets the same.
    In(Expr),
    /// An output to a signal.
    Out(SigId),
    /// In a grid: to element `row * row_step + col * col_step + offset` of a net array.
    Net {
        /// The array.
        array: ArrayId,
        /// Elements from one row to the next.
        row_step: u32,
        /// Elements from one column to the next.
        col_step: u32,
        /// Element of instance `[0, 0]`.
        offset: u32,
    },
}

/// Name of the reset, active low, in all modules.
pub const RESET: &str = "rst_ni";

/// One instance, or a grid of instances, of a module.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Name, `u_...`.
    pub name: String,
    /// Module.
    pub module: Arc<Module>,
    /// Connections by port name, in the order of the module's ports; before them [`RESET`], where the instance has a reset
    /// of its own.
    pub conns: Vec<(String, Conn)>,
    /// Rows and columns of a grid, `generate for` in the Verilog.
    pub grid: Option<(u32, u32)>,
}

/// A run of array elements that mirrors a packed vector: element `offset + i * stride` is word `i` of it.
#[derive(Clone, Debug)]
pub struct Strip {
    /// The array.
    pub array: ArrayId,
    /// Element of word 0.
    pub offset: u32,
    /// Elements from one word to the next.
    pub stride: u32,
    /// Words.
    pub count: u32,
    /// The packed vector, `count * element width` bits, word 0 lowest.
    pub vector: SigId,
}

/// A part of a module's body, in the order of description.
#[derive(Clone, Debug)]
pub enum Item {
    /// A comment that opens a section of the file.
    Section(String),
    /// `target = value`.
    Assign(SigId, Expr),
    /// `array[index] = value`.
    AssignElem(ArrayId, u32, Expr),
    /// A combinational block: statements and the comment above it. Defaults come first; no target is read inside.
    Comb(String, Vec<Stmt>),
    /// A register.
    Reg(Reg),
    /// A memory.
    Memory(Memory),
    /// An instance or a grid.
    Instance(Instance),
    /// Array elements driven from a packed vector.
    Split(Strip),
    /// A packed vector driven from array elements.
    Join(Strip),
}

/// A module: built once, shared by its instances.
#[derive(Clone, Debug)]
pub struct Module {
    /// Name, with the Config's prefix.
    pub name: String,
    /// What it does and its latency: the header of its file.
    pub doc: String,
    /// All signals; ports in the order of the port list.
    pub signals: Vec<Signal>,
    /// All net arrays.
    pub arrays: Vec<NetArray>,
    /// Body.
    pub items: Vec<Item>,
    /// Inputs that a standard's interface has and nothing reads.
    pub ignored: Vec<SigId>,
    /// Named constants (`localparam`), in order of use.
    pub constants: Vec<(String, Bits)>,
    /// Whether it has a port `clk_i`.
    pub has_clock: bool,
    /// Whether it has a port `rst_ni`.
    pub has_reset: bool,
}

impl Module {
    /// Input and output ports in order, without clock and reset.
    pub fn ports(&self) -> impl Iterator<Item = (SigId, &Signal)> {
        self.signals
            .iter()
            .enumerate()
            .filter(|(_, s)| matches!(s.kind, SignalKind::Input | SignalKind::Output))
            .map(|(i, s)| (SigId(i as u32), s))
    }

    /// The signal of that number.
    pub fn signal(&self, id: SigId) -> &Signal {
        &self.signals[id.0 as usize]
    }

    /// The port of that name.
    pub fn port(&self, name: &str) -> Option<(SigId, &Signal)> {
        self.ports().find(|(_, s)| s.name == name)
    }

    /// Instances in order.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.items.iter().filter_map(|item| match item {
            Item::Instance(instance) => Some(instance),
            _ => None,
        })
    }
}

/// A top module with everything below it.
#[derive(Clone, Debug)]
pub struct Design {
    /// The top.
    pub top: Arc<Module>,
}

impl Design {
    /// A design from its top module.
    pub fn new(top: Arc<Module>) -> Self {
        Self { top }
    }

    /// Every module once, by name; the same name always means the same module (the checks see to it).
    pub fn modules(&self) -> BTreeMap<String, Arc<Module>> {
        let mut found = BTreeMap::new();
        let mut pending = vec![self.top.clone()];
        while let Some(module) = pending.pop() {
            if found.insert(module.name.clone(), module.clone()).is_none() {
                pending.extend(module.instances().map(|i| i.module.clone()));
            }
        }
        found
    }
}
