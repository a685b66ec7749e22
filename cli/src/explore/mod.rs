//! Sweeps: which points there are, what each of them gave, and which of them no other beats.

mod axis;
mod bench;
mod found;
mod front;
mod journal;
mod models;
mod page;
mod points;
mod run;
mod sweep;
mod verify;

pub use found::explored;
pub use page::page;
pub use run::run;
pub use sweep::Sweep;
pub use verify::{Verified, verify};
