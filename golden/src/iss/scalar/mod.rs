//! What the vector unit does to scalars: one idea a file, over integers of 64 bits.

pub mod dyadic;
pub mod narrow;
pub mod norm;
pub mod residual;
pub mod scale;
