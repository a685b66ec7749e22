//! Co-simulation of the tile engine on one linear layer.

use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use golden::linear::Prepared;
use hdl::rtl::emit::Header;
use hdl::rtl::module::Design;
use sim::engine::{End, EngineRun, Probe, RunOptions, Start, engine_design};
use sim::lower::{EngineProgram, Order, lower_in};
use sim::memory::Channel;
use spec::Config;
use spec::qmodel::{QActs, QLinear};
use spec::verdict::{Mismatch, Verdict};

use crate::bench::TestBench;
use crate::check::{Checker, after_reset};
use crate::error::Error;
use crate::probes::engine_probes;
use crate::recent::{Recent, pairs};
use crate::replay::{Batch, replay};
use crate::rtl::{Model, ModelStart, Source, read_sources};
use crate::wave::Wave;

/// Where the Verilog comes from.
#[derive(Clone, Debug, Default)]
pub enum Sources {
    /// From the generator.
    #[default]
    Generated,
    /// From a folder, as it stands.
    Folder(PathBuf),
    /// From memory: file names and texts.
    Given(Vec<Source>),
}

/// Options of a co-simulation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of random stalls on both streams of the tile engine; none without. Those of a memory belong to its timing.
    pub stall_seed: Option<u64>,
    /// Seeds of `step`'s and of Verilator's registers and memories at power-up; zeros without.
    pub random_start: Option<(u64, u64)>,
    /// Wave file of the whole run, both models side by side.
    pub vcd: Option<PathBuf>,
    /// Wave file of the cycles around a mismatch, written only if there is one.
    pub mismatch_vcd: Option<PathBuf>,
    /// Arguments for `$value$plusargs` and `$test$plusargs` of Verilog that was not generated here, `+` included.
    pub plusargs: Vec<String>,
    /// The command that repeats the run, for a mismatch to name.
    pub repeat: String,
    /// Of the whole accelerator: most cycles between two retired instructions, instead of what the registers hold after
    /// reset.
    pub watchdog_cycles: Option<u32>,
    /// Of the whole accelerator: a channel of memory that stands still from that item on.
    pub hang: Option<(Channel, u64)>,
    /// Time for building the model.
    pub build_timeout: Duration,
    /// Time for Verilator to answer a batch of cycles.
    pub batch_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stall_seed: None,
            random_start: None,
            vcd: None,
            mismatch_vcd: None,
            plusargs: Vec::new(),
            repeat: String::new(),
            watchdog_cycles: None,
            hang: None,
            build_timeout: Duration::from_secs(1200),
            batch_timeout: Duration::from_secs(120),
        }
    }
}

/// What the cycles of a layer were spent on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Cycles from the first input beat taken to the last result beat.
    pub cycles: u64,
    /// These cycles by cause.
    pub stalls: Vec<(&'static str, u64)>,
}

/// A tile engine, built for the step simulator and under Verilator.
pub struct Cosim {
    config: Config,
    design: Design,
    probes: Vec<Probe>,
    bench: TestBench,
    has_probes: bool,
    model: Model,
}

/// Co-simulates one layer on the tile engine of `config`.
///
/// # Errors
/// Those of [`Cosim::new`] and [`Cosim::run`].
pub fn cosim(
    config: &Config,
    sources: &Sources,
    layer: &QLinear,
    acts: &QActs,
    options: &Options,
) -> Result<Verdict, Error> {
    Cosim::new(config, sources, options)?.run(layer, acts, options, |_, _| {})
}

impl Cosim {
    /// Builds both models.
    ///
    /// Verilog whose inner signals have other names (a flattened netlist) is compared at its ports alone.
    ///
    /// # Errors
    /// [`Error::Tool`] if Verilator or the compiler is missing or does not accept the Verilog.
    pub fn new(config: &Config, sources: &Sources, options: &Options) -> Result<Self, Error> {
        let design = engine_design(config)?;
        let probes = engine_probes(config);
        let files = match sources {
            Sources::Generated => generate(config, &design)?,
            Sources::Folder(folder) => read_sources(folder)?,
            Sources::Given(files) => files.clone(),
        };
        let mut has_probes = true;
        let mut bench = TestBench::new(&design, &probes, true);
        let mut model = Model::build(&bench, &files, options.build_timeout);
        let is_ours = matches!(sources, Sources::Generated);
        if model.as_ref().is_err_and(Error::is_tool) && !is_ours {
            has_probes = false;
            bench = TestBench::new(&design, &probes, false);
            model = Model::build(&bench, &files, options.build_timeout);
        }
        Ok(Self { config: config.clone(), design, probes, bench, has_probes, model: model? })
    }

    /// The Config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the sums inside the Verilog can be read.
    pub fn has_probes(&self) -> bool {
        self.has_probes
    }

    /// Runs one layer in `step`, Verilator and golden and compares them.
    ///
    /// `progress` is told the result beats compared so far and their number.
    ///
    /// # Errors
    /// [`Error::Sim`] for a layer that the engine cannot take, [`Error::Golden`] for one that is inconsistent,
    /// [`Error::Tool`] if Verilator's process dies, [`Error::Io`]. A mismatch is not an error.
    pub fn run(
        &self,
        layer: &QLinear,
        acts: &QActs,
        options: &Options,
        progress: impl FnMut(u64, u64),
    ) -> Result<Verdict, Error> {
        self.run_against(&Prepared::new(layer, acts)?, layer, acts, options, progress)
    }

