//! The clock edge: registers and memories take their next values in an order in which, where possible, whoever reads a
//! state comes before whoever changes it; elsewhere the reader gets a copy made before the edge.

use std::collections::HashMap;

use super::compile::{Compiler, plan};
use super::exec::{self as x, Instr, Kernel};
use super::flatten::Kind;
use super::memory::{self, Mem};
use super::template::{Class, class};
use super::wide::{Opd, limbs};

/// A register's value at reset.
#[derive(Clone, Debug)]
pub(super) struct Reset {
    pub opd: Opd,
    pub limbs: Vec<u64>,
    /// Place of its reset in [`Edge::signals`].
    pub by: usize,
}

/// What happens at a clock edge.
#[derive(Debug, Default)]
pub(super) struct Edge {
    pub code: Vec<Instr>,
    pub resets: Vec<Reset>,
    /// Resets of the design: where each stands, and whether it is active at the edge.
    pub signals: Vec<(u32, bool)>,
}

/// A register or memory of a template.
struct Item {
    group: u32,
    reg: Option<usize>,
    mem: Option<usize>,
    reads: Vec<u32>,
}

struct Committer<'a, 'b> {
    to: &'a mut Compiler<'b>,
    /// Values read by a copy.
    copies: HashMap<u32, u32>,
    edge: Vec<Instr>,
    /// Unconditional updates from combinational values, which may come in any order after all others: whether of the
    /// 32-bit arena, to, from, places.
    plain: Vec<(bool, u32, u32, u32)>,
}

pub(super) fn compile(to: &mut Compiler) -> Edge {
    let flat = to.flat;
    let mut items = Vec::new();
    let state = |v: &u32| {
        let g = flat.group_of[*v as usize];
        (flat.groups[g as usize].kind == Kind::State).then_some(g)
    };
    for (i, reg) in flat.regs.iter().enumerate() {
        let reads = reg.next.0.iter().chain(reg.enable.iter().flatten()).filter_map(state).collect();
        items.push(Item { group: reg.group, reg: Some(i), mem: None, reads });
    }
    for (i, mem) in flat.mems.iter().enumerate() {
        let reads = mem.args.iter().flat_map(|a| &a.0).filter_map(state).collect();
        items.push(Item { group: mem.group, reg: None, mem: Some(i), reads });
    }
    let order = order(&mut items);
    let mut changed = std::collections::HashSet::new();
    let mut committer = Committer { to, copies: HashMap::new(), edge: Vec::new(), plain: Vec::new() };
    for i in order {
        let item = &items[i];
        changed.insert(item.group);
        let stale = |v: u32| state(&v).is_some_and(|g| changed.contains(&g));
        match (item.reg, item.mem) {
            (Some(reg), _) => committer.register(reg, &stale),
            (_, Some(mem)) => committer.memory(mem, &stale),
            _ => {}
        }
    }
    let Committer { mut edge, mut plain, .. } = committer;
    plain.sort_unstable();
    edge.extend(merge(&plain));
    let (resets, signals) = resets(to);
    Edge { code: edge, resets, signals }
}

/// Neighbouring copies as one.
fn merge(plain: &[(bool, u32, u32, u32)]) -> impl Iterator<Item = Instr> + '_ {
    let follows =
        |a: &(bool, u32, u32, u32), b: &(bool, u32, u32, u32)| a.0 == b.0 && a.1 + a.3 == b.1 && a.2 + a.3 == b.2;
    plain.chunk_by(follows).map(|run| {
        let (half, dst, a, _) = run[0];
        let n = run.iter().map(|r| r.3).sum();
        let kernel = match (half, n) {
            (true, 1) => x::copy1::<u32> as Kernel,
            (true, _) => x::copy::<u32>,
            (false, 1) => x::copy1::<u64>,
            (false, _) => x::copy::<u64>,
        };
        Instr { run: kernel, n, dst, a, b: 0, c: 0, sh: 0, sh2: 0 }
    })
}

