//! Compilation: places every value in an arena and turns batches into instructions.

use std::collections::HashMap;

use hdl::rtl::{BinOp, Bits, Ty};

use super::exec::{self as x, Instr, Kernel, Lane, State};
use super::flatten::{Flat, Group, Kind};
use super::level::Batch;
use super::template::{Class, Op, class};
use super::wide::{self, Arith, Gather, Opd, Part, Tables, limbs};

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

/// The kernel of an operator for one value or many lanes, of 32 or 64 bits.
macro_rules! pick {
    ($one:ident, $many:ident, $class:expr, $n:expr, |$t:ident| [$($arg:ty),*]) => {
        match ($class == Class::Half, $n == 1) {
            (true, true) => { type $t = u32; x::$one::<$($arg),*> as Kernel }
            (true, false) => { type $t = u32; x::$many::<$($arg),*> as Kernel }
            (false, true) => { type $t = u64; x::$one::<$($arg),*> as Kernel }
            (false, false) => { type $t = u64; x::$many::<$($arg),*> as Kernel }
        }
    };
}

macro_rules! by_sign {
    ($signed:expr, $make:ident!($($pre:tt)*), $u:ident, $s:ident) => {
        if $signed { $make!($($pre)*, $s) } else { $make!($($pre)*, $u) }
    };
}

