//! Standard output and standard error: results, remarks, errors, progress.
//!
//! With `--json` standard output carries one object and nothing else. A reader that closes its end of a pipe is no
//! reason to fail; any other error of standard output is.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::args::OutputArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::Report;

/// Where a command's words go.
pub struct Output {
    is_json: bool,
    is_quiet: bool,
    /// Progress is for people in front of a terminal.
    shows_progress: bool,
}

impl Output {
    /// The output that the arguments ask for.
    pub fn new(args: &OutputArgs) -> Self {
        let shows_progress = !args.quiet && io::stderr().is_terminal();
        Self { is_json: args.json, is_quiet: args.quiet, shows_progress }
    }

    /// Prints a text on standard output.
    pub fn text(&self, text: &str) -> Exit {
        self.print(text, Exit::Match)
    }

    /// Prints a result.
    pub fn report(&self, report: &Report) -> Exit {
        if self.is_json {
            return self.print(&object(&report.json), report.exit);
        }
        self.print(if self.is_quiet { &report.brief } else { &report.text }, report.exit)
    }

    /// Prints an error: the message on standard error, with `--json` also as an object on standard output.
    pub fn error(&self, error: &Error) -> Exit {
        say(&format!("error: {}", error.shown()));
        if self.is_json {
            let value = json!({"error": error.to_string(), "kind": error.kind(), "exit_code": error.exit() as u8});
            self.print(&object(&value), error.exit());
        }
        error.exit()
    }

    /// Says something worth knowing on standard error, unless `-q` is given.
    pub fn remark(&self, text: &str) {
        if !self.is_quiet {
            say(&format!("remark: {text}"));
        }
    }

    /// Shows a part of a text as it comes; with `--json` the text is in the object alone.
    ///
    /// # Errors
    /// If standard output cannot be written; a reader that closed the pipe has seen what it wanted.
    pub fn stream(&self, part: &str) -> Result<(), Error> {
        if self.is_json || part.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(part.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::Input(format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// A bar that fills up to `len`.
    pub fn bar(&self, len: u64, label: &str) -> ProgressBar {
        let style = "{msg:32!} [{bar:30}] {pos}/{len} {elapsed}";
        self.progress(ProgressBar::with_draw_target(Some(len), self.target()), style, label)
    }

    /// A bar for a run of `len`, which says what it does and how long it will still take.
    pub fn run_bar(&self, len: u64) -> ProgressBar {
        let style = "[{bar:20}] {percent:>3} % {elapsed}, {eta} left, {msg}";
        self.progress(ProgressBar::with_draw_target(Some(len), self.target()), style, "")
    }

    /// A sign of life for work of unknown length.
    pub fn spinner(&self, label: &str) -> ProgressBar {
        self.progress(ProgressBar::with_draw_target(None, self.target()), "{spinner} {msg} {elapsed}", label)
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.shows_progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
    }

    fn progress(&self, bar: ProgressBar, style: &str, label: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(style).expect("the templates of this file are well-formed");
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(label.to_string());
        if self.shows_progress {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar
    }

    /// Prints on standard output; `exit` unless that fails.
    fn print(&self, text: &str, exit: Exit) -> Exit {
        if text.is_empty() {
            return exit;
        }
        let mut stdout = io::stdout().lock();
        let result = writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush());
        match result {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                say(&format!("error: cannot write to standard output: {error}"));
                if exit == Exit::Match { Exit::Input } else { exit }
            }
            _ => exit,
        }
    }
}

/// One object, readable.
fn object(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value has a text form")
}

/// Writes to standard error; nobody is left to be told if that fails.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
