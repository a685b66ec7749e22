//! An instruction: 128 bits that are always valid.

use super::field::Field;
use super::op::{Op, Queue};
use crate::error::Problem;

/// Bits of an instruction.
pub const INSTR_BITS: u32 = 128;
/// Bytes of an instruction.
pub const INSTR_BYTES: usize = 16;
/// Lowest bit of `wait`, 4 bits: it takes a token from each of these queues before it starts.
pub const WAIT_LSB: u32 = 8;
/// Lowest bit of `signal`, 4 bits: it gives a token to each of these queues when it has retired.
pub const SIGNAL_LSB: u32 = 12;
/// Bits of a counter of tokens.
pub const TOKEN_BITS: u32 = 8;

/// A valid instruction, as it stands in memory.
///
/// Bits that no field of the operation uses are 0, and every field is in its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instr {
    op: Op,
    bits: u128,
}

impl Instr {
    /// The operation with these fields; a field that is not given holds its default.
    ///
    /// # Errors
    /// The field, its value and the allowed range, for a field that the operation does not have or a value out of range.
    pub fn new(op: Op, fields: &[(Field, i64)]) -> Result<Self, Problem> {
        let spec = op.spec();
        let mut bits = u128::from(spec.code);
        for own in spec.fields {
            let given = fields.iter().rev().find(|(field, _)| *field == own.field);
            bits |= own.put(given.map_or(own.default(), |&(_, value)| value)).map_err(|p| of(op, p))?;
        }
        match fields.iter().find(|(field, _)| spec.field(*field).is_none()) {
            Some((field, value)) => {
                let known: Vec<_> = spec.fields.iter().map(|f| f.field.name()).collect();
                let allowed = format!("fields {}", if known.is_empty() { "none".into() } else { known.join(", ") });
                Err(of(op, Problem::new(field.name(), value, allowed, "remove it")))
            }
            None => Ok(Self { op, bits }),
        }
    }

    /// The instruction of 128 bits.
    ///
    /// # Errors
    /// An unknown opcode, a field out of range, bits where no field is.
    pub fn decode(bits: u128) -> Result<Self, Problem> {
        let code = bits as u8;
        let Some(op) = Op::from_code(code) else {
            return Err(Problem::new(
                "op",
                format!("{code:#04x}"),
                "an opcode of the ISA",
                "assemble the program again",
            ));
        };
        let spec = op.spec();
        let mut used = u128::from(u8::MAX);
        for field in spec.fields {
            field.take(bits).map_err(|p| of(op, p))?;
            used |= field.mask() << field.lsb;
        }
        if spec.queue != Queue::Control {
            used |= 0xff << WAIT_LSB;
        }
        if bits & !used != 0 {
            let value = format!("{:#x}", bits & !used);
            return Err(of(op, Problem::new("unused bits", value, "0", "assemble the program again")));
        }
        Ok(Self { op, bits })
    }

    /// Its 128 bits.
    pub fn encode(&self) -> u128 {
        self.bits
    }

    /// Its operation.
    pub fn op(&self) -> Op {
        self.op
    }

    /// The value of a field, or nothing if the operation does not have it.
    pub fn find(&self, field: Field) -> Option<i64> {
        let spec = self.op.spec().field(field)?;
        Some(spec.take(self.bits).expect("an instruction holds only values in range"))
    }

    /// The value of a field that the operation has.
    ///
    /// # Panics
    /// If it does not have that field.
    pub fn get(&self, field: Field) -> i64 {
        self.find(field).unwrap_or_else(|| panic!("{} has no field {field}", self.op.name()))
    }

    /// [`Self::get`] of a field that is not negative.
    ///
    /// # Panics
    /// If it does not have that field.
    pub fn index(&self, field: Field) -> usize {
        self.get(field) as usize
    }

    /// [`Self::get`] of a flag.
    ///
    /// # Panics
    /// If it does not have that field.
    pub fn flag(&self, field: Field) -> bool {
        self.get(field) != 0
    }

    /// The queues that it takes a token from.
    pub fn waits(&self) -> impl Iterator<Item = Queue> {
        queues(self.bits >> WAIT_LSB)
    }

    /// The queues that it gives a token to.
    pub fn signals(&self) -> impl Iterator<Item = Queue> {
        queues(self.bits >> SIGNAL_LSB)
    }

    /// The same instruction, which also takes a token from `queue`.
    ///
    /// # Panics
    /// If it is executed by no queue, or `queue` is none.
    #[must_use]
    pub fn waiting(self, queue: Queue) -> Self {
        self.with_token(WAIT_LSB, queue)
    }

    /// The same instruction, which also gives a token to `queue`.
    ///
    /// # Panics
    /// If it is executed by no queue, or `queue` is none.
    #[must_use]
    pub fn signalling(self, queue: Queue) -> Self {
        self.with_token(SIGNAL_LSB, queue)
    }

    fn with_token(self, lsb: u32, queue: Queue) -> Self {
        assert!(self.op.queue() != Queue::Control && queue != Queue::Control, "tokens pass between queues only");
        Self { bits: self.bits | 1 << (lsb + queue as u32), ..self }
    }
}

fn queues(bits: u128) -> impl Iterator<Item = Queue> {
    Queue::ALL.into_iter().filter(move |&q| bits >> (q as u32) & 1 == 1)
}

/// The problem, said of an operation.
fn of(op: Op, problem: Problem) -> Problem {
    Problem { field: format!("{}.{}", op.name(), problem.field), ..problem }
}
