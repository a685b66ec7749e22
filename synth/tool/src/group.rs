//! A child that leads its own process group, and the guard that ends the group when this process dies.

use std::io::{self, Read};
use std::process::{self, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use process_wrap::std::{ProcessGroup, StdChildWrapper, StdCommandWrap};

/// Time that a pipe gets to reach its end after its group was killed; only a process that left the group can hold it.
const DRAIN: Duration = Duration::from_secs(2);

/// Bytes of one output stream that are kept; a program that prints more is stopped.
pub(crate) const MAX_OUTPUT_BYTES: usize = 256 << 20;

/// A running child with its descendants; dropping it kills them all.
#[derive(Debug)]
pub(crate) struct Group {
    child: Box<dyn StdChildWrapper>,
    guard: Option<process::Child>,
    status: Option<ExitStatus>,
}

impl Group {
    /// Starts the command as the leader of a new process group.
    pub(crate) fn spawn(command: process::Command) -> io::Result<Self> {
        let child = StdCommandWrap::from(command).wrap(ProcessGroup::leader()).spawn()?;
        let mut group = Self { child, guard: None, status: None };
        group.guard = Some(guard(group.child.id())?);
        Ok(group)
    }

    /// The child, for its pipes.
    pub(crate) fn child(&mut self) -> &mut dyn StdChildWrapper {
        self.child.as_mut()
    }

    /// Exit status of the leader, or `None` if it still ran at `deadline`.
    pub(crate) fn wait_until(&mut self, deadline: Instant, stop: impl Fn() -> bool) -> io::Result<Option<ExitStatus>> {
        let mut pause = Duration::from_micros(200);
        loop {
            if self.status.is_none() {
                self.status = self.child.try_wait()?;
            }
            if self.status.is_some() || stop() || Instant::now() >= deadline {
                return Ok(self.status);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Kills the whole group, the leader's left-over descendants included, and waits for the leader.
    pub(crate) fn kill(&mut self) {
        // Errors here mean that the group is gone already, which is what is wanted.
        let _ = self.child.start_kill();
        if self.status.is_none() {
            self.status = self.child.wait().ok();
        }
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a shell that waits for the end of its standard input, which comes when this process dies however it dies,
/// and then kills the group. It has its own group, so that the terminal's interrupt key does not reach it first.
fn guard(group: u32) -> io::Result<process::Child> {
    use std::os::unix::process::CommandExt;
    process::Command::new("/bin/sh")
        .args(["-c", "read -r _; kill -s KILL -- \"-$0\"", &group.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Collects one output stream of a child in a thread, so that no pipe ever fills up.
#[derive(Debug)]
pub(crate) struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    done: Arc<AtomicBool>,
}

impl Collector {
    /// Starts to read `source` to its end.
    pub(crate) fn start(mut source: impl Read + Send + 'static) -> Self {
        let collector = Self { bytes: Arc::default(), done: Arc::default() };
        let (bytes, done) = (collector.bytes.clone(), collector.done.clone());
        thread::spawn(move || {
            let mut chunk = vec![0; 1 << 16];
            loop {
                match source.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        let mut kept = lock(&bytes);
                        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
                        kept.extend_from_slice(&chunk[..length.min(room)]);
                    }
                }
            }
            done.store(true, Ordering::Release);
        });
        collector
    }

    /// Whether more came than is kept.
    pub(crate) fn is_full(&self) -> bool {
        lock(&self.bytes).len() >= MAX_OUTPUT_BYTES
    }

    /// What was read; to be called when the group is dead.
    pub(crate) fn take(&self) -> Vec<u8> {
        let deadline = Instant::now() + DRAIN;
        while !self.done.load(Ordering::Acquire) && Instant::now() < deadline {
            thread::sleep(Duration::from_micros(200));
        }
        std::mem::take(&mut *lock(&self.bytes))
    }
}

/// The bytes; a panic elsewhere while they were held leaves them valid.
fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}
