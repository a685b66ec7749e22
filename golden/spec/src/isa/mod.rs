//! The accelerator as its programs see it: memories, tiles, instructions of 128 bits, program files, assembly.
//!
//! One table ([`Op::spec`]) says opcode, name, queue, fields and meaning of every instruction; encoder, decoder,
//! assembler, disassembler and the documentation page follow from it. [`doc::PROSE`] says what the table cannot.

pub mod asm;
pub mod container;
pub mod disasm;
pub mod doc;
mod field;
pub mod image;
mod instr;
mod machine;
mod op;
mod program;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use asm::assemble;
pub use disasm::{Shown, disassemble};
pub use field::{Field, FieldSpec, Kind};
pub use instr::{INSTR_BITS, INSTR_BYTES, Instr, SIGNAL_LSB, TOKEN_BITS, WAIT_LSB};
pub use machine::Machine;
pub use op::{Op, OpSpec, Queue};
pub use program::{Mark, Output, OutputKind, Program, Segment};
pub use table::{FORMATS, KINDS, MODES, RED, RULES, SCALINGS, TO, TYPES};

/// Entries of the scalar file S.
pub const SCALARS: usize = 256;
