//! The whole accelerator in the step simulator: memory behind its master, software in front of its registers.

mod lite;
pub mod profile;

use hdl::rtl::Design;
use spec::isa::{OutputKind, Program};
use spec::regs;

use self::lite::Lite;
use crate::engine::bench::{Bench, RESET};
use crate::engine::frame::Field;
use crate::error::Error;
use crate::memory::{AxiMemory, AxiPorts, SparseMemory, Timing};
use crate::step::Stepper;

/// Cycles of reset at the beginning.
pub const RESET_CYCLES: u64 = 2;

/// An accelerator, its memory, and the registers' other side.
#[derive(Debug)]
pub struct Accelerator {
    /// The design; its signals may be read between cycles.
    pub bench: Bench,
    /// The memory.
    pub memory: AxiMemory,
    ports: AxiPorts,
    lite: Lite,
    irq: Field,
    reset: Field,
    record: Option<Record>,
    inputs: Vec<u64>,
    outputs: Vec<u64>,
}

/// Input and output frames of every cycle.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Inputs, reset included.
    pub inputs: Vec<Vec<u64>>,
    /// Outputs.
    pub outputs: Vec<Vec<u64>>,
}

/// Counters of a run, as its registers tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(Vec<(&'static str, u64)>);

impl Counters {
    /// The counter of that name; nothing if there is none.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    /// Names and values, in the order of the registers.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Sum of the causes: the elapsed cycles.
    pub fn causes(&self) -> u64 {
        regs::STALLS.iter().filter_map(|(name, _)| self.get(name)).sum()
    }
}

impl Accelerator {
    /// The design that `hdl::unit::top` describes, in reset and out of it again.
    ///
    /// # Errors
    /// Those of [`Bench::new`]; [`Error::Run`] for a design without its ports.
    pub fn new(design: &Design, timing: Timing) -> Result<Self, Error> {
        let bench = Bench::new(design, &[])?;
        let ports = AxiPorts::amba(&bench.inputs, &bench.outputs, "m_axi");
        let lite = Lite::new(&bench.inputs, &bench.outputs)?;
        let field = |name: &str| lite::field(&bench.inputs, &bench.outputs, name);
        let (irq, reset) = (field("irq_o")?, field(RESET)?);
        let memory = AxiMemory::new(SparseMemory::new(), ports.beat_bytes, timing);
        let (inputs, outputs) = (vec![0; bench.inputs.words], vec![0; bench.outputs.words]);
        let mut accelerator = Self { bench, memory, ports, lite, irq, reset, record: None, inputs, outputs };
        accelerator.reset()?;
        Ok(accelerator)
    }

    /// Cycles of reset; the memory keeps what was written.
    ///
    /// # Errors
    /// None today; those of [`Self::cycle`].
    pub fn reset(&mut self) -> Result<(), Error> {
        self.memory.reset();
        for _ in 0..RESET_CYCLES {
            self.clock(false, &mut |_| {})?;
        }
        Ok(())
    }

    /// One clock cycle; `see` is shown all signals just before the clock edge.
    ///
    /// # Errors
    /// [`Error::Run`] for a breach of AXI's protocol.
    pub fn cycle(&mut self, see: &mut impl FnMut(&Stepper)) -> Result<(), Error> {
        self.clock(true, see)
    }

    fn clock(&mut self, out_of_reset: bool, see: &mut impl FnMut(&Stepper)) -> Result<(), Error> {
        self.inputs.fill(0);
        self.reset.put(&mut self.inputs, &[out_of_reset.into()]);
        if out_of_reset {
            self.ports.put(self.memory.drive(), &mut self.inputs);
            self.lite.put(&mut self.inputs);
        }
        self.bench.cycle_seen(&self.inputs, &mut self.outputs, |stepper| see(stepper));
        if let Some(record) = &mut self.record {
            record.inputs.push(self.inputs.clone());
            record.outputs.push(self.outputs.clone());
        }
        if out_of_reset {
            self.lite.take(&self.outputs);
            let (ports, outputs) = (&self.ports, &self.outputs);
            self.memory.observe(|sample| ports.take(outputs, sample)).map_err(|v| Error::Run(v.to_string()))?;
        }
        Ok(())
    }

    /// Starts again in reset with all registers and memories at zero, and keeps the frames of every cycle from there on.
    ///
    /// # Errors
    /// Those of [`Self::reset`].
    pub fn record(&mut self) -> Result<(), Error> {
        self.bench.stepper.zero();
        self.record = Some(Record::default());
        self.reset()
    }

    /// What was kept since [`Self::record`].
    pub fn take_record(&mut self) -> Record {
        self.record.take().unwrap_or_default()
    }

    /// Cycles until no program runs and no soft reset is under way.
    ///
    /// # Errors
    /// [`Error::Run`] if that takes more than about `most` cycles.
    pub fn wait_until_idle(&mut self, most: u64) -> Result<(), Error> {
        let end = self.memory.cycle() + most;
        while self.read("STATUS")? & 1 == 1 {
            if self.memory.cycle() > end {
                return Err(Error::Run(format!("it is still busy after {most} cycles")));
            }
        }
        Ok(())
    }

