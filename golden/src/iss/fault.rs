//! What is wrong with an instruction: a field or memory, its value, what is allowed and what to do.

use std::fmt;

use spec::Problem;

/// Result of what an instruction does.
pub type Result<T> = std::result::Result<T, Problem>;

/// Refuses a value.
pub fn refuse<T>(
    field: impl Into<String>,
    value: impl fmt::Display,
    allowed: impl Into<String>,
    cure: &str,
) -> Result<T> {
    Err(Problem::new(field, value, allowed, cure))
}

/// A value within a range, or the problem that it is not.
pub fn within(field: &str, value: i64, low: i64, high: i64, cure: &str) -> Result<i64> {
    if (low..=high).contains(&value) { Ok(value) } else { refuse(field, value, format!("{low}..={high}"), cure) }
}

/// The element of a result that left 64 bits.
pub fn wide<T>(element: usize, exact: i128) -> Result<T> {
    refuse(format!("x[{element}]"), exact, "64 bits signed", "scale the operands down before this instruction")
}

/// A result of 64 bits.
pub fn narrow(element: usize, exact: i128) -> Result<i64> {
    i64::try_from(exact).or_else(|_| wide(element, exact))
}
