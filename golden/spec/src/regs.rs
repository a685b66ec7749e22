//! The accelerator's registers as data: the register block, the documentation page and the C header come from this table.
//!
//! All registers have 32 bits and stand at multiples of 4 in a window of [`WINDOW_BYTES`]. An access outside the table, at
//! an address that is not a multiple of 4, or a write to a register that is only read, is answered with SLVERR and changes
//! nothing. Counters have 48 bits: reading the low word keeps the high one for the read that follows.

pub mod doc;

/// What software may do with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and written, byte by byte.
    ReadWrite,
    /// Read; a bit is cleared by writing 1 to it.
    WriteOneToClear,
    /// Writing 1 to a bit starts something; reads give 0.
    Pulse,
}

/// Bits of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegField {
    /// Name, lower case.
    pub name: &'static str,
    /// Lowest bit.
    pub lsb: u32,
    /// Width in bits.
    pub bits: u32,
    /// What it says or does.
    pub meaning: &'static str,
}

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Name, upper case.
    pub name: &'static str,
    /// Byte offset.
    pub offset: u32,
    /// Access.
    pub access: Access,
    /// Value after reset; of registers that tell the configuration or a state, 0 stands for what they tell.
    pub reset: u32,
    /// Fields, lowest first; none where the whole word is one number.
    pub fields: &'static [RegField],
    /// What it is for.
    pub meaning: &'static str,
}

/// Bytes of the register window.
pub const WINDOW_BYTES: u32 = 4096;
/// Address bits of the window.
pub const ADDR_BITS: u32 = 12;
/// What `ID` reads: "SYST".
pub const ID: u32 = 0x5359_5354;
/// Bits of a counter.
pub const COUNTER_BITS: u32 = 48;

/// Why a cycle of a run was spent as it was: name and meaning, by number. The first that holds counts, so that their
/// counters add up to the elapsed cycles.
pub const STALLS: [(&str, &str); 8] = [
    ("array", "a row of activations enters the array"),
    ("weights", "a matmul waits for weights from memory"),
    ("drain", "a matmul is under way otherwise: it fills or empties its pipeline"),
    ("vec", "no matmul is under way, the vector unit works"),
    ("load", "neither of them, the load unit works"),
    ("store", "none of them, the store unit works"),
    ("tokens", "all units are idle, an instruction waits for a token"),
    ("fetch", "all units are idle, the next instruction is on its way"),
];

/// Counters beside the stalls, by name and meaning, in the order of the table: before the stalls and behind them.
pub const COUNTERS: [(&str, &str); 4] = [
    ("cycles", "cycles from start to done"),
    ("read_beats", "beats read from memory"),
    ("write_beats", "beats written to memory"),
    ("instructions", "instructions retired"),
];

/// What `STATUS.code` says.
pub const ERROR_CODES: [(&str, &str); 7] = [
    ("none", "no error"),
    ("opcode", "an unknown instruction; ERROR_ADDR holds its number"),
    ("read", "the memory answered a read with an error; ERROR_ADDR holds the address"),
    ("write", "the memory answered a write with an error; ERROR_ADDR holds the address of the burst"),
    ("load", "a load instruction that the buffers cannot hold or that starts beside a beat"),
    ("store", "a store instruction that starts beside a beat"),
    ("watchdog", "no instruction retired for WATCHDOG cycles; ERROR_DETAIL tells which queue waits for what"),
];

const fn field(name: &'static str, lsb: u32, bits: u32, meaning: &'static str) -> RegField {
    RegField { name, lsb, bits, meaning }
}

const fn reg(
    name: &'static str,
    offset: u32,
    access: Access,
    fields: &'static [RegField],
    meaning: &'static str,
) -> Register {
    Register { name, offset, access, reset: 0, fields, meaning }
}

const ERROR_EVENT: &str = "an error stops the program; STATUS.busy falls when the units can start again";

const EVENTS: &[RegField] = &[field("done", 0, 1, "the program has ended"), field("error", 1, 1, ERROR_EVENT)];

const DETAIL: &[RegField] = &[
    field("load_waits", 0, 4, "queues whose token the load queue's next instruction waits for: load, mm, vec, store"),
    field("load_has", 4, 1, "the load queue holds an instruction"),
    field("load_works", 5, 1, "an instruction of the load queue is under way"),
    field("load_full", 6, 1, "a retired load instruction cannot give a token: its counter is full"),
    field("mm_waits", 8, 4, "as for load"),
    field("mm_has", 12, 1, "as for load"),
    field("mm_works", 13, 1, "as for load"),
    field("mm_full", 14, 1, "as for load"),
    field("vec_waits", 16, 4, "as for load"),
    field("vec_has", 20, 1, "as for load"),
    field("vec_works", 21, 1, "as for load"),
    field("vec_full", 22, 1, "as for load"),
    field("store_waits", 24, 4, "as for load"),
    field("store_has", 28, 1, "as for load"),
    field("store_works", 29, 1, "as for load"),
    field("store_full", 30, 1, "as for load"),
];

use Access::{Pulse, Read, ReadWrite, WriteOneToClear};

