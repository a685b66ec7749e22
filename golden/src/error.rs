//! Errors of this crate.

use spec::Problem;

/// Errors of `golden`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer, activations or a shape that the arithmetic does not allow: field, value, allowed range, cure.
    #[error("{0}")]
    Invalid(Problem),
}
