//! One run of the tile engine: reset, both streams with their stalls, counters, a watchdog.

use std::fmt;

use hdl::rtl::module::Design;
use spec::Config;
use spec::qmodel::QRows;

use super::bench::{Bench, Probe, RESET};
use super::epilogue::Epilogue;
use super::frame::Field;
use super::stream::{MAX_STALL_CYCLES, Sink, Source, Stalls};
use crate::error::Error;
use crate::lower::EngineProgram;
use crate::step::Stepper;

/// Cycles of reset at the beginning of a run.
pub const RESET_CYCLES: u64 = 2;
/// Cycles that follow the last result, in which nothing may happen any more.
pub const TAIL_CYCLES: u64 = 16;
/// What `stall_o` says, by its value.
pub const STALL_CAUSES: [&str; 5] = ["busy", "no_command", "weights", "accumulator_bank", "other"];

/// Values of registers and memories at power-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// All zero.
    Zero,
    /// Random, from a seed.
    Random(u64),
}

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Seed of random stalls on both streams; none without.
    pub stall_seed: Option<u64>,
    /// Registers and memories at power-up.
    pub start: Start,
    /// Whether commands that the engine must refuse, and a reset after each, follow the results.
    pub refusals: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All results came and the engine is idle again.
    Done,
    /// Nothing moved for too long; names the handshake that is stuck.
    Stuck(String),
    /// The engine raised `error_o`, sent more results than it should, or was not idle after the last one.
    Wrong(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "done"),
            Self::Stuck(what) | Self::Wrong(what) => write!(f, "{what}"),
        }
    }
}

/// One recorded cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// Number of the cycle, reset included.
    pub index: u64,
    /// Input frame.
    pub inputs: Vec<u64>,
    /// Output frame.
    pub outputs: Vec<u64>,
}

/// Fields of the frames that the driver uses.
#[derive(Clone, Debug)]
struct Fields {
    reset: Field,
    in_valid: Field,
    in_data: Field,
    out_ready: Field,
    in_ready: Field,
    out_valid: Field,
    out_data: Field,
    idle: Field,
    error: Field,
    stall: Field,
}

impl Fields {
    fn new(bench: &Bench) -> Result<Self, Error> {
        let find = |frame: &super::frame::Frame, name: &'static str| {
            let missing = || Error::invalid("port", name, "a tile engine's ports", "drive a tile engine");
            frame.field(name).cloned().ok_or_else(missing)
        };
        Ok(Self {
            reset: find(&bench.inputs, RESET)?,
            in_valid: find(&bench.inputs, "s_axis_tvalid")?,
            in_data: find(&bench.inputs, "s_axis_tdata")?,
            out_ready: find(&bench.inputs, "m_axis_tready")?,
            in_ready: find(&bench.outputs, "s_axis_tready")?,
            out_valid: find(&bench.outputs, "m_axis_tvalid")?,
            out_data: find(&bench.outputs, "m_axis_tdata")?,
            idle: find(&bench.outputs, "idle_o")?,
            error: find(&bench.outputs, "error_o")?,
            stall: find(&bench.outputs, "stall_o")?,
        })
    }
}

type Beats<'a> = std::iter::Peekable<Box<dyn Iterator<Item = &'a [u64]> + Send + 'a>>;

/// A tile engine at work on one lowered layer.
pub struct EngineRun<'a> {
    /// The design.
    pub bench: Bench,
    program: &'a EngineProgram,
    fields: Fields,
    source: Source<Beats<'a>>,
    sink: Sink,
    has_stalls: bool,
    cycle: Cycle,
    next_index: u64,
    first_taken: Option<u64>,
    last_result: u64,
    quiet_cycles: u64,
    most_quiet_cycles: u64,
    tail_cycles: u64,
    counts: [u64; STALL_CAUSES.len()],
    counts_at_last_result: [u64; STALL_CAUSES.len()],
    rows: QRows,
    refusals: bool,
    epilogue: Option<Epilogue>,
    config: Config,
}

