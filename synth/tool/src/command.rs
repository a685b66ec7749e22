//! A command line, built up and run to its end.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::group::{Collector, Group, MAX_OUTPUT_BYTES};
use crate::{Error, Tool, write_atomic};

/// Lines of output that an error shows.
const TAIL_LINES: usize = 12;
/// Bytes of output that an error shows.
const TAIL_BYTES: usize = 4096;

/// A program with its arguments and surroundings. Standard input is empty, the locale is C.
#[derive(Clone, Debug)]
pub struct Command {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) envs: Vec<(OsString, OsString)>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) log: Option<PathBuf>,
    outputs: Vec<PathBuf>,
}

/// What a program printed before it ended with status 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text; bytes that are not UTF-8 are replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl Command {
    /// A command that runs the program at `path`, for 10 minutes at most.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            program: path.into(),
            args: Vec::new(),
            envs: vec![("LC_ALL".into(), "C".into())],
            cwd: None,
            timeout: Duration::from_secs(600),
            log: None,
            outputs: Vec::new(),
        }
    }

    /// A command that runs a tool of the registry.
    ///
    /// # Errors
    /// Those of [`Tool::find`].
    pub fn tool(tool: &Tool) -> Result<Self, Error> {
        Ok(Self::new(tool.find()?))
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_os_string());
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_os_string()));
        self
    }

    /// Sets an environment variable of the child.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.as_ref().to_os_string(), value.as_ref().to_os_string()));
        self
    }

    /// Sets the child's working folder.
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Sets the time after which the child and its descendants are killed; for [`Command::spawn_piped`] the time of
    /// each exchange.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps everything that the child prints in a file, whether it fails or not.
    pub fn log(mut self, path: impl Into<PathBuf>) -> Self {
        self.log = Some(path.into());
        self
    }

    /// Declares a file that the child writes: it is removed before the run, and its absence or emptiness afterwards is
    /// a failure. Some tools end with status 0 on a full disk. A path that is not absolute is relative to our folder.
    pub fn writes(mut self, path: impl Into<PathBuf>) -> Self {
        self.outputs.push(path.into());
        self
    }

    /// The command line, as a person would type it.
    pub fn line(&self) -> String {
        let words = std::iter::once(self.program.as_os_str()).chain(self.args.iter().map(OsString::as_os_str));
        words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// Starts the child with the given standard input, its outputs piped.
    pub(crate) fn start(&self, stdin: Stdio) -> Result<Group, Error> {
        let mut command = process::Command::new(&self.program);
        command.args(&self.args).envs(self.envs.iter().map(|(name, value)| (name, value)));
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &self.cwd {
            command.current_dir(folder);
        }
        Group::spawn(command).map_err(|source| Error::Start { command: self.line(), source })
    }

    /// Runs the command to its end.
    ///
    /// # Errors
    /// [`Error::Start`]; [`Error::TimedOut`]; [`Error::Failed`] for any status but 0, a signal, more than 256 MiB of
    /// output, or a file of [`Command::writes`] that is missing or empty; [`Error::Io`] if the log cannot be written.
    pub fn run(&self) -> Result<Output, Error> {
        for path in &self.outputs {
            match fs::remove_file(path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Io { action: "replace", path: path.clone(), source });
                }
                _ => {}
            }
        }
        let deadline = Instant::now() + self.timeout;
        let mut group = self.start(Stdio::null())?;
        let stdout = group.child().stdout().take().map(Collector::start);
        let stderr = group.child().stderr().take().map(Collector::start);
        let is_full = || [&stdout, &stderr].into_iter().flatten().any(Collector::is_full);
        let waited = group.wait_until(deadline, is_full);
        group.kill();
        let take = |collector: &Option<Collector>| collector.as_ref().map(Collector::take).unwrap_or_default();
        let output = Output { stdout: take(&stdout), stderr: take(&stderr) };
        let status = waited.map_err(|source| Error::Start { command: self.line(), source })?;
        let full = output.stdout.len().max(output.stderr.len()) >= MAX_OUTPUT_BYTES;
        let complaint = match status {
            Some(_) if full => Some(format!("printed more than {} MiB", MAX_OUTPUT_BYTES >> 20)),
            None if full => Some(format!("stopped after it printed more than {} MiB", MAX_OUTPUT_BYTES >> 20)),
            None => None,
            Some(status) if !status.success() => Some(status.to_string()),
            Some(_) => self.outputs.iter().find(|path| !is_filled(path)).map(|path| {
                format!("it ended without an error but did not write {} (is the disk full?)", path.display())
            }),
        };
        match (status, complaint) {
            (Some(_), None) => {
                if self.log.is_some() {
                    self.keep(&output, "exit status: 0")?;
                }
                Ok(output)
            }
            (_, Some(complaint)) => Err(self.failed(&output, complaint)),
            (None, None) => {
                let (tail, log) = self.shown(&output, "timed out");
                Err(Error::TimedOut { command: self.line(), seconds: self.timeout.as_secs_f64(), tail, log })
            }
        }
    }

    /// [`Error::Failed`] with the last lines and the log.
    pub(crate) fn failed(&self, output: &Output, status: String) -> Error {
        let (tail, log) = self.shown(output, &status);
        Error::Failed { command: self.line(), status, tail, log }
    }

    /// Last lines of an output, and where all of it is if they are not all. A log that cannot be written is left out:
    /// the failure itself says more.
    pub(crate) fn shown(&self, output: &Output, status: &str) -> (String, Option<PathBuf>) {
        let text = match output.stderr_text().trim_end() {
            "" => output.stdout_text().trim_end().to_string(),
            stderr => match output.stdout_text().trim_end() {
                "" => stderr.to_string(),
                stdout => format!("{stdout}\n{stderr}"),
            },
        };
        let tail = last_lines(&text);
        let is_all = tail.len() == text.len();
        let log = if self.log.is_some() || !is_all { self.keep(output, status).ok() } else { None };
        (tail, log)
    }

    /// Writes the log, to the file asked for or to one in the folder for temporary files.
    fn keep(&self, output: &Output, status: &str) -> Result<PathBuf, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let path = self.log.clone().unwrap_or_else(|| {
            let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            std::env::temp_dir().join(format!("systole-{name}-{}-{number}.log", process::id()))
        });
        let mut text = format!("$ {}\n", self.line()).into_bytes();
        text.extend_from_slice(&output.stdout);
        text.extend_from_slice(&output.stderr);
        text.extend_from_slice(format!("\n{status}\n").as_bytes());
        write_atomic(&path, &text)?;
        Ok(path)
    }
}

fn is_filled(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.len() > 0)
}

/// The end of a text: whole lines, [`TAIL_LINES`] and [`TAIL_BYTES`] at most.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    let excess = tail.len().saturating_sub(TAIL_BYTES);
    let start = (excess..=tail.len()).find(|&index| tail.is_char_boundary(index)).unwrap_or(tail.len());
    tail[start..].to_string()
}

/// A word of a command line, in single quotes if a shell would split or expand it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
