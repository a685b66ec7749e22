//! Liberty cell libraries: read, cut down for the tools, written as Verilog.

pub mod function;
pub mod library;
pub mod table;
pub mod tree;
pub mod trim;
pub mod verilog;

pub use function::Function;
pub use library::{Arc, ArcKind, Cell, Library, Pin, Sequential, Wire};
pub use table::Table;
