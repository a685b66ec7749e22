//! Every module that is emitted is short enough to be read.

use std::sync::Arc;

use hdl::rtl::{Design, Header, Module};
use hdl::unit;
use spec::{Config, Dataflow, Format, PeKind, RequantMode};

const MOST_LINES: usize = 400;

type Build = fn(&Config) -> Result<Arc<Module>, hdl::Error>;

/// The modules with too many lines.
fn long(config: &Config, build: Build) -> Vec<String> {
    let header = Header { generator: "a test".into(), config_hash: "0".into() };
    let files = Design::new(build(config).unwrap()).emit(&header).unwrap();
    let lines = files.iter().map(|(name, text)| (name, text.lines().count()));
    lines.filter(|(_, lines)| *lines > MOST_LINES).map(|(name, lines)| format!("{name}: {lines} lines")).collect()
}

fn presets() -> Vec<Config> {
    hdl::presets::PRESETS.iter().map(|(_, text)| Config::from_toml(text).unwrap()).collect()
}

#[test]
fn modules_of_the_tile_engine_have_at_most_400_lines() {
    let modes = [RequantMode::Dynamic, RequantMode::Asymmetric, RequantMode::Static];
    for mut config in presets() {
        for modes in [&modes[..], &modes[..1], &modes[1..2], &modes[2..]] {
            config.requant.modes = modes.to_vec();
            config.validate().unwrap();
            assert_eq!(long(&config, unit::engine::engine), Vec::<String>::new(), "{modes:?}");
        }
    }
}

#[test]
fn modules_of_the_accelerator_have_at_most_400_lines() {
    for mut config in presets() {
        assert_eq!(long(&config, unit::top::top), Vec::<String>::new());
        let mut keeps_sums = config.clone();
        keeps_sums.array.dataflow = Dataflow::Os;
        keeps_sums.array.preload_rows = 1;
        keeps_sums.pe.formats = vec![Format::W8a8, Format::W4a4, Format::Fp4];
        keeps_sums.validate().unwrap();
        assert_eq!(long(&keeps_sums, unit::mm::mm), Vec::<String>::new());
        for (kind, formats) in [
            (PeKind::Mac, &Format::ALL.into_iter().filter(|f| *f != Format::Pot8).collect::<Vec<_>>()[..]),
            (PeKind::Mac, &[Format::W8a8]),
            (PeKind::Mac, &[Format::Mxfp4]),
            (PeKind::Mac, &[Format::W8a8, Format::Mxfp4a8]),
            (PeKind::Shift, &[Format::Pot4, Format::Pot8]),
        ] {
            config.pe.kind = kind;
            config.pe.formats = formats.to_vec();
            config.validate().unwrap();
            assert_eq!(long(&config, unit::mm::mm), Vec::<String>::new(), "{formats:?}");
        }
    }
}
