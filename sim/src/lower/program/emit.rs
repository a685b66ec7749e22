//! Instructions in program order, with the tokens that keep the queues apart.
//!
//! Every instruction's reads and writes of what queues share follow from its own fields: act words, acc banks, PB, DRAM
//! that programs write, the index register. Where two instructions of different queues touch the same and one writes, the
//! later one waits for the earlier one. The k-th wait of a pair of queues takes the token of its k-th signal, so that one
//! wait covers all that the giver did before. Waits point backwards in program order only.

use spec::isa::{Field, Instr, Machine, Mark, Op, Queue};

use super::roofline::Work;
use crate::error::Error;

/// What queues share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Act(bool),
    Acc(bool),
    Params,
    Index,
    Dram,
}

/// Elements `low..high` of a memory.
#[derive(Clone, Copy, Debug)]
struct Span {
    memory: Memory,
    low: u64,
    high: u64,
}

/// An access that later ones may have to wait for.
#[derive(Clone, Copy, Debug)]
struct Access {
    low: u64,
    high: u64,
    writes: bool,
    queue: Queue,
    place: usize,
}

/// Places of the memories in [`Emit::accesses`].
const MEMORIES: usize = 7;

/// A program under construction.
pub(super) struct Emit {
    pub machine: Machine,
    pub instrs: Vec<Instr>,
    pub marks: Vec<Mark>,
    /// Ranges of DRAM that the program writes and reads, ascending.
    written: Vec<(u32, u32)>,
    accesses: [Vec<Access>; MEMORIES],
    /// Accesses of each range of `written`.
    dram: Vec<Vec<Access>>,
    /// `[giver][taker]`: the giver's last instruction that the taker has waited for.
    waited: [[Option<usize>; 4]; 4],
    /// Fields of the last `SETA`.
    seta: Option<Instr>,
}

impl Emit {
    /// For a machine and the ranges of DRAM that the program writes and reads again, ascending.
    pub fn new(machine: Machine, written: Vec<(u32, u32)>) -> Self {
        Self {
            machine,
            instrs: vec![],
            marks: vec![],
            accesses: Default::default(),
            dram: vec![vec![]; written.len()],
            written,
            waited: Default::default(),
            seta: None,
        }
    }

    /// The next instruction.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that does not fit its field.
    pub fn push(&mut self, op: Op, fields: &[(Field, usize)]) -> Result<(), Error> {
        let fields: Vec<(Field, i64)> = fields.iter().map(|&(field, value)| (field, value as i64)).collect();
        self.push_signed(op, &fields)
    }

    /// [`Self::push`] where a value may be negative.
    pub fn push_signed(&mut self, op: Op, fields: &[(Field, i64)]) -> Result<(), Error> {
        let mut instr = Instr::new(op, fields).map_err(Error::Invalid)?;
        let place = self.instrs.len();
        if op == Op::Seta {
            self.seta = Some(instr);
        }
        let mut after: [Option<usize>; 4] = Default::default();
        let (reads, writes) = self.spans(&instr);
        for (span, writes) in reads.into_iter().map(|s| (s, false)).chain(writes.into_iter().map(|s| (s, true))) {
            let access = Access { low: span.low, high: span.high, writes, queue: op.queue(), place };
            if let Some(list) = self.list(span) {
                for old in list.iter().filter(|old| overlap(old, &access) && old.queue != access.queue) {
                    let latest = &mut after[old.queue as usize];
                    *latest = (*latest).max(Some(old.place));
                }
                // Whatever conflicts with a covered access conflicts with the covering one, which comes after it.
                list.retain(|old| !covers(&access, old));
                list.push(access);
            }
        }
        for giver in Queue::ALL {
            let waited = &mut self.waited[giver as usize][op.queue() as usize % 4];
            if let Some(earlier) = after[giver as usize].filter(|e| Some(*e) > *waited) {
                *waited = Some(earlier);
                self.instrs[earlier] = self.instrs[earlier].signalling(op.queue());
                instr = instr.waiting(giver);
            }
        }
        self.instrs.push(instr);
        Ok(())
    }

    /// A mark in front of what follows.
    pub fn mark(&mut self, first: usize, tokens: usize, layer: Option<usize>, operator: &str) -> Result<(), Error> {
        let tag = self.marks.len() as u32;
        let layer = layer.map(|layer| layer as u32);
        self.marks.push(Mark {
            tag,
            token: first as u32,
            tokens: tokens as u32,
            layer,
            operator: operator.into(),
            macs: 0,
            compulsory_bytes: 0,
            compulsory_written: 0,
        });
        self.push(Op::Info, &[(Field::Tag, tag as usize)])
    }

