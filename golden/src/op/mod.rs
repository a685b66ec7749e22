//! Operators, one a file, each in exact integers.

pub mod align;
pub mod embedding;
pub mod exp;
pub mod fixed;
pub mod foot;
pub mod hadamard;
pub mod input;
pub mod isqrt;
pub mod matmul;
pub mod narrow;
pub mod norm;
pub mod requant;
pub mod residual;
pub mod rope;
pub mod scale;
pub mod sigmoid;
pub mod softmax;
pub mod swiglu;
