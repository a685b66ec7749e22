//! Expressions: immutable trees over the signals of one module, each node with its type.
//!
//! Both operands of an operator have the same type, which is the result's too (comparisons give one bit); widening is
//! explicit. A wrong type does not panic: the expression becomes [`Node::Poison`], which `ModuleBuilder::build` reports
//! with the place where it is used.

use std::ops;
use std::sync::Arc;

use super::bits::Bits;
use super::ty::{MAX_ARITH_WIDTH, MAX_WIDTH, Ty};

/// A signal of a module: its place in [`super::module::Module::signals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SigId(pub u32);

/// A net array of a module: its place in [`super::module::Module::arrays`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArrayId(pub u32);

/// Operators of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnOp {
    /// Bitwise complement.
    Not,
    /// Two's complement negation, wrapping.
    Neg,
    /// All bits set: one bit.
    RedAnd,
    /// Any bit set: one bit.
    RedOr,
    /// Parity: one bit.
    RedXor,
}

/// Operators of two operands of the same type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinOp {
    /// Sum, wrapping.
    Add,
    /// Difference, wrapping.
    Sub,
    /// Product, wrapping: widen both operands to the product's width first.
    Mul,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Equal: one bit.
    Eq,
    /// Not equal: one bit.
    Ne,
    /// Less than, by the operands' sign: one bit.
    Lt,
    /// Less than or equal, by the operands' sign: one bit.
    Le,
    /// Shift left by an unsigned amount of any width; zeros enter; amounts at or above the width give 0.
    Shl,
    /// Shift right by an unsigned amount of any width; zeros enter, or the sign if signed.
    Shr,
}

/// A node of an expression.
#[derive(Clone, Debug)]
pub enum Node {
    /// A constant.
    Const(Bits),
    /// A constant with a name: a `localparam` of the module.
    Named(Bits, String),
    /// A signal of module number `.1` (each builder has its own, to catch signals that stray).
    Sig(SigId, u64),
    /// An element of a net array of module number `.2`.
    Elem(ArrayId, u32, u64),
    /// Operator of one operand.
    Unary(UnOp, Expr),
    /// Operator of two operands.
    Binary(BinOp, Expr, Expr),
    /// `cond ? then : otherwise`.
    Mux(Expr, Expr, Expr),
    /// Bits `lsb + width - 1 ..= lsb` of a signal, unsigned.
    Slice(Expr, u32),
    /// Word `index` of a signal that holds `2^index.width` words of the result's width, lowest first.
    Word(Expr, Expr),
    /// Concatenation, highest first, unsigned.
    Concat(Vec<Expr>),
    /// A value repeated, unsigned.
    Repeat(u32, Expr),
    /// Widened to the node's type: by sign if the operand is signed, else by zeros.
    Extend(Expr),
    /// The same bits with the other sign.
    Cast(Expr),
    /// An error in construction.
    Poison(String),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    node: Arc<Node>,
    ty: Ty,
}

impl Expr {
    /// An expression from its node; for the builder and tests, the operators below check what they make.
    pub(super) fn from_node(node: Node, ty: Ty) -> Self {
        Self { node: Arc::new(node), ty }
    }