    /// Counts work for the last mark.
    pub fn work(&mut self, work: Work) {
        if let Some(mark) = self.marks.last_mut() {
            mark.macs += work.macs;
            mark.compulsory_bytes += work.bytes;
            mark.compulsory_written += work.written;
        }
    }

    /// The accesses of the memory of a span, if queues share it.
    fn list(&mut self, span: Span) -> Option<&mut Vec<Access>> {
        let place = match span.memory {
            Memory::Act(half) => usize::from(half),
            Memory::Acc(bank) => 2 + usize::from(bank),
            Memory::Params => 4,
            Memory::Index => 5,
            Memory::Dram => {
                let after = self.written.partition_point(|&(low, _)| u64::from(low) <= span.low);
                let range = after.checked_sub(1).filter(|&r| span.low < u64::from(self.written[r].1))?;
                return Some(&mut self.dram[range]);
            }
        };
        Some(&mut self.accesses[place])
    }

    /// What an instruction reads and writes of what queues share.
    fn spans(&self, instr: &Instr) -> (Vec<Span>, Vec<Span>) {
        let get = |field| instr.find(field).unwrap_or(0) as u64;
        let at = |memory, low: u64, len: u64| Span { memory, low, high: low + len };
        // A bank has one port for its reader and writer, so that it is had as a whole.
        let bank = || at(Memory::Acc(get(Field::Bank) != 0), 0, u64::MAX);
        let (mut reads, mut writes) = (vec![], vec![]);
        let n = get(Field::N);
        match instr.op() {
            Op::Ldh => {
                let stride = get(Field::Stride) * u64::from(self.machine.beat_bytes);
                let len = stride * (get(Field::Tokens) - 1) + get(Field::Dim);
                reads.push(at(Memory::Dram, get(Field::Addr), len));
            }
            Op::Ldp => {
                writes.push(at(Memory::Params, get(Field::Dst), n));
                if get(Field::Indirect) != 0 {
                    reads.push(at(Memory::Index, 0, 1));
                }
            }
            Op::Mm => {
                let rows = get(Field::Rows);
                reads.push(at(Memory::Act(get(Field::Half) != 0), get(Field::Act), rows * get(Field::KTiles)));
                writes.push(bank());
            }
            Op::St => writes.push(at(Memory::Dram, get(Field::Addr), get(Field::Bytes))),
            Op::Vacc => {
                reads.push(bank());
                reads.push(at(Memory::Params, get(Field::B), n * (1 + get(Field::Zp))));
            }
            Op::Vraw => reads.push(bank()),
            Op::Vpar | Op::Vmlp => reads.push(at(Memory::Params, get(Field::B), n)),
            Op::Vrop => reads.push(at(Memory::Params, get(Field::B), 2 * n)),
            Op::Spar => reads.push(at(Memory::Params, get(Field::B), 1)),
            Op::Sidx => writes.push(at(Memory::Index, 0, 1)),
            _ => {}
        }
        let to_act = instr.op() == Op::Vcod || (instr.op().is_row() && get(Field::To) == 1);
        if let Some(seta) = self.seta.filter(|_| to_act) {
            let tiles = u64::from(self.tiles(&seta, n as u32));
            let low = (seta.index(Field::Base) + seta.index(Field::Row)) as u64;
            let len = (tiles - 1) * seta.index(Field::Rows) as u64 + 1;
            writes.push(at(Memory::Act(seta.flag(Field::Half)), low, len));
        }
        (reads, writes)
    }

    /// K tiles of a row of n elements as the last `SETA` lays it out.
    fn tiles(&self, seta: &Instr, n: u32) -> u32 {
        let (used, block) = (seta.index(Field::Used) as u32, seta.index(Field::Block) as u32);
        match block {
            0 => n.div_ceil(used),
            block => n / block * block.div_ceil(used) + (n % block).div_ceil(used),
        }
    }
}

fn overlap(old: &Access, new: &Access) -> bool {
    (old.writes || new.writes) && old.low < new.high && new.low < old.high
}

/// Whether every conflict with the old access is one with the new one too.
fn covers(new: &Access, old: &Access) -> bool {
    let wide = new.low <= old.low && old.high <= new.high;
    // A read takes the place of reads of its own queue only: others are not ordered before it.
    wide && (new.writes || (!old.writes && old.queue == new.queue))
}
