//! Lanes of up to 64 bits: an instruction for all instances of a node.

use hdl::rtl::{BinOp, Bits, Ty};

use super::super::exec::{self as x, Kernel};
use super::super::flatten::{Group, Kind};
use super::super::template::{Class, Op, class};
use super::{Compiler, Slot, canonical};

impl Compiler<'_> {
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

    pub(super) fn narrow(&mut self, op: Op, group: &Group, args: &[Slot], n: u32, dst: Option<u32>) -> Slot {
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
}
