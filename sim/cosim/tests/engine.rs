//! The tile engine in `step`, Verilator and golden: sizes, formats, modes, stalls, random registers.

mod support;

use spec::Format::{Fp4, Fp4a8, Pot4, Pot8, W4a8, W8a8};
use support::{config, sweep};

#[test]
fn eight_by_eight() {
    // One token, chunks of one row, K and N off the tiles, several chunks of unequal size.
    let mut config = config(8, 8, &[W8a8, W4a8, Fp4a8]);
    config.array.chunk_rows = 6;
    sweep(&config, &[(1, 8, 8), (1, 37, 21), (13, 19, 9), (40, 33, 17)]);
}

#[test]
fn one_pe() {
    let mut config = config(1, 1, &[W8a8, W4a8]);
    config.bus.data_bits = 512;
    config.pe.product_register = false;
    config.array.chunk_rows = 3;
    sweep(&config, &[(1, 1, 1), (4, 5, 3)]);
}

#[test]
fn one_row_of_shifters() {
    let mut config = config(1, 7, &[Pot4]);
    config.bus.data_bits = 32;
    config.array.chunk_rows = 4;
    sweep(&config, &[(1, 3, 8), (9, 4, 13)]);
}

#[test]
fn four_by_three_of_one_and_two_shifts() {
    let mut config = config(4, 3, &[Pot8, Pot4]);
    config.bus.data_bits = 64;
    config.array.chunk_rows = 5;
    sweep(&config, &[(1, 4, 3), (11, 18, 7)]);
}

#[test]
fn five_by_three_of_fp4() {
    let mut config = config(5, 3, &[Fp4]);
    config.bus.data_bits = 32;
    config.pe.product_register = false;
    config.requant.dividers = 1;
    config.requant.quotient_bits = 3;
    config.array.chunk_rows = 7;
    sweep(&config, &[(1, 5, 3), (17, 23, 11)]);
}

#[test]
fn wide_with_one_preload_row() {
    let mut config = config(8, 32, &[W8a8, Fp4]);
    config.bus.data_bits = 128;
    config.array.preload_rows = 1;
    config.requant.lanes = 16;
    config.requant.dividers = 8;
    config.requant.quotient_bits = 1;
    config.array.chunk_rows = 5;
    sweep(&config, &[(2, 16, 70), (11, 9, 33)]);
}
