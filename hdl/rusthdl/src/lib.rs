//! Systole and rust-hdl 0.46: independent references of leaf cells, and the accelerator as a rust-hdl block.
//!
//! [`Int8Pe`], [`ShiftPe`] and [`ReadHoldRam`] describe cells of the accelerator a second time, in rust-hdl's own terms,
//! from the arithmetic and the ports alone. [`equiv`] lets yosys prove both Verilog texts equal. [`Engine`] goes
//! the other way: it brings a generated tile engine into designs written in rust-hdl.
//!
//! Ports keep the names of the cells they are compared with; the clock is rust-hdl's `clock`.

mod core;
pub mod engine;
pub mod equiv;
pub mod error;
mod int8_pe;
mod ram;
mod shift_pe;

pub use self::core::PeCore;
pub use engine::Engine;
pub use error::Error;
pub use int8_pe::{Int8Pe, Int8Product};
pub use ram::ReadHoldRam;
pub use shift_pe::{ShiftPe, ShiftProduct};
