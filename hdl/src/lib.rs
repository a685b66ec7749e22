//! What is built: the hardware language, its Verilog emitter, and the hardware units.

pub mod error;
pub mod presets;
pub mod rtl;
pub mod unit;

pub use error::Error;
