//! Is it the same? Verilator, step simulator and golden compared.
