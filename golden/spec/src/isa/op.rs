//! Queues, and what the table says of an operation.

use super::field::{Field, FieldSpec};
pub use super::table::Op;

/// The in-order queue that executes an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Reads DRAM into the weight FIFO and the parameter memory.
    Load,
    /// Multiplies.
    Mm,
    /// Everything between matrix products.
    Vec,
    /// Writes DRAM.
    Store,
    /// Not a queue: handled by fetch, in program order.
    Control,
}

impl Queue {
    /// The four queues; the place of each is its bit in `wait` and `signal`.
    pub const ALL: [Self; 4] = [Self::Load, Self::Mm, Self::Vec, Self::Store];

    /// Name in assembly.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Mm => "mm",
            Self::Vec => "vec",
            Self::Store => "store",
            Self::Control => "control",
        }
    }

    /// The queue of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|q| q.name() == name)
    }
}

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpSpec {
    /// Bits 7..=0.
    pub code: u8,
    /// Mnemonic.
    pub name: &'static str,
    /// Who executes it.
    pub queue: Queue,
    /// Its fields, in the order of assembly.
    pub fields: &'static [FieldSpec],
    /// What it does.
    pub meaning: &'static str,
}

impl OpSpec {
    /// Its field of that name.
    pub fn field(&self, field: Field) -> Option<&'static FieldSpec> {
        self.fields.iter().find(|spec| spec.field == field)
    }
}

impl Op {
    /// Mnemonic.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// Who executes it.
    pub const fn queue(self) -> Queue {
        self.spec().queue
    }

    /// The operation of an opcode.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|op| op.spec().code == code)
    }

    /// The operation of a mnemonic.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|op| op.name() == name)
    }

    /// Whether it is an operation on rows, with `to` and a reduction.
    pub fn is_row(self) -> bool {
        (0x40..0x58).contains(&self.spec().code)
    }
}
