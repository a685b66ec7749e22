//! Values of more than 64 bits, and strips: instructions for one instance of a node.

use hdl::rtl::{BinOp, Bits, Ty};

use super::super::exec::{self as x, Kernel};
use super::super::flatten::Group;
use super::super::template::{Class, Op, class};
use super::super::wide::{self, Arith, Opd, Part, limbs};
use super::Compiler;

impl Compiler<'_> {
    /// One instance of a node with a wide operand or result, or of a strip.
    pub(super) fn wide_lane(&mut self, op: Op, group: &Group, lane: u32) {
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
