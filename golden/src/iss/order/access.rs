//! What an instruction reads and writes that other queues can see.

use std::fmt;
use std::ops::Range;

use spec::isa::{Field, Instr, Machine, Op, Program};

use crate::iss::state::ActRow;
use crate::iss::vector::{self, To};

/// A memory that several queues share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// DRAM, in bytes.
    Dram,
    /// PB, in elements.
    Params,
    /// A half of the act buffer, in words.
    Act(bool),
    /// A bank of acc, in words.
    Acc(bool),
    /// The index register.
    Index,
}

impl Space {
    /// Every memory.
    pub const ALL: [Self; 7] =
        [Self::Dram, Self::Params, Self::Act(false), Self::Act(true), Self::Acc(false), Self::Acc(true), Self::Index];
}

/// A range of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub space: Space,
    pub range: Range<u64>,
    pub is_write: bool,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.range;
        match self.space {
            Space::Dram => write!(f, "DRAM {start:#x}..{end:#x}"),
            Space::Params => write!(f, "PB {start}..{end}"),
            Space::Act(half) => write!(f, "act half {}, words {start}..{end}", u8::from(half)),
            Space::Acc(bank) => write!(f, "acc bank {}, words {start}..{end}", u8::from(bank)),
            Space::Index => f.write_str("IDX"),
        }
    }
}

/// What instructions access, in program order: the act row that SETA names is remembered.
#[derive(Clone, Debug, Default)]
pub struct Accesses {
    act_row: Option<ActRow>,
}

impl Accesses {
    /// Puts what the instruction accesses into `found`.
    pub fn of(&mut self, instr: &Instr, program: &Program, found: &mut Vec<Access>) {
        found.clear();
        let machine = &program.machine;
        let mut note = |space, start: u64, len: u64, is_write| {
            if len > 0 {
                found.push(Access { space, range: start..start + len, is_write });
            }
        };
        match instr.op() {
            Op::Ldw => {
                let beats = weight_beats(instr, machine);
                note(Space::Dram, instr.get(Field::Addr) as u64, beats * u64::from(machine.beat_bytes), false);
            }
            Op::Ldh => {
                let stride = instr.get(Field::Stride) as u64 * u64::from(machine.beat_bytes);
                for token in 0..instr.get(Field::Tokens) as u64 {
                    let addr = instr.get(Field::Addr) as u64 + token * stride;
                    note(Space::Dram, addr, instr.get(Field::Dim) as u64, false);
                }
            }
            Op::Ldp => {
                let (addr, n) = (instr.get(Field::Addr) as u64, instr.get(Field::N) as u64);
                if instr.flag(Field::Indirect) {
                    // Any row of the table: to the end of its segment.
                    let end = program.segment_at(addr as u32).map_or(1 << 32, spec::isa::Segment::end);
                    note(Space::Dram, addr, end - addr, false);
                    note(Space::Index, 0, 1, false);
                } else {
                    note(Space::Dram, addr, n * [1, 1, 2, 2, 4][instr.index(Field::Type)], false);
                }
                note(Space::Params, instr.get(Field::Dst) as u64, n, true);
            }
            Op::Mm => {
                let get = |field| instr.get(field) as u64;
                let rows = get(Field::Rows);
                note(Space::Act(instr.flag(Field::Half)), get(Field::Act), rows * get(Field::KTiles), false);
                note(Space::Acc(instr.flag(Field::Bank)), get(Field::Acc), rows * get(Field::NTiles), true);
            }
            Op::St => note(Space::Dram, instr.get(Field::Addr) as u64, instr.get(Field::Bytes) as u64, true),
            Op::Sidx => note(Space::Index, 0, 1, true),
            Op::Spar => note(Space::Params, instr.get(Field::B) as u64, 1, false),
            Op::Seta => self.act_row = Some(ActRow::of(instr)),
            op if op.is_row() => self.row(instr, machine, &mut note),
            _ => {}
        }
    }

    fn row(&self, instr: &Instr, machine: &Machine, note: &mut impl FnMut(Space, u64, u64, bool)) {
        if let Some((first, count)) = vector::param_reads(instr) {
            note(Space::Params, first as u64, count as u64, false);
        }
        if let Some((bank, first, stride, words)) = vector::acc_words(instr, machine.cols as usize) {
            runs(first, stride, words, |at, len| note(Space::Acc(bank), at, len, false));
        }
        if let (To::Act, Some(to)) = (To::of(instr), self.act_row) {
            let tiles = to.tiles(vector::results(instr));
            runs(to.word(0), to.rows, tiles, |at, len| note(Space::Act(to.half), at, len, true));
        }
    }
}

/// Words that stand a stride apart, those of stride 1 as one range.
fn runs(first: usize, stride: usize, count: usize, mut note: impl FnMut(u64, u64)) {
    match stride {
        0 => note(first as u64, 1),
        1 => note(first as u64, count as u64),
        _ => (0..count).for_each(|i| note((first + i * stride) as u64, 1)),
    }
}

/// Beats that LDW reads.
fn weight_beats(instr: &Instr, machine: &Machine) -> u64 {
    let format = spec::Format::ALL[instr.index(Field::Format)];
    let packing = spec::stream::packing(8 * machine.beat_bytes, machine.word_bits(format));
    packing.beats(instr.get(Field::Words) as u64)
}

/// Weight words that an instruction puts into the FIFO.
pub fn pushes(instr: &Instr, machine: &Machine) -> u64 {
    match instr.op() {
        Op::Ldw => instr.get(Field::Words) as u64,
        Op::Ldh => instr.get(Field::Tiles) as u64 * u64::from(machine.tile_words()),
        _ => 0,
    }
}

/// Weight words that an instruction takes from the FIFO.
pub fn pops(instr: &Instr, machine: &Machine) -> u64 {
    if instr.op() != Op::Mm {
        return 0;
    }
    let (format, scaling) =
        (spec::Format::ALL[instr.index(Field::Format)], spec::Scaling::ALL[instr.index(Field::Scaling)]);
    let k_tiles = instr.get(Field::KTiles) as u64;
    let blocks = k_tiles.div_ceil(machine.block_tiles(scaling).into());
    let words = k_tiles * u64::from(machine.tile_words()) + blocks * u64::from(machine.header_words(format, scaling));
    words * instr.get(Field::NTiles) as u64
}

/// Beats of the out stream: what vector operations give and stores take, in program order of the vector queue.
#[derive(Clone, Debug, Default)]
pub struct Beats {
    /// Bytes of an element.
    width: u64,
}

impl Beats {
    /// Beats that the instruction gives.
    pub fn given(&mut self, instr: &Instr, machine: &Machine) -> u64 {
        if instr.op() == Op::Seto {
            self.width = 1 << instr.get(Field::Width);
        }
        if !instr.op().is_row() || To::of(instr) != To::Out {
            return 0;
        }
        (vector::results(instr) as u64 * self.width).div_ceil(machine.beat_bytes.into())
    }
}

/// Beats that a store takes.
pub fn taken(instr: &Instr, machine: &Machine) -> u64 {
    if instr.op() == Op::St { (instr.get(Field::Bytes) as u64).div_ceil(machine.beat_bytes.into()) } else { 0 }
}
