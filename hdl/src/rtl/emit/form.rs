//! The text of an expression and when it needs parentheses.

/// What stands outermost in a text: decides on parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A name, a literal, a concatenation, a call.
    Atom,
    /// `~x`, `!x`.
    Not,
    /// `-x`, `&x`, `|x`, `^x`.
    Prefix,
    /// An operator of two operands.
    Infix(&'static str),
    /// `c ? a : b`.
    Mux,
}

/// An expression as text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The text.
    pub(super) text: String,
    /// Outermost form.
    pub(super) form: Form,
    /// Whether Verilog takes it as signed.
    pub(super) signed: bool,
}

impl Text {
    pub(super) fn new(text: impl Into<String>, form: Form) -> Self {
        Self { text: text.into(), form, signed: false }
    }

    pub(super) fn atom(text: impl Into<String>) -> Self {
        Self::new(text, Form::Atom)
    }

    /// Whether it is a comparison, which reads badly after `<=`.
    pub(super) fn is_comparison(&self) -> bool {
        matches!(self.form, Form::Infix("<" | "<=" | "==" | "!="))
    }

    /// Within parentheses unless it is a name or the like, or a complement.
    pub(super) fn tight(self) -> String {
        match self.form {
            Form::Atom | Form::Not => self.text,
            _ => format!("({})", self.text),
        }
    }

    /// As the operand of a prefix operator.
    pub(super) fn tightest(self) -> String {
        if self.form == Form::Atom { self.text } else { format!("({})", self.text) }
    }

    /// As the left operand of `op`.
    pub(super) fn left_of(self, op: &str) -> String {
        let same = match self.form {
            Form::Infix("+" | "-") => matches!(op, "+" | "-"),
            Form::Infix(inner) => inner == op && matches!(op, "&" | "|" | "^" | "&&" | "||"),
            _ => false,
        };
        if same { self.text } else { self.tight() }
    }

    /// As the right operand of `op`.
    pub(super) fn right_of(self, op: &str) -> String {
        let same = self.form == Form::Infix("+") && op == "+"
            || matches!(self.form, Form::Infix(inner) if inner == op && matches!(op, "&" | "|" | "^" | "&&" | "||"));
        if same { self.text } else { self.tight() }
    }
}
