//! Co-simulation of the whole accelerator while a whole program runs.
//!
//! `step` runs ahead with the memory model and software's side of the registers and records the inputs of every cycle;
//! Verilator replays them. In every cycle of a run from zero **all outputs** of the top are compared, Verilator's with
//! `step`'s, and so are the **inner signals** of [`probes`] (what starts and retires in each queue, the write ports of VB,
//! PB, S, act and acc, the words that enter the weight FIFO, the beats of the out stream, the tag) with their payloads
//! while valid. After random starts the payloads of ports count while their `valid` is high.
//!
//! **Golden** runs the program beside them as far as the hardware has come. When an instruction retires, all that it has
//! written is compared with what golden says, by (instruction, place), and it must have written nowhere else; words of
//! the FIFO, bytes of the out stream and bytes that leave for DRAM are compared when they come. At the end all counters,
//! read through AXI4-Lite, must add up, and the program's whole memory must be golden's.
//!
//! Of Verilog whose inner signals have other names (a netlist) the outputs alone are compared with `step`; the writes on
//! the chip that golden is compared with are then `step`'s, those to DRAM are both models'.
//! [`TopCosim::has_probes`] says which it is.

mod check;
mod counted;
mod fault;
mod fields;
mod golden;
pub mod probes;
mod produce;
mod retire;
mod shadow;
mod state;
mod tell;
mod watch;
mod writes;

use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use hdl::rtl::Design;
use sim::accel::Counters;
use sim::memory::{SparseMemory, Timing};
use sim::step::Stepper;
use spec::isa::{Machine, Mark, Output, OutputKind, Program};
use spec::verdict::{Mismatch, Verdict};
use spec::{Config, Problem};

use self::check::TopChecker;
use self::probes::{TopProbe, plain, top_probes, verilog};
use self::produce::{Finish, produce};
pub use self::tell::mark_text;
use crate::bench::TestBench;
use crate::check::after_reset;
use crate::engine::{Options, Sources, generate};
use crate::error::Error;
use crate::recent::{Recent, pairs};
use crate::replay::{Batch, replay};
use crate::rtl::{Model, ModelStart, read_sources};
use crate::wave::Wave;

/// An accelerator, built for the step simulator and under Verilator.
pub struct TopCosim {
    config: Config,
    design: Design,
    probes: Vec<TopProbe>,
    bench: TestBench,
    has_probes: bool,
    model: Model,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct TopProgress<'a> {
    /// Cycles compared.
    pub cycles: u64,
    /// Instructions that have retired, and how many the program has.
    pub instructions: (u64, u64),
    /// What is being done: the mark of the oldest instruction that has not retired.
    pub mark: Option<&'a Mark>,
}

/// A run, and what was found.
#[derive(Debug)]
pub struct TopRun {
    /// What was compared.
    pub verdict: Verdict,
    /// Instructions that retired and whose writes were golden's.
    pub instructions_checked: u64,
    /// The counters, as the registers tell them; nothing if the run did not come to its end.
    pub counters: Option<Counters>,
    /// Memory at the end; nothing if the run did not come to its end.
    pub memory: Option<SparseMemory>,
    /// Time of the run, without building.
    pub elapsed: Duration,
    /// Time for which `step` itself worked.
    pub step_busy: Duration,
}

impl TopRun {
    /// Cycles of all models together in a second.
    pub fn cycles_per_second(&self) -> f64 {
        self.verdict.cycles as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Row `row` of an output of the program, as the accelerator stored it.
    pub fn output(&self, program: &Program, kind: OutputKind, row: u32) -> Option<Vec<i64>> {
        let output = program.output(kind).filter(|o| row < o.rows)?;
        let mut bytes = vec![0; output.cols as usize * kind.bytes() as usize];
        self.memory.as_ref()?.read(output.addr + row * output.stride, &mut bytes);
        Output { addr: 0, rows: 1, ..output.clone() }.row(&bytes, 0)
    }

    /// The generated tokens, as the accelerator stored them.
    pub fn tokens(&self, program: &Program) -> Vec<u32> {
        let rows = program.output(OutputKind::Tokens).map_or(0, |output| output.rows);
        let row = |row| self.output(program, OutputKind::Tokens, row);
        (0..rows).filter_map(row).flatten().map(|token| token as u32).collect()
    }
}

impl TopCosim {
    /// Builds both models of the accelerator; it can then run any program that was lowered for the Config.
    ///
    /// # Errors
    /// [`Error::Hdl`] for a Config without an accelerator, [`Error::Tool`] if Verilator or the compiler is missing or does
    /// not accept the Verilog.
    pub fn new(config: &Config, sources: &Sources, options: &Options) -> Result<Self, Error> {
        let design = Design::new(hdl::unit::top::top(config)?);
        let files = match sources {
            Sources::Generated => generate(config, &design)?,
            Sources::Folder(folder) => read_sources(folder)?,
            Sources::Given(files) => files.clone(),
        };
        let probes = top_probes(&Stepper::new(&design)?)?;
        let signals = plain(&probes);
        let mut has_probes = true;
        let mut bench = TestBench::of(&design, &signals, |i| Some(verilog(&probes, i)));
        let mut model = Model::build(&bench, &files, options.build_timeout);
        if model.as_ref().is_err_and(Error::is_tool) && !matches!(sources, Sources::Generated) {
            has_probes = false;
            bench = TestBench::of(&design, &signals, |_| None);
            model = Model::build(&bench, &files, options.build_timeout);
        }
        Ok(Self { config: config.clone(), design, probes, bench, has_probes, model: model? })
    }

