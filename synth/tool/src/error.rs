//! Errors of this crate.

use std::io;
use std::path::PathBuf;

/// Errors of `tool`. [`Error::is_tool`] separates a missing or failed program from input and output of our own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error(
        "{tool}: not found on PATH; {needed_for} needs it; install it with {install}, or set {variable} to its path"
    )]
    Missing {
        /// Name of the program.
        tool: String,
        /// What needs it.
        needed_for: String,
        /// Command that installs it, in backquotes, and as whom.
        install: String,
        /// Environment variable that overrides the search.
        variable: String,
    },
    /// The overriding environment variable does not name a program.
    #[error("{variable} = {}: not an executable file; set it to the path of {tool}, or unset it and install {tool} with {install}", path.display())]
    Override {
        /// Name of the program.
        tool: String,
        /// Environment variable.
        variable: String,
        /// Its value.
        path: PathBuf,
        /// Command that installs the program, in backquotes, and as whom.
        install: String,
    },
    /// A program is older than the oldest version that works.
    #[error(
        "{tool}: version {found}, allowed {minimum} or newer; install it with {install}, or set {variable} to the path of a newer one"
    )]
    TooOld {
        /// Name of the program.
        tool: String,
        /// Version found.
        found: String,
        /// Oldest version that works.
        minimum: String,
        /// Command that installs it, in backquotes, and as whom.
        install: String,
        /// Environment variable that overrides the search.
        variable: String,
    },
    /// A program could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// Command line.
        command: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program failed, died from a signal, was stopped, or did not write what it was to write.
    #[error("`{command}` failed: {status}{}", shown(.tail, .log))]
    Failed {
        /// Command line.
        command: String,
        /// Exit status, signal, or why it was stopped.
        status: String,
        /// Last lines that it printed.
        tail: String,
        /// Full log, unless `tail` is all of it.
        log: Option<PathBuf>,
    },
    /// A program took too long and was killed with its children.
    #[error("`{command}` did not finish in {seconds} s and was killed{}", shown(.tail, .log))]
    TimedOut {
        /// Command line.
        command: String,
        /// Time that it had.
        seconds: f64,
        /// Last lines that it printed.
        tail: String,
        /// Full log, unless `tail` is all of it.
        log: Option<PathBuf>,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// Whether a program is missing or failed (exit code 3), as opposed to reading or writing of our own.
    pub fn is_tool(&self) -> bool {
        !matches!(self, Error::Io { .. })
    }
}

/// Tail of the output and path of the log, as the lines below an error's first line.
fn shown(tail: &str, log: &Option<PathBuf>) -> String {
    let mut text = String::new();
    for line in tail.lines() {
        text.push_str("\n  ");
        text.push_str(line);
    }
    if let Some(path) = log {
        text.push_str(&format!("\n  full log: {}", path.display()));
    }
    text
}
