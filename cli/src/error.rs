//! Errors of the binary: what went wrong, and with that the exit code.

use std::path::Path;

use crate::exit::Exit;

/// Lines of a message for bad input; the rest is counted.
const INPUT_LINES: usize = 8;
/// Lines of a message of an external program: its own last lines are part of it.
const TOOL_LINES: usize = 20;

/// Why a command did not come to a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bad input, or an output that cannot be written.
    #[error("{0}")]
    Input(String),
    /// An external program is missing or failed.
    #[error("{0}")]
    Tool(String),
}

impl Error {
    /// Bad input: field, value, allowed range, cure.
    pub fn input(field: &str, value: impl std::fmt::Display, allowed: &str, cure: &str) -> Self {
        Self::Input(spec::Problem::new(field, value, allowed, cure).to_string())
    }

    /// The same error, said of a file.
    pub fn of(self, file: &Path) -> Self {
        match self {
            Self::Input(text) => Self::Input(format!("{}: {text}", file.display())),
            Self::Tool(text) => Self::Tool(format!("{}: {text}", file.display())),
        }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Input(_) => Exit::Input,
            Self::Tool(_) => Exit::Tool,
        }
    }

    /// One word for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::Tool(_) => "tool",
        }
    }

    /// The message as it is shown: so many lines, and how many more there are.
    pub fn shown(&self) -> String {
        let (text, most) = match self {
            Self::Input(text) => (text, INPUT_LINES),
            Self::Tool(text) => (text, TOOL_LINES),
        };
        shorten(text, most)
    }
}

/// At most `most` lines, then "and N more"; a last line that says so already is counted in.
fn shorten(text: &str, most: usize) -> String {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if lines.len() <= most {
        return lines.join("\n");
    }
    let counted = lines.last().and_then(|l| l.strip_prefix("and ")?.strip_suffix(" more")?.parse::<usize>().ok());
    if counted.is_some() {
        lines.pop();
    }
    let more = lines.len() - most + counted.unwrap_or(0);
    lines.truncate(most);
    if more > 0 { format!("{}\nand {more} more", lines.join("\n")) } else { lines.join("\n") }
}

impl From<spec::Error> for Error {
    fn from(error: spec::Error) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<golden::Error> for Error {
    fn from(error: golden::Error) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<hdl::Error> for Error {
    fn from(error: hdl::Error) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<sim::Error> for Error {
    fn from(error: sim::Error) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<cosim::Error> for Error {
    fn from(error: cosim::Error) -> Self {
        if error.is_tool() { Self::Tool(error.to_string()) } else { Self::Input(error.to_string()) }
    }
}

impl From<synth::Error> for Error {
    fn from(error: synth::Error) -> Self {
        if error.is_tool() { Self::Tool(error.to_string()) } else { Self::Input(error.to_string()) }
    }
}

impl From<tool::Error> for Error {
    fn from(error: tool::Error) -> Self {
        if error.is_tool() { Self::Tool(error.to_string()) } else { Self::Input(error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_and_counted_once() {
        let lines = |n: usize| (0..n).map(|i| format!("line {i}")).collect::<Vec<_>>().join("\n");
        assert_eq!(shorten(&lines(8), 8), lines(8));
        assert_eq!(shorten(&lines(9), 8), format!("{}\nand 1 more", lines(8)));
        assert_eq!(shorten(&format!("{}\nand 5 more", lines(8)), 8), format!("{}\nand 5 more", lines(8)));
        assert_eq!(shorten(&format!("{}\nand 5 more", lines(10)), 8), format!("{}\nand 7 more", lines(8)));
    }
}
