//! Whoever watches instructions retire.

use spec::isa::Instr;
use spec::trace::Written;

/// Is shown every instruction when it has retired.
pub trait Observe {
    /// Instruction `at` of the program, and all that it wrote, in the order in which it did.
    fn retired(&mut self, at: usize, instr: &Instr, written: &[Written]);

    /// Whether it wants to see what is written; without, the list is empty and costs nothing.
    fn wants_writes(&self) -> bool {
        true
    }
}

/// Sees nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind;

impl Observe for Blind {
    fn retired(&mut self, _: usize, _: &Instr, _: &[Written]) {}

    fn wants_writes(&self) -> bool {
        false
    }
}
