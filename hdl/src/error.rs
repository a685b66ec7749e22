//! Errors of this crate.

/// Errors of `hdl`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A Config that this unit cannot be built for: field, value, allowed values, cure.
    #[error("{0}")]
    Invalid(spec::Problem),
    /// A module that cannot be built: every problem found.
    #[error("module {module}: {}", problems.join("; "))]
    Module {
        /// Name of the module.
        module: String,
        /// What is wrong.
        problems: Vec<String>,
    },
}
