//! Errors of this crate.

use spec::Problem;

use crate::engine::End;

/// Errors of `sim`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer, activations or options that the hardware cannot take: field, value, allowed range, cure.
    #[error("{0}")]
    Invalid(Problem),
    /// The hardware description is inconsistent.
    #[error(transparent)]
    Hdl(#[from] hdl::Error),
    /// The design stopped before all results had come.
    #[error("cycle {cycle}: {end}")]
    Stuck {
        /// How it stopped.
        end: End,
        /// Cycle, reset included.
        cycle: u64,
    },
    /// A combinational loop, possibly through several instances.
    #[error("combinational loop through {}: put a register into it", signals.join(", "))]
    Loop {
        /// Hierarchical paths of the signals on the loop.
        signals: Vec<String>,
    },
    /// A signal that nothing drives, or only on some paths of a block.
    #[error("{signal} is not driven {place}")]
    Undriven {
        /// Hierarchical path, or module and name.
        signal: String,
        /// Where.
        place: String,
    },
    /// A path that names nothing of the wanted kind.
    #[error("no {wanted} {path:?} in {top}{hint}")]
    NotFound {
        /// What was wanted: an input, an output, a signal, a memory.
        wanted: &'static str,
        /// The path as given.
        path: String,
        /// The top module.
        top: String,
        /// What there is.
        hint: String,
    },
    /// An expression that the builder should have refused.
    #[error("module {module}: {message}")]
    Poison {
        /// The module.
        module: String,
        /// What is wrong.
        message: String,
    },
    /// A run of the accelerator that does not come to its end: what stopped it.
    #[error("accelerator: {0}")]
    Run(String),
    /// A wave file could not be written.
    #[error("wave file: {0}")]
    Wave(String),
}

impl Error {
    /// A problem from its four parts.
    pub(crate) fn invalid(field: &str, value: impl std::fmt::Display, allowed: &str, cure: &str) -> Self {
        Self::Invalid(Problem::new(field, value, allowed, cure))
    }
}