    fn poison(ty: Ty, message: String) -> Self {
        Self::from_node(Node::Poison(message), ty)
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// An address that is the same for clones of one expression: simulators share common nodes by it.
    pub fn key(&self) -> usize {
        Arc::as_ptr(&self.node) as usize
    }

    /// Type.
    pub fn ty(&self) -> Ty {
        self.ty
    }

    /// Width in bits.
    pub fn width(&self) -> u32 {
        self.ty.width
    }

    /// A constant of that type: the low bits of `value`, which must fit.
    pub fn lit(ty: Ty, value: i128) -> Self {
        let fits = if ty.width >= 127 {
            true
        } else if ty.signed {
            let half = 1i128 << (ty.width.max(1) - 1);
            (-half..half).contains(&value)
        } else {
            (0..1i128 << ty.width).contains(&value)
        };
        if !fits || ty.width == 0 {
            return Self::poison(ty, format!("constant {value} does not fit {ty}"));
        }
        Self::from_node(Node::Const(Bits::from_i128(ty.width, value)), ty)
    }

    /// An unsigned constant.
    pub fn u(width: u32, value: u64) -> Self {
        Self::lit(Ty::u(width), i128::from(value))
    }

    /// A signed constant.
    pub fn s(width: u32, value: i64) -> Self {
        Self::lit(Ty::s(width), i128::from(value))
    }

    /// A constant of any width.
    pub fn bits(ty: Ty, bits: Bits) -> Self {
        if bits.width() != ty.width {
            return Self::poison(ty, format!("constant of {} bits for {ty}", bits.width()));
        }
        Self::from_node(Node::Const(bits), ty)
    }

    /// A constant of this expression's type.
    pub fn k(&self, value: i128) -> Self {
        Self::lit(self.ty, value)
    }

    fn binary(op: BinOp, a: &Self, b: &Self, result: Ty) -> Self {
        if a.ty != b.ty {
            return Self::poison(result, format!("{op:?} of {} and {}: widen or cast one of them", a.ty, b.ty));
        }
        let bitwise = matches!(op, BinOp::And | BinOp::Or | BinOp::Xor | BinOp::Eq | BinOp::Ne);
        if !bitwise && a.width() > MAX_ARITH_WIDTH {
            return Self::poison(result, format!("{op:?} of {}: at most {MAX_ARITH_WIDTH} bits", a.ty));
        }
        Self::from_node(Node::Binary(op, a.clone(), b.clone()), result)
    }

    fn unary(op: UnOp, a: &Self, result: Ty) -> Self {
        if op == UnOp::Neg && a.width() > MAX_ARITH_WIDTH {
            return Self::poison(result, format!("{op:?} of {}: at most {MAX_ARITH_WIDTH} bits", a.ty));
        }
        Self::from_node(Node::Unary(op, a.clone()), result)
    }

    /// Equal.
    pub fn eq(&self, other: &Self) -> Self {
        Self::binary(BinOp::Eq, self, other, Ty::bit())
    }

    /// Not equal.
    pub fn ne(&self, other: &Self) -> Self {
        Self::binary(BinOp::Ne, self, other, Ty::bit())
    }

    /// Equal to a constant.
    pub fn eq_k(&self, value: i128) -> Self {
        self.eq(&self.k(value))
    }

    /// Less than.
    pub fn lt(&self, other: &Self) -> Self {
        Self::binary(BinOp::Lt, self, other, Ty::bit())
    }

    /// Less than or equal.
    pub fn le(&self, other: &Self) -> Self {
        Self::binary(BinOp::Le, self, other, Ty::bit())
    }

    /// Greater than.
    pub fn gt(&self, other: &Self) -> Self {
        other.lt(self)
    }

    /// Greater than or equal.
    pub fn ge(&self, other: &Self) -> Self {
        other.le(self)
    }

    fn shift(op: BinOp, a: &Self, amount: &Self) -> Self {
        if amount.ty.signed {
            return Self::poison(a.ty, format!("shift by {}: the amount must be unsigned", amount.ty));
        }
        if a.width() > MAX_ARITH_WIDTH {
            return Self::poison(a.ty, format!("{op:?} of {}: at most {MAX_ARITH_WIDTH} bits", a.ty));
        }
        Self::from_node(Node::Binary(op, a.clone(), amount.clone()), a.ty)
    }

    /// Shifted left by an unsigned amount.
    pub fn shl(&self, amount: &Self) -> Self {
        Self::shift(BinOp::Shl, self, amount)
    }

    /// Shifted right by an unsigned amount, arithmetically if signed.
    pub fn shr(&self, amount: &Self) -> Self {
        Self::shift(BinOp::Shr, self, amount)
    }

    /// Shifted left by a constant, the width kept.
    pub fn shl_k(&self, amount: u32) -> Self {
        self.shl(&Self::u(8, amount.into()))
    }

    /// Shifted right by a constant, arithmetically if signed, the width kept.
    pub fn shr_k(&self, amount: u32) -> Self {
        self.shr(&Self::u(8, amount.into()))
    }

    /// All bits set.
    pub fn all(&self) -> Self {
        Self::unary(UnOp::RedAnd, self, Ty::bit())
    }

    /// Any bit set.
    pub fn any(&self) -> Self {
        Self::unary(UnOp::RedOr, self, Ty::bit())
    }

    /// Parity.
    pub fn parity(&self) -> Self {
        Self::unary(UnOp::RedXor, self, Ty::bit())
    }

    /// `self ? then : otherwise`; `self` is one bit, the branches have the same type.
    pub fn mux(&self, then: &Self, otherwise: &Self) -> Self {
        if self.ty != Ty::bit() {
            return Self::poison(then.ty, format!("condition of type {}: one bit wanted", self.ty));
        }
        if then.ty != otherwise.ty {
            return Self::poison(then.ty, format!("mux of {} and {}", then.ty, otherwise.ty));
        }
        Self::from_node(Node::Mux(self.clone(), then.clone(), otherwise.clone()), then.ty)
    }

    fn is_named(&self) -> bool {
        matches!(*self.node, Node::Sig(..) | Node::Elem(..))
    }

    /// Bits `msb..=lsb` of a named signal, unsigned.
    pub fn slice(&self, msb: u32, lsb: u32) -> Self {
        let ty = Ty::u(msb.saturating_sub(lsb) + 1);
        if msb < lsb || msb >= self.width() {
            return Self::poison(ty, format!("bits {msb}:{lsb} of {}", self.ty));
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
        if index.ty.signed || u64::from(self.width()) != words.saturating_mul(width.into()) {
            let message =
                format!("word of {width} bits, index {}, of {}: the signal must hold 2^index words", index.ty, self.ty);
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
            return Self::poison(ty, format!("{} repeated {count} times: 1..={MAX_WIDTH} bits", self.ty));
        }
        if count == 1 {
            return self.as_unsigned();
        }
        Self::from_node(Node::Repeat(count, self.clone()), ty)
    }

    /// Widened to `width`, by sign if signed, else by zeros; the sign is kept.
    pub fn extend(&self, width: u32) -> Self {
        let ty = Ty { width, signed: self.ty.signed };
        if width < self.width() || width > MAX_WIDTH {
            return Self::poison(ty, format!("{} extended to {width} bits", self.ty));
        }
        if width == self.width() {
            return self.clone();
        }
        Self::from_node(Node::Extend(self.clone()), ty)
    }

    fn cast(&self, signed: bool) -> Self {
        if self.ty.signed == signed {
            return self.clone();
        }
        Self::from_node(Node::Cast(self.clone()), Ty { width: self.ty.width, signed })
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

macro_rules! operator {
    ($trait:ident, $method:ident, $op:expr) => {
        impl ops::$trait<&Expr> for &Expr {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                Expr::binary($op, self, other, self.ty)
            }
        }
        impl ops::$trait<Expr> for &Expr {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                Expr::binary($op, self, &other, self.ty)
            }
        }
        impl ops::$trait<&Expr> for Expr {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                Expr::binary($op, &self, other, self.ty)
            }
        }
        impl ops::$trait<Expr> for Expr {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                Expr::binary($op, &self, &other, self.ty)
            }
        }
    };
}

operator!(Add, add, BinOp::Add);
operator!(Sub, sub, BinOp::Sub);
operator!(Mul, mul, BinOp::Mul);
operator!(BitAnd, bitand, BinOp::And);
operator!(BitOr, bitor, BinOp::Or);
operator!(BitXor, bitxor, BinOp::Xor);

impl ops::Not for &Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        Expr::unary(UnOp::Not, self, self.ty)
    }
}

impl ops::Not for Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        !&self
    }
}

impl ops::Neg for &Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        Expr::unary(UnOp::Neg, self, self.ty)
    }
}

impl ops::Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        -&self
    }
}
