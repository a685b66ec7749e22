//! Whether tokens order every pair of conflicting accesses, whatever the queues' pace.

use std::collections::VecDeque;

use spec::Problem;
use spec::isa::{Instr, Op, Program, Queue};

use super::access::{Access, Accesses, Beats, Space, pops, pushes, taken};
use super::clock::Clock;
use super::intervals::Intervals;
use crate::iss::tokens::MOST;

/// Problems after which the search ends.
const ENOUGH: usize = 100;

/// Follows a program in its order and notes what each instruction can know.
pub struct Races<'p> {
    program: &'p Program,
    queues: [QueueState; 4],
    /// Clocks that travel with the tokens of each ordered pair.
    tokens: [[VecDeque<Clock>; 4]; 4],
    /// Tokens that each pair was given.
    given: [[u32; 4]; 4],
    spaces: Vec<Intervals>,
    accesses: Accesses,
    beats: Beats,
    /// Words in the weight FIFO and beats in the out stream, with the clock of the instruction that gave them.
    words: Flow,
    out: Flow,
    /// Stores that have not retired.
    stores: VecDeque<usize>,
    /// The first of them: beats that it still needs, its clock.
    storing: Option<(u64, Clock)>,
    found: Vec<Access>,
    problems: Vec<Problem>,
}

/// What is known of a queue.
#[derive(Default)]
struct QueueState {
    /// Instructions that have started.
    count: u32,
    /// Places of these instructions in the program.
    places: Vec<usize>,
    /// For each of them, the tokens of each queue that it and those before it have taken.
    taken: Vec<[u32; 4]>,
    /// Known when the last one started, and when it has retired.
    start: Clock,
    retired: Clock,
}

/// What flows from one queue to another, oldest first.
#[derive(Default)]
struct Flow {
    parts: VecDeque<(u64, Clock)>,
}

impl Flow {
    /// Takes up to `count`; what is left of it, and what is known once all of a part is taken.
    fn take(&mut self, mut count: u64, mut clock: Clock) -> (u64, Clock) {
        while count > 0
            && let Some((left, from)) = self.parts.front_mut()
        {
            let now = count.min(*left);
            *left -= now;
            count -= now;
            if *left == 0 {
                clock = clock.join(*from);
                self.parts.pop_front();
            }
        }
        (count, clock)
    }
}

