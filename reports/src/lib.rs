//! What a run found, as people look at it: plots, tables, one self-contained page.
//!
//! Everything here is drawn from data of `spec`; nothing is computed that another crate should have said. The same data
//! give the same bytes: the font is part of the program, and nothing states a date.

pub mod chart;
mod error;
mod explored;
mod figures;
mod page;
mod run;
pub mod table;
mod tables;
mod terminal;

pub use error::Error;
pub use explored::{Explored, Found, ModelFormat, Point, write_explored};
pub use figures::figures;
pub use page::{compare, compared, page, write, write_file};
pub use run::{Breakdown, Quantity, Run};
pub use tables::{cycles, tables};
pub use terminal::{summary, wrapped};

#[cfg(test)]
mod tests;