macro_rules! unary {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar1, vector1, $class, $n, |T| [T, T, x::$f])
    };
}
macro_rules! binary {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar2, vector2, $class, $n, |T| [T, T, T, x::$f])
    };
}
macro_rules! shift {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar2, vector2, $class, $n, |T| [T, u32, T, x::$f])
    };
}
macro_rules! compare {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar2, vector2, $class, $n, |T| [T, T, u32, x::$f])
    };
}
macro_rules! between {
    ($from:ty, $to:ty, $n:expr, $f:ident) => {
        if $n == 1 { x::scalar1::<$from, $to, x::$f> as Kernel } else { x::vector1::<$from, $to, x::$f> as Kernel }
    };
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

    /// A value of `ty` brought into class `to`.
    fn convert(&mut self, slot: Slot, ty: Ty, to: Class, n: u32, dst: Option<u32>) -> Slot {
        if slot.class == to {
            return match dst {
                None => slot,
                Some(_) => {
                    let run = pick!(copy1, copy, to, n, |T| [T]);
                    self.put(run, to, n, dst, [slot.off, 0, 0], [0, 0])
                }
            };
        }
        let run = if ty.signed { between!(u32, u64, n, ExtendS) } else { between!(u32, u64, n, ExtendU) };
        self.put(run, to, n, dst, [slot.off, 0, 0], [0, 0])
    }

    /// The bits of a value without its sign extension.
    fn unsigned(&mut self, slot: Slot, ty: Ty, n: u32) -> Slot {
        let bits = if slot.class == Class::Half { 32 } else { 64 };
        if !ty.signed || ty.width == bits {
            return slot;
        }
        let pad = bits - ty.width;
        self.put(unary!(slot.class, n, FieldU), slot.class, n, None, [slot.off, 0, 0], [pad, pad])
    }

    fn narrow(&mut self, op: Op, group: &Group, args: &[Slot], n: u32, dst: Option<u32>) -> Slot {
        let ty = group.ty;
        let k = class(ty.width);
        let bits = if k == Class::Half { 32 } else { 64 };
        let pad = bits - ty.width;
        let a = args[0];
        let off = |i: usize| args.get(i).map_or(0, |s| s.off);
        let ty_a = group.arg_tys[0];
        match op {
            Op::Not => {
                let ones = canonical(&Bits::from_i128(ty.width, -1), ty);
                let ones = self.constant(k, ones, n);
                self.put(binary!(k, n, Xor), k, n, dst, [a.off, ones.off, 0], [0, 0])
            }
            Op::Neg => {
                let zero = self.constant(k, 0, n);
                let run = by_sign!(ty.signed, binary!(k, n), SubU, SubS);
                self.put(run, k, n, dst, [zero.off, a.off, 0], [pad, 0])
            }
            Op::Parity => {
                let a = self.unsigned(a, ty_a, n);
                let run = pick!(scalar1, vector1, a.class, n, |T| [T, u32, x::Parity]);
                self.put(run, k, n, dst, [a.off, 0, 0], [0, 0])
            }
            Op::Bin(BinOp::Shl | BinOp::Shr) => self.narrow_shift(op, group, args, n, dst),
            Op::Bin(op) => {
                let ka = a.class;
                let run = match op {
                    BinOp::And => binary!(k, n, And),
                    BinOp::Or => binary!(k, n, Or),
                    BinOp::Xor => binary!(k, n, Xor),
                    BinOp::Add if pad == 0 => binary!(k, n, Add),
                    BinOp::Sub if pad == 0 => binary!(k, n, Sub),
                    BinOp::Mul if pad == 0 => binary!(k, n, Mul),
                    BinOp::Add => by_sign!(ty.signed, binary!(k, n), AddU, AddS),
                    BinOp::Sub => by_sign!(ty.signed, binary!(k, n), SubU, SubS),
                    BinOp::Mul => by_sign!(ty.signed, binary!(k, n), MulU, MulS),
                    BinOp::Eq => compare!(ka, n, Eq),
                    BinOp::Ne => compare!(ka, n, Ne),
                    BinOp::Lt => by_sign!(ty_a.signed, compare!(ka, n), LtU, LtS),
                    BinOp::Le | BinOp::Shl | BinOp::Shr => by_sign!(ty_a.signed, compare!(ka, n), LeU, LeS),
                };
                self.put(run, k, n, dst, [off(0), off(1), 0], [pad, 0])
            }
            Op::Mux => {
                let run = pick!(scalar3, vector3, k, n, |T| [u32, T, T, T, x::Mux]);
                self.put(run, k, n, dst, [off(0), off(1), off(2)], [0, 0])
            }
            Op::Field(lsb) if a.class == k => {
                let run = by_sign!(ty.signed, unary!(k, n), FieldU, FieldS);
                self.put(run, k, n, dst, [a.off, 0, 0], [pad - lsb, pad])
            }
            Op::Field(lsb) => {
                let pad = 64 - ty.width;
                let run = if ty.signed { between!(u64, u32, n, NarrowS) } else { between!(u64, u32, n, NarrowU) };
                self.put(run, k, n, dst, [a.off, 0, 0], [pad - lsb, pad])
            }
            Op::Word => {
                let whole = if a.class == Class::Half { 32 } else { 64 };
                let last = if a.class == k { dst } else { None };
                let sh = [whole - ty.width, ty.width];
                let word = self.put(shift!(a.class, n, Word), a.class, n, last, [off(0), off(1), 0], sh);
                if a.class == k {
                    return word;
                }
                self.put(between!(u64, u32, n, NarrowU), k, n, dst, [word.off, 0, 0], [0, 0])
            }
            Op::Concat => {
                let mut sum = None;
                for (i, (part, ty)) in args.iter().zip(&group.arg_tys).enumerate() {
                    let part = self.unsigned(*part, *ty, n);
                    let part = self.convert(part, Ty::u(ty.width), k, n, None);
                    let last = if i + 1 == args.len() { dst } else { None };
                    sum = Some(match sum {
                        None => part,
                        Some(Slot { off, .. }) => {
                            self.put(binary!(k, n, Cat), k, n, last, [off, part.off, 0], [ty.width, 0])
                        }
                    });
                }
                sum.unwrap_or(a)
            }
            Op::Repeat(count) => {
                let a = self.unsigned(a, ty_a, n);
                let a = self.convert(a, Ty::u(ty_a.width), k, n, None);
                let pattern = (0..count).fold(0u64, |p, i| p | 1 << (i * ty_a.width));
                let pattern = self.constant(k, pattern, n);
                self.put(binary!(k, n, Mul), k, n, dst, [a.off, pattern.off, 0], [0, 0])
            }
            Op::Extend => self.convert(a, ty_a, k, n, dst),
            // Never reached: states and aliases are not evaluated, strips are wide.
            Op::Reg | Op::MemOut | Op::Alias | Op::Split(_) | Op::Join => a,
        }
    }

    fn narrow_shift(&mut self, op: Op, group: &Group, args: &[Slot], n: u32, dst: Option<u32>) -> Slot {
        let Ty { width, signed } = group.ty;
        let k = class(width);
        let (a, mut by) = (args[0], args[1]);
        let bits = if k == Class::Half { 32 } else { 64 };
        let pad = bits - width;
        let left = op == Op::Bin(BinOp::Shl);
        let amounts = &group.args[1];
        let fixed = amounts.iter().all(|v| *v == amounts[0])
            && self.flat.groups[self.flat.group_of[amounts[0] as usize] as usize].kind == Kind::Const;
        if fixed {
            let bits = &self.flat.consts.list[amounts[0] as usize].0;
            let amount = u32::try_from(canonical(bits, Ty::u(bits.width()))).unwrap_or(u32::MAX);
            if amount >= width && (left || !signed) {
                let zero = self.constant(k, 0, n);
                return self.convert(zero, group.ty, k, n, dst);
            }
            let sh = if left { [pad + amount, pad] } else { [0, amount.min(width - 1)] };
            let run = by_sign!(signed, unary!(k, n), FieldU, FieldS);
            return self.put(run, k, n, dst, [a.off, 0, 0], sh);
        }
        if by.class == Class::Full {
            by = self.put(between!(u64, u32, n, Amount), Class::Half, n, None, [by.off, 0, 0], [0, 0]);
        }
        let run = match (left, signed) {
            (true, false) => shift!(k, n, ShlU),
            (true, true) => shift!(k, n, ShlS),
            (false, false) => shift!(k, n, ShrU),
            (false, true) => shift!(k, n, ShrS),
        };
        self.put(run, k, n, dst, [a.off, by.off, 0], [pad, 0])
    }

    /// One instance of a node with a wide operand or result, or of a strip.
    fn wide_lane(&mut self, op: Op, group: &Group, lane: u32) {
        let ty = group.ty;
        let k = class(ty.width);
        let args: Vec<Opd> =
            group.args.iter().zip(&group.arg_tys).map(|(v, ty)| self.opd(v[lane as usize], *ty)).collect();
        let off = |i: usize| args.get(i).map_or(0, |o| o.off);
        let value = group.first + lane * group.per;
        let n = limbs(ty.width);
        let from = args[0];
        let from_limbs = limbs(from.ty.width);
        let vector = |run: Kernel| (run, n, [off(0), off(1), 0]);
        let simple = match op {
            Op::Not => {
                let bits = Bits::from_i128(ty.width, -1);
                let ones = self.alloc(k, n);
                self.state.full[ones as usize..].copy_from_slice(bits.limbs());
                Some((x::vector2::<u64, u64, u64, x::Xor> as Kernel, n, [off(0), ones, 0]))
            }
            Op::Bin(BinOp::And) => Some(vector(x::vector2::<u64, u64, u64, x::And>)),
            Op::Bin(BinOp::Or) => Some(vector(x::vector2::<u64, u64, u64, x::Or>)),
            Op::Bin(BinOp::Xor) => Some(vector(x::vector2::<u64, u64, u64, x::Xor>)),
            Op::Bin(BinOp::Eq | BinOp::Ne) => Some((wide::equal as Kernel, from_limbs, [off(0), off(1), 0])),
            Op::Parity => Some((wide::parity as Kernel, from_limbs, [off(0), 0, 0])),
            Op::Mux => Some((wide::mux as Kernel, n, [off(1), off(2), off(0)])),
            _ => None,
        };
        if let Some((run, n, args)) = simple {
            let dst = self.alloc(k, limbs(ty.width));
            self.push(run, n, dst, args, [(op == Op::Bin(BinOp::Ne)).into(), 0]);
            self.loc[value as usize] = dst;
            return;
        }
        match op {
            Op::Field(lsb) => self.loc[value as usize] = self.wide_field(from, lsb, ty),
            Op::Word => {
                let index = off(1);
                let dst = Opd { class: k, off: self.alloc(k, n), ty };
                let entry = self.opd_entry(dst);
                self.push(wide::word, from_limbs, dst.off, [from.off, index, entry], [0, 0]);
                self.loc[value as usize] = dst.off;
            }
            Op::Concat | Op::Join | Op::Repeat(_) => {
                let mut parts = args.clone();
                match op {
                    Op::Concat => parts.reverse(),
                    Op::Repeat(count) => parts = vec![from; count as usize],
                    _ => {}
                }
                self.loc[value as usize] = self.concat(&parts, ty);
            }
            Op::Extend => {
                let dst = Opd { class: k, off: self.alloc(k, n), ty };
                let (a, b) = (self.opd_entry(from), self.opd_entry(dst));
                self.push(wide::extend, n, dst.off, [a, b, 0], [0, 0]);
                self.loc[value as usize] = dst.off;
            }
            Op::Split(count) => {
                let source = self.as_limbs(from);
                let dst = Opd { class: k, off: self.alloc(k, n * count), ty };
                let even: Option<Kernel> = match ty.width {
                    1 => Some(wide::split_even::<1>),
                    8 => Some(wide::split_even::<8>),
                    16 => Some(wide::split_even::<16>),
                    32 => Some(wide::split_even::<32>),
                    _ => None,
                };
                if let Some(run) = even.filter(|_| !ty.signed || ty.width == 32) {
                    self.push(run, count, dst.off, [source, 0, 0], [0, 0]);
                } else {
                    let entry = self.opd_entry(dst);
                    self.push(wide::split, from_limbs, dst.off, [source, count, entry], [0, 0]);
                }
                for i in 0..count {
                    self.loc[(value + i) as usize] = dst.off + i * n;
                }
            }
            Op::Neg | Op::Bin(_) => {
                let zero = || {
                    let ty = Ty { width: 1, signed: false };
                    Opd { class: Class::Half, off: 0, ty }
                };
                let (op, a, b) = match op {
                    Op::Bin(op) => (op, from, args[1]),
                    _ => (BinOp::Sub, zero(), from),
                };
                let b = if matches!(op, BinOp::Shl | BinOp::Shr) { self.amount(b) } else { b };
                let dst = Opd { class: k, off: self.alloc(k, n), ty };
                self.tables.ariths.push(Arith { op, a, b, dst });
                let entry = self.tables.ariths.len() as u32 - 1;
                self.push(wide::arith, n, dst.off, [entry, 0, 0], [0, 0]);
                self.loc[value as usize] = dst.off;
            }
            _ => {}
        }
    }

    /// Bits of a wide value.
    fn wide_field(&mut self, from: Opd, lsb: u32, ty: Ty) -> u32 {
        let Ty { width, signed } = ty;
        let k = class(width);
        let (limb, shift) = (from.off + lsb / 64, lsb % 64);
        let left = limbs(from.ty.width) - lsb / 64;
        if k == Class::Wide {
            let n = limbs(width);
            let off = self.alloc(k, n);
            let pad = 64 * n - width;
            let run = if shift > 0 && (n, left) == (2, 2) { wide::field2 as Kernel } else { wide::field };
            self.push(run, n, off, [limb, left, 0], [shift, pad]);
            return off;
        }
        let mut source = limb;
        let mut at = shift;
        if shift + width > 64 && k == Class::Full && !signed {
            return self.put(wide::field1, k, 1, None, [limb, 0, 0], [shift, 64 - width]).off;
        }
        if shift + width > 64 {
            source = self.alloc(Class::Full, 1);
            self.push(wide::field1, 1, source, [limb, 0, 0], [shift, 0]);
            at = 0;
        }
        let sh = [64 - at - width, 64 - width];
        let run = match (k, signed) {
            (Class::Half, false) => between!(u64, u32, 1, NarrowU),
            (Class::Half, true) => between!(u64, u32, 1, NarrowS),
            (_, false) => unary!(Class::Full, 1, FieldU),
            (_, true) => unary!(Class::Full, 1, FieldS),
        };
        self.put(run, k, 1, None, [source, 0, 0], sh).off
    }

    /// A shift amount as an unsigned value of 32 bits.
    fn amount(&mut self, by: Opd) -> Opd {
        if by.class == Class::Half {
            return by;
        }
        let entry = self.opd_entry(by);
        let off = self.alloc(Class::Half, 1);
        self.push(wide::amount, 1, off, [entry, 0, 0], [0, 0]);
        Opd { class: Class::Half, off, ty: Ty::u(32) }
    }

    /// Offset of the value's bits as limbs.
    fn as_limbs(&mut self, from: Opd) -> u32 {
        if from.class == Class::Wide || (from.class == Class::Full && !from.ty.signed) {
            return from.off;
        }
        let off = self.alloc(Class::Full, 1);
        let to = self.opd_entry(Opd { class: Class::Wide, off, ty: Ty::u(from.ty.width) });
        let from = self.opd_entry(Opd { ty: Ty::u(from.ty.width), ..from });
        self.push(wide::extend, 1, off, [from, to, 0], [0, 0]);
        off
    }

    /// Parts, lowest first, as one value.
    fn concat(&mut self, parts: &[Opd], ty: Ty) -> u32 {
        let n = limbs(ty.width);
        let limbs_at = self.alloc(Class::Wide, n);
        let first = parts[0];
        let even = parts
            .iter()
            .zip(first.off..)
            .all(|(p, off)| p.class == Class::Half && p.ty.width == first.ty.width && p.off == off);
        let plain = parts.iter().all(|p| p.class == Class::Half && !p.ty.signed);
        if even {
            let count = parts.len() as u32;
            self.push(wide::join, n, limbs_at, [first.off, 0, count], [first.ty.width, 0]);
        } else {
            let from = self.tables.parts.len() as u32;
            let mut lsb = 0;
            for opd in parts {
                self.tables.parts.push(Part { opd: *opd, lsb });
                lsb += opd.ty.width;
            }
            let to = self.tables.parts.len() as u32;
            let run = if plain { wide::concat_half as Kernel } else { wide::concat };
            self.push(run, n, limbs_at, [from, to, 0], [0, 0]);
        }
        let k = class(ty.width);
        if k == Class::Wide || (k == Class::Full && !ty.signed) {
            return limbs_at;
        }
        self.wide_field(Opd { class: Class::Wide, off: limbs_at, ty: Ty::u(ty.width) }, 0, ty)
    }
}