/// Readers before writers as far as possible.
fn order(items: &mut [Item]) -> Vec<usize> {
    let writer: HashMap<u32, usize> = items.iter().enumerate().map(|(i, item)| (item.group, i)).collect();
    let mut waiting = vec![0u32; items.len()];
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    for (i, item) in items.iter_mut().enumerate() {
        item.reads.sort_unstable();
        item.reads.dedup();
        let on: Vec<usize> = item.reads.iter().filter_map(|g| writer.get(g).copied()).filter(|w| *w != i).collect();
        for w in &on {
            waiting[*w] += 1;
        }
        blocks.push(on);
    }
    let mut ready: Vec<usize> = (0..items.len()).filter(|i| waiting[*i] == 0).collect();
    let mut left: std::collections::BTreeSet<usize> = (0..items.len()).collect();
    let mut order = Vec::with_capacity(items.len());
    loop {
        let next = loop {
            match ready.pop() {
                Some(i) if left.contains(&i) => break Some(i),
                Some(_) => {}
                None => break left.iter().copied().min_by_key(|i| waiting[*i]),
            }
        };
        let Some(next) = next else { return order };
        left.remove(&next);
        order.push(next);
        for w in &blocks[next] {
            waiting[*w] = waiting[*w].saturating_sub(1);
            if waiting[*w] == 0 {
                ready.push(*w);
            }
        }
    }
}

impl Committer<'_, '_> {
    fn push(&mut self, run: Kernel, n: u32, dst: u32, args: [u32; 3]) {
        let [a, b, c] = args;
        self.edge.push(Instr { run, n, dst, a, b, c, sh: 0, sh2: 0 });
    }

    /// Where to read one value at the edge.
    fn source(&mut self, value: u32, ty: hdl::rtl::Ty, stale: &dyn Fn(u32) -> bool) -> u32 {
        let loc = self.to.loc[value as usize];
        if !stale(value) {
            return loc;
        }
        if let Some(&copy) = self.copies.get(&value) {
            return copy;
        }
        let k = class(ty.width);
        let n = limbs(ty.width);
        let copy = self.to.alloc(k, n);
        let run = match k {
            Class::Half => x::copy1::<u32> as Kernel,
            Class::Full => x::copy1::<u64> as Kernel,
            Class::Wide => x::copy::<u64> as Kernel,
        };
        self.to.push(run, n, copy, [loc, 0, 0], [0, 0]);
        self.copies.insert(value, copy);
        copy
    }

    /// Where to read many values side by side at the edge.
    fn lanes(&mut self, values: &[u32], ty: hdl::rtl::Ty, comb: bool, stale: &dyn Fn(u32) -> bool) -> u32 {
        let first = self.to.flat.group_of[values[0] as usize];
        let is_state = self.to.flat.groups[first as usize].kind == Kind::State;
        let fresh = values.iter().any(|v| stale(*v)) || (comb && is_state);
        self.to.contiguous(values, ty, fresh)
    }

    fn register(&mut self, number: usize, stale: &dyn Fn(u32) -> bool) {
        let reg = &self.to.flat.regs[number];
        let group = &self.to.flat.groups[reg.group as usize];
        let (ty, k, n) = (group.ty, class(group.ty.width), group.instances);
        let dst = self.to.loc[group.first as usize];
        let (next, _) = &reg.next;
        let same = |list: &[u32]| list.iter().all(|v| *v == list[0]);
        let shared = reg.enable.as_ref().is_none_or(|e| same(e));
        let bit = hdl::rtl::Ty::bit();
        if k == Class::Wide || n < 5 {
            for lane in 0..n {
                let a = self.source(next[lane as usize], ty, stale);
                let to = self.to.loc[(group.first + lane) as usize];
                let c = reg.enable.as_ref().map(|e| self.source(e[lane as usize], bit, stale));
                if c.is_none() && a > self.to.sources_end(k) {
                    self.plain.push((k == Class::Half, to, a, limbs(ty.width)));
                    continue;
                }
                let run = match (k, c.is_some()) {
                    (Class::Half, false) => x::copy1::<u32> as Kernel,
                    (Class::Half, true) => x::copy1_if::<u32>,
                    (Class::Full, false) => x::copy1::<u64>,
                    (Class::Full, true) => x::copy1_if::<u64>,
                    (Class::Wide, false) => x::copy::<u64>,
                    (Class::Wide, true) => x::copy_if::<u64>,
                };
                self.push(run, limbs(ty.width), to, [a, 0, c.unwrap_or(0)]);
            }
            return;
        }
        let half = k == Class::Half;
        if reg.enable.is_none() && self.shift(next, dst, k, reg.group, stale) {
            return;
        }
        match &reg.enable {
            Some(enable) if !shared => {
                let a = self.lanes(next, ty, true, stale);
                let a = self.above(a, dst, k, n);
                let c = self.lanes(enable, bit, true, stale);
                let c = if half { self.above(c, dst, k, n) } else { c };
                self.push(if half { x::blend_half } else { x::blend_full }, n, dst, [a, 0, c]);
            }
            enable => {
                let a = self.lanes(next, ty, false, stale);
                let c = enable.as_ref().map(|e| self.source(e[0], bit, stale));
                if c.is_none() && a > self.to.sources_end(k) {
                    self.plain.push((half, dst, a, n));
                    return;
                }
                let run = match (half, c.is_some()) {
                    (true, false) => x::copy::<u32> as Kernel,
                    (true, true) => x::copy_if::<u32>,
                    (false, false) => x::copy::<u64>,
                    (false, true) => x::copy_if::<u64>,
                };
                self.push(run, n, dst, [a, 0, c.unwrap_or(0)]);
            }
        }
    }