    /// Whether the interrupt was raised in the last cycle.
    pub fn interrupt(&self) -> bool {
        self.irq.get(&self.outputs) == 1
    }

    /// Writes a register.
    ///
    /// # Errors
    /// [`Error::Run`] for a register that is none or is only read, and if no answer comes.
    pub fn write(&mut self, name: &str, value: u32) -> Result<(), Error> {
        self.lite.write(offset(name)?, value);
        self.finish(name).map(|_| ())
    }

    /// Reads a register.
    ///
    /// # Errors
    /// [`Error::Run`] for a register that is none, and if no answer comes.
    pub fn read(&mut self, name: &str) -> Result<u32, Error> {
        self.read_at(offset(name)?, name)
    }

    fn read_at(&mut self, offset: u32, name: &str) -> Result<u32, Error> {
        self.lite.read(offset);
        self.finish(name)
    }

    /// Cycles until the register block has answered.
    fn finish(&mut self, name: &str) -> Result<u32, Error> {
        for _ in 0..100 {
            self.clock(true, &mut |_| {})?;
            if let Some((resp, data)) = self.lite.answer() {
                return if resp == 0 { Ok(data) } else { Err(Error::Run(format!("register {name}: answer {resp}"))) };
            }
        }
        Err(Error::Run(format!("register {name}: no answer in 100 cycles")))
    }

    /// Puts a program and what it works on into memory and starts it; it raises the interrupt at its end.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub fn start(&mut self, program: &Program) -> Result<(), Error> {
        for segment in &program.segments {
            self.memory.memory.write(segment.addr, &segment.data);
            let rest = vec![0; (segment.len as usize).saturating_sub(segment.data.len())];
            self.memory.memory.write(segment.addr + segment.data.len() as u32, &rest);
        }
        let addr = program.memory_bytes().next_multiple_of(4096);
        let Ok(addr) = u32::try_from(addr) else {
            return Err(Error::Run(format!("the program would stand at {addr:#x}, beyond 32 bits of address")));
        };
        for (i, instr) in program.instrs.iter().enumerate() {
            self.memory.memory.write(addr + 16 * i as u32, &instr.encode().to_le_bytes());
        }
        self.write("PROGRAM_ADDR", addr)?;
        self.write("PROGRAM_LENGTH", program.instrs.len() as u32)?;
        self.write("IRQ_STATUS", 3)?;
        self.write("IRQ_ENABLE", 3)?;
        self.write("CONTROL", 1)
    }

    /// Cycles until the interrupt; `see` is shown all signals of each.
    ///
    /// # Errors
    /// [`Error::Run`] if a run ends with an error, or not within `most` cycles.
    pub fn finish_run(&mut self, most: u64, see: &mut impl FnMut(&Stepper)) -> Result<(), Error> {
        for _ in 0..most {
            self.cycle(see)?;
            if self.interrupt() {
                let status = self.read("STATUS")?;
                if status >> 2 & 1 == 0 {
                    return Ok(());
                }
                let code = (status >> 8 & 0xff) as usize;
                let (name, meaning) = regs::ERROR_CODES.get(code).copied().unwrap_or(("?", "an unknown error"));
                let (addr, detail) = (self.read("ERROR_ADDR")?, self.read("ERROR_DETAIL")?);
                return Err(Error::Run(format!("{name}: {meaning} (address {addr:#010x}, queues {detail:#010x})")));
            }
        }
        Err(Error::Run(format!("the program does not end within {most} cycles")))
    }

    /// The counters of the last run.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn counters(&mut self) -> Result<Counters, Error> {
        let mut counters = Vec::new();
        for (index, (name, _)) in (0..regs::COUNTER_COUNT).filter_map(|i| Some((i, regs::counter(i)?))) {
            let at = regs::counter_offset(index as u32);
            let low = self.read_at(at, name)?;
            counters.push((name, u64::from(low) | u64::from(self.read_at(at + 4, name)?) << 32));
        }
        Ok(Counters(counters))
    }

    /// Row `row` of an output of a program, from memory; nothing if the program has none.
    pub fn output(&self, program: &Program, kind: OutputKind, row: u32) -> Option<Vec<i64>> {
        let output = program.output(kind).filter(|o| row < o.rows)?;
        let mut bytes = vec![0; output.cols as usize * kind.bytes() as usize];
        self.memory.memory.read(output.addr + row * output.stride, &mut bytes);
        spec::isa::Output { addr: 0, rows: 1, ..output.clone() }.row(&bytes, 0)
    }
}

fn offset(name: &str) -> Result<u32, Error> {
    regs::register(name).map(|r| r.offset).ok_or_else(|| Error::Run(format!("there is no register {name}")))
}
