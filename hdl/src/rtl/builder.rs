//! `ModuleBuilder`: describes a module signal by signal; `build` checks it and reports every problem at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bits::Bits;
use super::expr::{ArrayId, Expr, Node, SigId};
use super::module::{
    Conn, Instance, Item, Memory, Module, NetArray, ReadPort, Reg, Signal, SignalKind, Strip, WritePort,
};
use super::stmt::Block;
use super::ty::{MAX_WIDTH, Ty, index_bits};
use crate::error::Error;

static NEXT_SCOPE: AtomicU64 = AtomicU64::new(0);

/// A net array of the module being built.
#[derive(Clone, Debug)]
pub struct Nets {
    pub(super) id: ArrayId,
    ty: Ty,
    len: u32,
    scope: u64,
}

impl Nets {
    /// Element `index` as an expression.
    pub fn at(&self, index: u32) -> Expr {
        let node = if index < self.len {
            Node::Elem(self.id, index, self.scope)
        } else {
            Node::Poison(format!("element {index} of an array of {}", self.len))
        };
        Expr::from_node(node, self.ty)
    }

    /// A grid connection: instance `[r, c]` gets element `r * row_step + c * col_step + offset`.
    pub fn step(&self, row_step: u32, col_step: u32, offset: u32) -> Conn {
        Conn::Net { array: self.id, row_step, col_step, offset }
    }
}

/// A memory whose ports are still to be described.
#[derive(Debug)]
pub struct MemoryPorts {
    /// Address width: `index_bits(depth)`.
    pub addr_bits: u32,
    name: String,
    width: u32,
    depth: u32,
}

/// The outputs of an instance.
#[derive(Clone, Debug)]
pub struct Outputs(Vec<(String, Expr)>);

impl Outputs {
    /// The wire at output port `port`.
    pub fn out(&self, port: &str) -> Expr {
        match self.0.iter().find(|(name, _)| name == port) {
            Some((_, expr)) => expr.clone(),
            None => Expr::from_node(Node::Poison(format!("no output port {port}")), Ty::bit()),
        }
    }
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

    fn problem(&mut self, message: String) {
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

    fn id_of(&mut self, what: &str, target: &Expr) -> Option<SigId> {
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

    fn describe(&self, target: &Expr) -> String {
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
            && (lanes.ty().signed || memory.width % lanes.width() != 0)
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

    /// A net array of `len` elements, for grids.
    pub fn nets(&mut self, name: &str, ty: Ty, len: u32) -> Nets {
        let id = ArrayId(self.module.arrays.len() as u32);
        self.module.arrays.push(NetArray { name: name.into(), ty, len });
        Nets { id, ty, len, scope: self.scope }
    }

    fn strip(&mut self, nets: &Nets, offset: u32, stride: u32, count: u32, vector: &Expr) -> Option<Strip> {
        let fits = count > 0 && u64::from(offset) + u64::from(stride) * u64::from(count - 1) < u64::from(nets.len);
        if !fits || vector.width() != count * nets.ty.width {
            self.problem(format!(
                "{count} elements of {} from {offset} in steps of {stride} (array of {}) against {}",
                nets.ty,
                nets.len,
                self.describe(vector)
            ));
        }
        let vector = self.id_of("strip", vector)?;
        Some(Strip { array: nets.id, offset, stride, count, vector })
    }

    /// Drives elements `offset + i * stride`, `i < count`, from word `i` of the packed signal `vector`.
    pub fn split(&mut self, vector: &Expr, nets: &Nets, offset: u32, stride: u32, count: u32) {
        if let Some(strip) = self.strip(nets, offset, stride, count, vector) {
            self.module.items.push(Item::Split(strip));
        }
    }

    /// A packed wire `name` whose word `i` is element `offset + i * stride`, `i < count`.
    pub fn join(&mut self, name: &str, nets: &Nets, offset: u32, stride: u32, count: u32) -> Expr {
        let vector = self.net(name, Ty::u(nets.ty.width.saturating_mul(count)));
        if let Some(strip) = self.strip(nets, offset, stride, count, &vector) {
            self.module.items.push(Item::Join(strip));
        }
        vector
    }

    /// An instance `u_...`: inputs by port name; each output gets a wire named after instance and port.
    pub fn instance(&mut self, name: &str, module: &Arc<Module>, inputs: &[(&str, &Expr)]) -> Outputs {
        let mut conns = Vec::new();
        let mut outputs = Vec::new();
        for (_, port) in module.ports() {
            if port.kind == SignalKind::Output {
                let stem = port.name.strip_suffix("_o").unwrap_or(&port.name);
                let wire = format!("{}_{stem}", name.strip_prefix("u_").unwrap_or(name));
                let wire = self.net(&wire, port.ty);
                if let Some(id) = self.id_of(name, &wire) {
                    conns.push((port.name.clone(), Conn::Out(id)));
                }
                outputs.push((port.name.clone(), wire));
            } else if let Some((_, expr)) = inputs.iter().find(|(n, _)| *n == port.name) {
                conns.push((port.name.clone(), Conn::In((*expr).clone())));
            }
        }
        let given: Vec<_> = inputs.iter().map(|(n, _)| *n).collect();
        self.add_instance(name, module, conns, None, &given);
        Outputs(outputs)
    }

    /// A grid of `rows * cols` instances: every port is connected to a net array ([`Nets::step`]) or, inputs only, to
    /// the same expression for all.
    pub fn grid(&mut self, name: &str, module: &Arc<Module>, rows: u32, cols: u32, conns: &[(&str, Conn)]) {
        let ordered = module
            .ports()
            .filter_map(|(_, port)| conns.iter().find(|(n, _)| *n == port.name))
            .map(|(n, conn)| ((*n).to_string(), conn.clone()))
            .collect();
        let given: Vec<_> = conns.iter().map(|(n, _)| *n).collect();
        self.add_instance(name, module, ordered, Some((rows, cols)), &given);
    }

    fn add_instance(
        &mut self,
        name: &str,
        module: &Arc<Module>,
        conns: Vec<(String, Conn)>,
        grid: Option<(u32, u32)>,
        given: &[&str],
    ) {
        for wanted in given {
            if module.port(wanted).is_none() {
                self.problem(format!("{name}: module {} has no port {wanted}", module.name));
            }
        }
        for (_, port) in module.ports() {
            let Some((_, conn)) = conns.iter().find(|(n, _)| *n == port.name) else {
                self.problem(format!("{name}: port {} of {} is not connected", port.name, module.name));
                continue;
            };
            let (ty, fits) = match conn {
                Conn::In(expr) => (expr.ty(), port.kind == SignalKind::Input),
                Conn::Out(id) => (self.module.signal(*id).ty, port.kind == SignalKind::Output && grid.is_none()),
                Conn::Net { array, row_step, col_step, offset } => {
                    let nets = &self.module.arrays[array.0 as usize];
                    let (rows, cols) = grid.unwrap_or((1, 1));
                    let last = u64::from(rows.saturating_sub(1)) * u64::from(*row_step)
                        + u64::from(cols.saturating_sub(1)) * u64::from(*col_step)
                        + u64::from(*offset);
                    (nets.ty, last < u64::from(nets.len) && grid.is_some())
                }
            };
            if ty != port.ty || !fits {
                self.problem(format!(
                    "{name}: port {} ({}, {:?}) does not fit {conn:?}",
                    port.name, port.ty, port.kind
                ));
            }
        }
        let instance = Instance { name: name.into(), module: module.clone(), conns, grid };
        self.module.items.push(Item::Instance(instance));
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
