//! Whether a program runs to its end on queues and FIFOs of bounded length.
//!
//! Queues, counters, the weight FIFO and the out stream each have one giver and one taker, who block: what such a network
//! does not depend on the pace of its parts, so that one run shows whether any can get stuck.

use std::collections::VecDeque;

use spec::Problem;
use spec::isa::{Op, Program, Queue};

use super::access::{Beats, pops, pushes, taken};
use crate::iss::tokens::MOST;

/// What holds up givers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Instructions that wait in a queue, beside the one that it executes.
    pub queue: usize,
    /// Beats of the out stream.
    pub out_beats: u64,
}

/// What every machine has at least.
pub const LEAST: Lengths = Lengths { queue: 1, out_beats: 1 };

struct Run<'p> {
    program: &'p Program,
    lengths: Lengths,
    /// The next instruction to fetch.
    at: usize,
    queues: [VecDeque<usize>; 4],
    /// What each queue executes.
    active: [Option<Active>; 4],
    tokens: [[u32; 4]; 4],
    words: Fifo,
    out: Fifo,
    beats: Beats,
}

#[derive(Clone, Copy)]
struct Active {
    at: usize,
    /// Words or beats that it still gives or takes.
    left: u64,
}

struct Fifo {
    length: u64,
    held: u64,
}

impl Fifo {
    /// Moves what giver and taker can; while both are active the length does not hold them up.
    fn flow(&mut self, giver: Option<&mut Active>, taker: Option<&mut Active>) -> bool {
        let mut none = (Active { at: 0, left: 0 }, Active { at: 0, left: 0 });
        let (giver, taker) = (giver.unwrap_or(&mut none.0), taker.unwrap_or(&mut none.1));
        let taken = taker.left.min(self.held + giver.left);
        let given = giver.left.min(self.length + taken - self.held);
        taker.left -= taken;
        giver.left -= given;
        self.held = self.held + given - taken;
        taken + given > 0
    }
}

/// What is stuck, if anything is: where the fetch and each queue stand.
pub fn stuck(program: &Program, lengths: Lengths) -> Option<Problem> {
    let length = program.machine.weight_words.into();
    let mut run = Run {
        program,
        lengths,
        at: 0,
        queues: Default::default(),
        active: [None; 4],
        tokens: [[0; 4]; 4],
        words: Fifo { length, held: 0 },
        out: Fifo { length: lengths.out_beats, held: 0 },
        beats: Beats::default(),
    };
    while run.at < program.instrs.len() {
        let fetched = run.fetch();
        let started = run.start();
        let flowed = run.flow();
        if !(run.retire() || flowed || started || fetched) {
            return Some(run.problem());
        }
    }
    None
}

impl Run<'_> {
    fn fetch(&mut self) -> bool {
        let from = self.at;
        while let Some(instr) = self.program.instrs.get(self.at) {
            let is_idle = self.queues.iter().all(VecDeque::is_empty) && self.active.iter().all(Option::is_none);
            match (instr.op(), instr.op().queue()) {
                (Op::Info, _) => {}
                (_, Queue::Control) if is_idle => {}
                (_, Queue::Control) => break,
                (_, queue) if self.queues[queue as usize].len() < self.lengths.queue => {
                    self.queues[queue as usize].push_back(self.at);
                }
                _ => break,
            }
            self.at += 1;
        }
        self.at > from
    }

    fn start(&mut self) -> bool {
        let mut any = false;
        for q in 0..4 {
            let Some(&at) = self.queues[q].front().filter(|_| self.active[q].is_none()) else { continue };
            let instr = &self.program.instrs[at];
            if instr.waits().any(|from| self.tokens[from as usize][q] == 0) {
                continue;
            }
            instr.waits().for_each(|from| self.tokens[from as usize][q] -= 1);
            self.queues[q].pop_front();
            let machine = &self.program.machine;
            let left = match instr.op().queue() {
                Queue::Load => pushes(instr, machine),
                Queue::Mm => pops(instr, machine),
                Queue::Vec => self.beats.given(instr, machine),
                _ => taken(instr, machine),
            };
            self.active[q] = Some(Active { at, left });
            any = true;
        }
        any
    }

    fn flow(&mut self) -> bool {
        let [load, mm, vec, store] = &mut self.active;
        let words = self.words.flow(load.as_mut(), mm.as_mut());
        self.out.flow(vec.as_mut(), store.as_mut()) || words
    }

    fn retire(&mut self) -> bool {
        let mut any = false;
        for q in 0..4 {
            let Some(active) = self.active[q].filter(|active| active.left == 0) else { continue };
            let instr = &self.program.instrs[active.at];
            if instr.signals().any(|to| self.tokens[q][to as usize] == MOST) {
                continue;
            }
            instr.signals().for_each(|to| self.tokens[q][to as usize] += 1);
            self.active[q] = None;
            any = true;
        }
        any
    }

    fn problem(&self) -> Problem {
        let text = |at: usize| format!("{at} ({})", crate::iss::text(self.program, at));
        let mut stands = vec![format!("fetch at {}", text(self.at))];
        for queue in Queue::ALL {
            let q = queue as usize;
            let at = self.active[q].map(|active| active.at).or(self.queues[q].front().copied());
            stands.extend(at.map(|at| format!("{} at {}", queue.name(), text(at))));
        }
        let (words, beats) = (self.words.held, self.out.held);
        let value =
            format!("stuck: {}; {words} words in the weight FIFO, {beats} beats in the out stream", stands.join(", "));
        let allowed = format!(
            "runs to its end with queues of {}, {} weight words, {} beats",
            self.lengths.queue, self.words.length, self.lengths.out_beats
        );
        Problem::new("program", value, allowed, "put loads and stores before who needs them, closer together")
    }
}
