//! Errors of this crate.

use spec::Problem;

/// Errors of `sim`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer, activations or options that the hardware cannot take: field, value, allowed range, cure.
    #[error("{0}")]
    Invalid(Problem),
}

impl Error {
    /// A problem from its four parts.
    pub(crate) fn invalid(field: &str, value: impl std::fmt::Display, allowed: &str, cure: &str) -> Self {
        Self::Invalid(Problem::new(field, value, allowed, cure))
    }
}