impl<'p> Races<'p> {
    /// Before the first instruction.
    pub fn new(program: &'p Program) -> Self {
        Self {
            program,
            queues: Default::default(),
            tokens: Default::default(),
            given: [[0; 4]; 4],
            spaces: vec![Intervals::default(); Space::ALL.len()],
            accesses: Accesses::default(),
            beats: Beats::default(),
            words: Flow::default(),
            out: Flow::default(),
            stores: VecDeque::new(),
            storing: None,
            found: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// All problems of a program, up to a hundred.
    pub fn problems(mut self) -> Vec<Problem> {
        for (at, instr) in self.program.instrs.iter().enumerate() {
            match instr.op() {
                Op::Halt | Op::Sync => self.barrier(at),
                Op::Info => {}
                Op::St => self.stores.push_back(at),
                _ => self.execute(at, instr),
            }
            self.store();
            if self.problems.len() >= ENOUGH {
                break;
            }
        }
        self.problems
    }

    /// All that was given before has retired.
    fn barrier(&mut self, at: usize) {
        if let Some(&store) = self.stores.front() {
            let cure = "give it tokens and as many bytes as it stores before SYNC and HALT";
            self.problem(store, "never retires", "retires", cure);
            self.stores.clear();
            self.storing = None;
        }
        if self.program.instrs[at].op() == Op::Halt {
            for (flow, name) in [(&self.words, "the weight FIFO"), (&self.out, "the out stream")] {
                let left: u64 = flow.parts.iter().map(|part| part.0).sum();
                if left > 0 {
                    let problem = Problem::new(name, format!("{left} left at HALT"), "empty", "take all that is given");
                    self.problems.push(problem);
                }
            }
        }
        let all = Clock(std::array::from_fn(|q| self.queues[q].count));
        for queue in &mut self.queues {
            (queue.start, queue.retired) = (all, all);
        }
    }

    fn execute(&mut self, at: usize, instr: &Instr) {
        if !self.has_tokens(instr) {
            let cure = "signal before the wait in program order";
            self.problem(at, "waits for a token that no instruction before it gives", "tokens given before", cure);
        }
        let mut clock = self.start(at, instr);
        let machine = &self.program.machine;
        let popped = pops(instr, machine);
        if popped > 0 {
            let (missing, known) = self.words.take(popped, clock);
            clock = known;
            if missing > 0 {
                let value = format!("takes {missing} words more than the weight FIFO is given before");
                self.problem(at, &value, "as many words as are loaded", "load its tiles before the product");
            }
        }
        let given = self.beats.given(instr, machine);
        let clock = self.retire(instr, clock);
        for (flow, count) in [(&mut self.words, pushes(instr, machine)), (&mut self.out, given)] {
            if count > 0 {
                flow.parts.push_back((count, clock));
            }
        }
    }

    /// Lets the stores go on that can.
    fn store(&mut self) {
        while let Some(&at) = self.stores.front() {
            let instr = &self.program.instrs[at];
            let (beats, clock) = match self.storing {
                Some(storing) => storing,
                None if self.has_tokens(instr) => (taken(instr, &self.program.machine), self.start(at, instr)),
                None => return,
            };
            let (left, clock) = self.out.take(beats, clock);
            self.storing = Some((left, clock));
            if left > 0 {
                return;
            }
            self.retire(instr, clock);
            self.stores.pop_front();
            self.storing = None;
        }
    }

    fn has_tokens(&self, instr: &Instr) -> bool {
        let to = instr.op().queue() as usize;
        instr.waits().all(|from| !self.tokens[from as usize][to].is_empty())
    }

    /// Takes the tokens and checks what the instruction accesses; what it knows when it starts.
    fn start(&mut self, at: usize, instr: &Instr) -> Clock {
        let q = instr.op().queue() as usize;
        let mut taken = self.queues[q].taken.last().copied().unwrap_or_default();
        let mut clock = self.queues[q].start;
        for from in instr.waits() {
            if let Some(token) = self.tokens[from as usize][q].pop_front() {
                clock = clock.join(token);
                taken[from as usize] += 1;
            }
        }
        let queue = &mut self.queues[q];
        queue.start = clock;
        queue.count += 1;
        queue.places.push(at);
        queue.taken.push(taken);
        let count = queue.count;
        let mut found = std::mem::take(&mut self.found);
        self.accesses.of(instr, self.program, &mut found);
        for access in &found {
            let space = Space::ALL.iter().position(|s| *s == access.space).unwrap_or(0);
            let conflict = self.spaces[space].access(&access.range, access.is_write, q, count, &clock);
            if let Some((other, count, part)) = conflict {
                let first = self.queues[other].places[count as usize - 1];
                let start = part.start.max(access.range.start);
                let range = start..part.end.min(access.range.end);
                let region = Access { range, ..access.clone() };
                self.race(first, at, &region);
            }
        }
        self.found = found;
        clock
    }

    /// Gives the tokens; what is known when the instruction has retired.
    fn retire(&mut self, instr: &Instr, clock: Clock) -> Clock {
        let queue = instr.op().queue();
        let q = queue as usize;
        let clock = clock.join(self.queues[q].retired).after(queue, self.queues[q].count);
        self.queues[q].retired = clock;
        for to in instr.signals() {
            self.tokens[q][to as usize].push_back(clock);
            self.given[q][to as usize] += 1;
            let certain = clock.0[to as usize];
            let taken = certain.checked_sub(1).map_or(0, |last| self.queues[to as usize].taken[last as usize][q]);
            let most = self.given[q][to as usize] - taken;
            if most > MOST {
                let at = *self.queues[q].places.last().unwrap_or(&0);
                let value = format!("may give token {most} from {} to {}", queue.name(), to.name());
                self.problem(at, &value, &format!("0..={MOST}"), "let the giver wait for the taker now and then");
            }
        }
        clock
    }

    fn text(&self, at: usize) -> String {
        format!("instruction {at} ({})", crate::iss::text(self.program, at))
    }

    fn problem(&mut self, at: usize, value: &str, allowed: &str, cure: &str) {
        self.problems.push(Problem::new(self.text(at), value, allowed, cure));
    }

    fn race(&mut self, first: usize, second: usize, region: &Access) {
        let name = |at: usize| -> &str { queue_of(&self.program.instrs[at]).name() };
        let cure = format!(
            "let {} signal {} at or after the first, and {} wait at or before the second",
            name(first),
            name(second),
            name(second)
        );
        let field = format!("{} and {}", self.text(first), self.text(second));
        self.problems.push(Problem::new(field, format!("both at {region}"), "ordered by tokens", cure));
    }
}

fn queue_of(instr: &Instr) -> Queue {
    instr.op().queue()
}
