//! The hardware language: run-time widths and signs, each checked when the design is built.
//!
//! A [`Module`] is built once with a [`ModuleBuilder`] and shared by all its instances; from a [`Design`] come the Verilog
//! (`emit`) and the step simulator (crate `sim`). One clock `clk_i`, one synchronous active-low reset `rst_ni`; both
//! are implicit and become ports of the modules that need them.

pub mod bits;
pub mod builder;
pub mod check;
pub mod connect;
pub mod emit;
pub mod expr;
pub mod module;
mod ops;
mod parts;
pub mod stmt;
pub mod ty;

pub use bits::Bits;
pub use builder::ModuleBuilder;
pub use emit::Header;
pub use expr::{ArrayId, BinOp, Expr, Node, SigId, UnOp};
pub use module::{Design, Module};
pub use stmt::{Block, Stmt};
pub use ty::{Ty, bits_for, index_bits};
