//! Operators, one a file, each in exact integers.

pub mod align;
pub mod clipped_softmax;
pub mod di_exp;
pub mod embedding;
#[cfg(test)]
pub(crate) mod exact;
pub mod exp;
pub mod fixed;
pub mod foot;
pub mod hadamard;
pub mod i_exp;
pub mod i_gelu;
pub mod i_layer_norm;
pub mod input;
pub mod isqrt;
pub mod matmul;
pub mod narrow;
pub mod norm;
pub mod requant;
pub mod residual;
pub mod rope;
pub mod scale;
pub mod shift_exp;
pub mod shiftgelu;
pub mod shiftmax;
pub mod sigmoid;
pub mod softmax;
pub mod stochastic;
pub mod swiglu;
