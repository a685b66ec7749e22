//! One of the orders that the hardware may take, drawn at random.

use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spec::isa::{Instr, Op, Program, Queue};

use super::access::{Beats, pops, pushes, taken};

/// The same program, its instructions in another order that queues and tokens allow; each runs as a whole.
///
/// What [`super::check`] accepts gives the same results in every order. Nothing for a program in which a wait is never
/// served.
pub fn shuffled(program: &Program, seed: u64) -> Option<Program> {
    let mut instrs = Vec::with_capacity(program.instrs.len());
    let mut draw = Draw {
        program,
        random: ChaCha8Rng::seed_from_u64(seed),
        tokens: [[0; 4]; 4],
        words: 0,
        out: 0,
        beats: Beats::default(),
    };
    for part in program.instrs.split_inclusive(|instr| matches!(instr.op(), Op::Halt | Op::Sync)) {
        draw.part(part, &mut instrs)?;
    }
    Some(Program { instrs, ..program.clone() })
}

struct Draw<'p> {
    program: &'p Program,
    random: ChaCha8Rng,
    tokens: [[u32; 4]; 4],
    /// Words in the weight FIFO, beats in the out stream.
    words: u64,
    out: u64,
    beats: Beats,
}

impl Draw<'_> {
    /// Adds the instructions up to a barrier, and the barrier.
    fn part(&mut self, part: &[Instr], instrs: &mut Vec<Instr>) -> Option<()> {
        let mut queues: [VecDeque<Instr>; 4] = Default::default();
        for &instr in part {
            match instr.op().queue() {
                Queue::Control => {}
                queue => queues[queue as usize].push_back(instr),
            }
        }
        while queues.iter().any(|queue| !queue.is_empty()) {
            let ready: Vec<usize> = (0..4).filter(|&q| queues[q].front().is_some_and(|i| self.is_ready(i))).collect();
            let count = ready.len() as u64;
            let queue = ready.get(((u64::from(self.random.next_u32()) * count) >> 32) as usize)?;
            // Some in a row, so that queues get far ahead of each other.
            for _ in 0..=self.random.next_u32() % 16 {
                let Some(&instr) = queues[*queue].front().filter(|instr| self.is_ready(instr)) else { break };
                queues[*queue].pop_front();
                self.execute(&instr);
                instrs.push(instr);
            }
        }
        instrs.extend(part.iter().filter(|instr| matches!(instr.op(), Op::Halt | Op::Sync)));
        Some(())
    }

    fn is_ready(&self, instr: &Instr) -> bool {
        let (machine, to) = (&self.program.machine, instr.op().queue() as usize);
        instr.waits().all(|from| self.tokens[from as usize][to] > 0)
            && pops(instr, machine) <= self.words
            && taken(instr, machine) <= self.out
    }

    fn execute(&mut self, instr: &Instr) {
        let (machine, q) = (&self.program.machine, instr.op().queue() as usize);
        instr.waits().for_each(|from| self.tokens[from as usize][q] -= 1);
        instr.signals().for_each(|to| self.tokens[q][to as usize] += 1);
        self.words = self.words + pushes(instr, machine) - pops(instr, machine);
        self.out = self.out + self.beats.given(instr, machine) - taken(instr, machine);
    }
}
