//! Boolean functions as Liberty writes them: `!((A1 & A2) | B)`, `A B' + C`.

use std::fmt;

/// A Boolean function of named pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// A pin, or the state of a register.
    Pin(String),
    /// A constant.
    Constant(bool),
    /// Complement.
    Not(Box<Function>),
    /// Conjunction.
    And(Box<Function>, Box<Function>),
    /// Disjunction.
    Or(Box<Function>, Box<Function>),
    /// Exclusive or.
    Xor(Box<Function>, Box<Function>),
}

impl Function {
    /// Parses a function.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
        let function = parser.or()?;
        if parser.at < tokens.len() {
            return Err(format!("function {text:?}: `{}` is out of place", tokens[parser.at]));
        }
        Ok(function)
    }

    /// Its value for the values of its pins.
    pub fn eval(&self, pin: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Pin(name) => pin(name),
            Self::Constant(value) => *value,
            Self::Not(a) => !a.eval(pin),
            Self::And(a, b) => a.eval(pin) && b.eval(pin),
            Self::Or(a, b) => a.eval(pin) || b.eval(pin),
            Self::Xor(a, b) => a.eval(pin) != b.eval(pin),
        }
    }

    /// Its pins, each once, in order.
    pub fn pins(&self) -> Vec<&str> {
        let mut pins = Vec::new();
        self.visit(&mut pins);
        pins
    }

    fn visit<'a>(&'a self, pins: &mut Vec<&'a str>) {
        match self {
            Self::Pin(name) if !pins.contains(&name.as_str()) => pins.push(name),
            Self::Pin(_) | Self::Constant(_) => {}
            Self::Not(a) => a.visit(pins),
            Self::And(a, b) | Self::Or(a, b) | Self::Xor(a, b) => {
                a.visit(pins);
                b.visit(pins);
            }
        }
    }
}

/// As a Verilog expression of one bit.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(name) => f.write_str(name),
            Self::Constant(value) => write!(f, "1'b{}", u8::from(*value)),
            Self::Not(a) => write!(f, "~{a}"),
            Self::And(a, b) => write!(f, "({a} & {b})"),
            Self::Or(a, b) => write!(f, "({a} | {b})"),
            Self::Xor(a, b) => write!(f, "({a} ^ {b})"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut is_word = false;
    for c in text.chars() {
        let is_part = c.is_ascii_alphanumeric() || "_[]".contains(c);
        match c {
            _ if is_part && is_word => tokens.last_mut().expect("a word has begun").push(c),
            _ if is_part || "!'()&*|+^".contains(c) => tokens.push(c.to_string()),
            _ if c.is_whitespace() => {}
            _ => return Err(format!("function {text:?}: `{c}` is unknown")),
        }
        is_word = is_part;
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [String],
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn take(&mut self, any: &[&str]) -> bool {
        let is_there = any.contains(&self.peek());
        self.at += usize::from(is_there);
        is_there
    }

    fn or(&mut self) -> Result<Function, String> {
        let mut left = self.xor()?;
        while self.take(&["|", "+"]) {
            left = Function::Or(left.into(), self.xor()?.into());
        }
        Ok(left)
    }

    fn xor(&mut self) -> Result<Function, String> {
        let mut left = self.and()?;
        while self.take(&["^"]) {
            left = Function::Xor(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    /// Two operands beside each other are a conjunction, too.
    fn and(&mut self) -> Result<Function, String> {
        let mut left = self.not()?;
        loop {
            let has_sign = self.take(&["&", "*"]);
            if !has_sign && matches!(self.peek(), "" | ")" | "|" | "+" | "^") {
                return Ok(left);
            }
            left = Function::And(left.into(), self.not()?.into());
        }
    }

    fn not(&mut self) -> Result<Function, String> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("function: too deep".to_string());
        }
        let mut value = if self.take(&["!"]) {
            Function::Not(self.not()?.into())
        } else if self.take(&["("]) {
            let inner = self.or()?;
            if !self.take(&[")"]) {
                return Err("function: `)` is missing".to_string());
            }
            inner
        } else {
            let word = self.peek().to_string();
            self.at += 1;
            match word.as_str() {
                "0" => Function::Constant(false),
                "1" => Function::Constant(true),
                _ if word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') => Function::Pin(word),
                _ => return Err(format!("function: `{word}` where a pin should stand")),
            }
        };
        while self.take(&["'"]) {
            value = Function::Not(value.into());
        }
        self.depth -= 1;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_has_its_value() {
        for (text, truth) in [
            ("!((A & B) | C)", [true, false, true, false, true, false, false, false]),
            ("A B' + C", [false, true, false, true, true, true, false, true]),
            ("(A^B)*!C", [false, false, true, false, true, false, false, false]),
            ("A & (B + C)'", [false, false, false, false, true, false, false, false]),
            ("1", [true; 8]),
        ] {
            let function = Function::parse(text).unwrap();
            for (i, expected) in truth.into_iter().enumerate() {
                let pin = |name: &str| i >> (2 - "ABC".find(name).unwrap()) & 1 == 1;
                assert_eq!(function.eval(&pin), expected, "{text} at {i}");
            }
        }
        assert_eq!(Function::parse("!(A B)+1").unwrap().to_string(), "(~(A & B) | 1'b1)");
        assert_eq!(Function::parse("A ^ B ^ A").unwrap().pins(), ["A", "B"]);
    }

    #[test]
    fn broken_ones_are_refused() {
        for text in ["", "A &", "(A", "A )", "A % B", "!"] {
            assert!(Function::parse(text).is_err(), "{text:?}");
        }
        assert!(Function::parse(&"(".repeat(10_000)).is_err());
    }
}
