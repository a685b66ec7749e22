//! Expressions: immutable trees over the signals of one module, each node with its type.
//!
//! Both operands of an operator have the same type, which is the result's too (comparisons give one bit); widening is
//! explicit. A wrong type does not panic: the expression becomes [`Node::Poison`], which `ModuleBuilder::build` reports
//! with the place where it is used.

use std::sync::Arc;

use super::bits::Bits;
use super::ty::Ty;

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

    pub(super) fn poison(ty: Ty, message: String) -> Self {
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
}
