//! The vector unit: everything between matrix products, on rows of integers.

pub mod act_writer;
pub mod block_max;
pub mod block_scale;
pub mod coder;
pub mod divide_control;
pub mod divider;
pub mod exp;
pub mod finish;
pub mod issue;
pub mod lane;
pub mod long_divide;
pub mod memory;
pub mod normalise;
pub mod out;
pub mod plan;
pub mod quotient;
pub mod reduce;
pub mod results;
pub mod root;
mod rotate;
pub mod scalar_alu;
pub mod scalar_arith;
pub mod shifter;
