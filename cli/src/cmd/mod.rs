//! The subcommands, a file each.

pub mod asm;
pub mod cosim;
pub mod demo;
pub mod disasm;
pub mod doctor;
pub mod estimate;
pub mod eval;
pub mod explore;
pub mod fit;
pub mod generate;
pub mod image;
pub mod inspect;
pub mod lower;
pub mod new;
pub mod operators;
pub mod quantize;
pub mod report;
pub mod run;
pub mod simulate;
pub mod synth;
