//! The instruction-set simulator.

pub mod fault;
pub mod row;
pub mod scalar;
