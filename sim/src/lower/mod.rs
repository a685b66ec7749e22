//! Lowering: integer layers become what the hardware is fed.

pub mod engine;
pub mod pack;
mod packets;
pub mod program;
pub mod results;

pub use engine::{Chunk, EngineProgram, Order, lower, lower_in};
pub use results::{BeatAt, ResultLayout};
