//! What a program's instructions mean to the units' control.

use spec::isa::{Field, Instr, Op, Program, Queue};
use spec::{Format, Operand, Scaling, stream};

use super::head::HeadWork;
use super::load::{LoadKind, LoadWork};
use super::mm::MmWork;
use super::seq::{HALT, Header, INFO, SYNC};
use super::sizes::Sizes;
use super::vec::VecWork;
use super::vec_plan::VecPlan;
use crate::error::Error;
use crate::fast::Seen;

/// Most bytes of a row of `LDH`.
const HEAD_BYTES: u32 = 256;

/// What an instruction's unit does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Control,
    Load(LoadWork),
    Mm(MmWork),
    Vec(VecWork),
    /// First beat, beats.
    Store(u32, u32),
}

/// A program for the control of the machine.
#[derive(Debug)]
pub(super) struct Plan {
    pub headers: Vec<Header>,
    pub works: Vec<Work>,
}

impl Plan {
    /// `seen`: what the values say of instructions whose timing depends on them.
    pub fn new(sizes: &Sizes, program: &Program, seen: &Seen) -> Result<Self, Error> {
        let mut plan = Self { headers: Vec::new(), works: Vec::new() };
        let vec = VecPlan::new(sizes);
        for (at, instr) in program.instrs.iter().enumerate() {
            let bits = instr.encode();
            let queue = match instr.op() {
                Op::Halt => HALT,
                Op::Sync => SYNC,
                Op::Info => INFO,
                op => op.queue() as u8,
            };
            let control = queue >= HALT;
            plan.headers.push(Header {
                queue,
                waits: if control { 0 } else { (bits >> spec::isa::WAIT_LSB & 15) as u8 },
                signals: if control { 0 } else { (bits >> spec::isa::SIGNAL_LSB & 15) as u8 },
            });
            let refused = |what: String| Error::Run(format!("instruction {at}, {}: {what}", instr.op().name()));
            plan.works.push(match instr.op().queue() {
                Queue::Control => Work::Control,
                Queue::Load => Work::Load(load(sizes, instr, seen.index(at)).map_err(refused)?),
                Queue::Mm => Work::Mm(matrix(sizes, instr)),
                Queue::Vec => Work::Vec(vec.work(instr, seen.step(at)).map_err(refused)?),
                Queue::Store => {
                    let (addr, bytes) = (instr.get(Field::Addr) as u32, instr.get(Field::Bytes) as u32);
                    if !addr.is_multiple_of(sizes.beat_bytes) {
                        return Err(refused(format!("address {addr:#x} does not stand on a beat")));
                    }
                    Work::Store(addr / sizes.beat_bytes, bytes.div_ceil(sizes.beat_bytes))
                }
            });
        }
        Ok(plan)
    }
}

fn load(sizes: &Sizes, instr: &Instr, index: Option<u32>) -> Result<LoadWork, String> {
    let get = |field| instr.get(field) as u32;
    let beat_bytes = sizes.beat_bytes;
    let mut addr = get(Field::Addr);
    let mut work = LoadWork { reads: 1, ..LoadWork::default() };
    match instr.op() {
        Op::Ldw => {
            let format = Format::ALL[instr.index(Field::Format)];
            if !sizes.formats.contains(&format) {
                return Err(format!("the hardware has no {}", format.name()));
            }
            let bits = sizes.preload_rows * sizes.cols * format.weight().bits();
            let packing = stream::packing(sizes.data_bits, bits);
            let words = get(Field::Words);
            let stream::Packing { words_per_beat, beats_per_word } = packing;
            work.kind = LoadKind::Words { words, words_per_beat, beats_per_word };
            work.count = packing.beats(words.into()) as u32;
        }
        Op::Ldh => {
            let (rows, dim, tiles) = (get(Field::Tokens), get(Field::Dim), get(Field::Tiles));
            let is_direct = instr.flag(Field::Mode);
            let most_rows = if is_direct { sizes.rows } else { sizes.cols };
            let most_tiles = HEAD_BYTES.div_ceil(sizes.rows).max(HEAD_BYTES.div_ceil(sizes.cols));
            let has_heads = sizes.formats.iter().any(|f| f.weight() == Operand::Int8);
            if !has_heads || dim > HEAD_BYTES || rows > most_rows || tiles > most_tiles {
                return Err("the head buffer does not hold it".into());
            }
            work.count = dim.div_ceil(beat_bytes);
            work.kind = LoadKind::Head(HeadWork { rows, beats: work.count, is_direct, tiles });
            work.reads = rows;
            work.stride = get(Field::Stride);
        }
        _ => {
            let n = get(Field::N);
            let bytes = [1, 1, 2, 2, 4][instr.index(Field::Type)];
            if get(Field::Dst) + n > sizes.params {
                return Err("the parameter memory does not hold it".into());
            }
            let group = sizes.lanes.min(beat_bytes / bytes);
            work.kind = LoadKind::Params { n, group, groups: beat_bytes / bytes / group };
            work.count = (n * bytes).div_ceil(beat_bytes);
            if instr.flag(Field::Indirect) {
                let stride = get(Field::Stride);
                work.index_cycles = u32::BITS - stride.leading_zeros() + 1;
                addr = addr.wrapping_add(index.unwrap_or(0).wrapping_mul(stride));
            }
        }
    }
    if !addr.is_multiple_of(beat_bytes) {
        return Err(format!("address {addr:#x} does not stand on a beat"));
    }
    work.beat = addr / beat_bytes;
    Ok(work)
}

fn matrix(sizes: &Sizes, instr: &Instr) -> MmWork {
    let get = |field| instr.get(field) as u32;
    let format = Format::ALL[instr.index(Field::Format)];
    let scaling = Scaling::ALL[instr.index(Field::Scaling)];
    // A scaling that the hardware does not have is none.
    let block = scaling.block().filter(|_| sizes.scalings.contains(&scaling)).map(|block| block as u32);
    MmWork {
        rows: get(Field::Rows),
        k_tiles: get(Field::KTiles),
        n_tiles: get(Field::NTiles),
        adds: instr.flag(Field::Add),
        block_tiles: block.map_or(0, |block| block.div_ceil(sizes.rows.min(block))),
        header_words: 8u32.div_ceil(sizes.preload_rows * format.weight().bits()),
    }
}
