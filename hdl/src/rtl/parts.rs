//! Parts of expressions and how they are put together: selection, slices, concatenation, widening, signs.

use super::expr::{Expr, Node};
use super::ty::{MAX_WIDTH, Ty};

impl Expr {
    /// `self ? then : otherwise`; `self` is one bit, the branches have the same type.
    pub fn mux(&self, then: &Self, otherwise: &Self) -> Self {
        if self.ty() != Ty::bit() {
            return Self::poison(then.ty(), format!("condition of type {}: one bit wanted", self.ty()));
        }
        if then.ty() != otherwise.ty() {
            return Self::poison(then.ty(), format!("mux of {} and {}", then.ty(), otherwise.ty()));
        }
        Self::from_node(Node::Mux(self.clone(), then.clone(), otherwise.clone()), then.ty())
    }

    fn is_named(&self) -> bool {
        matches!(self.node(), Node::Sig(..) | Node::Elem(..))
    }

    /// Bits `msb..=lsb` of a named signal, unsigned.
    pub fn slice(&self, msb: u32, lsb: u32) -> Self {
        let ty = Ty::u(msb.saturating_sub(lsb) + 1);
        if msb < lsb || msb >= self.width() {
            return Self::poison(ty, format!("bits {msb}:{lsb} of {}", self.ty()));
        }
        if !self.is_named() {
            return Self::poison(ty, "slice of an unnamed expression: give it a name with `wire`".into());
        }
        if ty.width == self.width() {
            return self.as_unsigned();
        }
        Self::from_node(Node::Slice(self.clone(), lsb), ty)
    }

    /// Bits `lsb + width - 1 ..= lsb` of a named signal, unsigned.
    pub fn part(&self, lsb: u32, width: u32) -> Self {
        self.slice(lsb + width.max(1) - 1, lsb)
    }

    /// Bit `i` of a named signal.
    pub fn bit(&self, i: u32) -> Self {
        self.slice(i, i)
    }

    /// The sign bit of a named signal.
    pub fn sign(&self) -> Self {
        self.bit(self.width() - 1)
    }

    /// Word `index` of `2^index.width` words of `width` bits in a named signal, lowest first.
    pub fn word(&self, index: &Self, width: u32) -> Self {
        let ty = Ty::u(width);
        let words = if index.width() < 13 { 1u64 << index.width() } else { u64::MAX };
        if index.ty().signed || u64::from(self.width()) != words.saturating_mul(width.into()) {
            let message = format!(
                "word of {width} bits, index {}, of {}: the signal must hold 2^index words",
                index.ty(),
                self.ty()
            );
            return Self::poison(ty, message);
        }
        if !self.is_named() {
            return Self::poison(ty, "word of an unnamed expression: give it a name with `wire`".into());
        }
        Self::from_node(Node::Word(self.clone(), index.clone()), ty)
    }

    /// Concatenation, highest first, unsigned.
    pub fn concat(parts: &[Self]) -> Self {
        let width: u32 = parts.iter().map(Self::width).sum();
        let ty = Ty::u(width);
        if width == 0 || width > MAX_WIDTH {
            return Self::poison(ty, format!("concatenation of {width} bits: 1..={MAX_WIDTH}"));
        }
        if let [only] = parts {
            return only.as_unsigned();
        }
        Self::from_node(Node::Concat(parts.to_vec()), ty)
    }

    /// Repeated `count` times, unsigned.
    pub fn repeat(&self, count: u32) -> Self {
        let ty = Ty::u(self.width().saturating_mul(count));
        if ty.width == 0 || ty.width > MAX_WIDTH {
            return Self::poison(ty, format!("{} repeated {count} times: 1..={MAX_WIDTH} bits", self.ty()));
        }
        if count == 1 {
            return self.as_unsigned();
        }
        Self::from_node(Node::Repeat(count, self.clone()), ty)
    }

    /// Widened to `width`, by sign if signed, else by zeros; the sign is kept.
    pub fn extend(&self, width: u32) -> Self {
        let ty = Ty { width, signed: self.ty().signed };
        if width < self.width() || width > MAX_WIDTH {
            return Self::poison(ty, format!("{} extended to {width} bits", self.ty()));
        }
        if width == self.width() {
            return self.clone();
        }
        Self::from_node(Node::Extend(self.clone()), ty)
    }

    fn cast(&self, signed: bool) -> Self {
        if self.ty().signed == signed {
            return self.clone();
        }
        Self::from_node(Node::Cast(self.clone()), Ty { width: self.ty().width, signed })
    }

    /// The same bits as an unsigned value.
    pub fn as_unsigned(&self) -> Self {
        self.cast(false)
    }

    /// The same bits as a two's complement value.
    pub fn as_signed(&self) -> Self {
        self.cast(true)
    }
}
