//! Where the cycles of a run go, told from the signals of the design in every cycle.

use spec::isa::{Field, Op, Program, Queue};
use spec::profile::{Profile, Section};

use crate::error::Error;
use crate::step::{Port, Stepper};

/// Instructions of a program by who executes them, and the section of each; counts what retires.
///
/// The queues retire their instructions in order, so that a count for each says which is the oldest that has not.
#[derive(Clone, Debug)]
pub struct Order {
    /// Section of each instruction.
    section_of: Vec<u32>,
    /// Places of the instructions of each queue, and of those that fetch handles; behind each the end of the program.
    places: [Vec<u32>; QUEUES],
    /// How many of each have retired.
    retired: [usize; QUEUES],
}

/// The four queues and fetch.
const QUEUES: usize = Queue::ALL.len() + 1;

impl Order {
    /// Nothing has retired. Sections go from one `INFO` to the next; the first one from the start on, if no `INFO` is there.
    pub fn new(program: &Program) -> (Self, Vec<Section>) {
        let mut sections: Vec<Section> = Vec::new();
        let mut order = Self { section_of: Vec::new(), places: Default::default(), retired: [0; QUEUES] };
        for (place, instr) in program.instrs.iter().enumerate() {
            if instr.op() == Op::Info {
                let tag = instr.get(Field::Tag) as u32;
                sections.push(match program.marks.iter().find(|mark| mark.tag == tag) {
                    Some(mark) => Section {
                        token: mark.token,
                        tokens: mark.tokens,
                        layer: mark.layer,
                        operator: mark.operator.clone(),
                        macs: mark.macs,
                        compulsory_bytes: mark.compulsory_bytes,
                        ..Section::default()
                    },
                    None => Section { operator: format!("tag {tag}"), ..Section::default() },
                });
            } else if sections.is_empty() {
                sections.push(Section { operator: "start".into(), ..Section::default() });
            }
            let section = sections.len() - 1;
            sections[section].instructions += 1;
            order.section_of.push(section as u32);
            order.places[instr.op().queue() as usize].push(place as u32);
        }
        if sections.is_empty() {
            sections.push(Section::default());
        }
        for places in &mut order.places {
            places.push(program.instrs.len() as u32);
        }
        (order, sections)
    }

    /// The oldest instruction of a queue (by its place in [`Queue::ALL`], fetch behind them) that has not retired.
    fn oldest_of(&self, queue: usize) -> usize {
        self.places[queue][self.retired[queue]] as usize
    }

    /// Section of the oldest instruction that has not retired; the last one when all have.
    pub fn section(&self) -> usize {
        self.section_at((0..QUEUES).map(|queue| self.oldest_of(queue)).min().unwrap_or(usize::MAX))
    }

    /// Section of the oldest instruction of a queue that has not retired; that of the oldest of all if there is none.
    pub fn section_in(&self, queue: Queue) -> usize {
        match self.section_of.get(self.oldest_of(queue as usize)) {
            Some(section) => *section as usize,
            None => self.section(),
        }
    }

    fn section_at(&self, place: usize) -> usize {
        self.section_of.get(place).or(self.section_of.last()).map_or(0, |section| *section as usize)
    }

    /// The oldest instruction of that queue retires.
    pub fn retire(&mut self, queue: Queue) {
        self.retire_in(queue as usize);
    }

    /// [`Self::retire`] by the queue's place, fetch behind them.
    pub(crate) fn retire_in(&mut self, queue: usize) {
        self.retired[queue] = (self.retired[queue] + 1).min(self.places[queue].len() - 1);
    }
}

/// Signals that say what a cycle was.
#[derive(Clone, Copy, Debug)]
struct Ports {
    running: Port,
    cause: Port,
    retires: [Port; QUEUES],
    read: Port,
    /// The beat that is read is one of instructions.
    fetched: Port,
    write: Port,
}

impl Ports {
    fn new(stepper: &Stepper) -> Result<Self, Error> {
        let sequencer = |name: &str| stepper.signal(&format!("u_core.u_front.u_sequencer.{name}"));
        let [load, mm, vec, store] = Queue::ALL.map(|queue| sequencer(&format!("{}_retire_i", queue.name())));
        Ok(Self {
            running: stepper.signal("core_running_now")?,
            cause: stepper.signal("now_cause")?,
            retires: [load?, mm?, vec?, store?, sequencer("control_retires")?],
            read: stepper.signal("core_read_taken_now")?,
            fetched: stepper.signal("u_core.u_front.u_memory.fetch_r_valid")?,
            write: stepper.signal("core_write_taken_now")?,
        })
    }
}

/// Attributes the cycles of a run of `hdl::unit::top` to the sections of its program.
///
/// Show it every cycle of the run, from [`super::Accelerator::start`] on. Cycles, causes, beats and retired instructions are
/// taken from the signals that drive the hardware's counters.
#[derive(Debug)]
pub struct Profiler {
    order: Order,
    sections: Vec<Section>,
    ports: Ports,
    beat_bytes: u64,
    macs_per_cycle: u64,
    cycles: u64,
}

impl Profiler {
    /// For a program that is about to start.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the design is not the accelerator's top.
    pub fn new(stepper: &Stepper, program: &Program) -> Result<Self, Error> {
        let (order, sections) = Order::new(program);
        let machine = &program.machine;
        Ok(Self {
            order,
            sections,
            ports: Ports::new(stepper)?,
            beat_bytes: machine.beat_bytes.into(),
            macs_per_cycle: u64::from(machine.rows) * u64::from(machine.cols),
            cycles: 0,
        })
    }

    /// A cycle, just before its clock edge.
    pub fn see(&mut self, stepper: &Stepper) {
        let ports = &self.ports;
        if stepper.get(ports.running) == 0 {
            return;
        }
        self.cycles += 1;
        let now = self.order.section();
        let section = &mut self.sections[now];
        section.cycles += 1;
        section.stalls[stepper.get(ports.cause) as usize] += 1;
        if stepper.get(ports.read) == 1 {
            let of = if stepper.get(ports.fetched) == 1 { now } else { self.order.section_in(Queue::Load) };
            self.sections[of].read_bytes += self.beat_bytes;
        }
        if stepper.get(ports.write) == 1 {
            self.sections[self.order.section_in(Queue::Store)].write_bytes += self.beat_bytes;
        }
        for (queue, port) in ports.retires.iter().enumerate() {
            if stepper.get(*port) == 1 {
                self.order.retire_in(queue);
            }
        }
    }

    /// Cycles of the run so far.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// The section that has the current cycle, and its place.
    pub fn now(&self) -> (usize, &Section) {
        let place = self.order.section();
        (place, &self.sections[place])
    }

    /// Sections of the program.
    pub fn sections(&self) -> usize {
        self.sections.len()
    }

    /// What was seen so far.
    pub fn profile(&self, config_hash: &str) -> Profile {
        Profile::new(self.sections.clone(), config_hash.into(), self.macs_per_cycle, self.beat_bytes)
    }
}
