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
    /// Section that each load is for.
    loads: Vec<u32>,
    /// Places of the instructions of each queue, and of those that fetch handles; behind each the end of the program.
    places: [Vec<u32>; QUEUES],
    /// How many of each have retired.
    retired: [usize; QUEUES],
}

/// Sections, its own included, among which the user of what a load brings is looked for.
const AHEAD: usize = 8;

/// The four queues and fetch.
const QUEUES: usize = Queue::ALL.len() + 1;

impl Order {
    /// Nothing has retired. Sections go from one `INFO` to the next; the first one from the start on, if no `INFO` is there.
    pub fn new(program: &Program) -> (Self, Vec<Section>) {
        let mut sections: Vec<Section> = Vec::new();
        let mut order =
            Self { section_of: Vec::new(), loads: Vec::new(), places: Default::default(), retired: [0; QUEUES] };
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
        for &place in &order.places[Queue::Load as usize] {
            let (instr, own) = (&program.instrs[place as usize], order.section_of[place as usize] as usize);
            let name = name_at(program, instr.find(Field::Addr).unwrap_or(0) as u32);
            let near = sections.iter().enumerate().skip(own).take(AHEAD);
            let user = near.clone().find(|(_, section)| is_of(name, section)).map_or(own, |(place, _)| place);
            order.loads.push(user as u32);
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

    /// Section of the oldest instruction that has not retired, loads left out; the last one when all have. A load stands
    /// before what uses it, and what waits for it has the cycle.
    pub fn section(&self) -> usize {
        let queues = (0..QUEUES).filter(|&queue| queue != Queue::Load as usize);
        self.section_at(queues.map(|queue| self.oldest_of(queue)).min().unwrap_or(usize::MAX))
    }

    /// Section that what is loaded now is for; [`Self::section`] if all loads have retired.
    pub fn loading(&self) -> usize {
        let load = self.retired[Queue::Load as usize];
        self.loads.get(load).map_or_else(|| self.section(), |section| *section as usize)
    }

    /// Section of the oldest store that has not retired; [`Self::section`] if all have.
    pub fn storing(&self) -> usize {
        let section = self.section_of.get(self.oldest_of(Queue::Store as usize));
        section.map_or_else(|| self.section(), |section| *section as usize)
    }

    fn section_at(&self, place: usize) -> usize {
        self.section_of.get(place).or(self.section_of.last()).map_or(0, |section| *section as usize)
    }

    /// How many instructions of that queue have retired.
    pub fn retired(&self, queue: Queue) -> usize {
        self.retired[queue as usize]
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

/// Name of the memory at an address.
fn name_at(program: &Program, addr: u32) -> &str {
    let after = program.segments.partition_point(|segment| segment.addr <= addr);
    after.checked_sub(1).map_or("", |place| program.segments[place].name.as_str())
}

/// Whether memory of that name belongs to what a section does: `model.layers.0.self_attn.q_proj.weight`.
fn is_of(name: &str, section: &Section) -> bool {
    let of_layer = match section.layer {
        Some(layer) => name.starts_with(&format!("model.layers.{layer}.")),
        None => !name.starts_with("model.layers."),
    };
    of_layer && name.split('.').any(|part| part == section.operator)
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
            running: stepper.signal("running")?,
            cause: stepper.signal("cause")?,
            retires: [load?, mm?, vec?, store?, sequencer("control_retires")?],
            read: stepper.signal("read_taken")?,
            fetched: stepper.signal("u_core.u_front.u_memory.fetch_r_valid")?,
            write: stepper.signal("write_taken")?,
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
            let of = if stepper.get(ports.fetched) == 1 { now } else { self.order.loading() };
            self.sections[of].read_bytes += self.beat_bytes;
        }
        if stepper.get(ports.write) == 1 {
            self.sections[self.order.storing()].write_bytes += self.beat_bytes;
        }
        for (queue, port) in ports.retires.iter().enumerate() {
            if stepper.get(*port) == 1 {
                self.order.retire_in(queue);
            }
        }
    }

    /// How far the program has come.
    pub fn order(&self) -> &Order {
        &self.order
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

    /// What was seen so far: sections up to the current one; when the program has ended, all.
    pub fn profile(&self, config_hash: &str) -> Profile {
        let sections = self.sections[..=self.order.section()].to_vec();
        Profile::new(sections, config_hash.into(), self.macs_per_cycle, self.beat_bytes)
    }
}
