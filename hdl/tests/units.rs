//! Every unit of every preset, and of shapes with odd corners, is a sound description that can be written as Verilog.

use hdl::rtl::{Design, Module, emit::Header};
use hdl::unit;
use spec::{Config, Format};
use std::sync::Arc;

fn configs() -> Vec<(String, Config)> {
    let mut configs: Vec<(String, Config)> = hdl::presets::PRESETS
        .iter()
        .map(|(name, text)| ((*name).to_string(), Config::from_toml(text).unwrap()))
        .collect();
    let small = configs[1].1.clone();
    for (rows, cols, preload, bits) in [(1, 1, 1, 32), (1, 7, 2, 512), (5, 3, 2, 64), (5, 12, 5, 256), (33, 2, 4, 32)] {
        for format in Format::PLAIN {
            let mut config = small.clone();
            config.array.rows = rows;
            config.array.cols = cols;
            config.array.preload_rows = preload;
            config.bus.data_bits = bits;
            config.pe.kind = format.pe_kind();
            config.pe.formats = vec![format];
            configs.push((format!("{rows}x{cols} {}", format.name()), config));
        }
    }
    let mut mixed = small;
    mixed.pe.formats = vec![Format::W8a8, Format::W4a8, Format::Fp4a8, Format::Fp4];
    configs.push(("mixed".into(), mixed.clone()));
    mixed.pe.formats = Format::ALL.into_iter().filter(|&f| f != Format::Pot8).collect();
    configs.push(("all formats".into(), mixed));
    configs
}

#[test]
fn every_unit_of_every_config_builds_and_emits() {
    let header = Header { generator: "test".into(), config_hash: "0".into() };
    for (name, config) in configs() {
        config.validate().unwrap_or_else(|e| panic!("{name}: {e}"));
        let emit = |module: Result<Arc<Module>, hdl::Error>| {
            let module = module.unwrap_or_else(|e| panic!("{name}: {e}"));
            let files = Design::new(module).emit(&header).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(!files.is_empty());
        };
        emit(unit::mm::mm(&config));
        emit(unit::top::top(&config));
        if let Err(problem) = config.check_engine() {
            for unit in [unit::engine::engine(&config), unit::matmul::matmul(&config)] {
                assert_eq!(unit.err().map(|e| e.to_string()), Some(problem.to_string()), "{name}");
            }
            continue;
        }
        emit(unit::matmul::matmul(&config));
        emit(unit::engine::engine(&config));
        emit(unit::unpack::unpack(&config, &unit::engine_control::Options::new(&config).widths));
        emit(unit::engine_control::engine_control(&config));
        emit(unit::chunk_queue::chunk_queue(&config));
        emit(unit::acc_banks::acc_banks(&config));
        emit(unit::weight_fifo::weight_fifo(&config));
        emit(unit::front::front(&config));
        emit(unit::axil_regs::axil_regs(&config));
    }
}
