//! The matrix unit of a dataflow.

use spec::Dataflow;

use super::mm::{Mm, MmNow, MmSizes, MmWork};
use super::mm_os::MmOs;

#[derive(Debug)]
pub(super) enum Matrix {
    /// Weights stay in the array.
    Ws(Mm),
    /// Sums do.
    Os(MmOs),
}

impl Matrix {
    pub fn new(dataflow: Dataflow, sizes: MmSizes) -> Self {
        match dataflow {
            Dataflow::Ws => Self::Ws(Mm::new(sizes)),
            Dataflow::Os => Self::Os(MmOs::new(sizes)),
        }
    }

    pub fn weight_ready(&self) -> bool {
        match self {
            Self::Ws(mm) => mm.weight_ready(),
            Self::Os(mm) => mm.weight_ready(),
        }
    }

    pub fn is_idle(&self) -> bool {
        match self {
            Self::Ws(mm) => mm.is_idle(),
            Self::Os(mm) => mm.is_idle(),
        }
    }

    pub fn now(&self, time: u64) -> MmNow {
        match self {
            Self::Ws(mm) => mm.now(time),
            Self::Os(mm) => mm.now(time),
        }
    }

    /// Ends the cycle: `cmd` is offered, `pushes`: a weight word comes.
    pub fn step(&mut self, time: u64, now: MmNow, cmd: Option<MmWork>, pushes: bool) {
        match self {
            Self::Ws(mm) => mm.step(time, now, cmd, pushes),
            Self::Os(mm) => mm.step(time, now, cmd, pushes),
        }
    }
}
