//! The instruction-set simulator: what a [`Program`] means, one instruction after the other.
//!
//! No clock and no queues: instructions run in program order, which tokens make one of the orders that the hardware may
//! take; [`order`] proves that all others give the same. Every program error is a value that names the instruction.

pub mod fault;
pub mod memory;
pub mod observe;
pub mod order;
pub mod row;
pub mod scalar;
pub mod tokens;

mod load;
mod product;
mod scalars;
mod state;
mod store;
mod vector;

use std::collections::VecDeque;

use spec::Problem;
use spec::isa::{Instr, Op, Output, OutputKind, Program, disasm};

pub use self::observe::{Blind, Observe};
use self::state::State;
use self::tokens::Tokens;
use crate::error::Error;

/// A program on its way.
pub struct Iss<'p> {
    program: &'p Program,
    state: State<'p>,
    tokens: Tokens,
    /// The next instruction.
    at: usize,
    /// Stores that wait for their bytes, in order.
    stores: VecDeque<usize>,
    /// The first of them has taken its tokens.
    is_storing: bool,
    is_done: bool,
}

/// Runs a program to its end.
///
/// # Errors
/// [`Error::Input`] for a program that is none, [`Error::Program`] for the first instruction that does what it must not.
pub fn run<'p>(program: &'p Program, observer: &mut dyn Observe) -> Result<Iss<'p>, Error> {
    let mut iss = Iss::new(program)?;
    while iss.step(observer)? {}
    Ok(iss)
}

impl<'p> Iss<'p> {
    /// The machine before the first instruction.
    ///
    /// # Errors
    /// [`Error::Input`] with what [`Program::check`] finds.
    pub fn new(program: &'p Program) -> Result<Self, Error> {
        program.check().map_err(Error::from_spec)?;
        Ok(Self {
            program,
            state: State::new(program),
            tokens: Tokens::default(),
            at: 0,
            stores: VecDeque::new(),
            is_storing: false,
            is_done: false,
        })
    }

    /// Executes one instruction; false when the program is done.
    ///
    /// A store whose bytes are still to come is left waiting, as in the hardware, and retires when they have come.
    ///
    /// # Errors
    /// [`Error::Program`] if the instruction does what it must not.
    pub fn step(&mut self, observer: &mut dyn Observe) -> Result<bool, Error> {
        let at = self.at;
        let Some(&instr) = self.program.instrs.get(at).filter(|_| !self.is_done) else { return Ok(false) };
        self.at += 1;
        if instr.op() == Op::St {
            self.stores.push_back(at);
        } else {
            self.state.log = observer.wants_writes().then(Vec::new);
            self.execute(&instr).map_err(|problem| self.error(at, problem))?;
            self.retire(at, observer);
        }
        while let Some(&at) = self.stores.front() {
            self.state.log = observer.wants_writes().then(Vec::new);
            if !self.store(at).map_err(|problem| self.error(at, problem))? {
                break;
            }
            self.retire(at, observer);
        }
        Ok(!self.is_done)
    }

    fn retire(&self, at: usize, observer: &mut dyn Observe) {
        observer.retired(at, &self.program.instrs[at], self.state.log.as_deref().unwrap_or(&[]));
    }

    fn error(&self, at: usize, problem: Problem) -> Error {
        Error::Program { at, text: text(self.program, at), problem: Box::new(problem) }
    }

    /// Executes anything but a store.
    fn execute(&mut self, instr: &Instr) -> fault::Result<()> {
        self.tokens.take(instr)?;
        let state = &mut self.state;
        match instr.op() {
            Op::Halt | Op::Sync if !self.stores.is_empty() => {
                let value = format!("waiting, instruction {}", self.stores[0]);
                return fault::refuse("a store", value, "all done", "give the out stream as many bytes as are stored");
            }
            Op::Halt => {
                state.finish()?;
                self.is_done = true;
            }
            Op::Sync | Op::Info => {}
            Op::Ldw => load::words(state, instr)?,
            Op::Ldh => load::head(state, instr)?,
            Op::Ldp => load::params(state, instr)?,
            Op::Mm => product::product(state, instr)?,
            op if op.is_row() => vector::row(state, instr)?,
            _ => scalars::scalar(state, instr)?,
        }
        self.tokens.give(instr)
    }

    /// Executes the first waiting store, if it can.
    fn store(&mut self, at: usize) -> fault::Result<bool> {
        let instr = &self.program.instrs[at];
        if !self.is_storing {
            if !self.tokens.can_take(instr) {
                return Ok(false);
            }
            self.tokens.take(instr)?;
            self.is_storing = true;
        }
        if !store::store(&mut self.state, instr)? {
            return Ok(false);
        }
        self.tokens.give(instr)?;
        self.stores.pop_front();
        self.is_storing = false;
        Ok(true)
    }

    /// Instructions that were executed.
    pub fn retired(&self) -> usize {
        self.at
    }

    /// Bytes of DRAM.
    ///
    /// # Errors
    /// [`Error::Input`] for bytes that are not in one segment of the program.
    pub fn memory(&self, addr: u32, len: usize) -> Result<&[u8], Error> {
        self.state.dram.read(addr.into(), len).map_err(|problem| Error::Input(vec![problem]))
    }

    /// Row `row` of an output of the program, each value extended by its sign.
    ///
    /// # Errors
    /// [`Error::Input`] for an output or a row that the program does not have.
    pub fn output(&self, kind: OutputKind, row: u32) -> Result<Vec<i64>, Error> {
        let Some(output) = self.program.output(kind).filter(|output| row < output.rows) else {
            return Err(Error::input(
                "output",
                format!("{kind:?}, row {row}"),
                "those of the program",
                "ask for one of them",
            ));
        };
        let addr = u64::from(output.addr) + u64::from(row) * u64::from(output.stride);
        let bytes = self.state.dram.read(addr, output.cols as usize * kind.bytes() as usize);
        let bytes = bytes.map_err(|problem| Error::Input(vec![problem]))?;
        let here = Output { addr: 0, rows: 1, ..output.clone() };
        Ok(here.row(bytes, 0).unwrap_or_default())
    }
}

/// An instruction in assembly, on one line without columns.
fn text(program: &Program, at: usize) -> String {
    let line = disasm::line(&program.instrs[at], Some(program));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
