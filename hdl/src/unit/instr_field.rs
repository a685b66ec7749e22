//! Fields of instructions in hardware, by the table of [`spec::isa`].

use spec::isa::{Field, INSTR_BITS, Op};

use crate::rtl::{Expr, ModuleBuilder, Ty};

/// Bits of an operation's field in an instruction; of a field that it does not have, nothing but an error when built.
pub(super) fn field(instr: &Expr, op: Op, name: Field) -> Expr {
    match op.spec().field(name) {
        Some(spec) => instr.part(spec.lsb, spec.bits),
        None => instr.part(INSTR_BITS, 1),
    }
}

/// The opcode in an instruction.
pub(super) fn opcode(instr: &Expr) -> Expr {
    instr.part(0, 8)
}

/// An input that takes instructions.
pub(super) fn instr_input(m: &mut ModuleBuilder, name: &str) -> Expr {
    m.input(name, Ty::u(INSTR_BITS))
}
