//! When it happens: the control of every unit of the accelerator, cycle by cycle, without what the units compute.
//!
//! Each part is written by hand after the unit of `hdl::unit` that its comment names and holds that unit's state as
//! numbers; a cycle is a look at all parts as they are ([`Machine::cycle`]), then a step of each.

mod cause;
mod cells;
mod head;
mod load;
mod matrix;
mod memory;
mod mm;
mod mm_os;
mod plan;
mod port;
mod seq;
mod sizes;
mod vec;
mod vec_plan;

use hdl::unit::memory_port::FETCH;
use spec::isa::{Program, image};
use spec::regs;

use self::head::HeadSizes;
use self::load::LoadUnit;
use self::matrix::Matrix;
use self::memory::{Asked, MemoryClock};
use self::plan::{Plan, Work};
use self::port::{Arbiter, Bursts, Reader, Writer};
use self::seq::{Fetch, Fetches, Header, Issue, Tokens};
pub use self::sizes::Sizes;
use self::vec::{OutSizes, VecUnit};
use super::Seen;
use crate::error::Error;
use crate::host::Counters;
use crate::memory::Timing;

/// What is counted in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// Cycles from start to done.
    pub cycles: u64,
    /// By cause, in the order of [`regs::STALLS`]; they add up to `cycles`.
    pub stalls: [u64; regs::STALLS.len()],
    /// Beats read from memory.
    pub read_beats: u64,
    /// Beats written to memory.
    pub write_beats: u64,
    /// Instructions retired.
    pub instructions: u64,
}

impl Clock {
    /// As the registers tell them.
    pub fn counters(&self) -> Counters {
        let others = [self.read_beats, self.write_beats, self.instructions];
        Counters::new([self.cycles].into_iter().chain(self.stalls).chain(others))
    }
}

/// What a cycle of a run was spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Place in [`regs::STALLS`].
    pub cause: usize,
    /// A beat is read.
    pub read: bool,
    /// It is one of instructions.
    pub fetched: bool,
    /// A beat is written.
    pub write: bool,
    /// Instructions that retire, by queue: load, mm, vec, store; and control.
    pub retires: [bool; 5],
    /// The program runs.
    pub is_running: bool,
}

#[derive(Debug)]
struct Machine {
    time: u64,
    memory: MemoryClock,
    fetch_reader: Reader,
    load_reader: Reader,
    arbiter: Arbiter,
    writer: Writer,
    fetch: Fetch,
    queues: [Issue; 4],
    tokens: Tokens,
    load: LoadUnit,
    mm: Matrix,
    vec: VecUnit,
    fetch_cmd: (u32, u32),
    silent_cycles: u64,
}

impl Machine {
    fn new(sizes: &Sizes, program: &Program, timing: Timing) -> Self {
        let beat_bytes = sizes.beat_bytes;
        let fetch = Bursts::new(FETCH.outstanding, FETCH.beats, beat_bytes);
        let load = Bursts::new(sizes.outstanding, sizes.burst_beats, beat_bytes);
        let (cols, bands) = (sizes.cols, sizes.preload_rows);
        let lanes = sizes.lanes.min(hdl::unit::vec::plan::MOST_LANES);
        let program_beat = (image::code_addr(program) / u64::from(beat_bytes)) as u32;
        let program_beats = (16 * program.instrs.len() as u64).div_ceil(u64::from(beat_bytes)) as u32;
        Self {
            time: 0,
            memory: MemoryClock::new(timing),
            fetch_reader: Reader::new(fetch),
            load_reader: Reader::new(load),
            arbiter: Arbiter::new(FETCH.outstanding + sizes.outstanding),
            writer: Writer::new(load),
            fetch: Fetch::new(sizes.data_bits, program.instrs.len() as u32),
            queues: [Issue::new(); 4],
            tokens: Tokens::default(),
            load: LoadUnit::new(HeadSizes::new(beat_bytes, cols, bands, sizes.mm.preload_cycles)),
            mm: Matrix::new(sizes.dataflow, sizes.mm),
            vec: VecUnit::new(OutSizes { lanes_log: lanes.ilog2(), beat_log: beat_bytes.ilog2() }),
            fetch_cmd: (program_beat, program_beats),
            silent_cycles: 0,
        }
    }

    fn is_idle(&self) -> bool {
        self.fetch.state == Fetches::Idle
    }

