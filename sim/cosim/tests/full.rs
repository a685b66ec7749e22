//! The long list: every array size, format, mode, number of tokens, edge and start. Minutes to hours.

mod support;

use std::time::Instant;

use spec::{Config, Format, RequantMode};
use support::{Run, build, config};

/// Rows and columns; bus, preload rows; lanes, dividers and quotient bits.
type Shape = ((u32, u32), u32, u32, (u32, u32, u32));

/// Array sizes, each with other surroundings.
const ARRAYS: [Shape; 7] = [
    ((1, 1), 32, 1, (1, 8, 1)),
    ((1, 7), 64, 1, (7, 1, 8)),
    ((5, 3), 32, 2, (3, 3, 3)),
    ((8, 8), 64, 2, (4, 4, 2)),
    ((16, 16), 128, 3, (8, 8, 1)),
    ((8, 32), 512, 1, (16, 8, 1)),
    ((32, 16), 256, 4, (5, 1, 4)),
];

/// A Config of each array for formats that one PE kind computes.
fn configs(formats: &[Format]) -> impl Iterator<Item = Config> {
    ARRAYS.into_iter().enumerate().map(move |(i, ((rows, cols), data_bits, preload, (lanes, dividers, bits)))| {
        let mut config = config(rows, cols, formats);
        config.bus.data_bits = data_bits;
        config.array.preload_rows = preload;
        config.array.chunk_rows = 1 + 13 * (i as u32 % 3);
        config.pe.product_register = i % 2 == 0;
        config.requant.lanes = lanes;
        config.requant.dividers = dividers;
        config.requant.quotient_bits = bits;
        config
    })
}

fn every_shape(config: &Config) {
    let cosim = build(config);
    let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
    let mut seed = 100;
    for &format in &config.pe.formats {
        for mode in RequantMode::ALL {
            for m in [1, 2, 3, 17, 40, 300] {
                for (k, n) in [(1, 1), (rows, cols), (3 * rows + 1, 2 * cols + 1), (2 * rows - 1, 5 * cols - 1)] {
                    if m * k * n > 1_000_000 {
                        continue;
                    }
                    seed += 1;
                    let base = Run { seed, ..Run::new((m, k, n), format, mode) };
                    base.matches(&cosim);
                    Run { stall_seed: Some(seed), random_start: Some((seed, !seed)), ..base }.matches(&cosim);
                }
            }
        }
    }
}

#[test]
#[ignore = "every array size: many minutes"]
fn full_mac_formats_together() {
    configs(&[Format::W8a8, Format::W4a8, Format::Fp4a8, Format::Fp4]).for_each(|c| every_shape(&c));
}

#[test]
#[ignore = "every array size: many minutes"]
fn full_each_mac_format_alone() {
    for format in [Format::W8a8, Format::W4a8, Format::Fp4a8, Format::Fp4] {
        configs(&[format]).for_each(|c| every_shape(&c));
    }
}

#[test]
#[ignore = "every array size: many minutes"]
fn full_shift() {
    for formats in [&[Format::Pot4][..], &[Format::Pot8], &[Format::Pot4, Format::Pot8]] {
        configs(formats).for_each(|c| every_shape(&c));
    }
}

#[test]
#[ignore = "every preset: minutes"]
fn full_presets() {
    for (name, text) in hdl::presets::PRESETS {
        let config = Config::from_toml(text).unwrap();
        let cosim = build(&config);
        for &format in &config.pe.formats {
            for (i, &mode) in config.requant.modes.iter().enumerate() {
                let run = Run { seed: i as u64, ..Run::new((70, 150, 140), format, mode) };
                let start = Instant::now();
                run.matches(&cosim);
                let cycles = run.on(&cosim, &cosim::Options::default()).cycles;
                let rate = 2.0 * cycles as f64 / start.elapsed().as_secs_f64();
                eprintln!("{name} {} {}: {cycles} cycles, {rate:.0} cycles/s", format.name(), mode.name());
                Run { stall_seed: Some(9), random_start: Some((3, 4)), ..run }.matches(&cosim);
            }
        }
    }
}
