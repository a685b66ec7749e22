//! Tokens between queues, taken and given in program order.

use spec::isa::{Instr, Queue};

use super::fault::{Result, refuse};

/// Most tokens of a counter.
pub const MOST: u32 = 255;

/// A counter for each ordered pair of queues.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    counts: [[u32; 4]; 4],
}

impl Tokens {
    /// Whether all that the instruction waits for is there.
    pub fn can_take(&self, instr: &Instr) -> bool {
        instr.waits().all(|from| self.count(from, instr.op().queue()) > 0)
    }

    /// Takes what the instruction waits for.
    ///
    /// # Errors
    /// For a token that no instruction before has given: with queues of any length the machine could wait for ever.
    pub fn take(&mut self, instr: &Instr) -> Result<()> {
        let to = instr.op().queue();
        for from in instr.waits() {
            let count = &mut self.counts[from as usize][to as usize];
            if *count == 0 {
                let field = format!("tokens from {} to {}", from.name(), to.name());
                return refuse(field, 0, "1 or more, given before", "signal before the wait in program order");
            }
            *count -= 1;
        }
        Ok(())
    }

    /// Gives what the instruction signals.
    ///
    /// # Errors
    /// For a counter that is full.
    pub fn give(&mut self, instr: &Instr) -> Result<()> {
        let from = instr.op().queue();
        for to in instr.signals() {
            let count = &mut self.counts[from as usize][to as usize];
            if *count == MOST {
                let field = format!("tokens from {} to {}", from.name(), to.name());
                return refuse(field, MOST + 1, format!("0..={MOST}"), "take tokens before giving more");
            }
            *count += 1;
        }
        Ok(())
    }

    /// The tokens from a queue to a queue.
    pub fn count(&self, from: Queue, to: Queue) -> u32 {
        self.counts[from as usize][to as usize]
    }
}
