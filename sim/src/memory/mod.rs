//! The memory behind an AXI4 master: what it holds, when it answers, and whether the protocol is kept.
//!
//! It drives a design's channels from frames, so the step simulator runs against it and Verilator replays what it gave.
//! When it answers depends on its own counts and on a seed, never on when it is asked.

mod model;
mod monitor;
mod signals;
mod sparse;
pub(crate) mod timing;

pub use model::AxiMemory;
pub use monitor::{Monitor, Violation};
pub use signals::{AxiPorts, MAX_BEAT_LIMBS, Sample};
pub use sparse::SparseMemory;
pub use timing::{Channel, Timing};
