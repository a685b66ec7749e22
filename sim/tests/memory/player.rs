//! Random programs for the front, and what the test plays: units for mm and vec, and the rules of tokens.

use std::collections::VecDeque;

use sim::memory::SparseMemory;
use spec::Config;
use spec::isa::{Field, Instr, Op, Queue};

use crate::maker::{Maker, Wanted};

/// Where programs stand.
pub const PROGRAM: u32 = 0x40_0000;
const STORES: u32 = 0x80_0000;

/// A program, what it loads and what it stores.
pub struct Job {
    pub instrs: Vec<Instr>,
    pub memory: SparseMemory,
    pub wanted: Wanted,
    /// Beats of the out stream.
    pub out: Vec<Vec<u8>>,
    /// Address and bytes of what the stores leave.
    pub stored: Vec<(u32, Vec<u8>)>,
}

/// Writes a program to its place.
pub fn place(memory: &mut SparseMemory, instrs: &[Instr]) {
    for (i, instr) in instrs.iter().enumerate() {
        memory.write(PROGRAM + 16 * i as u32, &instr.encode().to_le_bytes());
    }
}

/// An instruction without fields.
pub fn op(op: Op) -> Instr {
    Instr::new(op, &[]).unwrap()
}

/// A random program without deadlock: a wait stands behind its signal.
pub fn random_job(config: &Config, count: usize, seed: u64) -> Job {
    let mut maker = Maker::new(config, seed);
    let beat = config.beat_bytes();
    let mut tokens = [[0_i32; 4]; 4];
    let (mut instrs, mut out, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..count {
        let which = maker.rng.below(10);
        let mut instr = match which {
            0..=3 => maker.any(6),
            4 | 5 => Instr::new(Op::Mm, &[(Field::Rows, 1 + i as i64)]).unwrap(),
            6 | 7 => Instr::new(Op::Vpar, &[(Field::N, 1 + i as i64)]).unwrap(),
            8 => {
                let addr = STORES + 4096 * (1 + i as u32) - beat * maker.rng.below(4) as u32;
                let bytes: Vec<u8> =
                    (0..1 + maker.rng.below(9 * u64::from(beat))).map(|_| maker.rng.next() as u8).collect();
                for chunk in bytes.chunks(beat as usize) {
                    let mut chunk = chunk.to_vec();
                    chunk.resize(beat as usize, 0x11);
                    out.push(chunk);
                }
                let fields = [(Field::Addr, addr.into()), (Field::Bytes, bytes.len() as i64)];
                stored.push((addr, bytes));
                Instr::new(Op::St, &fields).unwrap()
            }
            _ if maker.rng.one_in(3) => op(Op::Sync),
            _ => Instr::new(Op::Info, &[(Field::Tag, i as i64)]).unwrap(),
        };
        if let Some(own) = Queue::ALL.iter().position(|q| *q == instr.op().queue()) {
            for (from, queue) in Queue::ALL.into_iter().enumerate() {
                if tokens[from][own] > 0 && maker.rng.one_in(2) {
                    tokens[from][own] -= 1;
                    instr = instr.waiting(queue);
                }
            }
            for (to, queue) in Queue::ALL.into_iter().enumerate() {
                if maker.rng.one_in(3) {
                    tokens[own][to] += 1;
                    instr = instr.signalling(queue);
                }
            }
        }
        instrs.push(instr);
    }
    instrs.push(op(Op::Halt));
    // Instructions behind the end, which must never start.
    let mut memory = maker.memory;
    place(&mut memory, &instrs);
    memory.write(PROGRAM + 16 * instrs.len() as u32, &[0xff; 256]);
    Job { instrs, memory, wanted: maker.wanted, out, stored }
}

/// The test's side: units for mm and vec, the out stream, checks.
pub struct Player {
    /// Instructions of each queue that have not started.
    pub waiting: [VecDeque<(usize, Instr)>; 4],
    /// Numbers of those at work, with the cycles that they still take.
    pub at_work: [VecDeque<(usize, u64)>; 4],
    /// Retired instructions by number.
    retired: Vec<bool>,
    tokens: [[i32; 4]; 4],
    syncs: Vec<usize>,
}

impl Player {
    pub fn new(instrs: &[Instr]) -> Self {
        let mut waiting: [VecDeque<(usize, Instr)>; 4] = Default::default();
        let mut syncs = Vec::new();
        for (i, instr) in instrs.iter().enumerate() {
            match Queue::ALL.iter().position(|q| *q == instr.op().queue()) {
                Some(q) => waiting[q].push_back((i, *instr)),
                None if instr.op() == Op::Sync => syncs.push(i),
                None => {}
            }
        }
        Self { waiting, at_work: Default::default(), retired: vec![false; instrs.len()], tokens: [[0; 4]; 4], syncs }
    }

    /// An instruction of queue `q` starts: it is the next one, its tokens are here, every SYNC before it is over.
    pub fn start(&mut self, q: usize, took_cycles: u64) {
        let (number, instr) = self.waiting[q].pop_front().expect("an instruction too many");
        for from in instr.waits() {
            let from = Queue::ALL.iter().position(|x| *x == from).unwrap();
            self.tokens[from][q] -= 1;
            assert!(self.tokens[from][q] >= 0, "instruction {number} started without its token from {from}");
        }
        let sync = self.syncs.iter().copied().filter(|s| *s < number).max().unwrap_or(0);
        for (i, retired) in self.retired.iter().enumerate().take(sync) {
            let counts = self.waiting.iter().flatten().chain([&(number, instr)]).any(|(n, _)| *n == i);
            assert!(*retired || !counts, "instruction {number} started before {i}, in front of a SYNC");
        }
        self.at_work[q].push_back((number, took_cycles));
    }

    pub fn retire(&mut self, q: usize, instrs: &[Instr]) {
        let (number, _) = self.at_work[q].pop_front().expect("more retired than started");
        self.retired[number] = true;
        for to in instrs[number].signals() {
            let to = Queue::ALL.iter().position(|x| *x == to).unwrap();
            self.tokens[q][to] += 1;
        }
    }
}
