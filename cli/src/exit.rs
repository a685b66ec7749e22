//! Exit codes.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All was done, and what was compared was equal.
    Match = 0,
    /// Models differ.
    Mismatch = 1,
    /// The input, or where the output shall go, is wrong.
    Input = 2,
    /// An external program is missing or failed.
    Tool = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
