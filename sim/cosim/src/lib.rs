//! Is it the same? Verilator, the step simulator and golden compared, every cycle and every value.
//!
//! `step` runs ahead and records the inputs of every cycle; Verilator replays them in batches over a pipe; every output
//! of every cycle is compared, every valid beat and every partial sum with golden. The first difference stops it.

pub mod array;
pub mod bench;
pub mod cache;
pub mod check;
pub mod engine;
pub mod error;
pub mod locate;
pub mod mask;
pub mod netlist;
pub mod probes;
mod recent;
pub mod recorded;
pub mod replay;
pub mod rtl;
pub mod stress;
pub mod top;
pub mod unit;
pub mod wave;

pub use engine::{Cosim, Options, Sources, Timing, cosim};
pub use error::Error;
pub use recorded::Recorded;
pub use top::{TopCosim, TopProgress, TopRun};
