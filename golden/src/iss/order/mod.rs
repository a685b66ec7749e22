//! Whether the hardware, whose queues keep their own pace, gives what program order gives.
//!
//! The four queues are ordered by tokens only. [`check`] proves for a program that tokens order every two instructions of
//! different queues that access the same place, one of them writing; that no counter of tokens can exceed 255, in any order;
//! and that no order gets stuck. Then every order gives what the instruction-set simulator gives.
//!
//! An instruction with a token from an instruction knows that this one and all before it in its queue have retired, and all that they
//! knew. A product knows besides that the loads whose words it took have retired, a store that the operations have whose bytes
//! it took. That instructions of one queue do not disturb each other is the queue's own business.
//!
//! **Source**: vector clocks, as in FastTrack (Flanagan and Freund, PLDI 2009); networks of blocking processes (Kahn, 1974).

mod access;
mod clock;
mod deadlock;
mod intervals;
mod races;
mod shuffle;
#[cfg(test)]
mod tests;

use spec::isa::Program;

pub use self::deadlock::{LEAST, Lengths};
pub use self::shuffle::shuffled;
use crate::error::{Error, no_problems};

/// Proves that all orders of a program's instructions give the same and none gets stuck.
///
/// # Errors
/// [`Error::Input`] with what [`Program::check`] finds; otherwise with a problem for each pair of instructions that is not ordered,
/// each wait that no signal before it serves, each counter that can exceed 255, FIFOs that are not empty at the end; and with
/// where the queues stand if they get stuck.
pub fn check(program: &Program) -> Result<(), Error> {
    check_with(program, LEAST)
}

/// As [`check`], for a machine whose queues have such lengths.
///
/// # Errors
/// As [`check`].
pub fn check_with(program: &Program, lengths: Lengths) -> Result<(), Error> {
    program.check().map_err(Error::from_spec)?;
    let mut problems = races::Races::new(program).problems();
    problems.extend(deadlock::stuck(program, lengths));
    no_problems(problems)
}
