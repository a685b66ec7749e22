//! What is right: integer semantics, model files, quantization.
//!
//! `num` gives every code its exact integer, `op` holds one operator a file, `linear` joins them to a layer. No clock,
//! no wires, no hardware configuration: golden is read beside the specification, never beside the hardware.
#![deny(clippy::float_arithmetic)]

pub mod error;
pub mod gemm;
pub mod iss;
pub mod layer;
pub mod layers;
pub mod linear;
pub mod load;
pub mod num;
pub mod op;
pub mod quantize;
pub mod sample;

pub use error::Error;
