//! Every shape of requantizer can be described: all sets of modes, lanes, dividers and beats.

use hdl::presets::preset;
use hdl::rtl::{Design, Header};
use spec::{Config, RequantMode};

fn config(cols: u32, lanes: u32, dividers: u32, quotient_bits: u32, data_bits: u32, modes: &[RequantMode]) -> Config {
    let mut config = Config::from_toml(preset("small").expect("a preset")).expect("valid");
    config.array.cols = cols;
    config.requant.lanes = lanes;
    config.requant.dividers = dividers;
    config.requant.quotient_bits = quotient_bits;
    config.requant.modes = modes.to_vec();
    config.bus.data_bits = data_bits;
    config.validate().expect("valid");
    config
}

#[test]
fn every_set_of_modes_and_shape_builds() {
    for modes in 1u32..8 {
        let modes: Vec<_> = (0..3).filter(|i| modes >> i & 1 == 1).map(|i| RequantMode::ALL[i as usize]).collect();
        for (cols, lanes, dividers, quotient_bits, data_bits) in [
            (1, 1, 1, 1, 32),
            (8, 8, 8, 1, 128),
            (7, 64, 3, 3, 64),
            (12, 4, 2, 5, 512),
            (5, 1, 1, 8, 32),
            (96, 48, 1, 4, 256),
        ] {
            let config = config(cols, lanes, dividers, quotient_bits, data_bits, &modes);
            let name = format!("{modes:?} {cols} {lanes} {dividers} {quotient_bits} {data_bits}");
            let built = hdl::unit::requant::requant(&config).unwrap_or_else(|e| panic!("{name}: {e}"));
            let files = Design::new(built).emit(&Header::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
            hdl::unit::engine::engine(&config).unwrap_or_else(|e| panic!("engine, {name}: {e}"));
            assert!(files.iter().any(|(file, _)| file == "systole_requant.v"), "{name}");
        }
    }
}
