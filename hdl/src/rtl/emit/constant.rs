//! Constants behind casts and extensions, and comparisons that they decide.

use crate::rtl::bits::Bits;
use crate::rtl::expr::{BinOp, Expr, Node};

/// The constant an expression is, if that shows without arithmetic.
pub(super) fn constant(expr: &Expr) -> Option<Bits> {
    match expr.node() {
        Node::Const(bits) | Node::Named(bits, _) => Some(bits.clone()),
        Node::Cast(inner) => constant(inner),
        Node::Concat(parts) => {
            let parts: Option<Vec<Bits>> = parts.iter().map(constant).collect();
            Some(joined(&parts?))
        }
        Node::Binary(op, a, b) => fixed_comparison(*op, a, b).map(|value| Bits::from_limbs(1, &[value.into()])),
        Node::Repeat(count, inner) => Some(joined(&vec![constant(inner)?; *count as usize])),
        Node::Extend(inner) => {
            let bits = constant(inner)?;
            let fill = inner.ty().signed && bits.bit(bits.width() - 1);
            let limbs: Vec<u64> = (0..expr.width().div_ceil(64))
                .map(|limb| {
                    let set = |i: &u32| {
                        let at = limb * 64 + i;
                        if at < bits.width() { bits.bit(at) } else { fill }
                    };
                    (0..64).filter(set).map(|i| 1u64 << i).sum()
                })
                .collect();
            Some(Bits::from_limbs(expr.width(), &limbs))
        }
        _ => None,
    }
}

/// Bits of all parts, the first highest.
fn joined(parts: &[Bits]) -> Bits {
    let width = parts.iter().map(Bits::width).sum::<u32>();
    let mut limbs = vec![0; width.div_ceil(64) as usize];
    let mut at = 0;
    for part in parts.iter().rev() {
        for i in (0..part.width()).filter(|i| part.bit(*i)) {
            limbs[(at + i) as usize / 64] |= 1u64 << ((at + i) % 64);
        }
        at += part.width();
    }
    Bits::from_limbs(width, &limbs)
}

/// A constant that fits 64 bits.
pub(super) fn as_u64(bits: &Bits) -> Option<u64> {
    bits.limbs().iter().skip(1).all(|l| *l == 0).then(|| bits.limbs()[0])
}

/// The result of a comparison with a bound of the type, of which linters would say that it never changes.
fn fixed_comparison(op: BinOp, a: &Expr, b: &Expr) -> Option<bool> {
    let ty = a.ty();
    let is = |bits: &Bits, top: bool, rest: bool| {
        (0..ty.width).all(|i| bits.bit(i) == if i + 1 == ty.width { top } else { rest })
    };
    let lowest = |e: &Expr| constant(e).is_some_and(|bits| is(&bits, ty.signed, false));
    let highest = |e: &Expr| constant(e).is_some_and(|bits| is(&bits, !ty.signed, true));
    match op {
        BinOp::Lt if lowest(b) || highest(a) => Some(false),
        BinOp::Le if lowest(a) || highest(b) => Some(true),
        _ => None,
    }
}
