//! The machine's memories, which know what was written and refuse to give anything else.

pub mod cells;
pub mod dram;
pub mod fifo;
pub mod out;
