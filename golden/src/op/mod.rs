//! Operators, one a file, each in exact integers.

pub mod align;
pub mod matmul;
pub mod requant;
pub mod scale;
