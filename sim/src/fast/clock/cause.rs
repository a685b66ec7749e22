//! Places in [`spec::regs::STALLS`].

pub(super) const ARRAY: usize = 0;
pub(super) const WEIGHTS: usize = 1;
pub(super) const DRAIN: usize = 2;
pub(super) const VEC: usize = 3;
pub(super) const LOAD: usize = 4;
pub(super) const STORE: usize = 5;
pub(super) const TOKENS: usize = 6;
pub(super) const FETCH: usize = 7;
