//! The subcommands, a file each.

pub mod cosim;
pub mod demo;
pub mod doctor;
pub mod eval;
pub mod generate;
pub mod inspect;
pub mod new;
pub mod operators;
pub mod quantize;
pub mod run;
pub mod simulate;