    /// The Config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the signals inside the Verilog can be read.
    pub fn has_probes(&self) -> bool {
        self.has_probes
    }

    /// Runs a program in `step`, Verilator and golden and compares them; `timing` is that of the memory.
    ///
    /// # Errors
    /// [`Error::Sim`] for a program of another machine, [`Error::Golden`] for one that does what it must not,
    /// [`Error::Tool`] if Verilator's process dies, [`Error::Io`]. A mismatch is not an error, and neither is a design that
    /// hangs.
    pub fn run(
        &self,
        program: &Program,
        timing: Timing,
        options: &Options,
        mut progress: impl FnMut(&TopProgress),
    ) -> Result<TopRun, Error> {
        let machine = Machine::new(&self.config);
        if program.machine != machine {
            let (found, wanted) = (format!("{:?}", program.machine), format!("{machine:?}"));
            let problem = Problem::new("program.machine", found, wanted, "lower the model for this Config");
            return Err(sim::Error::Invalid(problem).into());
        }
        let start = Instant::now();
        let frames = (&self.bench.inputs, &self.bench.outputs);
        let rtl_seed = options.random_start.map(|(_, rtl)| rtl);
        let random = rtl_seed.is_some();
        let mut checker = TopChecker::new(program, &self.probes, frames, self.has_probes, random)?;
        let create = |path: &PathBuf| Wave::create(path, frames.0, frames.1);
        let mut wave = options.vcd.as_ref().map(create).transpose()?;
        let (mut first, mut recent, mut cycles) = (None, Recent::default(), 0);
        let total = program.instrs.len() as u64;
        let compare = |batch: &Batch, rtl: &[u64]| {
            cycles = batch.first_cycle + batch.cycles as u64;
            first = compare_batch(&mut checker, wave.as_mut(), batch, rtl)?;
            progress(&TopProgress { cycles, instructions: (checker.retired(), total), mark: checker.mark() });
            recent.keep(batch, rtl);
            Ok(first.is_none())
        };
        let produce = |sender: SyncSender<Batch>| {
            produce(&self.design, &self.probes, &self.bench.outputs, (program, timing, options), sender)
        };
        let model_start =
            ModelStart { random: rtl_seed, plusargs: options.plusargs.clone(), timeout: options.batch_timeout };
        let finish = replay(&self.model, &model_start, produce, compare)?;
        if let (None, Some(finish)) = (&first, &finish) {
            first = at_the_end(&mut checker, finish, program, cycles)?;
        }
        if let Some(wave) = wave {
            wave.finish()?;
        }
        let mut verdict = Verdict {
            cycles,
            cycles_checked: checker.cycles_checked,
            golden_values_checked: checker.values_checked,
            mismatches: u64::from(first.is_some()),
            first: None,
        };
        if let Some(mut mismatch) = first {
            mismatch.repeat.clone_from(&options.repeat);
            if let Some(path) = &options.mismatch_vcd {
                let written = create(path).and_then(|wave| recent.write(mismatch.cycle, wave));
                // The mismatch is told in any case; where its waves cannot be written, without them.
                mismatch.vcd = written.is_ok().then(|| path.display().to_string());
            }
            verdict.first = Some(mismatch);
        }
        let (counters, memory, step_busy) = match finish {
            Some(finish) => (finish.counters, Some(finish.memory), finish.busy),
            None => (None, None, Duration::ZERO),
        };
        let instructions_checked = checker.retired();
        Ok(TopRun { verdict, instructions_checked, counters, memory, elapsed: start.elapsed(), step_busy })
    }
}

/// What can only be compared when a run has ended.
fn at_the_end(
    checker: &mut TopChecker,
    finish: &Finish,
    program: &Program,
    cycles: u64,
) -> Result<Option<Mismatch>, Error> {
    let last = cycles.saturating_sub(1);
    if let Some(failure) = &finish.failure {
        return Ok(Some(checker.tell_end(last, failure)));
    }
    if let Some(found) = checker.missing(last)? {
        return Ok(Some(found));
    }
    if let Some(found) = finish.counters.as_ref().and_then(|c| counted::wrong(c, program, finish.beats)) {
        return Ok(Some(Mismatch { cycle: after_reset(last), ..found }));
    }
    checker.memory(|addr, bytes| finish.memory.read(addr, bytes), last)
}

fn compare_batch(
    checker: &mut TopChecker,
    mut wave: Option<&mut Wave>,
    batch: &Batch,
    rtl: &[u64],
) -> Result<Option<Mismatch>, Error> {
    let mut found = None;
    for pair in pairs(batch, rtl) {
        if let Some(wave) = wave.as_deref_mut() {
            wave.cycle(after_reset(pair.cycle), pair.inputs, pair.step, pair.rtl)?;
        }
        // With a wave file the rest of the batch is still wanted.
        if found.is_none() {
            found = checker.cycle(&pair)?;
            if found.is_some() && wave.is_none() {
                break;
            }
        }
    }
    Ok(found)
}
