//! How far a program has come, for people who wait: weights of its sections, and a line about the current one.

use std::time::Instant;

use indicatif::ProgressBar;
use spec::isa::{Field, Instr, Machine, Mark, Op, Program};

use crate::output::Output;

/// Cycles between two looks at the clock.
const LOOK_CYCLES: u64 = 4096;

/// A bar that follows the sections of a program.
pub struct Progress {
    bar: ProgressBar,
    /// Estimated cycles before each section, and behind the last.
    before: Vec<u64>,
    /// Of each section.
    labels: Vec<String>,
    /// Tag of each section's mark.
    tags: Vec<Option<u32>>,
    started: Instant,
    next_look: u64,
}

impl Progress {
    /// For a program; `prompt` tokens are not generated.
    pub fn new(program: &Program, prompt: usize, output: &Output) -> Self {
        let (mut before, mut labels, mut tags) = (vec![0], Vec::new(), Vec::new());
        let mut sum = 0;
        for instr in &program.instrs {
            if instr.op() == Op::Info {
                if !labels.is_empty() {
                    before.push(sum);
                }
                let tag = instr.get(Field::Tag) as u32;
                tags.push(Some(tag));
                labels.push(program.marks.iter().find(|mark| mark.tag == tag).map_or_else(String::new, |mark| {
                    let layer = mark.layer.map_or(String::new(), |layer| format!(" layer {layer}"));
                    let at = (mark.token + mark.tokens) as usize;
                    let pass = if at <= prompt {
                        format!("prompt {at}/{prompt}")
                    } else {
                        format!("token {}", at - prompt + 1)
                    };
                    format!("{pass}{layer} {}", mark.operator)
                }));
            } else if labels.is_empty() {
                labels.push("start".into());
                tags.push(None);
            }
            sum += weight(&program.machine, instr);
        }
        before.push(sum);
        Self { bar: output.run_bar(sum.max(1)), before, labels, tags, started: Instant::now(), next_look: 0 }
    }

    /// After so many cycles, in that section.
    pub fn at(&mut self, cycles: u64, section: usize) {
        if cycles < self.next_look {
            return;
        }
        self.next_look = cycles + LOOK_CYCLES;
        self.bar.set_position(self.before.get(section).copied().unwrap_or(0));
        let rate = cycles as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
        let label = self.labels.get(section).map_or("", String::as_str);
        self.bar.set_message(format!("{label}, {:.0} k cycles/s", rate / 1e3));
    }

    /// After so many cycles, behind that mark.
    pub fn at_mark(&mut self, cycles: u64, mark: Option<&Mark>) {
        let tag = mark.map(|mark| mark.tag);
        let section = self.tags.iter().position(|&own| own == tag);
        self.at(cycles, section.unwrap_or(0));
    }

    /// Steps aside while something else is printed.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// The bar goes away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// About the cycles that an instruction takes; only shares matter.
fn weight(machine: &Machine, instr: &Instr) -> u64 {
    let get = |field| instr.find(field).unwrap_or(0) as u64;
    match instr.op() {
        Op::Mm => {
            let tiles = get(Field::KTiles) * get(Field::NTiles);
            tiles * get(Field::Rows).max(machine.tile_words().into())
        }
        op if op.is_row() => 8 + get(Field::N).div_ceil(machine.lanes.max(1).into()),
        _ => 1,
    }
}
