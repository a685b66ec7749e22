//! Errors of this crate: each message names the file, field, value, allowed values and the cure.

use std::fmt;
use std::path::Path;

use spec::Problem;

/// Problems a message shows before it says "and N more".
pub const MAX_LINES: usize = 8;

/// Errors of `golden`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer, activations or a shape that the arithmetic does not allow: field, value, allowed range, cure.
    #[error("{0}")]
    Invalid(Problem),
    /// Problems with the input, all that were found; the message shows the first [`MAX_LINES`] of them.
    #[error("{}", Lines(.0))]
    Input(Vec<Problem>),
    /// A linear layer that the model does not have; the message lists those it has, as far as [`MAX_LINES`] go.
    #[error("layer = \"{}\": no linear layer of this model; name one of\n{}", clip(layer), Names(names))]
    UnknownLayer {
        /// Name that was asked for.
        layer: String,
        /// Names of the model's linear layers, in the order in which they run.
        names: Vec<String>,
    },
    /// An instruction of a program does what it must not.
    #[error("instruction {at}, {text}: {problem}")]
    Program {
        /// Its place in the program.
        at: usize,
        /// The instruction in assembly.
        text: String,
        /// Field or memory, value, allowed range, cure.
        problem: Box<Problem>,
    },
    /// The operating system refused to read or write a file.
    #[error("{path}: cannot {action}: {reason}; {cure}")]
    Io {
        /// File, as the user gave it.
        path: String,
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// What to do.
        cure: &'static str,
        /// The system's reason.
        reason: String,
    },
}

impl Error {
    /// One problem with the input.
    pub fn input(
        field: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self::Input(vec![Problem::new(field, value, allowed, cure)])
    }

    /// What the vocabulary refuses, in this crate's form.
    pub fn from_spec(error: spec::Error) -> Self {
        match error {
            spec::Error::Invalid(problems) => Self::Input(problems),
            other => Self::input("program", other, "a valid program", "lower the model again"),
        }
    }

    /// A file that cannot be read.
    pub fn read(path: &Path, reason: std::io::Error) -> Self {
        let cure = "check the path and its permissions";
        Self::Io { path: path.display().to_string(), action: "read", cure, reason: reason.to_string() }
    }

    /// A file that cannot be written.
    pub fn write(path: &Path, reason: std::io::Error) -> Self {
        let cure = "nothing was left behind; check the folder, its permissions and the free space";
        Self::Io { path: path.display().to_string(), action: "write", cure, reason: reason.to_string() }
    }
}

/// `Ok` if there are no problems.
///
/// # Errors
/// [`Error::Input`] with all of them.
pub fn no_problems(problems: Vec<Problem>) -> Result<(), Error> {
    if problems.is_empty() { Ok(()) } else { Err(Error::Input(problems)) }
}

/// Text from a file as part of a message: one line, at most 80 characters.
pub fn clip(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(80) {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    if text.chars().nth(80).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Lists of problems, one a line, no more than [`MAX_LINES`].
struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().take(MAX_LINES).enumerate() {
            write!(f, "{}{problem}", if i > 0 { "\n" } else { "" })?;
        }
        match self.0.len().saturating_sub(MAX_LINES) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Lists of names, one a line, after a first line of another text.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.len().min(MAX_LINES - 1);
        f.write_str(&self.0[..shown].join("\n"))?;
        match self.0.len() - shown {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_problems_show_eight_lines_and_the_rest_as_a_number() {
        let problems = (0..9).map(|i| Problem::new(format!("f{i}"), i, "0", "fix it")).collect();
        let text = Error::Input(problems).to_string();
        assert_eq!(text.lines().count(), 9);
        assert!(text.ends_with("f7 = 7: allowed 0; fix it\nand 1 more"), "{text}");
    }

    #[test]
    fn clipped_text_stays_on_one_line() {
        assert_eq!(clip("a\nb"), "a\\nb");
        assert_eq!(clip(&"x".repeat(81)).len(), 83);
    }
}
