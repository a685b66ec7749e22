//! The side of `step`: runs a program with its memory and gives every cycle away.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdl::rtl::Design;
use sim::accel::{Accelerator, Counters};
use sim::engine::frame::Frame;
use sim::memory::{SparseMemory, Timing};
use sim::step::Stepper;
use spec::isa::Program;

use super::probes::{StepProbes, TopProbe};
use super::watch::{Watch, detail_text};
use crate::check::after_reset;
use crate::engine::Options;
use crate::error::Error;
use crate::replay::Batch;

/// Cycles that no program takes.
const MOST_CYCLES: u64 = 1 << 40;

/// How a run ended in `step`.
#[derive(Debug)]
pub struct Finish {
    /// The counters, unless it failed.
    pub counters: Option<Counters>,
    /// The memory at the end.
    pub memory: SparseMemory,
    /// Beats that the memory gave and took.
    pub beats: (u64, u64),
    /// Why it did not come to its end.
    pub failure: Option<String>,
    /// Time that was not spent waiting for Verilator.
    pub busy: Duration,
}

/// Takes every cycle into batches.
struct Recorder {
    probes: StepProbes,
    watch: Option<Watch>,
    sender: Option<SyncSender<Batch>>,
    batch: Batch,
    frame: Vec<u64>,
    cycle: u64,
    blocked: Duration,
    reset: sim::engine::frame::Field,
}

impl Recorder {
    /// One cycle; false when no more are wanted.
    fn cycle(&mut self, inputs: &[u64], outputs: &[u64], stepper: &Stepper) -> bool {
        let (ports, probes) = self.frame.split_at_mut(outputs.len());
        ports.copy_from_slice(outputs);
        probes.fill(0);
        self.probes.put(stepper, &mut self.frame);
        if let Some(watch) = self.watch.as_mut().filter(|_| self.reset.get(inputs) == 1) {
            watch.cycle(self.cycle, inputs, outputs);
        }
        self.batch.push(inputs, &self.frame);
        self.cycle += 1;
        !self.batch.is_full() || self.send()
    }

    fn send(&mut self) -> bool {
        let mut next = Batch::starting(self.cycle);
        next.inputs.reserve_exact(self.batch.inputs.len());
        next.outputs.reserve_exact(self.batch.outputs.len());
        let batch = std::mem::replace(&mut self.batch, next);
        let start = Instant::now();
        let taken = self.sender.as_ref().is_some_and(|sender| sender.send(batch).is_ok());
        self.blocked += start.elapsed();
        if !taken {
            self.sender = None;
        }
        taken
    }
}

/// Runs a program in `step` and sends its cycles; nothing if no more were wanted before its end.
///
/// # Errors
/// [`Error::Sim`] for a design that is not the accelerator.
pub fn produce(
    design: &Design,
    probes: &[TopProbe],
    outputs: &Frame,
    (program, timing, options): (&Program, Timing, &Options),
    sender: SyncSender<Batch>,
) -> Result<Option<Finish>, Error> {
    let mut accelerator = Accelerator::new(design, timing)?;
    let stepper = &mut accelerator.bench.stepper;
    match options.random_start {
        Some((seed, _)) => stepper.randomize(seed),
        None => stepper.zero(),
    }
    let inputs = &accelerator.bench.inputs;
    let reset = inputs.field(sim::engine::bench::RESET).cloned();
    let recorder = Arc::new(Mutex::new(Recorder {
        probes: StepProbes::new(probes, &accelerator.bench.stepper, outputs, design)?,
        watch: Watch::new(inputs, outputs),
        sender: Some(sender),
        batch: Batch::starting(0),
        frame: vec![0; outputs.words],
        cycle: 0,
        blocked: Duration::ZERO,
        reset: reset.ok_or_else(|| sim::Error::Run("the design has no reset".into()))?,
    }));
    if let Some((channel, item)) = options.hang {
        accelerator.memory.hang(channel, item);
    }
    let start = Instant::now();
    let seen = Arc::clone(&recorder);
    accelerator.tap(move |inputs, outputs, stepper| {
        let mut recorder = seen.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.cycle(inputs, outputs, stepper)
    });
    let ran = run(&mut accelerator, program, options);
    let mut failure = None;
    let mut counters = None;
    match ran {
        Ok(found) => counters = Some(found),
        Err(error) => {
            let hung =
                recorder.lock().unwrap_or_else(PoisonError::into_inner).watch.as_ref().map(|w| w.text(after_reset));
            let detail = accelerator.read("ERROR_DETAIL").map(detail_text);
            let more: Vec<String> = detail.into_iter().chain(hung).collect();
            failure = Some(format!("{error}; {}", more.join("; ")));
        }
    }
    let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
    if recorder.sender.is_none() || (recorder.batch.cycles > 0 && !recorder.send()) {
        return Ok(None);
    }
    let busy = start.elapsed().saturating_sub(recorder.blocked);
    let beats = (accelerator.memory.read_beats, accelerator.memory.write_beats);
    let memory = std::mem::take(&mut accelerator.memory.memory);
    // Verilator's side ends when there is no sender any more.
    recorder.sender = None;
    Ok(Some(Finish { counters, memory, beats, failure, busy }))
}

/// Starts the program as software does, waits for its interrupt, reads all counters.
fn run(accelerator: &mut Accelerator, program: &Program, options: &Options) -> Result<Counters, sim::Error> {
    accelerator.reset()?;
    if let Some(cycles) = options.watchdog_cycles {
        accelerator.write("WATCHDOG", cycles)?;
    }
    accelerator.start(program)?;
    accelerator.finish_run(MOST_CYCLES, &mut |_| {})?;
    accelerator.counters()
}
