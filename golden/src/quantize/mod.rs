//! From floating point to integers: the FP32 reference, perplexity, and the quantization of linear layers.
//!
//! The only place of golden where floating-point arithmetic is allowed. It is the same on every machine: functions
//! beyond `+ - * / sqrt` come from `libm`, every sum has a fixed order, threads only share out independent results.
#![allow(clippy::float_arithmetic, reason = "checkpoints are floating point; what leaves this module is integer")]

pub mod act;
pub mod balance;
pub mod choose;
pub mod code;
pub mod eval;
pub mod fit;
pub mod forward;
pub mod gptq;
pub mod gram;
pub mod grid;
pub mod kv;
pub mod layer;
pub mod linear;
pub mod matmul;
pub mod measure;
pub mod mixed;
pub mod net;
pub mod operators;
pub mod ptq;
pub mod recipe;
pub mod rotate;
pub mod scales;
pub mod selftext;
pub mod sequence;
pub mod sim;
pub mod smooth;
pub mod tables;

pub use code::fixed_logits;
pub use eval::{Windows, perplexity};
pub use forward::{Cache, Llama, Observe};
pub use layer::{layer_inputs, quantized_layer};
pub use measure::{Clipped, Measured, measure, measure_showing};
pub use ptq::{PtqOptions, quantize_model, quantize_showing};
pub use recipe::{Recipe, Technique};
pub use selftext::self_written;
