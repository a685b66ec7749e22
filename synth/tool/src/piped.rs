//! A long-lived child that is fed and read in batches through pipes.
//!
//! One thread writes and one reads, so that neither side waits for the other while both pipes are full. A caller keeps
//! a few batches in flight; every call returns within the time-out of the command.

use std::io::{self, Read, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::group::{Collector, Group};
use crate::{Command, Error, Output};

/// Batches that may wait to be written before [`Writer::send`] blocks.
pub const BATCHES_IN_FLIGHT: usize = 4;
/// Bytes of one read; a Linux pipe holds as many.
const CHUNK_BYTES: usize = 1 << 16;
/// Reads that may wait to be received.
const CHUNKS_IN_FLIGHT: usize = 256;
/// Time that a child which closed its pipes gets to end.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// Both ends of a child; dropping it kills the child's process group.
#[derive(Debug)]
pub struct Piped {
    writer: Writer,
    reader: Reader,
}

/// The end that feeds the child. Dropping it closes the child's standard input.
#[derive(Debug)]
pub struct Writer {
    queue: Sender<Vec<u8>>,
    spare: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
}

/// The end that reads from the child.
#[derive(Debug)]
pub struct Reader {
    chunks: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    used_bytes: usize,
    shared: Arc<Shared>,
}

/// What both ends need; the group dies with the last of them.
#[derive(Debug)]
struct Shared {
    command: Command,
    group: Mutex<Group>,
    stderr: Collector,
}

impl Command {
    /// Starts the command with both ends piped; its time-out holds for each exchange. Standard error is collected.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn spawn_piped(&self) -> Result<Piped, Error> {
        let mut group = self.start(Stdio::piped())?;
        let lost = || Error::Start { command: self.line(), source: io::ErrorKind::BrokenPipe.into() };
        let stdin = group.child().stdin().take().ok_or_else(lost)?;
        let stdout = group.child().stdout().take().ok_or_else(lost)?;
        let stderr = group.child().stderr().take().map(Collector::start).ok_or_else(lost)?;
        let shared = Arc::new(Shared { command: self.clone(), group: Mutex::new(group), stderr });

        let (queue, batches) = channel();
        let (give_back, spare) = channel();
        for _ in 0..BATCHES_IN_FLIGHT {
            // The receiver lives in this function.
            let _ = give_back.send(Vec::new());
        }
        thread::spawn(move || feed(stdin, &batches, &give_back));
        let (produce, chunks) = sync_channel(CHUNKS_IN_FLIGHT);
        thread::spawn(move || drain(stdout, &produce));
        Ok(Piped {
            writer: Writer { queue, spare, shared: shared.clone() },
            reader: Reader { chunks, chunk: Vec::new(), used_bytes: 0, shared },
        })
    }
}

/// Writes batches until there are no more or the child takes none.
fn feed(mut stdin: ChildStdin, batches: &Receiver<Vec<u8>>, give_back: &Sender<Vec<u8>>) {
    while let Ok(mut batch) = batches.recv() {
        if stdin.write_all(&batch).and_then(|()| stdin.flush()).is_err() {
            break;
        }
        batch.clear();
        // The writer may have gone already; its last batches are still delivered.
        let _ = give_back.send(batch);
    }
}

/// Reads until the child closes its output or nobody wants more.
fn drain(mut stdout: ChildStdout, produce: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match stdout.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(length) => {
                if produce.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        }
    }
}

impl Piped {
    /// [`Writer::send`].
    ///
    /// # Errors
    /// Those of [`Writer::send`].
    pub fn send(&mut self, batch: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.writer.send(batch)
    }

    /// [`Reader::receive`].
    ///
    /// # Errors
    /// Those of [`Reader::receive`].
    pub fn receive(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.reader.receive(bytes)
    }

    /// Closes the child's input and does [`Reader::finish`].
    ///
    /// # Errors
    /// Those of [`Reader::finish`].
    pub fn finish(self) -> Result<Output, Error> {
        drop(self.writer);
        self.reader.finish()
    }

