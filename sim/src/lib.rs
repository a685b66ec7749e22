//! When it happens: levelised simulator and lowering.

pub mod error;
pub mod lower;
pub mod step;

pub use error::Error;