    /// [`Self::run`] with golden values given.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub fn run_against(
        &self,
        golden: &Prepared,
        layer: &QLinear,
        acts: &QActs,
        options: &Options,
        progress: impl FnMut(u64, u64),
    ) -> Result<Verdict, Error> {
        Ok(self.run_timed(golden, layer, acts, options, progress)?.0)
    }

    /// [`Self::run_against`], also with the cycles that the layer took, unless a mismatch stopped it.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub fn run_timed(
        &self,
        golden: &Prepared,
        layer: &QLinear,
        acts: &QActs,
        options: &Options,
        progress: impl FnMut(u64, u64),
    ) -> Result<(Verdict, Option<Timing>), Error> {
        let program = self.lower(layer, acts, options)?;
        let produce = |sender: SyncSender<Batch>| self.produce(&program, options, |batch| sender.send(batch).is_ok());
        self.compare(&layer.name, &program, golden, options, produce, progress)
    }

    /// The input stream of a layer.
    pub(crate) fn lower(&self, layer: &QLinear, acts: &QActs, options: &Options) -> Result<EngineProgram, Error> {
        // Some seeds also make the engine hold the stream as long as it must, or give it weights before their chunk.
        let order = match options.stall_seed.map(|seed| seed % 4) {
            Some(1 | 3) => Order::Eager,
            Some(2) => Order::WeightsFirst,
            _ => Order::Overlapped,
        };
        Ok(lower_in(&self.config, layer, acts, order)?)
    }

    /// Compares what `produce` sends of `step`'s run with Verilator and golden.
    pub(crate) fn compare(
        &self,
        layer: &str,
        program: &EngineProgram,
        golden: &Prepared,
        options: &Options,
        produce: impl FnOnce(SyncSender<Batch>) -> Result<Option<(End, Timing)>, Error> + Send,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(Verdict, Option<Timing>), Error> {
        let frames = (&self.bench.inputs, &self.bench.outputs);
        let rtl_seed = options.random_start.map(|(_, rtl)| rtl);
        let not_an_engine = || sim::Error::Invalid(spec::Problem::new("design", "?", "a tile engine", "build one"));
        let mut checker = Checker::new(&self.config, program, golden, frames, self.has_probes, rtl_seed.is_some())
            .ok_or_else(not_an_engine)?;
        let create = |path: &PathBuf| Wave::create(path, frames.0, frames.1);
        let mut wave = options.vcd.as_ref().map(create).transpose()?;
        let beats = program.results.beats() as u64;
        let mut first: Option<Mismatch> = None;
        let mut recent = Recent::default();
        let mut cycles = 0;
        let compare = |batch: &Batch, rtl: &[u64]| {
            cycles = batch.first_cycle + batch.cycles as u64;
            let found = compare_batch(&mut checker, wave.as_mut(), batch, rtl)?;
            progress(checker.beats(), beats);
            recent.keep(batch, rtl);
            first = found;
            Ok(first.is_none())
        };
        let start = ModelStart { random: rtl_seed, plusargs: options.plusargs.clone(), timeout: options.batch_timeout };
        let (end, timing) = replay(&self.model, &start, produce, compare)?.unzip();
        let first = first.or_else(|| self.unfinished(&checker, end, cycles));
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
            mismatch.layer = layer.to_string();
            mismatch.repeat.clone_from(&options.repeat);
            if let Some(path) = &options.mismatch_vcd {
                let wave = Wave::create(path, frames.0, frames.1);
                let written = wave.and_then(|wave| recent.write(mismatch.cycle, wave));
                // The mismatch is told in any case; where its waves cannot be written, without them.
                mismatch.vcd = written.is_ok().then(|| path.display().to_string());
            }
            verdict.first = Some(mismatch);
        }
        Ok((verdict, timing))
    }

    /// Runs `step` and gives its cycles to `send` while that wants more; says how the run ended if it did.
    pub(crate) fn produce(
        &self,
        program: &EngineProgram,
        options: &Options,
        mut send: impl FnMut(Batch) -> bool,
    ) -> Result<Option<(End, Timing)>, Error> {
        let start = options.random_start.map_or(Start::Zero, |(step, _)| Start::Random(step));
        let options = RunOptions { stall_seed: options.stall_seed, start, refusals: true };
        let mut run = EngineRun::new(&self.config, &self.design, program, &self.probes, options)?;
        let mut batch = Batch::starting(0);
        loop {
            let end = run.step();
            let cycle = run.cycle();
            batch.push(&cycle.inputs, &cycle.outputs);
            if batch.is_full() || end.is_some() {
                let next = Batch::starting(cycle.index + 1);
                if !send(std::mem::replace(&mut batch, next)) {
                    return Ok(None);
                }
            }
            if let Some(end) = end {
                return Ok(Some((end, Timing { cycles: run.cycles(), stalls: run.stalls() })));
            }
        }
    }

    /// The mismatch of a run in which both models agreed but did not do what they should.
    fn unfinished(&self, checker: &Checker, end: Option<End>, cycles: u64) -> Option<Mismatch> {
        let point = match end {
            Some(End::Done) => checker.missing()?,
            Some(end) => end.to_string(),
            None => return None,
        };
        Some(Mismatch {
            cycle: after_reset(cycles.saturating_sub(1)),
            point,
            tile: checker.tile(),
            ..Mismatch::default()
        })
    }
}

/// The Verilog of a design as the generator writes it.
///
/// # Errors
/// [`Error::Hdl`].
pub fn generate(config: &Config, design: &Design) -> Result<Vec<Source>, Error> {
    let generator = concat!("systole ", env!("CARGO_PKG_VERSION")).to_string();
    Ok(design.emit(&Header { generator, config_hash: config.hash() })?)
}

fn compare_batch(
    checker: &mut Checker,
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
            found = checker.cycle(&pair);
            if found.is_some() && wave.is_none() {
                break;
            }
        }
    }
    Ok(found)
}
