//! ST: from the out stream to DRAM.

use spec::isa::{Field, Instr};

use super::fault::Result;
use super::state::State;

/// Bytes of the out stream to DRAM; false if they are still to come.
///
/// # Errors
/// For part of an operation's last beat, and addresses outside of the program's memory.
pub fn store(state: &mut State, instr: &Instr) -> Result<bool> {
    let len = instr.index(Field::Bytes);
    if !state.out.holds(len) {
        return Ok(false);
    }
    let bytes = state.out.pop(len)?;
    state.write_dram(instr.get(Field::Addr) as u64, &bytes)?;
    Ok(true)
}
