//! What the tests of the fast simulator share.

pub mod beside;
pub mod programs;