impl<'a> EngineRun<'a> {
    /// A run that has not begun.
    ///
    /// # Errors
    /// Those of [`Bench::new`].
    pub fn new(
        config: &Config,
        design: &Design,
        program: &'a EngineProgram,
        probes: &[Probe],
        options: RunOptions,
    ) -> Result<Self, Error> {
        let RunOptions { stall_seed, start, refusals } = options;
        let mut bench = Bench::new(design, probes)?;
        match start {
            Start::Zero => bench.stepper.zero(),
            Start::Random(seed) => bench.stepper.randomize(seed),
        }
        let beats: Box<dyn Iterator<Item = &'a [u64]> + Send + 'a> = Box::new(program.beats());
        // Between two rows of results every value of a row passes the requantizer twice, a quotient takes up to 8
        // cycles, and a receiver may stall.
        let (_, _, n) = program.shape;
        let most_quiet_cycles = 4096 + 16 * n as u64 + 2 * u64::from(MAX_STALL_CYCLES);
        Ok(Self {
            fields: Fields::new(&bench)?,
            source: Source::new(beats, Stalls::new(stall_seed, 0)),
            sink: Sink::new(Stalls::new(stall_seed, 1)),
            has_stalls: stall_seed.is_some(),
            cycle: Cycle { index: 0, inputs: vec![0; bench.inputs.words], outputs: vec![0; bench.outputs.words] },
            next_index: 0,
            first_taken: None,
            last_result: 0,
            quiet_cycles: 0,
            most_quiet_cycles,
            tail_cycles: 0,
            counts: [0; STALL_CAUSES.len()],
            counts_at_last_result: [0; STALL_CAUSES.len()],
            rows: program.results.empty_rows(),
            refusals,
            epilogue: None,
            config: config.clone(),
            bench,
            program,
        })
    }

    /// Simulates one cycle; says how the run ended once it has.
    pub fn step(&mut self) -> Option<End> {
        self.step_seen(|_, _| {})
    }

    /// [`Self::step`] with a look at every signal just before the clock edge of the cycle, whose number is given.
    pub fn step_seen(&mut self, see: impl FnOnce(u64, &Stepper)) -> Option<End> {
        if self.epilogue.is_some() {
            return self.refuse();
        }
        let fields = &self.fields;
        let is_reset = self.next_index < RESET_CYCLES;
        let offer = if is_reset { None } else { self.source.offer() };
        let ready = !is_reset && self.sink.is_ready();
        let inputs = &mut self.cycle.inputs;
        inputs.fill(0);
        fields.reset.put(inputs, &[u64::from(!is_reset)]);
        fields.out_ready.put(inputs, &[u64::from(ready)]);
        match offer {
            Some(beat) => {
                fields.in_valid.put(inputs, &[1]);
                fields.in_data.put(inputs, beat);
            }
            // A design that takes data without their valid shall find wrong ones.
            None if self.has_stalls => fields.in_data.put(inputs, &vec![u64::MAX; fields.in_data.words()]),
            None => {}
        }
        let index = self.next_index;
        self.bench.cycle_seen(&self.cycle.inputs, &mut self.cycle.outputs, |stepper| see(index, stepper));
        self.cycle.index = self.next_index;
        self.next_index += 1;
        if is_reset {
            return None;
        }
        self.account(offer.is_some())
    }

    /// One cycle of the epilogue.
    fn refuse(&mut self) -> Option<End> {
        let epilogue = self.epilogue.as_mut()?;
        let fields = &self.fields;
        let inputs = &mut self.cycle.inputs;
        inputs.fill(0);
        fields.reset.put(inputs, &[u64::from(!epilogue.is_reset())]);
        fields.out_ready.put(inputs, &[1]);
        let offer = epilogue.offer();
        if let Some(beat) = offer {
            fields.in_valid.put(inputs, &[1]);
            fields.in_data.put(inputs, beat);
        }
        let offered = offer.is_some();
        self.bench.cycle(&self.cycle.inputs, &mut self.cycle.outputs);
        self.cycle.index = self.next_index;
        self.next_index += 1;
        let outputs = &self.cycle.outputs;
        let is_high = |field: &Field| field.get(outputs) == 1;
        epilogue.advance(offered && is_high(&fields.in_ready), is_high(&fields.error), is_high(&fields.idle))
    }

