//! What the vector unit does to a row: one operation a file, over rows of 64-bit integers.

pub mod align;
pub mod arith;
pub mod block;
pub mod code;
pub mod curve;
pub mod fix;
pub mod hadamard;
pub mod quotient;
pub mod reduce;
pub mod rope;
pub mod shift;

use super::fault::wide;

#[cfg(test)]
mod tests;
