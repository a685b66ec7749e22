//! Operators of expressions: arithmetic, comparisons, shifts, reductions. Both operands have the same type.

use std::ops;

use super::expr::{BinOp, Expr, Node, UnOp};
use super::ty::{MAX_ARITH_WIDTH, Ty};

impl Expr {
    fn binary(op: BinOp, a: &Self, b: &Self, result: Ty) -> Self {
        if a.ty() != b.ty() {
            return Self::poison(result, format!("{op:?} of {} and {}: widen or cast one of them", a.ty(), b.ty()));
        }
        let bitwise = matches!(op, BinOp::And | BinOp::Or | BinOp::Xor | BinOp::Eq | BinOp::Ne);
        if !bitwise && a.width() > MAX_ARITH_WIDTH {
            return Self::poison(result, format!("{op:?} of {}: at most {MAX_ARITH_WIDTH} bits", a.ty()));
        }
        Self::from_node(Node::Binary(op, a.clone(), b.clone()), result)
    }

    fn unary(op: UnOp, a: &Self, result: Ty) -> Self {
        if op == UnOp::Neg && a.width() > MAX_ARITH_WIDTH {
            return Self::poison(result, format!("{op:?} of {}: at most {MAX_ARITH_WIDTH} bits", a.ty()));
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
        if amount.ty().signed {
            return Self::poison(a.ty(), format!("shift by {}: the amount must be unsigned", amount.ty()));
        }
        if a.width() > MAX_ARITH_WIDTH {
            return Self::poison(a.ty(), format!("{op:?} of {}: at most {MAX_ARITH_WIDTH} bits", a.ty()));
        }
        Self::from_node(Node::Binary(op, a.clone(), amount.clone()), a.ty())
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
}

macro_rules! operator {
    ($trait:ident, $method:ident, $op:expr) => {
        impl ops::$trait<&Expr> for &Expr {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                Expr::binary($op, self, other, self.ty())
            }
        }
        impl ops::$trait<Expr> for &Expr {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                Expr::binary($op, self, &other, self.ty())
            }
        }
        impl ops::$trait<&Expr> for Expr {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                Expr::binary($op, &self, other, self.ty())
            }
        }
        impl ops::$trait<Expr> for Expr {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                Expr::binary($op, &self, &other, self.ty())
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
        Expr::unary(UnOp::Not, self, self.ty())
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
        Expr::unary(UnOp::Neg, self, self.ty())
    }
}

impl ops::Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        -&self
    }
}
