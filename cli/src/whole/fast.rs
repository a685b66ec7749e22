//! A program on the fast simulator.

use std::time::Instant;

use sim::fast::{Fast, Options};
use sim::memory::Timing;
use spec::Config;
use spec::isa::Program;

use super::{Ran, Written};
use crate::error::Error;

/// Simulates a program to its end.
///
/// # Errors
/// For a program that the fast simulator cannot be exact about.
pub fn simulate_fast(config: &Config, program: &Program, timing: Timing) -> Result<Ran, Error> {
    let start = Instant::now();
    let run = Fast::new(config)?.run(program, timing, Options::default())?;
    let rows = program.outputs.iter().map(|output| output.rows).max().unwrap_or(0);
    let written = Written::read(program, rows as usize, |kind, row| run.output(program, kind, row));
    Ok(Ran { written, profile: run.profile, seconds: start.elapsed().as_secs_f64() })
}
