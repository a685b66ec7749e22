//! `ModuleBuilder`: describes a module signal by signal; `build` checks it and reports every problem at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bits::Bits;
use super::expr::{Expr, Node, SigId};
use super::module::{Item, Memory, Module, ReadPort, Reg, Signal, SignalKind, WritePort};
use super::stmt::Block;
use super::ty::{MAX_WIDTH, Ty, index_bits};
use crate::error::Error;

static NEXT_SCOPE: AtomicU64 = AtomicU64::new(0);

/// A memory whose ports are still to be described.
#[derive(Debug)]
pub struct MemoryPorts {
    /// Address width: `index_bits(depth)`.
    pub addr_bits: u32,
    name: String,
    width: u32,
    depth: u32,
}

/// Builds a [`Module`].
#[derive(Debug)]
pub struct ModuleBuilder {
    pub(super) module: Module,
    pub(super) scope: u64,
    problems: Vec<String>,
    /// Memories whose ports are not described yet.
    open_memories: Vec<String>,
}

impl ModuleBuilder {
    /// A module of that name; `doc` (what it does, latency) becomes the header of its file.
    pub fn new(name: impl Into<String>, doc: impl Into<String>) -> Self {
        let module = Module {
            name: name.into(),
            doc: doc.into(),
            signals: Vec::new(),
            arrays: Vec::new(),
            items: Vec::new(),
            ignored: Vec::new(),
            constants: Vec::new(),
            has_clock: false,
            has_reset: false,
        };
        Self {
            module,
            scope: NEXT_SCOPE.fetch_add(1, Ordering::Relaxed),
            problems: Vec::new(),
            open_memories: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, message: String) {
        self.problems.push(message);
    }

    fn declare(&mut self, name: &str, ty: Ty, kind: SignalKind) -> Expr {
        if ty.width == 0 || ty.width > MAX_WIDTH {
            self.problem(format!("{name}: width {} is not in 1..={MAX_WIDTH}", ty.width));
        }
        let id = SigId(self.module.signals.len() as u32);
        self.module.signals.push(Signal { name: name.into(), ty, kind });
        Expr::from_node(Node::Sig(id, self.scope), ty)
    }

    pub(super) fn id_of(&mut self, what: &str, target: &Expr) -> Option<SigId> {
        match target.node() {
            Node::Sig(id, scope) if *scope == self.scope => Some(*id),
            Node::Poison(message) => {
                let message = format!("{what}: {message}");
                self.problem(message);
                None
            }
            _ => {
                self.problem(format!("{what}: not a signal of this module"));
                None
            }
        }
    }

    /// Input port, by convention `..._i`.
    pub fn input(&mut self, name: &str, ty: Ty) -> Expr {
        self.declare(name, ty, SignalKind::Input)
    }

    /// Input port of a standard's interface that the module does not look at.
    pub fn ignored_input(&mut self, name: &str, ty: Ty) {
        let port = self.input(name, ty);
        let id = self.id_of("input", &port);
        self.module.ignored.extend(id);
    }

    /// Output port, by convention `..._o`, to be driven with [`Self::assign`], in a block, or by an instance.
    pub fn output(&mut self, name: &str, ty: Ty) -> Expr {
        self.declare(name, ty, SignalKind::Output)
    }

    /// An output port driven by `value`.
    pub fn output_is(&mut self, name: &str, value: &Expr) -> Expr {
        let port = self.output(name, value.ty());
        self.assign(&port, value);
        port
    }

    /// A named wire driven by `value`.
    pub fn wire(&mut self, name: &str, value: &Expr) -> Expr {
        let wire = self.declare(name, value.ty(), SignalKind::Wire);
        self.assign(&wire, value);
        wire
    }

    /// A wire to be driven later: by [`Self::assign`], a block, a strip or an instance.
    pub fn net(&mut self, name: &str, ty: Ty) -> Expr {
        self.declare(name, ty, SignalKind::Wire)
    }

    /// A comment that opens a section of the file.
    pub fn section(&mut self, comment: &str) {
        self.module.items.push(Item::Section(comment.into()));
    }

    /// A named constant of that type (`localparam`), `UpperCamelCase`.
    pub fn constant(&mut self, name: &str, ty: Ty, value: i128) -> Expr {
        let lit = Expr::lit(ty, value);
        let Node::Const(bits) = lit.node() else { return lit };
        self.module.constants.push((name.into(), bits.clone()));
        Expr::from_node(Node::Named(bits.clone(), name.into()), ty)
    }

    /// Named states of a state machine, numbered from 0: `localparam`s of the smallest width that holds them all.
    pub fn states<const N: usize>(&mut self, names: [&str; N]) -> [Expr; N] {
        let ty = Ty::u(index_bits(N as u32));
        let mut value = -1;
        names.map(|name| {
            value += 1;
            self.constant(name, ty, value)
        })
    }

    /// `target = value`.
    pub fn assign(&mut self, target: &Expr, value: &Expr) {
        if target.ty() != value.ty() {
            self.problem(format!("{} is assigned a {}", self.describe(target), describe_value(value)));
        }
        match target.node() {
            Node::Elem(array, index, scope) if *scope == self.scope => {
                self.module.items.push(Item::AssignElem(*array, *index, value.clone()));
            }
            _ => {
                if let Some(id) = self.id_of("assign", target) {
                    self.module.items.push(Item::Assign(id, value.clone()));
                }
            }
        }
    }

    pub(super) fn describe(&self, target: &Expr) -> String {
        match target.node() {
            Node::Sig(id, _) => format!("{} ({})", self.module.signal(*id).name, target.ty()),
            _ => format!("a {}", target.ty()),
        }
    }

    /// A datapath register without reset, by convention `..._q`; give it a next value with [`Self::next`].
    pub fn reg(&mut self, name: &str, ty: Ty) -> Expr {
        self.declare(name, ty, SignalKind::Reg)
    }

    /// Registers `value` every cycle: a datapath register without reset.
    pub fn pipe(&mut self, name: &str, value: &Expr) -> Expr {
        let q = self.reg(name, value.ty());
        self.next(&q, value);
        q
    }

    /// Registers `value` when `enable` holds: a datapath register without reset.
    pub fn pipe_if(&mut self, name: &str, enable: &Expr, value: &Expr) -> Expr {
        let q = self.reg(name, value.ty());
        self.next_if(&q, enable, value);
        q
    }

    /// Registers a control `value` every cycle; reset gives `reset`.
    pub fn pipe_reset(&mut self, name: &str, reset: i128, value: &Expr) -> Expr {
        let q = self.reg(name, value.ty());
        self.next_reset(&q, reset, None, value);
        q
    }

    fn add_reg(&mut self, q: &Expr, reset: Option<i128>, enable: Option<&Expr>, next: &Expr) {
        if q.ty() != next.ty() {
            self.problem(format!("{} has the next value {}", self.describe(q), describe_value(next)));
        }
        if let Some(enable) = enable
            && enable.ty() != Ty::bit()
        {
            self.problem(format!("{} has the enable {}", self.describe(q), describe_value(enable)));
        }
        let reset = reset.map(|value| match Expr::lit(q.ty(), value).node() {
            Node::Const(bits) => Ok(bits.clone()),
            _ => Err(format!("{}: reset value {value} does not fit", self.describe(q))),
        });
        let reset = match reset.transpose() {
            Ok(reset) => reset,
            Err(message) => return self.problem(message),
        };
        if let Some(sig) = self.id_of("register", q) {
            let reg = Reg { sig, reset, enable: enable.cloned(), next: next.clone() };
            self.module.items.push(Item::Reg(reg));
        }
    }

    /// The next value of a datapath register.
    pub fn next(&mut self, q: &Expr, value: &Expr) {
        self.add_reg(q, None, None, value);
    }

    /// The next value of a datapath register while `enable` holds.
    pub fn next_if(&mut self, q: &Expr, enable: &Expr, value: &Expr) {
        self.add_reg(q, None, Some(enable), value);
    }

    /// The next value of a control register that synchronous reset sets to `reset`.
    pub fn next_reset(&mut self, q: &Expr, reset: i128, enable: Option<&Expr>, value: &Expr) {
        self.add_reg(q, Some(reset), enable, value);
    }

    /// A combinational block under a comment; each target is set unconditionally before it is set in a branch.
    pub fn comb(&mut self, comment: &str, body: impl FnOnce(&mut Block)) {
        let mut block = Block::default();
        body(&mut block);
        for problem in block.problems {
            self.problem(format!("block \"{comment}\": {problem}"));
        }
        self.module.items.push(Item::Comb(comment.into(), block.stmts));
    }

    /// A memory of `depth` words of `width` bits; describe both its ports with [`Self::memory_ports`].
    pub fn memory(&mut self, name: &str, width: u32, depth: u32) -> MemoryPorts {
        if depth < 2 {
            self.problem(format!("memory {name}: depth {depth}, at least 2 wanted"));
        }
        self.open_memories.push(name.into());
        MemoryPorts { addr_bits: index_bits(depth), name: name.into(), width, depth }
    }

    /// The ports of a memory: `write` is (enable, address, data) with optional lane enables, `read` is (enable,
    /// address). Returns the read data, `data_name`, valid from the cycle after the read on until the next read.
    /// A read of the word being written gives the old word.
    pub fn memory_ports(
        &mut self,
        memory: MemoryPorts,
        write: (&Expr, &Expr, &Expr),
        lanes: Option<&Expr>,
        read: (&Expr, &Expr),
        data_name: &str,
    ) -> Expr {
        self.open_memories.retain(|name| *name != memory.name);
        let data = self.declare(data_name, Ty::u(memory.width), SignalKind::MemOut);
        let addr = Ty::u(memory.addr_bits);
        let wanted = [
            (write.0, Ty::bit()),
            (write.1, addr),
            (write.2, Ty::u(memory.width)),
            (read.0, Ty::bit()),
            (read.1, addr),
        ];
        for (expr, ty) in wanted {
            if expr.ty() != ty {
                self.problem(format!("memory {}: a port of type {ty} gets a {}", memory.name, describe_value(expr)));
            }
        }
        if let Some(lanes) = lanes
            && (lanes.ty().signed || !memory.width.is_multiple_of(lanes.width()))
        {
            self.problem(format!("memory {}: {} lane enables for {} bits", memory.name, lanes.width(), memory.width));
        }
        if let Some(id) = self.id_of("memory", &data) {
            let write = WritePort {
                enable: write.0.clone(),
                lanes: lanes.cloned(),
                addr: write.1.clone(),
                data: write.2.clone(),
            };
            let read = ReadPort { enable: read.0.clone(), addr: read.1.clone(), data: id };
            let item = Memory { name: memory.name, width: memory.width, depth: memory.depth, write, read };
            self.module.items.push(Item::Memory(item));
        }
        data
    }

    /// Checks the module and finishes it.
    ///
    /// # Errors
    /// [`Error::Module`] with every problem: wrong types, undriven, doubly driven or unused signals, combinational
    /// loops, latches, name clashes.
    pub fn build(mut self) -> Result<Arc<Module>, Error> {
        let clocked = |item: &Item| match item {
            Item::Reg(_) | Item::Memory(_) => true,
            Item::Instance(i) => i.module.has_clock,
            _ => false,
        };
        let reset = |item: &Item| match item {
            Item::Reg(r) => r.reset.is_some(),
            Item::Instance(i) => i.module.has_reset,
            _ => false,
        };
        self.module.has_clock = self.module.items.iter().any(clocked);
        self.module.has_reset = self.module.items.iter().any(reset);
        for name in std::mem::take(&mut self.open_memories) {
            self.problem(format!("memory {name}: never written nor read: describe its ports"));
        }
        if self.problems.is_empty() {
            self.problems = super::check::check(&self.module, self.scope);
        }
        if self.problems.is_empty() {
            Ok(Arc::new(self.module))
        } else {
            Err(Error::Module { module: self.module.name, problems: self.problems })
        }
    }
}

fn describe_value(value: &Expr) -> String {
    match value.node() {
        Node::Poison(message) => message.clone(),
        _ => value.ty().to_string(),
    }
}

/// Bits of a constant, for tests and simulators.
pub fn constant_bits(expr: &Expr) -> Option<&Bits> {
    match expr.node() {
        Node::Const(bits) | Node::Named(bits, _) => Some(bits),
        _ => None,
    }
}
