//! The vocabulary that all crates share: data and bit layouts only, no arithmetic on tensors.
//!
//! Golden and hardware both speak in these types and share nothing else, which keeps them independent.

pub mod activity;
pub mod config;
pub mod cost;
pub mod energy;
pub mod error;
pub mod isa;
pub mod kind;
pub mod model;
pub mod profile;
pub mod qmodel;
pub mod regs;
pub mod scale;
pub mod stream;
pub mod tensor;
pub mod trace;
pub mod verdict;

pub use activity::Activity;
pub use config::Config;
pub use error::{Error, Problem};
pub use kind::{Dataflow, ExpKind, Format, Operand, PeKind, RequantMode, ScaleRule, Scaling};
pub use scale::{Dyadic, RowScale};
pub use tensor::Tensor;
