//! A program on the Verilog under Verilator, beside the step simulator and golden.

use cosim::{Options, Sources, TopCosim, TopRun};
use sim::lower::program::roofline;
use sim::memory::Timing;
use spec::Config;
use spec::isa::Program;
use spec::regs::STALLS;

use super::Written;
use super::progress::Progress;
use crate::error::Error;
use crate::output::Output;

/// A co-simulated run.
pub struct Cosimulated {
    /// What was compared.
    pub run: TopRun,
    /// What the accelerator wrote; nothing if the run did not come to its end.
    pub written: Written,
    /// Fewest cycles of the program.
    pub roofline_cycles: u64,
}

impl Cosimulated {
    /// Cycles from start to done; of a run that did not come to its end those that were compared.
    pub fn cycles(&self) -> u64 {
        let counted = self.run.counters.as_ref().and_then(|c| c.get("cycles"));
        counted.unwrap_or(self.run.verdict.cycles)
    }

    /// Cycles by cause; nothing if the run did not come to its end.
    pub fn stalls(&self) -> Option<serde_json::Value> {
        let counters = self.run.counters.as_ref()?;
        let causes = STALLS.iter().filter_map(|(name, _)| Some((name.to_string(), counters.get(name)?.into())));
        Some(serde_json::Value::Object(causes.collect()))
    }
}

/// Builds both models and runs a program in them; `at` is told of each mark of the program that has begun.
///
/// # Errors
/// For a missing or failed tool, or files that cannot be used.
pub fn cosimulate(
    (config, program): (&Config, &Program),
    timing: Timing,
    (sources, options): (&Sources, &Options),
    prompt: usize,
    output: &Output,
    at: &mut dyn FnMut(u32) -> Result<(), Error>,
) -> Result<Cosimulated, Error> {
    let spinner = output.spinner("building the Verilog with Verilator");
    let cosim = TopCosim::new(config, sources, options)?;
    spinner.finish_and_clear();
    let mut progress = Progress::new(program, prompt, output);
    let mut shown = Ok(());
    let run = cosim.run(program, timing, options, |now| {
        progress.at_mark(now.cycles, now.mark);
        if let (Ok(()), Some(mark)) = (&shown, now.mark) {
            shown = progress.aside(|| at(mark.token));
        }
    });
    progress.finish();
    let run = run?;
    shown?;
    if !cosim.has_probes() {
        output.remark("the Verilog's inner signals have other names than ours: it was compared at its ports alone");
    }
    let rows = program.outputs.iter().map(|output| output.rows).max().unwrap_or(0);
    let written = Written::read(program, rows as usize, |kind, row| run.output(program, kind, row));
    Ok(Cosimulated { run, written, roofline_cycles: roofline(program) })
}
