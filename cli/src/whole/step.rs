//! A program on the generated design in the step simulator.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use hdl::rtl::Design;
use sim::accel::Accelerator;
use sim::accel::profile::Profiler;
use sim::memory::Timing;
use sim::step::Stepper;
use sim::step::vcd::{WaveOptions, Waves as WaveWriter};
use spec::isa::{Field, Op, OutputKind, Program, Queue};

use super::progress::Progress;
use super::{Ran, Written};
use crate::error::Error;
use crate::watch::Watch;

/// Waves to write.
pub struct Waves<'a> {
    /// File.
    pub path: &'a Path,
    /// Patterns of signals; all if there are none.
    pub signals: &'a [String],
    /// Cycles, from the reset on.
    pub cycles: Range<u64>,
}

/// Simulates a program up to its end, or until `token` says, of a token that has just been written to memory, that it was
/// the last that is wanted.
///
/// # Errors
/// For a design that does not run the program, or waves that cannot be written.
pub fn simulate(
    design: &Design,
    program: &Program,
    timing: Timing,
    random_start: Option<u64>,
    waves: Option<&Waves>,
    watch: &mut Watch,
    progress: &mut Progress,
    token: &mut dyn FnMut(u32) -> Result<bool, Error>,
) -> Result<Ran, Error> {
    let mut accelerator = Accelerator::new(design, timing)?;
    if let Some(seed) = random_start {
        accelerator.bench.stepper.randomize(seed);
        accelerator.reset()?;
    }
    let Some(waves) = waves else {
        return run(&mut accelerator, program, watch, progress, token, &mut |_, _| Ok(()));
    };
    let options = WaveOptions { filter: waves.signals.to_vec(), cycles: waves.cycles.clone() };
    let mut ran = None;
    let written = tool::write_atomic_with(waves.path, |file| {
        let stepper = &accelerator.bench.stepper;
        let mut writer = WaveWriter::new(file, &[("step", stepper)], &options).map_err(io::Error::other)?;
        let mut last = 0;
        let mut sample = |cycle: u64, stepper: &Stepper| {
            last = cycle;
            writer.sample(cycle, &[stepper])
        };
        ran = Some(run(&mut accelerator, program, watch, progress, token, &mut sample));
        writer.finish(last + 1).map_err(io::Error::other)
    });
    match ran {
        // An error of the run says more than that of a file which it left.
        Some(Err(error)) => Err(error),
        Some(Ok(ran)) => written.map(|()| ran).map_err(Error::from),
        None => Err(written.err().map_or_else(|| Error::Input("nothing was simulated".into()), Error::from)),
    }
}

/// Places in the store queue behind which each token stands in memory.
fn stores(program: &Program) -> Vec<usize> {
    let Some(output) = program.output(OutputKind::Tokens) else { return Vec::new() };
    let end = output.addr + output.rows * output.stride;
    let stores = program.instrs.iter().filter(|instr| instr.op().queue() == Queue::Store).enumerate();
    let is_token = |addr: u32| (output.addr..end).contains(&addr);
    let tokens = stores.filter(|(_, instr)| instr.op() == Op::St && is_token(instr.get(Field::Addr) as u32));
    tokens.map(|(place, _)| place + 1).collect()
}

fn run(
    accelerator: &mut Accelerator,
    program: &Program,
    watch: &mut Watch,
    progress: &mut Progress,
    token: &mut dyn FnMut(u32) -> Result<bool, Error>,
    sample: &mut dyn FnMut(u64, &Stepper) -> Result<(), sim::Error>,
) -> Result<Ran, Error> {
    let start = Instant::now();
    let mut profiler = Profiler::new(&accelerator.bench.stepper, program)?;
    accelerator.start(program)?;
    watch.start(&mut accelerator.bench.stepper)?;
    let stores = stores(program);
    let (mut found, mut goes_on) = (0, true);
    let mut cycle = accelerator.memory.cycle();
    while goes_on && !accelerator.has_ended()? {
        let mut sampled = Ok(());
        accelerator.cycle(&mut |stepper| {
            let (section, before) = (profiler.now().0 as u32, profiler.cycles());
            profiler.see(stepper);
            watch.see(stepper, (profiler.cycles() > before).then_some(section));
            sampled = sample(cycle, stepper);
        })?;
        sampled?;
        cycle += 1;
        progress.at(profiler.cycles(), profiler.now().0);
        while goes_on && stores.get(found).is_some_and(|&store| profiler.order().retired(Queue::Store) >= store) {
            let id = accelerator.output(program, OutputKind::Tokens, found as u32).unwrap_or_default();
            found += 1;
            goes_on = progress.aside(|| token(id.first().copied().unwrap_or_default() as u32))?;
        }
    }
    progress.finish();
    watch.end(&mut accelerator.bench.stepper);
    // A layer has no tokens; all its rows are there at the end.
    let rows =
        if stores.is_empty() { program.outputs.iter().map(|o| o.rows).max().unwrap_or(0) as usize } else { found };
    let written = Written::read(program, rows, |kind, row| accelerator.output(program, kind, row));
    Ok(Ran { written, profile: profiler.profile(""), seconds: start.elapsed().as_secs_f64() })
}
