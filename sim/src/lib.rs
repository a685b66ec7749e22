//! When it happens: levelised simulator and lowering.

pub mod accel;
pub mod activity;
pub mod engine;
pub mod error;
pub mod fast;
pub mod host;
pub mod kernels;
pub mod lower;
pub mod memory;
pub mod step;

pub use engine::{Simulation, simulate};
pub use error::Error;
