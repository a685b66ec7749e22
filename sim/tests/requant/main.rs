//! The requantizer and its leaf units in the step simulator, against the formulas of its specification.

mod bench;
mod data;
mod leaves;
mod reference;
mod timing;

use bench::{Bench, Pace};
use data::{Rng, chunks};
use reference::packets;
use spec::{Config, RequantMode};

/// Modes by their numbers: bit 0 dynamic, bit 1 asymmetric, bit 2 static.
fn modes(set: u32) -> Vec<RequantMode> {
    (0..3).filter(|i| set >> i & 1 == 1).map(|i| RequantMode::ALL[i as usize]).collect()
}

/// A small configuration with this requantizer.
fn config(cols: u32, lanes: u32, dividers: u32, quotient_bits: u32, data_bits: u32, set: u32) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").expect("a preset")).expect("valid");
    config.array.cols = cols;
    config.array.chunk_rows = 8;
    config.requant.lanes = lanes;
    config.requant.dividers = dividers;
    config.requant.quotient_bits = quotient_bits;
    config.requant.modes = modes(set);
    config.buffer.channels = cols * 30;
    config.buffer.acc_bytes = 2 * 4 * cols * 240;
    config.bus.data_bits = data_bits;
    config.validate().expect("valid");
    config
}

/// Random chunks through the requantizer; every beat must be as the formulas say.
fn check(config: &Config, count: usize, seed: u64, pace: Pace) {
    let mut rng = Rng(seed);
    let job = chunks(config, count, &mut rng);
    let wanted: Vec<_> = job.chunks.iter().flat_map(|chunk| packets(config, &job, chunk)).collect();
    let result = Bench::new(config, seed).run(&job, pace, &mut rng);
    for (i, (got, wanted)) in result.beats.iter().zip(&wanted).enumerate() {
        assert_eq!(got, wanted, "beat {i}, {:?}", config.requant);
    }
    assert_eq!(result.beats.len(), wanted.len(), "{:?}", config.requant);
}

#[test]
fn every_set_of_modes() {
    for set in 1..8 {
        check(&config(8, 4, 8, 1, 128, set), 12, set.into(), Pace::Free);
        check(&config(8, 4, 8, 1, 128, set), 6, 10 + u64::from(set), Pace::Random(3));
    }
}

#[test]
fn every_shape_of_lanes_dividers_and_beats() {
    let shapes = [
        (1, 1, 1, 1, 32),
        (1, 1, 8, 1, 512),
        (7, 64, 3, 3, 64),
        (12, 4, 2, 5, 512),
        (5, 1, 1, 8, 32),
        (12, 6, 4, 2, 128),
        (16, 8, 2, 4, 64),
        (9, 3, 1, 1, 128),
        (24, 24, 1, 4, 64),
        (48, 48, 8, 1, 32),
    ];
    for (i, (cols, lanes, dividers, quotient_bits, data_bits)) in shapes.into_iter().enumerate() {
        for set in [7, 3, 5] {
            let config = config(cols, lanes, dividers, quotient_bits, data_bits, set);
            check(&config, 6, 100 + i as u64, Pace::Free);
            check(&config, 4, 200 + i as u64, Pace::Random(2));
        }
    }
}

#[test]
fn every_number_of_quotient_bits_and_dividers() {
    for quotient_bits in 1..=8 {
        for dividers in [1, 2, 3, 8] {
            check(&config(4, 2, dividers, quotient_bits, 64, 7), 4, 300 + u64::from(quotient_bits), Pace::Random(5));
        }
    }
}

#[test]
fn smallest_memories() {
    let mut config = config(8, 4, 8, 1, 64, 7);
    config.array.chunk_rows = 1;
    config.buffer.acc_bytes = 64;
    config.buffer.channels = 8;
    config.validate().expect("valid");
    check(&config, 30, 400, Pace::Free);
}
