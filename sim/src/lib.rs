//! When it happens: levelised simulator and lowering.
