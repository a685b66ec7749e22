//! The subcommands, a file each.

pub mod doctor;
pub mod eval;
pub mod generate;
pub mod new;
pub mod quantize;