    /// One clock cycle.
    fn cycle(&mut self, plan: &Plan, start: bool) -> Spent {
        let time = self.time;
        self.time += 1;
        let driven = self.memory.drive(time);

        // What the parts offer and take, as they are.
        let beat = driven.r_valid.then_some(driven.r_last);
        let expected = self.arbiter.expected();
        let (a_free, b_free) = {
            let free = self.arbiter.is_free();
            (free, free && self.fetch_reader.ar().is_none())
        };
        let flush = self.fetch.state == Fetches::Flush;
        let fetch_read = self.fetch_reader.now(a_free, flush);
        let load_read = self.load_reader.now(b_free, false);
        let weight_ready = self.mm.weight_ready();
        let load_beat = self.load_reader.valid();
        let load = self.load.now(load_beat, weight_ready);
        let mm = self.mm.now(time);
        let vec = self.vec.now(time);
        let store_ready = self.writer.cmd_ready();
        let out_ready = self.writer.in_ready();
        let stored = self.writer.is_done(driven.b_valid);
        let rooms = self.queues.each_ref().map(Issue::has_room);
        let all_idle = self.queues.iter().all(Issue::is_idle);
        let fetch_beat = self.fetch_reader.valid();
        let fetch_idle = self.fetch_reader.is_idle();
        let fetch = self.fetch.now(fetch_beat, &plan.headers, rooms, all_idle);
        let tokens = self.tokens;
        let offers: [_; 4] = std::array::from_fn(|q| self.queues[q].now(q, &tokens));
        let readies = [self.load.instr_ready(), mm.cmd_ready, vec.ready, store_ready];
        let retires = [load.retires, mm.done, vec.retires, stored];
        let work = |q: usize| offers[q].offers.filter(|_| readies[q]).map(|at| plan.works[at as usize]);

        let r_ready =
            expected.is_some_and(|b| if b { self.load_reader.r_ready() } else { self.fetch_reader.r_ready() });
        let asked = Asked {
            ar: self.arbiter.ar(),
            r_ready,
            aw: self.writer.aw(),
            w_valid: self.writer.w_valid(),
            b_ready: self.writer.b_ready(),
        };
        let is_running = !self.is_idle();
        let spent = Spent {
            cause: if mm.row {
                cause::ARRAY
            } else if mm.wait {
                cause::WEIGHTS
            } else if !self.mm.is_idle() {
                cause::DRAIN
            } else if !vec.ready {
                cause::VEC
            } else if self.queues[0].is_at_work() {
                cause::LOAD
            } else if self.queues[3].is_at_work() {
                cause::STORE
            } else if offers.iter().any(|now| now.misses_token) {
                cause::TOKENS
            } else {
                cause::FETCH
            },
            read: driven.r_valid && r_ready,
            fetched: expected == Some(false),
            write: asked.w_valid && driven.w_ready,
            retires: [retires[0], retires[1], retires[2], retires[3], fetch.control.is_some()],
            is_running,
        };

        // The clock edge.
        let (fetch_ar, load_ar) = (self.fetch_reader.ar(), self.load_reader.ar());
        let fetch_cmd = (self.fetch.state == Fetches::Ask).then_some(self.fetch_cmd);
        let load_cmd = self.load.cmd();
        let of = |b: bool| beat.filter(|_| expected == Some(b));
        let r_ends = r_ready && driven.r_valid && driven.r_last;
        self.arbiter.step(fetch_ar, load_ar, driven.ar_ready, r_ends);
        self.fetch_reader.step(fetch_read, (a_free, flush), fetch_cmd, of(false), fetch.beat_ready);
        self.load_reader.step(load_read, (b_free, false), load_cmd, of(true), load.beat_ready);
        let store = match work(3) {
            Some(Work::Store(beat, beats)) => Some((beat, beats)),
            _ => None,
        };
        self.writer.step(store, vec.out_valid, (driven.aw_ready, driven.w_ready, driven.b_valid));
        let instr = match work(0) {
            Some(Work::Load(work)) => Some(work),
            _ => None,
        };
        self.load.step(load, instr, load_read.cmd_ready, load_beat, weight_ready);
        let instr = match work(1) {
            Some(Work::Mm(work)) => Some(work),
            _ => None,
        };
        self.mm.step(time, mm, instr, load.weight_valid);
        let instr = match work(2) {
            Some(Work::Vec(work)) => Some(work),
            _ => None,
        };
        self.vec.step(time, vec, instr, out_ready);
        let push = fetch.push.map(|at| (at, plan.headers[at as usize]));
        let mut next = tokens;
        for q in 0..4 {
            let push = push.filter(|(_, header): &(u32, Header)| usize::from(header.queue) == q);
            self.queues[q].step(q, offers[q], push, readies[q], retires[q], (&tokens, &mut next));
        }
        self.tokens = next;
        self.fetch.step(fetch, start, fetch_read.cmd_ready, fetch_idle);
        self.memory.observe(time, &driven, &asked);
        let event = spent.retires.iter().any(|&r| r) || start || !is_running;
        self.silent_cycles = if event { 0 } else { self.silent_cycles + 1 };
        spent
    }
}

/// Runs a program's control from its start to its end; `lead_cycles` pass before the start, as software's writes of
/// registers take them. `see` is shown each cycle of the run.
pub(super) fn run(
    sizes: &Sizes,
    program: &Program,
    timing: Timing,
    seen: &Seen,
    lead_cycles: u64,
    mut see: impl FnMut(&Spent),
) -> Result<Clock, Error> {
    let plan = Plan::new(sizes, program, seen)?;
    let mut machine = Machine::new(sizes, program, timing);
    for _ in 0..lead_cycles {
        machine.cycle(&plan, false);
    }
    let mut clock = Clock::default();
    let mut start = true;
    let limit = u64::from(regs::register("WATCHDOG").map_or(0, |r| r.reset));
    loop {
        let spent = machine.cycle(&plan, start);
        clock.read_beats += u64::from(spent.read);
        clock.write_beats += u64::from(spent.write);
        clock.instructions += spent.retires.iter().map(|&r| u64::from(r)).sum::<u64>();
        if spent.is_running {
            clock.cycles += 1;
            clock.stalls[spent.cause] += 1;
            see(&spent);
        }
        start = false;
        if machine.is_idle() {
            return Ok(clock);
        }
        if machine.silent_cycles >= limit {
            return Err(Error::Run(format!(
                "watchdog: no instruction retired for {limit} cycles, after {} of {} instructions",
                clock.instructions,
                program.instrs.len()
            )));
        }
    }
}
