//! Longest paths: our own levelised estimate, and what OpenSTA and nextpnr say.

pub mod levelised;
pub mod nextpnr;
pub mod opensta;
pub mod routed;
pub mod sdf;