    /// Everything that follows from the outputs of this cycle.
    fn account(&mut self, offered: bool) -> Option<End> {
        let fields = &self.fields;
        let outputs = &self.cycle.outputs;
        let taken = offered && fields.in_ready.get(outputs) == 1;
        let valid = fields.out_valid.get(outputs) == 1;
        let index = self.cycle.index;
        if fields.error.get(outputs) == 1 {
            return Some(End::Wrong(format!("error_o is high, {}", self.position())));
        }
        if taken && self.first_taken.is_none() {
            self.first_taken = Some(index);
        }
        let cause = (fields.stall.get(outputs) as usize).min(STALL_CAUSES.len() - 1);
        if self.first_taken.is_some() {
            self.counts[cause] += 1;
        }
        self.source.advance(taken);
        let was_done = self.sink.taken() == self.program.results.beats() as u64;
        let received = self.sink.advance(valid);
        if was_done {
            if valid {
                return Some(End::Wrong(format!("m_axis: a beat after the last one, {}", self.position())));
            }
            self.tail_cycles += 1;
            if self.tail_cycles == TAIL_CYCLES {
                let idle = fields.idle.get(outputs) == 1;
                let leftover = !self.source.is_done() || !idle;
                let wrong = || End::Wrong(format!("all results came, but idle_o = {idle}, {}", self.position()));
                if leftover {
                    return Some(wrong());
                }
                if !self.refusals {
                    return Some(End::Done);
                }
                self.epilogue = Some(Epilogue::new(&self.config));
            }
            return None;
        }
        if let Some(beat) = received {
            let limbs = fields.out_data.get_limbs(outputs);
            self.program.results.decode(beat as usize, &limbs, &mut self.rows);
            self.last_result = index;
            self.counts_at_last_result = self.counts;
        }
        // A row that enters the array is progress too.
        self.quiet_cycles = if taken || received.is_some() || cause == 0 { 0 } else { self.quiet_cycles + 1 };
        if self.quiet_cycles > self.most_quiet_cycles { Some(End::Stuck(self.stuck_handshake(offered))) } else { None }
    }

    fn position(&self) -> String {
        format!(
            "{} of {} input beats taken, {} of {} result beats sent",
            self.source.sent(),
            self.program.beat_count(),
            self.sink.taken(),
            self.program.results.beats()
        )
    }

    fn stuck_handshake(&self, offered: bool) -> String {
        let input = if offered {
            "s_axis: tready stays low"
        } else if self.source.is_done() {
            "s_axis: all beats taken"
        } else {
            "s_axis: nothing offered"
        };
        let cause = self.fields.stall.get(&self.cycle.outputs) as usize;
        format!(
            "nothing moved for {} cycles: {input}; m_axis: tvalid stays low; {}; stall_o = {cause} ({})",
            self.most_quiet_cycles,
            self.position(),
            STALL_CAUSES.get(cause).copied().unwrap_or("unknown")
        )
    }

    /// The cycle that [`Self::step`] simulated last.
    pub fn cycle(&self) -> &Cycle {
        &self.cycle
    }

    /// Result beats taken so far.
    pub fn results_taken(&self) -> u64 {
        self.sink.taken()
    }

    /// Cycles from the first input beat taken to the last result beat so far.
    pub fn cycles(&self) -> u64 {
        self.first_taken.map_or(0, |first| (self.last_result + 1).saturating_sub(first))
    }

    /// These cycles by cause.
    pub fn stalls(&self) -> Vec<(&'static str, u64)> {
        STALL_CAUSES.into_iter().zip(self.counts_at_last_result).collect()
    }

    /// The results so far.
    pub fn into_rows(self) -> QRows {
        self.rows
    }
}
