//! Errors of this crate.

use std::path::PathBuf;

/// Errors of `cosim`. A mismatch is none of them: it is a `Verdict`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An external program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// The step simulator or lowering refused.
    #[error(transparent)]
    Sim(#[from] sim::Error),
    /// Golden refused the layer or its activations.
    #[error(transparent)]
    Golden(#[from] golden::Error),
    /// The hardware description is inconsistent.
    #[error(transparent)]
    Hdl(#[from] hdl::Error),
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A folder of Verilog that is not what it should be.
    #[error("{}: {problem}", path.display())]
    Verilog {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// No folder for built models is known.
    #[error("SYSTOLE_CACHE is not set, nor XDG_CACHE_HOME, nor HOME: set one, built models are kept there")]
    NoCache,
}

impl Error {
    /// Whether a program is missing or failed (exit code 3).
    pub fn is_tool(&self) -> bool {
        matches!(self, Self::Tool(error) if error.is_tool())
    }

    /// For `map_err`: an input or output error with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
