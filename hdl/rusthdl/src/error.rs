//! Errors of this crate.

use std::io;
use std::path::PathBuf;

/// Errors of `hdl-rusthdl`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A block cannot be what was asked for.
    #[error("{0}")]
    Invalid(spec::Problem),
    /// The hardware description.
    #[error(transparent)]
    Hdl(#[from] hdl::Error),
    /// The simulator.
    #[error(transparent)]
    Sim(#[from] sim::Error),
    /// An external program.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// A file of ours.
    #[error("cannot write {}: {source}; check space and permissions, or set TMPDIR to another folder", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The output of yosys says neither that a proof succeeded nor that it failed.
    #[error("yosys ended without a result of `sat`; allowed: proven, refuted or open; its last lines: {tail}")]
    NoResult {
        /// Last lines.
        tail: String,
    },
}
