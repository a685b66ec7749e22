//! What is built: the hardware language, its Verilog emitter, and the hardware units.
