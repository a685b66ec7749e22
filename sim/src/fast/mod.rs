//! The whole accelerator, fast: what a program computes and when it happens, without the hardware's description.
//!
//! Two halves that do not know each other's insides: values, instruction by instruction in program order (tokens make
//! every order give the same), and the clock, the control of every unit cycle by cycle. Both give what [`crate::step`]
//! gives with `hdl::unit::top`: everything written to memory, every cycle, every counter. What neither can be exact about
//! is refused.

mod clock;
mod profile;
mod values;

use spec::Config;
use spec::isa::{Field, Op, Output, OutputKind, Program};
use spec::profile::Profile;

pub use self::clock::{Sizes, Spent};
use self::profile::Attribution;
use self::values::Values;
use crate::error::Error;
use crate::host::Counters;
use crate::memory::Timing;

/// Cycles between reset and the start that [`crate::host::driver::start`] takes on [`crate::accel::Accelerator`].
pub const LEAD_CYCLES: u64 = 14;

/// What the values say of instructions whose timing depends on them, by place in the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    indices: Vec<(u32, u32)>,
    steps: Vec<(u32, i64)>,
}

impl Seen {
    /// What tokens say: IDX of every instruction that reads it.
    fn of_tokens(program: &Program, tokens: &[u32]) -> Result<Self, Error> {
        let (mut seen, mut found, mut index) = (Self::default(), 0, 0);
        for (at, instr) in program.instrs.iter().enumerate() {
            if instr.op() == Op::Sidx {
                let token = tokens.get(found).copied();
                index = token.ok_or_else(|| {
                    Error::Run(format!("tokens: {} given, the program reads more of them: give all", tokens.len()))
                })?;
                found += 1;
            } else if instr.find(Field::Indirect) == Some(1) {
                seen.indices.push((at as u32, index));
            }
        }
        Ok(seen)
    }

    /// IDX of an instruction that reads it.
    fn index(&self, at: usize) -> Option<u32> {
        find(&self.indices, at)
    }

    /// The step of an exponential by the chord.
    fn step(&self, at: usize) -> Option<i64> {
        find(&self.steps, at)
    }
}

fn find<T: Copy>(list: &[(u32, T)], at: usize) -> Option<T> {
    list.binary_search_by_key(&(at as u32), |entry| entry.0).ok().map(|i| list[i].1)
}

/// The accelerator of a Config.
#[derive(Clone, Debug)]
pub struct Fast {
    config: Config,
    sizes: Sizes,
}

/// What is wanted of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What the program computes. Without, an indirect load reads index 0 ([`FastRun::is_exact`]), and an exponential by the
    /// chord, whose time depends on its step, is refused.
    pub values: bool,
    /// Cycles that the memory has seen before the start: only with stalls do they matter.
    pub lead_cycles: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { values: true, lead_cycles: LEAD_CYCLES }
    }
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct FastRun {
    /// Cycles from start to done.
    pub cycles: u64,
    /// Counters, as the registers tell them.
    pub counters: Counters,
    /// Cycles, causes and bytes by section of the program.
    pub profile: Profile,
    /// Memory from address 0 on after the run; nothing without values. The program itself is not in it.
    pub memory: Option<Vec<u8>>,
    /// Whether cycles and counters are the hardware's. Without values those of a program with indirect loads need not be:
    /// whether a load crosses a 4 KiB page depends on its index.
    pub is_exact: bool,
}

/// When a program happens, without what it computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Cycles from start to done.
    pub cycles: u64,
    /// Counters, as the registers tell them.
    pub counters: Counters,
}

impl FastRun {
    /// Row `row` of an output of a program; nothing if the program has none, or without values.
    pub fn output(&self, program: &Program, kind: OutputKind, row: u32) -> Option<Vec<i64>> {
        let output = program.output(kind).filter(|o| row < o.rows)?;
        Output::row(output, self.memory.as_ref()?, row)
    }
}

impl Fast {
    /// The accelerator that `hdl::unit::top` describes for a Config.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a Config that is none of an accelerator.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.check_accelerator().map_err(Error::Invalid)?;
        Ok(Self { config: config.clone(), sizes: Sizes::new(config) })
    }

    /// Runs a program on a machine and a memory fresh from reset.
    ///
    /// # Errors
    /// [`Error::Run`] for a program that is not of this machine, that the hardware ends with an error, that hangs, or that
    /// depends on what it has not written; for a program whose timing cannot be exact.
    pub fn run(&self, program: &Program, timing: Timing, options: Options) -> Result<FastRun, Error> {
        self.run_seen(program, timing, options, |_| {})
    }

    /// What the cycles of a program depend on: equal sizes, equal cycles.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// When a program happens, the same cycles and counters as those of [`Self::run`], without values: memory need not hold
    /// any ([`crate::lower::program::schedule`]), and the program is not checked again.
    ///
    /// `tokens` are those that the program generates: the k-th `SIDX` reads the k-th of them. Where a load begins in a page
    /// depends on nothing else that is computed.
    ///
    /// # Errors
    /// [`Error::Run`] for a program of another machine, with more `SIDX` than there are tokens, or with an exponential by
    /// the chord, whose time depends on its step; for one that hangs.
    pub fn schedule(&self, program: &Program, timing: Timing, tokens: &[u32]) -> Result<Schedule, Error> {
        self.check_machine(program)?;
        let seen = Seen::of_tokens(program, tokens)?;
        let clock = clock::run(&self.sizes, program, timing, &seen, LEAD_CYCLES, |_| {})?;
        Ok(Schedule { cycles: clock.cycles, counters: clock.counters() })
    }

    fn check_machine(&self, program: &Program) -> Result<(), Error> {
        if program.machine == spec::isa::Machine::new(&self.config) {
            return Ok(());
        }
        Err(Error::Run("the program was made for another machine: lower it again".into()))
    }

    /// [`Self::run`]; `see` is shown every cycle from the first one after the start to the last.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub fn run_seen(
        &self,
        program: &Program,
        timing: Timing,
        options: Options,
        mut see: impl FnMut(&Spent),
    ) -> Result<FastRun, Error> {
        program.check().map_err(|e| Error::Run(e.to_string()))?;
        self.check_machine(program)?;
        let is_indirect = |i: &spec::isa::Instr| i.find(Field::Indirect) == Some(1);
        let is_exact = options.values || !program.instrs.iter().any(is_indirect);
        let (seen, memory) = if options.values {
            let mut values = Values::new(&self.config, program);
            (values.run(program)?, Some(values.memory))
        } else {
            (Seen::default(), None)
        };
        let mut attribution = Attribution::new(program);
        let clock = clock::run(&self.sizes, program, timing, &seen, options.lead_cycles, |spent| {
            attribution.add(spent);
            see(spent);
        })?;
        let profile = attribution.profile(&self.config.hash());
        Ok(FastRun { cycles: clock.cycles, counters: clock.counters(), profile, memory, is_exact })
    }
}
