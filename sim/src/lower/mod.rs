//! Lowering: integer layers become what the hardware is fed.

pub mod engine;
pub mod pack;
pub mod results;

pub use engine::{Chunk, EngineProgram, lower};
pub use results::{BeatAt, ResultLayout};