    /// Both ends, for two threads.
    pub fn split(self) -> (Writer, Reader) {
        (self.writer, self.reader)
    }
}

impl Writer {
    /// Queues a batch and gives back an empty buffer for the next one; blocks while [`BATCHES_IN_FLIGHT`] wait.
    ///
    /// # Errors
    /// [`Error::Failed`] with exit status and standard error if the child died; [`Error::TimedOut`] if it took no
    /// batch within the time-out (it is then killed).
    pub fn send(&mut self, batch: Vec<u8>) -> Result<Vec<u8>, Error> {
        let spare = self.spare.recv_timeout(self.shared.command.timeout).map_err(|error| self.shared.lost(error))?;
        self.queue.send(batch).map_err(|_| self.shared.died())?;
        Ok(spare)
    }
}

impl Reader {
    /// Fills `bytes` with the next output of the child.
    ///
    /// # Errors
    /// [`Error::Failed`] with exit status and standard error if the child's output ends before that;
    /// [`Error::TimedOut`] if it does not come within the time-out (the child is then killed).
    pub fn receive(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let deadline = Instant::now() + self.shared.command.timeout;
        let mut filled = 0;
        while filled < bytes.len() {
            if self.used_bytes == self.chunk.len() {
                let left = deadline.saturating_duration_since(Instant::now());
                self.chunk = self.chunks.recv_timeout(left).map_err(|error| self.shared.lost(error))?;
                self.used_bytes = 0;
            }
            let length = (bytes.len() - filled).min(self.chunk.len() - self.used_bytes);
            let from = &self.chunk[self.used_bytes..self.used_bytes + length];
            bytes[filled..filled + length].copy_from_slice(from);
            filled += length;
            self.used_bytes += length;
        }
        Ok(())
    }

    /// Waits for the child's end; the output holds what was not received, and standard error. The writer must have
    /// been dropped, or the child must end by itself.
    ///
    /// # Errors
    /// [`Error::Failed`] for any exit status but 0; [`Error::TimedOut`] (the child is then killed).
    pub fn finish(mut self) -> Result<Output, Error> {
        let deadline = Instant::now() + self.shared.command.timeout;
        let mut stdout = self.chunk.split_off(self.used_bytes);
        loop {
            match self.chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(chunk) => stdout.extend_from_slice(&chunk),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.shared.timed_out()),
            }
        }
        let mut group = self.shared.group();
        let status = group.wait_until(deadline, || false);
        group.kill();
        drop(group);
        match status {
            Ok(Some(status)) => {
                let output = Output { stdout, stderr: self.shared.stderr.take() };
                if status.success() { Ok(output) } else { Err(self.shared.command.failed(&output, status.to_string())) }
            }
            Ok(None) => Err(self.shared.timed_out()),
            Err(source) => Err(Error::Start { command: self.shared.command.line(), source }),
        }
    }
}

impl Shared {
    /// The group; a panic elsewhere while it was held leaves it valid.
    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self, error: RecvTimeoutError) -> Error {
        match error {
            RecvTimeoutError::Timeout => self.timed_out(),
            RecvTimeoutError::Disconnected => self.died(),
        }
    }

    /// The child closed a pipe that it should have kept.
    fn died(&self) -> Error {
        let mut group = self.group();
        let status = match group.wait_until(Instant::now() + LAST_MOMENT, || false) {
            Ok(Some(status)) => format!("it ended early, {status}"),
            Ok(None) => "it closed its input or output, and was killed".to_string(),
            Err(error) => format!("its end is unknown: {error}"),
        };
        group.kill();
        drop(group);
        self.command.failed(&self.stderr(), status)
    }

    fn timed_out(&self) -> Error {
        self.group().kill();
        let (tail, log) = self.command.shown(&self.stderr(), "timed out");
        Error::TimedOut { command: self.command.line(), seconds: self.command.timeout.as_secs_f64(), tail, log }
    }

    fn stderr(&self) -> Output {
        Output { stdout: Vec::new(), stderr: self.stderr.take() }
    }
}