    /// A shift register through a grid, in place: every lane that comes from the group itself comes from the same
    /// distance, so one copy moves them all before the others arrive.
    fn shift(&mut self, next: &[u32], dst: u32, k: Class, group: u32, stale: &dyn Fn(u32) -> bool) -> bool {
        let own = |v: u32| self.to.flat.group_of[v as usize] == group;
        let locs: Vec<u32> = next.iter().map(|v| self.to.loc[*v as usize]).collect();
        let (gather, main) = plan(dst, &locs);
        let fits = |lane: usize| main == Some(i64::from(locs[lane]) - lane as i64);
        let in_order = next.iter().enumerate().all(|(lane, v)| if own(*v) { fits(lane) } else { !stale(*v) });
        if !in_order || !next.iter().any(|v| own(*v)) {
            return false;
        }
        let entry = self.to.gather_entry(gather);
        let run = if k == Class::Half { x::gather::<u32> as Kernel } else { x::gather::<u64> as Kernel };
        self.push(run, next.len() as u32, dst, [entry, 0, 0]);
        true
    }

    /// The lanes at `off`, copied if they do not stand above the register.
    fn above(&mut self, off: u32, dst: u32, k: Class, n: u32) -> u32 {
        if off >= dst + n {
            return off;
        }
        let copy = self.to.alloc(k, n);
        let run = if k == Class::Half { x::copy::<u32> as Kernel } else { x::copy::<u64> };
        self.to.push(run, n, copy, [off, 0, 0], [0, 0]);
        copy
    }

    fn memory(&mut self, number: usize, stale: &dyn Fn(u32) -> bool) {
        let flat = self.to.flat;
        let mem = &flat.mems[number];
        let group = &flat.groups[mem.group as usize];
        let shape = &flat.templates[mem.template as usize].mems[mem.number as usize];
        for lane in 0..group.instances {
            let opds: Vec<Opd> = mem
                .args
                .iter()
                .map(|(values, ty)| Opd {
                    class: class(ty.width),
                    off: self.source(values[lane as usize], *ty, stale),
                    ty: *ty,
                })
                .collect();
            let n = limbs(shape.width) as usize;
            let number = self.to.state.mems.len() as u32;
            let out = self.to.opd(group.first + lane, group.ty);
            self.to.state.mems.push(Mem {
                words: vec![0; n * shape.depth as usize],
                width: shape.width,
                depth: shape.depth,
                write_enable: opds[0].off,
                write_addr: opds[1].off,
                data: opds[2],
                read_enable: opds[3].off,
                read_addr: opds[4].off,
                lanes: opds.get(5).copied(),
                out,
                scratch: vec![0; n],
            });
            self.push(memory::clock, 1, 0, [number, 0, 0]);
        }
    }
}

fn resets(to: &Compiler) -> (Vec<Reset>, Vec<(u32, bool)>) {
    let mut resets = Vec::new();
    let mut signals: Vec<(u32, bool)> = Vec::new();
    for reg in &to.flat.regs {
        let Some(bits) = &reg.reset else { continue };
        let group = &to.flat.groups[reg.group as usize];
        for (value, signal) in (group.first..group.first + group.instances).zip(&reg.resets) {
            let Some(signal) = signal else { continue };
            let off = to.loc[*signal as usize];
            let by = signals.iter().position(|(o, _)| *o == off).unwrap_or_else(|| {
                signals.push((off, false));
                signals.len() - 1
            });
            resets.push(Reset { opd: to.opd(value, group.ty), limbs: bits.limbs().to_vec(), by });
        }
    }
    (resets, signals)
}
