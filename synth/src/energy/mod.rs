//! Energy: of a run from its activity and a technology file, and of a mapped netlist from its library's power tables.

pub mod file;
pub mod gates;
pub mod netlist;
pub mod power;
pub mod technology;
pub mod workload;

pub use crate::estimate::census::{Logic, logic as census};
pub use technology::{Memories, Technology};
pub use workload::{Choice, attribute, energy};
