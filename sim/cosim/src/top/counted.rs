//! The counters at the end of a run.

use sim::accel::Counters;
use spec::isa::Program;
use spec::regs;
use spec::verdict::Mismatch;

/// The first counter that is not what it must be: cycles are the sum of their causes, instructions those of the program,
/// beats those that the memory gave and took.
pub fn wrong(counters: &Counters, program: &Program, beats: (u64, u64)) -> Option<Mismatch> {
    let wanted = [
        ("cycles", counters.causes()),
        ("instructions", program.instrs.len() as u64),
        ("read_beats", beats.0),
        ("write_beats", beats.1),
    ];
    debug_assert_eq!(wanted.len(), regs::COUNTERS.len());
    let found = wanted.iter().find(|(name, value)| counters.get(name) != Some(*value))?;
    let value = counters.get(found.0).map(|value| value.to_string());
    Some(Mismatch {
        point: format!("counter {}", found.0),
        golden: Some(found.1.to_string()),
        step: value.clone(),
        rtl: value,
        ..Mismatch::default()
    })
}
