//! What it costs: synthesis of generated designs with open tools; area, resources, frequency.
//!
//! A [`Job`] is one unit of one Config for one target; [`run()`] gives its [`spec::cost::Cost`]. Results are kept by the
//! hash of Verilog, flow and tool versions.

pub mod asic;
pub mod cells;
pub mod energy;
pub mod error;
pub mod estimate;
pub mod fpga;
pub mod harness;
pub mod hierarchy;
pub mod job;
pub mod liberty;
pub mod netlist;
pub mod pes;
pub mod store;
pub mod target;
pub mod timing;

pub use error::Error;
pub use job::{Job, Options, Outcome, run, run_all};
pub use target::Target;
