//! Compilation: places every value in an arena and turns batches into instructions.

#[macro_use]
mod pick;
mod narrow;
mod wide;

use std::collections::HashMap;

use hdl::rtl::{Bits, Ty};

use super::exec::{self as x, Instr, Kernel, Lane, State};
use super::flatten::{Flat, Kind};
use super::level::Batch;
use super::template::{Class, Op, class};
use super::wide::{Gather, Opd, Tables, limbs};

/// From how many lanes on a vector instruction pays.
const VECTOR_LANES: usize = 5;

/// Compiled combinational logic, and where everything stands.
pub(super) struct Compiler<'a> {
    pub flat: &'a Flat,
    /// Offset of each value in the arena of its class.
    pub loc: Vec<u32>,
    pub state: State,
    pub tables: Tables,
    pub code: Vec<Instr>,
    constants: HashMap<(Class, u64, u32), u32>,
    gathers: HashMap<(Class, Vec<u32>), u32>,
    /// Last places of constants, inputs and states in the two arenas.
    ends: (u32, u32),
}

/// Lanes of up to 64 bits that stand together.
#[derive(Clone, Copy)]
struct Slot {
    class: Class,
    off: u32,
}

/// How lanes from `locs` come to stand from `off` on: a shifted copy for the commonest distance between lane and place,
/// if half of the lanes have it, then copies of runs and single moves for the others. Also says which distance.
pub(super) fn plan(off: u32, locs: &[u32]) -> (Gather, Option<i64>) {
    let mut distances: HashMap<i64, usize> = HashMap::new();
    let distance = |lane: usize| i64::from(locs[lane]) - lane as i64;
    for lane in 0..locs.len() {
        *distances.entry(distance(lane)).or_default() += 1;
    }
    let best = distances.into_iter().max_by_key(|(d, count)| (*count, *d));
    let main = best.filter(|(_, count)| count * 2 >= locs.len()).map(|(d, _)| d);
    let fits = |lane: &usize| main == Some(distance(*lane));
    let mut gather = Gather::default();
    if let (Some(first), Some(last)) = ((0..locs.len()).find(fits), (0..locs.len()).rfind(fits)) {
        gather.copies.push((off + first as u32, locs[first], (last + 1 - first) as u32));
    }
    let others: Vec<usize> = (0..locs.len()).filter(|l| !fits(l)).collect();
    for run in others.chunk_by(|a, b| *b == *a + 1 && locs[*b] == locs[*a] + 1) {
        let to = off + run[0] as u32;
        if run.len() >= 4 {
            gather.copies.push((to, locs[run[0]], run.len() as u32));
        } else {
            gather.moves.extend(run.iter().map(|l| (off + *l as u32, locs[*l])));
        }
    }
    (gather, main)
}

/// A constant as it is stored.
pub(super) fn canonical(bits: &Bits, ty: Ty) -> u64 {
    let raw = bits.limbs()[0];
    if ty.signed && ty.width < 64 && bits.bit(ty.width - 1) { raw | u64::MAX << ty.width } else { raw }
}

impl<'a> Compiler<'a> {
    pub fn new(flat: &'a Flat) -> Self {
        let state = State { half: vec![0], full: vec![0], mems: Vec::new() };
        let mut compiler = Self {
            flat,
            loc: vec![u32::MAX; flat.group_of.len()],
            state,
            tables: Tables::default(),
            code: Vec::new(),
            constants: HashMap::new(),
            gathers: HashMap::new(),
            ends: (0, 0),
        };
        compiler.sources();
        compiler.ends = (compiler.state.half.len() as u32 - 1, compiler.state.full.len() as u32 - 1);
        compiler
    }

    /// Places constants, inputs and states, the lowest values of each arena.
    fn sources(&mut self) {
        for group in self.flat.groups.iter().filter(|g| matches!(g.kind, Kind::Const | Kind::Input | Kind::State)) {
            let k = class(group.ty.width);
            for value in group.first..group.first + group.instances {
                let off = self.alloc(k, limbs(group.ty.width));
                self.loc[value as usize] = off;
                if group.kind == Kind::Const {
                    let (bits, ty) = &self.flat.consts.list[value as usize];
                    match k {
                        Class::Half => self.state.half[off as usize] = canonical(bits, *ty) as u32,
                        Class::Full => self.state.full[off as usize] = canonical(bits, *ty),
                        Class::Wide => {
                            self.state.full[off as usize..][..bits.limbs().len()].copy_from_slice(bits.limbs());
                        }
                    }
                }
            }
        }
    }

    /// Last place of constants, inputs and states; values above it are combinational.
    pub fn sources_end(&self, class: Class) -> u32 {
        if class == Class::Half { self.ends.0 } else { self.ends.1 }
    }

    /// Room for `n` lanes (of a wide value: limbs).
    pub fn alloc(&mut self, class: Class, n: u32) -> u32 {
        fn grow<T: Lane>(arena: &mut Vec<T>, n: u32) -> u32 {
            let at = arena.len();
            arena.resize(at + n as usize, T::default());
            at as u32
        }
        if class == Class::Half { grow(&mut self.state.half, n) } else { grow(&mut self.state.full, n) }
    }

