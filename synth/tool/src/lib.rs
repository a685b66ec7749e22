//! External programs: found, versioned, run in their own process group with a time-out.
//!
//! A child never outlives its purpose: it leads its own process group, which is killed when its time is over, when its
//! handle is dropped, or when this process dies. What it printed is kept, and a failure shows the last lines and where
//! the rest is. [`write_atomic`] gives files that are whole or not there.

pub mod command;
pub mod error;
pub mod file;
mod group;
pub mod piped;
pub mod registry;

pub use command::{Command, Output};
pub use error::Error;
pub use file::{write_atomic, write_atomic_with};
pub use piped::{Piped, Reader, Writer};
pub use registry::{
    ALL, GXX, IVERILOG, MAKE, NEXTPNR_ECP5, NEXTPNR_GOWIN, NEXTPNR_ICE40, NEXTPNR_NEXUS, OPTIONAL, STA, SYNTH_YOSYS,
    Tool, VERILATOR, VVP, Version, YOSYS, eda_folder, find,
};
