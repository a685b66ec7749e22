//! The whole accelerator in the step simulator: memory behind its master, software in front of its registers.

mod lite;
pub mod profile;
mod tap;

use hdl::rtl::Design;
use spec::isa::{OutputKind, Program};
use spec::regs;

use self::lite::Lite;
use self::tap::Tap;
use crate::engine::bench::{Bench, RESET};
use crate::engine::frame::Field;
use crate::error::Error;
pub use crate::host::Counters;
use crate::host::{Host, driver};
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
    tap: Tap,
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
        let mut accelerator =
            Self { bench, memory, ports, lite, irq, reset, record: None, tap: Tap::default(), inputs, outputs };
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
        let mut goes_on = true;
        let (inputs, tap) = (&self.inputs, &mut self.tap);
        self.bench.cycle_given(inputs, &mut self.outputs, |stepper, outputs| {
            see(stepper);
            goes_on = tap.cycle(inputs, outputs, stepper);
        });
        if !goes_on {
            return Err(Error::Run("stopped by who watches its cycles".into()));
        }
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

    /// Shows every cycle from now on, register accesses and resets included, to `tap`: input frame, output frame, all
    /// signals just before the clock edge. When it says false, what runs ends with [`Error::Run`].
    pub fn tap(&mut self, tap: impl FnMut(&[u64], &[u64], &Stepper) -> bool + Send + 'static) {
        self.tap = Tap::new(tap);
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
        driver::write(self, name, value)
    }

    /// Reads a register.
    ///
    /// # Errors
    /// [`Error::Run`] for a register that is none, and if no answer comes.
    pub fn read(&mut self, name: &str) -> Result<u32, Error> {
        driver::read(self, name)
    }

    /// Cycles until the register block has answered.
    fn answer(&mut self, offset: u32) -> Result<u32, Error> {
        for _ in 0..100 {
            self.clock(true, &mut |_| {})?;
            if let Some((resp, data)) = self.lite.answer() {
                return if resp == 0 { Ok(data) } else { Err(Error::Run(format!("{}: answer {resp}", named(offset)))) };
            }
        }
        Err(Error::Run(format!("{}: no answer in 100 cycles", named(offset))))
    }

    /// Puts a program and what it works on into memory and starts it; it raises the interrupt at its end.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub fn start(&mut self, program: &Program) -> Result<(), Error> {
        let placed = driver::load(self, program)?;
        driver::start(self, placed)
    }

    /// Cycles until the interrupt; `see` is shown all signals of each.
    ///
    /// # Errors
    /// [`Error::Run`] if a run ends with an error, or not within `most` cycles.
    pub fn finish_run(&mut self, most: u64, see: &mut impl FnMut(&Stepper)) -> Result<(), Error> {
        for _ in 0..most {
            self.cycle(see)?;
            if self.has_ended()? {
                return Ok(());
            }
        }
        Err(Error::Run(format!("the program does not end within {most} cycles")))
    }

    /// Whether the interrupt was raised in the last cycle; then the status is read, which takes some cycles more.
    ///
    /// # Errors
    /// [`Error::Run`] if the run ended with an error.
    pub fn has_ended(&mut self) -> Result<bool, Error> {
        if !self.interrupt() {
            return Ok(false);
        }
        driver::outcome(self).map(|()| true)
    }

    /// The counters of the last run.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn counters(&mut self) -> Result<Counters, Error> {
        driver::counters(self)
    }

    /// Row `row` of an output of a program, from memory; nothing if the program has none.
    pub fn output(&self, program: &Program, kind: OutputKind, row: u32) -> Option<Vec<i64>> {
        let output = program.output(kind).filter(|o| row < o.rows)?;
        let mut bytes = vec![0; output.cols as usize * kind.bytes() as usize];
        self.memory.memory.read(output.addr + row * output.stride, &mut bytes);
        spec::isa::Output { addr: 0, rows: 1, ..output.clone() }.row(&bytes, 0)
    }
}

impl Host for Accelerator {
    fn read_reg(&mut self, offset: u32) -> Result<u32, Error> {
        self.lite.read(offset);
        self.answer(offset)
    }

    fn write_reg(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        self.lite.write(offset, value);
        self.answer(offset).map(|_| ())
    }

    /// Takes no cycle.
    fn read_mem(&mut self, addr: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.memory.memory.read(addr, bytes);
        Ok(())
    }

    /// Takes no cycle.
    fn write_mem(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Error> {
        self.memory.memory.write(addr, bytes);
        Ok(())
    }

    fn wait(&mut self, most: u64) -> Result<bool, Error> {
        for _ in 0..most {
            self.cycle(&mut |_| {})?;
            if self.interrupt() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A register, for messages.
fn named(offset: u32) -> String {
    let register = regs::REGISTERS.iter().find(|r| r.offset == offset);
    register.map_or_else(|| format!("offset {offset:#x}"), |r| format!("register {}", r.name))
}
