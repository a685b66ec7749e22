//! Errors of this crate.

use std::io;
use std::path::{Path, PathBuf};

/// Errors of `synth`. [`Error::is_tool`] separates a missing or failed program from bad input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// A program ended well, but what it wrote is not what it should have written.
    #[error("{tool}: {problem}; full log: {}", log.display())]
    Output {
        /// Program.
        tool: String,
        /// What is wrong.
        problem: String,
        /// Its log.
        log: PathBuf,
    },
    /// A Liberty file cannot be used.
    #[error("{}: {problem}", path.display())]
    Liberty {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the cure.
        problem: String,
    },
    /// A value is not allowed.
    #[error("{0}")]
    Invalid(spec::Problem),
    /// The description of the hardware does not hold together.
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
        source: io::Error,
    },
}

impl Error {
    /// Whether a program is missing or failed (exit code 3).
    pub fn is_tool(&self) -> bool {
        match self {
            Self::Tool(error) => error.is_tool(),
            Self::Output { .. } => true,
            _ => false,
        }
    }

    /// For `map_err` on what the operating system says.
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
