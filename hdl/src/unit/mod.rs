//! Hardware units, each described once.
