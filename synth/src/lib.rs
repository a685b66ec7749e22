//! What it costs: synthesis of generated designs with open tools; area, resources, frequency.
//!
//! A [`Job`] is one unit of one Config for one target; [`run()`] gives its [`spec::cost::Cost`]. Results are kept by the
//! hash of Verilog, flow and tool versions.

pub mod energy;
pub mod error;
pub mod liberty;

pub use error::Error;