/// Every register, by rising offset; counters follow ([`counter_offset`]).
pub const REGISTERS: &[Register] = &[
    Register { reset: ID, ..reg("ID", 0x000, Read, &[], "\"SYST\": what answers here") },
    reg(
        "VERSION",
        0x004,
        Read,
        &[field("patch", 0, 8, "patch"), field("minor", 8, 8, "minor version"), field("major", 16, 8, "major version")],
        "version of the generator",
    ),
    reg("CONFIG_HASH_LO", 0x008, Read, &[], "low word of the configuration's hash"),
    reg("CONFIG_HASH_HI", 0x00c, Read, &[], "high word of the configuration's hash"),
    reg(
        "CONFIG_ARRAY",
        0x010,
        Read,
        &[
            field("rows", 0, 8, "rows of the array"),
            field("cols", 8, 8, "columns of the array"),
            field("preload_rows", 16, 8, "rows of weights that enter a cycle"),
            field("lanes", 24, 8, "lanes of the vector unit"),
        ],
        "the array and the vector unit",
    ),
    reg(
        "CONFIG_BUS",
        0x014,
        Read,
        &[
            field("data_bits", 0, 16, "bits of a beat"),
            field("burst_beats", 16, 9, "most beats of a burst"),
            field("outstanding", 25, 5, "most read bursts under way"),
        ],
        "the memory port",
    ),
    reg("CONFIG_FORMATS", 0x018, Read, &[], "bit f: the array takes number format f"),
    reg("CONFIG_CHUNK_ROWS", 0x01c, Read, &[], "most rows of a chunk"),
    reg("CONFIG_ACT_WORDS", 0x020, Read, &[], "words in each half of the activation buffer"),
    reg("CONFIG_ACC_WORDS", 0x024, Read, &[], "words in each bank of the accumulator memory"),
    reg("CONFIG_WEIGHT_WORDS", 0x028, Read, &[], "words of the weight buffer"),
    reg("CONFIG_ELEMENTS", 0x02c, Read, &[], "elements of the vector memory"),
    reg("CONFIG_PARAMS", 0x030, Read, &[], "elements of the parameter memory"),
    reg(
        "CONTROL",
        0x040,
        Pulse,
        &[
            field("start", 0, 1, "starts the program; ignored while one runs"),
            field("soft_reset", 1, 1, "ends whatever runs: memory accesses finish, then all units are reset"),
        ],
        "start and stop",
    ),
    reg(
        "STATUS",
        0x044,
        Read,
        &[
            field("busy", 0, 1, "a program runs, or a soft reset is under way"),
            field("done", 1, 1, "the last program has ended"),
            field("error", 2, 1, "an error has occurred since the last start"),
            field("code", 8, 8, "which error came first"),
        ],
        "what the accelerator does",
    ),
    reg("IRQ_ENABLE", 0x048, ReadWrite, EVENTS, "events that raise the interrupt"),
    reg("IRQ_STATUS", 0x04c, WriteOneToClear, EVENTS, "events since they were cleared"),
    reg("PROGRAM_ADDR", 0x050, ReadWrite, &[], "byte address of the first instruction, a multiple of 64"),
    reg("PROGRAM_LENGTH", 0x054, ReadWrite, &[], "instructions of the program"),
    Register {
        reset: 1 << 20,
        ..reg("WATCHDOG", 0x058, ReadWrite, &[], "most cycles between two retired instructions; 0 for no limit")
    },
    reg("ERROR_ADDR", 0x05c, Read, &[], "where the first error occurred"),
    reg("ERROR_DETAIL", 0x060, Read, DETAIL, "state of the queues at the first error"),
    reg("TAG", 0x064, Read, &[], "tag of the last INFO instruction"),
];

/// Offset of the first counter.
pub const FIRST_COUNTER: u32 = 0x080;

/// Counters: `cycles`, one for each of [`STALLS`], then the other [`COUNTERS`].
pub const COUNTER_COUNT: usize = STALLS.len() + COUNTERS.len();

/// Name and meaning of counter `index`.
pub fn counter(index: usize) -> Option<(&'static str, &'static str)> {
    match index {
        0 => Some(COUNTERS[0]),
        _ if index <= STALLS.len() => Some(STALLS[index - 1]),
        _ => COUNTERS.get(index - STALLS.len()).copied(),
    }
}

/// Byte offset of counter `index`: its low word; the high one follows.
pub const fn counter_offset(index: u32) -> u32 {
    FIRST_COUNTER + 8 * index
}

/// The register of that name.
pub fn register(name: &str) -> Option<&'static Register> {
    REGISTERS.iter().find(|r| r.name == name)
}

impl Register {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static RegField> {
        self.fields.iter().find(|f| f.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_rise_within_the_window_and_fields_do_not_overlap() {
        for pair in REGISTERS.windows(2) {
            assert!(pair[0].offset < pair[1].offset, "{} and {}", pair[0].name, pair[1].name);
        }
        assert!(REGISTERS.last().is_some_and(|r| r.offset < FIRST_COUNTER));
        assert!(counter_offset(COUNTER_COUNT as u32) <= WINDOW_BYTES);
        for register in REGISTERS {
            assert_eq!(register.offset % 4, 0, "{}", register.name);
            let mut next = 0;
            for field in register.fields {
                assert!(field.lsb >= next && field.bits > 0, "{}.{}", register.name, field.name);
                next = field.lsb + field.bits;
            }
            assert!(next <= 32, "{}", register.name);
        }
    }

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> =
            (0..COUNTER_COUNT).filter_map(counter).map(|(name, _)| name).collect();
        assert_eq!(names.len(), COUNTER_COUNT);
        assert_eq!(counter(0).map(|c| c.0), Some("cycles"));
        assert_eq!(counter(1).map(|c| c.0), Some("array"));
        assert_eq!(counter(STALLS.len() + 1).map(|c| c.0), Some("read_beats"));
        assert_eq!(counter(COUNTER_COUNT), None);
    }
}
