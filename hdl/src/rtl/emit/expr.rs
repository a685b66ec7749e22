//! Expressions as text.
//!
//! Every text has, taken by itself, the width of its expression, and is unsigned unless marked signed; marked ones are
//! shielded by `$unsigned` inside another expression, for there an unsigned neighbour would change what they mean.

use super::Writer;
use super::constant::{as_u64, constant};
use super::form::{Form, Text};
use super::literal::{literal, number, zeros};
use crate::rtl::bits::Bits;
use crate::rtl::expr::{BinOp, Expr, Node, UnOp};
use crate::rtl::ty::{Ty, bits_for, index_bits};

/// Verilator refuses shift amounts wider than this.
const MAX_AMOUNT_WIDTH: u32 = 32;

impl Writer<'_> {
    /// An expression as the operand of something: never signed.
    pub(super) fn plain(&mut self, expr: &Expr) -> Text {
        let text = self.root(expr);
        if text.signed { Text::atom(format!("$unsigned({})", text.text)) } else { text }
    }

    /// An expression as the right side of an assignment.
    pub(super) fn root(&mut self, expr: &Expr) -> Text {
        if !matches!(expr.node(), Node::Const(_) | Node::Named(..))
            && let Some(bits) = constant(expr)
        {
            return constant_text(&bits, expr.ty());
        }
        if let Some(name) = self.hoisted_name(expr) {
            return Text::atom(name);
        }
        match expr.node() {
            Node::Const(bits) => constant_text(bits, expr.ty()),
            Node::Named(_, name) => {
                self.used_constants.insert(name.clone());
                Text::atom(name.clone())
            }
            Node::Sig(..) | Node::Elem(..) => Text::atom(self.named(expr, 0, expr.width())),
            Node::Unary(op, a) => self.unary(*op, a),
            Node::Binary(BinOp::Shl | BinOp::Shr, a, amount) => self.shift(expr, a, amount),
            Node::Binary(op, a, b) => self.binary(*op, a, b),
            Node::Mux(c, a, b) => {
                if let Some(c) = constant(c) {
                    return self.root(if c.bit(0) { a } else { b });
                }
                let c = self.plain(c).tight();
                let a = self.plain(a);
                // A chain of alternatives stays flat unless the first one is a choice itself.
                let flat = a.form != Form::Mux;
                let a = if flat { a.text } else { a.tight() };
                let b = self.plain(b);
                let b = if flat { b.text } else { b.tight() };
                Text::new(format!("{c} ? {a} : {b}"), Form::Mux)
            }
            Node::Slice(a, lsb) => Text::atom(self.named(a, *lsb, expr.width())),
            Node::Word(a, index) => self.word(a, index, expr.width()),
            Node::Repeat(count, a) => {
                let inner = self.parts(a).join(", ");
                Text::atom(format!("{{{count}{{{inner}}}}}"))
            }
            Node::Cast(a) => self.root(a),
            Node::Concat(_) | Node::Extend(_) => {
                let parts = self.parts(expr);
                match &parts[..] {
                    [only] if only.starts_with('{') => Text::atom(only.clone()),
                    _ => Text::atom(format!("{{{}}}", parts.join(", "))),
                }
            }
            Node::Poison(message) => {
                self.problems.push(message.clone());
                Text::atom("1'b0")
            }
        }
    }

    fn unary(&mut self, op: UnOp, a: &Expr) -> Text {
        let one_bit = a.width() == 1;
        let operand = self.plain(a).tightest();
        match op {
            UnOp::Not => Text::new(format!("{}{operand}", if one_bit { "!" } else { "~" }), Form::Not),
            UnOp::Neg => Text::new(format!("-{operand}"), Form::Prefix),
            UnOp::RedAnd => Text::new(format!("&{operand}"), Form::Prefix),
            UnOp::RedOr => Text::new(format!("|{operand}"), Form::Prefix),
            UnOp::RedXor => Text::new(format!("^{operand}"), Form::Prefix),
        }
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr) -> Text {
        let ty = a.ty();
        let (a, b) = (self.plain(a), self.plain(b));
        let signed = |t: Text| format!("$signed({})", t.text);
        let one_bit = ty == Ty::bit();
        let symbol = match op {
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Mul => "*",
            BinOp::And if one_bit => "&&",
            BinOp::Or if one_bit => "||",
            BinOp::And => "&",
            BinOp::Or => "|",
            BinOp::Xor => "^",
            BinOp::Eq => "==",
            BinOp::Ne => "!=",
            BinOp::Lt => "<",
            BinOp::Le => "<=",
            BinOp::Shl | BinOp::Shr => unreachable!("shifts have their own function"),
        };
        if ty.signed && matches!(op, BinOp::Mul | BinOp::Lt | BinOp::Le) {
            let text = format!("{} {symbol} {}", signed(a), signed(b));
            return Text { text, form: Form::Infix(symbol), signed: op == BinOp::Mul };
        }
        Text::new(format!("{} {symbol} {}", a.left_of(symbol), b.right_of(symbol)), Form::Infix(symbol))
    }

    fn shift(&mut self, expr: &Expr, a: &Expr, amount: &Expr) -> Text {
        let width = a.width();
        let left = matches!(expr.node(), Node::Binary(BinOp::Shl, ..));
        let arithmetic = a.ty().signed && !left;
        if let Some(bits) = constant(amount) {
            let last = u64::from(width) - 1;
            let by = as_u64(&bits).filter(|by| *by <= last).or(arithmetic.then_some(last));
            return match by {
                Some(0) => self.root(a),
                Some(by) => {
                    let value = self.plain(a);
                    shifted(value, left, arithmetic, &number(bits_for(by), by))
                }
                None => Text::atom(zeros(width)),
            };
        }
        if amount.width() <= MAX_AMOUNT_WIDTH {
            let value = self.plain(a);
            let by = self.plain(amount).tight();
            return shifted(value, left, arithmetic, &by);
        }
        // An amount too wide for the tools: its high bits shift everything out.
        let low = bits_for(width.into());
        let high_bits = self.named(amount, low, amount.width() - low);
        let low_bits = self.named(amount, 0, low);
        let fill = if arithmetic { self.sign_fill(a, width) } else { zeros(width) };
        let value = self.plain(a);
        let inner = shifted(value, left, arithmetic, &low_bits);
        let inner = if inner.signed { format!("$unsigned({})", inner.text) } else { inner.text };
        Text::new(format!("(|{high_bits}) ? {fill} : {inner}"), Form::Mux)
    }

    fn word(&mut self, a: &Expr, index: &Expr, width: u32) -> Text {
        if let Some(value) = constant(index).and_then(|bits| as_u64(&bits)) {
            return Text::atom(self.named(a, value as u32 * width, width));
        }
        // An array element gets a name: a part chosen by a variable keeps tools from telling elements apart.
        let base = match a.node() {
            Node::Elem(..) => self.hoist(a),
            _ => self.named(a, 0, a.width()),
        };
        if width == 1 {
            let index = self.plain(index).text;
            return Text::atom(format!("{base}[{index}]"));
        }
        let place = if width.is_power_of_two() {
            let mut parts = self.parts(index);
            parts.push(zeros(width.trailing_zeros()));
            format!("{{{}}}", parts.join(", "))
        } else {
            let bits = index_bits(a.width());
            let mut parts = self.parts(index);
            if bits > index.width() {
                parts.insert(0, zeros(bits - index.width()));
            }
            format!("{{{}}} * {}", parts.join(", "), number(bits, width.into()))
        };
        Text::atom(format!("{base}[{place} +: {width}]"))
    }

    /// The parts of a concatenation that has the expression's bits, highest first.
    fn parts(&mut self, expr: &Expr) -> Vec<String> {
        if constant(expr).is_some() || self.hoisted_name(expr).is_some() {
            return vec![self.plain(expr).text];
        }
        match expr.node() {
            Node::Concat(parts) => parts.iter().flat_map(|p| self.parts(p)).collect(),
            Node::Cast(inner) => self.parts(inner),
            Node::Extend(inner) if !inner.ty().signed => {
                let mut parts = vec![zeros(expr.width() - inner.width())];
                parts.extend(self.parts(inner));
                parts
            }
            Node::Extend(inner) if inner.width() == 1 => vec![self.sign_fill(inner, expr.width())],
            Node::Extend(inner) => {
                let more = expr.width() - inner.width();
                let fill = self.sign_fill(inner, more);
                let mut parts = vec![fill];
                parts.extend(self.parts(inner));
                parts
            }
            _ => vec![self.plain(expr).text],
        }
    }

    /// `count` copies of the sign bit.
    fn sign_fill(&mut self, expr: &Expr, count: u32) -> String {
        let sign = self.sign_bit(expr);
        if count == 1 { sign } else { format!("{{{count}{{{sign}}}}}") }
    }

    fn sign_bit(&mut self, expr: &Expr) -> String {
        let width = expr.width();
        match expr.node() {
            Node::Sig(..) | Node::Elem(..) => self.named(expr, width - 1, 1),
            Node::Slice(a, lsb) => self.named(a, lsb + width - 1, 1),
            Node::Cast(inner) => self.sign_bit(inner),
            Node::Concat(parts) => self.sign_bit(&parts[0]),
            Node::Repeat(_, inner) => self.sign_bit(inner),
            Node::Extend(inner) if inner.ty().signed => self.sign_bit(inner),
            Node::Extend(_) => "1'b0".into(),
            Node::Const(bits) | Node::Named(bits, _) => number(1, bits.bit(width - 1).into()),
            _ if width == 1 => self.plain(expr).text,
            _ => {
                let name = self.hoist(expr);
                format!("{name}[{}]", width - 1)
            }
        }
    }
}

fn shifted(value: Text, left: bool, arithmetic: bool, by: &str) -> Text {
    if arithmetic {
        let text = format!("$signed({}) >>> {by}", value.text);
        return Text { text, form: Form::Infix(">>>"), signed: true };
    }
    let symbol = if left { "<<" } else { ">>" };
    Text::new(format!("{} {symbol} {by}", value.tight()), Form::Infix(symbol))
}

fn constant_text(bits: &Bits, ty: Ty) -> Text {
    let (text, minus) = literal(bits, ty);
    Text::new(text, if minus { Form::Prefix } else { Form::Atom })
}
