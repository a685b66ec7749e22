//! Errors of this crate, and the form in which every problem with user input is reported.

use std::fmt;

/// One problem with one field of the input: what it is, what was found, what is allowed, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Field, as the user writes it: `array.rows`.
    pub field: String,
    /// Value found.
    pub value: String,
    /// Allowed values.
    pub allowed: String,
    /// What to change.
    pub cure: String,
}

impl Problem {
    /// A problem from its four parts.
    pub fn new(
        field: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), value: value.to_string(), allowed: allowed.into(), cure: cure.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: allowed {}; {}", self.field, self.value, self.allowed, self.cure)
    }
}

/// Errors of `spec`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not TOML or has fields that a Config does not know; the message names line and field.
    #[error("{0}")]
    Syntax(String),
    /// Fields out of range, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Problem>),
}
