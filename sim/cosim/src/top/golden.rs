//! Golden's writes, instruction by instruction, made only as far ahead as the hardware has come.

use std::collections::VecDeque;

use golden::iss::{Iss, Observe};
use spec::isa::{Instr, Program, Queue};
use spec::trace::Written;

use crate::error::Error;

/// An instruction that golden has executed: its number and all that it wrote.
#[derive(Debug)]
pub struct Executed {
    /// Number in the program.
    pub at: usize,
    /// What it wrote.
    pub written: Vec<Written>,
}

/// Instructions of each queue that golden has executed and the hardware has not retired.
#[derive(Debug, Default)]
struct Ahead {
    queues: [VecDeque<Executed>; 4],
    retired: usize,
}

impl Observe for Ahead {
    fn retired(&mut self, at: usize, instr: &Instr, written: &[Written]) {
        self.retired += 1;
        let queue = instr.op().queue();
        if queue != Queue::Control {
            self.queues[queue as usize].push_back(Executed { at, written: written.to_vec() });
        }
    }
}

/// The instruction-set simulator, run as far as it is asked for.
pub struct GoldenStream<'p> {
    iss: Iss<'p>,
    ahead: Ahead,
    is_done: bool,
}

impl<'p> GoldenStream<'p> {
    /// Before the first instruction of a program.
    ///
    /// # Errors
    /// [`Error::Golden`] for a program that is none.
    pub fn new(program: &'p Program) -> Result<Self, Error> {
        Ok(Self { iss: Iss::new(program)?, ahead: Ahead::default(), is_done: false })
    }

    /// The instruction of a queue that is `place` behind the oldest which was not taken; nothing behind the last one.
    ///
    /// # Errors
    /// [`Error::Golden`] for an instruction that does what it must not.
    pub fn peek(&mut self, queue: usize, place: usize) -> Result<Option<&Executed>, Error> {
        while self.ahead.queues[queue].len() <= place && !self.is_done {
            self.is_done = !self.iss.step(&mut self.ahead)?;
        }
        Ok(self.ahead.queues[queue].get(place))
    }

    /// Takes the oldest instruction of a queue.
    ///
    /// # Errors
    /// As [`Self::peek`].
    pub fn take(&mut self, queue: usize) -> Result<Option<Executed>, Error> {
        self.peek(queue, 0)?;
        Ok(self.ahead.queues[queue].pop_front())
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// As [`Self::peek`].
    pub fn finish(&mut self) -> Result<(), Error> {
        while !self.is_done {
            self.is_done = !self.iss.step(&mut self.ahead)?;
        }
        Ok(())
    }

    /// The simulator itself, for its memory.
    pub fn iss(&self) -> &Iss<'p> {
        &self.iss
    }
}
