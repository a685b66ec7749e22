//! Levelised two-state cycle simulator of any design of the hardware language.
//!
//! The hierarchy is flattened; each expression of a module is one instruction over all instances of that module, its
//! values side by side. Every signal, register and memory can be read by its hierarchical path. A cycle is
//! [`Stepper::set`] for the inputs, [`Stepper::settle`], [`Stepper::get`] for the outputs, [`Stepper::tick`]. The clock is
//! implicit, `rst_ni` is an ordinary input.

pub mod activity;
mod chunk;
mod commit;
mod compile;
mod exec;
mod flatten;
mod flips;
mod level;
mod memory;
mod random;
pub mod saif;
mod template;
mod toggle;
pub mod vcd;
mod wide;

use hdl::rtl::module::SignalKind;
use hdl::rtl::{Design, Ty};

use crate::error::Error;
use chunk::Chunk;
use commit::Reset;
use exec::{Instr, State};
use flatten::{Flat, Kind};
use random::SplitMix;
use template::{Ref, class};
use toggle::Toggles;
use wide::{MAX_LIMBS, Opd, Tables, limbs};

/// A signal of a [`Stepper`].
#[derive(Clone, Copy, Debug)]
pub struct Port(Opd);

impl Port {
    /// Width in bits.
    pub fn width(self) -> u32 {
        self.0.ty.width
    }

    /// Type.
    pub fn ty(self) -> Ty {
        self.0.ty
    }

    /// Limbs of 64 bits.
    pub fn limbs(self) -> usize {
        limbs(self.0.ty.width) as usize
    }

    /// Offset, width and sign as one number.
    fn handle(self) -> u64 {
        let Ty { width, signed } = self.0.ty;
        u64::from(self.0.off) << 32 | u64::from(width) << 1 | u64::from(signed)
    }

    fn from_handle(handle: u64) -> Self {
        let ty = Ty { width: (handle >> 1 & 0x7fff_ffff) as u32, signed: handle & 1 == 1 };
        Self(Opd { class: class(ty.width), off: (handle >> 32) as u32, ty })
    }
}

/// A memory of a [`Stepper`].
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    number: usize,
    width: u32,
    depth: u32,
}

impl Memory {
    /// Bits of a word.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Words.
    pub fn depth(self) -> u32 {
        self.depth
    }
}

/// A design being simulated.
#[derive(Debug)]
pub struct Stepper {
    flat: Flat,
    loc: Vec<u32>,
    state: State,
    tables: Tables,
    chunks: Vec<Chunk>,
    settle: Vec<Instr>,
    /// Instructions that belong to chunks; the others copy states for the clock edge.
    chunked: usize,
    edge: Vec<Instr>,
    resets: Vec<Reset>,
    /// Where resets stand, and whether they are active at this edge.
    reset_signals: Vec<(u32, bool)>,
    /// Every register and memory output.
    states: Vec<Opd>,
    reset: Option<Opd>,
    toggles: Option<Toggles>,
    counting: Option<Box<activity::Counting>>,
    dirty: bool,
    cycle: u64,
}

impl Stepper {
    /// Compiles a design; registers and memories start at zero, inputs too.
    ///
    /// # Errors
    /// [`Error::Loop`] for a combinational loop through any number of instances, [`Error::Undriven`].
    pub fn new(design: &Design) -> Result<Self, Error> {
        let flat = Flat::new(design)?;
        let batches = level::schedule(&flat)?;
        let mut compiler = compile::Compiler::new(&flat);
        let order = chunk::order(&flat, &batches);
        let chunks = chunk::compile(&mut compiler, &batches, &order);
        let chunked = compiler.code.len();
        let edge = commit::compile(&mut compiler);
        let mut states = Vec::new();
        for group in flat.groups.iter().filter(|g| g.kind == Kind::State) {
            states.extend((group.first..group.first + group.instances).map(|v| compiler.opd(v, group.ty)));
        }
        let reset = flat.reset.map(|v| compiler.opd(v, Ty::bit()));
        let compile::Compiler { loc, state, tables, code, .. } = compiler;
        Ok(Self {
            loc,
            state,
            tables,
            chunks,
            chunked,
            settle: code,
            edge: edge.code,
            resets: edge.resets,
            reset_signals: edge.signals,
            states,
            reset,
            toggles: None,
            counting: None,
            dirty: true,
            cycle: 0,
            flat,
        })
    }

    fn top_port(&self, name: &str, kind: &SignalKind, wanted: &'static str) -> Result<Port, Error> {
        let top = &self.flat.templates[0].module;
        if let Some(reset) = self.reset.filter(|_| name == "rst_ni" && *kind == SignalKind::Input) {
            return Ok(Port(reset));
        }
        match top.port(name).filter(|(_, s)| s.kind == *kind) {
            Some((id, _)) => self.port(0, Ref::Sig(id.0)),
            None => {
                let names: Vec<&str> =
                    top.ports().filter(|(_, s)| s.kind == *kind).map(|(_, s)| s.name.as_str()).collect();
                Err(self.not_found(wanted, name, format!("; there are {}", names.join(", "))))
            }
        }
    }

