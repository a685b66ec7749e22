//! The vector unit of every preset, and of shapes with odd corners, is a sound description whose modules stay short.

use hdl::rtl::{Design, emit::Header};
use hdl::unit::vec::vector::vector;
use spec::{Config, Format};

/// Longest module, in lines.
const MOST_LINES: usize = 400;

fn configs() -> Vec<(String, Config)> {
    let presets = hdl::presets::PRESETS;
    let mut configs: Vec<_> =
        presets.iter().map(|(name, text)| ((*name).to_string(), Config::from_toml(text).unwrap())).collect();
    let small = configs[1].1.clone();
    for (rows, cols, lanes, dividers, bits, bus) in
        [(1, 1, 1, 1, 1, 32), (5, 3, 8, 8, 8, 64), (5, 12, 4, 3, 5, 512), (6, 4, 2, 2, 3, 256), (64, 32, 16, 32, 1, 32)]
    {
        for format in [Format::W8a8, Format::Nvfp4] {
            let mut config = small.clone();
            config.array.rows = rows;
            config.array.cols = cols;
            config.pe.formats = vec![format];
            config.vec.lanes = lanes;
            config.vec.dividers = dividers;
            config.vec.quotient_bits = bits;
            config.bus.data_bits = bus;
            configs.push((format!("{rows}x{cols} {lanes} lanes {}", format.name()), config));
        }
    }
    configs
}

#[test]
fn the_vector_unit_of_every_config_builds_and_emits() {
    let header = Header { generator: "test".into(), config_hash: "0".into() };
    for (name, config) in configs() {
        config.validate().unwrap_or_else(|e| panic!("{name}: {e}"));
        let module = vector(&config).unwrap_or_else(|e| panic!("{name}: {e}"));
        let files = Design::new(module).emit(&header).unwrap_or_else(|e| panic!("{name}: {e}"));
        let long: Vec<_> =
            files.iter().map(|(file, text)| (file, text.lines().count())).filter(|(_, l)| *l > MOST_LINES).collect();
        assert!(long.is_empty(), "{name}: {long:?}");
    }
}