    pub fn opd(&self, value: u32, ty: Ty) -> Opd {
        Opd { class: class(ty.width), off: self.loc[value as usize], ty }
    }

    fn opd_entry(&mut self, opd: Opd) -> u32 {
        self.tables.opds.push(opd);
        self.tables.opds.len() as u32 - 1
    }

    pub fn push(&mut self, run: Kernel, n: u32, dst: u32, [a, b, c]: [u32; 3], sh: [u32; 2]) {
        self.code.push(Instr { run, n, dst, a, b, c, sh: sh[0] as u8, sh2: sh[1] as u8 });
    }

    /// An instruction with a result of `n` lanes, at `dst` if given.
    fn put(&mut self, run: Kernel, out: Class, n: u32, dst: Option<u32>, args: [u32; 3], sh: [u32; 2]) -> Slot {
        let off = dst.unwrap_or_else(|| self.alloc(out, n));
        self.push(run, n, off, args, sh);
        Slot { class: out, off }
    }

    fn constant(&mut self, class: Class, value: u64, n: u32) -> Slot {
        if let Some(&off) = self.constants.get(&(class, value, n)) {
            return Slot { class, off };
        }
        let off = self.alloc(class, n);
        match class {
            Class::Half => self.state.half[off as usize..].fill(value as u32),
            _ => self.state.full[off as usize..].fill(value),
        }
        self.constants.insert((class, value, n), off);
        Slot { class, off }
    }

    /// Values of one class as contiguous lanes; `fresh` asks for a copy in any case.
    pub fn contiguous(&mut self, values: &[u32], ty: Ty, fresh: bool) -> u32 {
        let k = class(ty.width);
        let locs: Vec<u32> = values.iter().map(|v| self.loc[*v as usize]).collect();
        let n = locs.len() as u32;
        let is_const = |v: &u32| self.flat.groups[self.flat.group_of[*v as usize] as usize].kind == Kind::Const;
        if n > 1 && locs.iter().all(|l| *l == locs[0]) {
            if is_const(&values[0]) {
                let (bits, ty) = &self.flat.consts.list[values[0] as usize];
                return self.constant(k, canonical(bits, *ty), n).off;
            }
            if let Some(&off) = self.gathers.get(&(k, locs.clone())) {
                return off;
            }
            let run = if k == Class::Half { x::fill::<u32> as Kernel } else { x::fill::<u64> as Kernel };
            let off = self.put(run, k, n, None, [locs[0], 0, 0], [0, 0]).off;
            self.gathers.insert((k, locs), off);
            return off;
        }
        if !fresh && locs.windows(2).all(|w| w[1] == w[0] + 1) {
            return locs[0];
        }
        if let Some(&off) = self.gathers.get(&(k, locs.clone())) {
            return off;
        }
        let off = self.gather(k, &locs);
        self.gathers.insert((k, locs), off);
        off
    }

    fn gather(&mut self, k: Class, locs: &[u32]) -> u32 {
        let off = self.alloc(k, locs.len() as u32);
        let (gather, _) = plan(off, locs);
        let run = if k == Class::Half { x::gather::<u32> as Kernel } else { x::gather::<u64> as Kernel };
        let entry = self.gather_entry(gather);
        self.push(run, locs.len() as u32, off, [entry, 0, 0], [0, 0]);
        off
    }

    pub fn gather_entry(&mut self, gather: Gather) -> u32 {
        self.tables.gathers.push(gather);
        self.tables.gathers.len() as u32 - 1
    }

    pub fn batch(&mut self, batch: &Batch) {
        let flat = self.flat;
        let group = &flat.groups[batch.group as usize];
        let Kind::Comb(op) = group.kind else { return };
        let all: Vec<u32> = (0..group.instances).collect();
        let lanes = batch.lanes.as_deref().unwrap_or(&all);
        let narrow = |ty: &Ty| class(ty.width) != Class::Wide;
        let strip = matches!(op, Op::Split(_) | Op::Join);
        if strip || !narrow(&group.ty) || !group.arg_tys.iter().all(narrow) {
            for lane in lanes {
                self.wide_lane(op, group, *lane);
            }
        } else if lanes.len() < VECTOR_LANES {
            let block = self.alloc(class(group.ty.width), lanes.len() as u32);
            for (lane, dst) in lanes.iter().zip(block..) {
                let args: Vec<Slot> = (0..group.args.len())
                    .map(|a| {
                        let opd = self.opd(group.args[a][*lane as usize], group.arg_tys[a]);
                        Slot { class: opd.class, off: opd.off }
                    })
                    .collect();
                self.narrow(op, group, &args, 1, Some(dst));
                self.loc[(group.first + lane) as usize] = dst;
            }
        } else {
            let args: Vec<Slot> = (0..group.args.len())
                .map(|a| {
                    let values: Vec<u32> = lanes.iter().map(|l| group.args[a][*l as usize]).collect();
                    let ty = group.arg_tys[a];
                    Slot { class: class(ty.width), off: self.contiguous(&values, ty, false) }
                })
                .collect();
            let result = self.narrow(op, group, &args, lanes.len() as u32, None);
            for (lane, off) in lanes.iter().zip(result.off..) {
                self.loc[(group.first + lane) as usize] = off;
            }
        }
    }
}