    fn not_found(&self, wanted: &'static str, path: &str, hint: String) -> Error {
        let top = self.flat.templates[0].module.name.clone();
        Error::NotFound { wanted, path: path.into(), top, hint }
    }

    fn port(&self, inst: u32, of: Ref) -> Result<Port, Error> {
        let module = &self.flat.templates[self.flat.insts[inst as usize].template as usize].module;
        let (ty, value) = match of {
            Ref::Sig(sig) => (module.signals[sig as usize].ty, self.flat.known(inst, sig)),
            Ref::Elem(array, index) => (module.arrays[array as usize].ty, self.flat.element(inst, array, index)),
            Ref::Const(_) | Ref::Node(_) => (Ty::bit(), None),
        };
        match value {
            Some(value) => Ok(Port(Opd { class: class(ty.width), off: self.loc[value as usize], ty })),
            None => Err(self.not_found("signal", &self.flat.name(inst, of), String::new())),
        }
    }

    /// Input port of the top, `rst_ni` included.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn input(&self, name: &str) -> Result<Port, Error> {
        self.top_port(name, &SignalKind::Input, "input")
    }

    /// Output port of the top.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn output(&self, name: &str) -> Result<Port, Error> {
        self.top_port(name, &SignalKind::Output, "output")
    }

    /// Any signal, register or net array element by path: `u_matmul.u_array.u_pe[3][2].sum_q`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn signal(&self, path: &str) -> Result<Port, Error> {
        let missing = |hint: &str| self.not_found("signal", path, hint.into());
        if let Some(reset) = self.reset.filter(|_| path == "rst_ni") {
            return Ok(Port(reset));
        }
        let (inst, name) = self.locate(path).ok_or_else(|| missing(": no such instance"))?;
        let module = &self.flat.templates[self.flat.insts[inst as usize].template as usize].module;
        if let Some(sig) = module.signals.iter().position(|s| s.name == name) {
            return self.port(inst, Ref::Sig(sig as u32));
        }
        let element = name.split_once('[').and_then(|(array, index)| {
            let array = module.arrays.iter().position(|a| a.name == array)?;
            let index: u32 = index.strip_suffix(']')?.parse().ok()?;
            (index < module.arrays[array].len).then_some(Ref::Elem(array as u32, index))
        });
        self.port(inst, element.ok_or_else(|| missing(&format!(": no such signal in {}", module.name)))?)
    }

    fn locate<'p>(&self, path: &'p str) -> Option<(u32, &'p str)> {
        let mut parts: Vec<&str> = path.split('.').collect();
        let name = parts.pop()?;
        Some((self.flat.find_inst(&parts)?, name))
    }

    /// A memory by path.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn memory(&self, path: &str) -> Result<Memory, Error> {
        let found = self.locate(path).and_then(|(inst, name)| {
            let inst = &self.flat.insts[inst as usize];
            let template = &self.flat.templates[inst.template as usize];
            let number = template.mems.iter().position(|m| m.name == name)?;
            let group = self.flat.first_group[inst.template as usize] + template.mems[number].node;
            let out = self.loc[(self.flat.groups[group as usize].first + inst.lane) as usize];
            let class = class(template.mems[number].width);
            self.state.mems.iter().position(|m| m.out.off == out && m.out.class == class)
        });
        let number = found.ok_or_else(|| self.not_found("memory", path, String::new()))?;
        let mem = &self.state.mems[number];
        Ok(Memory { number, width: mem.width, depth: mem.depth })
    }

    /// The word at `addr`, as limbs; empty beyond the depth.
    pub fn peek(&self, memory: Memory, addr: u32) -> &[u64] {
        let n = limbs(memory.width) as usize;
        self.state.mems[memory.number].words.get(addr as usize * n..(addr as usize + 1) * n).unwrap_or(&[])
    }

    /// Sets the word at `addr`; bits above the width are dropped, an address beyond the depth is ignored.
    pub fn poke(&mut self, memory: Memory, addr: u32, value: &[u64]) {
        let n = limbs(memory.width) as usize;
        let bits = hdl::rtl::Bits::from_limbs(memory.width, value);
        if let Some(word) = self.state.mems[memory.number].words.get_mut(addr as usize * n..(addr as usize + 1) * n) {
            word.copy_from_slice(bits.limbs());
        }
    }

    /// Sets an input, or overwrites a register, with the low bits of `value`. Other signals are not to be set.
    pub fn set(&mut self, port: Port, value: u64) {
        self.state.store(port.0, |k| if k == 0 { value } else { 0 });
        self.dirty = true;
    }

    /// Sets an input, or overwrites a register, from limbs, lowest first; missing ones are zero.
    pub fn set_limbs(&mut self, port: Port, value: &[u64]) {
        self.state.store(port.0, |k| value.get(k).copied().unwrap_or(0));
        self.dirty = true;
    }

    /// The low 64 bits of a signal as of the last [`Self::settle`]; registers as of the last [`Self::tick`].
    pub fn get(&self, port: Port) -> u64 {
        self.state.limb(port.0, 0)
    }

    /// A signal's bits as limbs, lowest first; limbs beyond its width become zero.
    pub fn get_limbs(&self, port: Port, value: &mut [u64]) {
        for (k, limb) in value.iter_mut().enumerate() {
            *limb = self.state.limb(port.0, k as u32);
        }
    }

    /// Evaluates the combinational logic, if anything changed.
    pub fn settle(&mut self) {
        if self.dirty {
            for chunk in &mut self.chunks {
                chunk.settle(&self.settle, &mut self.state, &self.tables);
            }
            for instr in &self.settle[self.chunked..] {
                (instr.run)(&mut self.state, &self.tables, instr);
            }
            self.dirty = false;
        }
    }

    /// A clock edge, after settling.
    pub fn tick(&mut self) {
        self.settle();
        if let Some(counting) = &mut self.counting {
            counting.sample(&self.state);
        }
        for (off, active) in &mut self.reset_signals {
            *active = self.state.half[*off as usize] == 0;
        }
        for instr in &self.edge {
            (instr.run)(&mut self.state, &self.tables, instr);
        }
        if self.reset_signals.iter().any(|(_, active)| *active) {
            for Reset { opd, limbs, by } in &self.resets {
                if self.reset_signals[*by].1 {
                    self.state.store(*opd, |k| limbs[k]);
                }
            }
        }
        if let Some(toggles) = &mut self.toggles {
            toggles.update(&self.state);
        }
        self.dirty = true;
        self.cycle += 1;
    }

    /// Starts to count the bits that flip in each register at each clock edge, from zero, or stops.
    pub fn count_toggles(&mut self, on: bool) {
        self.toggles = on.then(|| Toggles::new(&self.states, &self.state));
    }

    /// Path and bit flips of every register and memory output since [`Self::count_toggles`]; nothing, if it is off.
    pub fn toggles(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        let registers = self.toggles.iter().flat_map(|_| self.of_kinds(&[SignalKind::Reg, SignalKind::MemOut]));
        registers.map(|(path, port)| (path, self.toggles.as_ref().map_or(0, |t| t.of(port.0))))
    }

    /// Paths and ports of all registers.
    pub fn registers(&self) -> impl Iterator<Item = (String, Port)> + '_ {
        self.of_kinds(&[SignalKind::Reg])
    }

    fn of_kinds(&self, kinds: &'static [SignalKind]) -> impl Iterator<Item = (String, Port)> + '_ {
        (0..self.flat.insts.len() as u32).flat_map(move |inst| {
            let module = &self.flat.templates[self.flat.insts[inst as usize].template as usize].module;
            let path = self.flat.inst_path(inst);
            let wanted = module.signals.iter().enumerate().filter(|(_, s)| kinds.contains(&s.kind));
            wanted.filter_map(move |(sig, signal)| {
                Some((format!("{path}{}", signal.name), self.port(inst, Ref::Sig(sig as u32)).ok()?))
            })
        })
    }

    /// Clock edges so far.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// All registers and memories to zero.
    pub fn zero(&mut self) {
        self.start(|| 0);
    }

    /// All registers and memories to random values; the same seed gives the same values.
    pub fn randomize(&mut self, seed: u64) {
        let mut random = SplitMix::new(seed);
        self.start(|| random.next());
    }

    fn start(&mut self, mut next: impl FnMut() -> u64) {
        for opd in &self.states {
            let values: [u64; MAX_LIMBS] =
                std::array::from_fn(|k| if k < limbs(opd.ty.width) as usize { next() } else { 0 });
            self.state.store(*opd, |k| values[k]);
        }
        for mem in &mut self.state.mems {
            for word in mem.words.chunks_exact_mut(limbs(mem.width) as usize) {
                word.fill_with(&mut next);
                let bits = hdl::rtl::Bits::from_limbs(mem.width, word);
                word.copy_from_slice(bits.limbs());
            }
        }
        if let Some(toggles) = &mut self.toggles {
            toggles.rebase(&self.state);
        }
        self.dirty = true;
    }

    /// Paths and types of all signals and net array elements, instance by instance.
    pub fn signals(&self) -> impl Iterator<Item = (String, Port)> + '_ {
        (0..self.flat.insts.len() as u32).flat_map(move |inst| {
            let module = &self.flat.templates[self.flat.insts[inst as usize].template as usize].module;
            let signals = (0..module.signals.len() as u32).map(Ref::Sig);
            let elements = module.arrays.iter().enumerate();
            let elements = elements.flat_map(|(a, array)| (0..array.len).map(move |i| Ref::Elem(a as u32, i)));
            let path = self.flat.inst_path(inst);
            signals.chain(elements).filter_map(move |of| {
                let port = self.port(inst, of).ok()?;
                Some((format!("{path}{}", self.flat.local_name(inst, of)), port))
            })
        })
    }
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod tests;
