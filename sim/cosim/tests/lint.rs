//! Every preset's engine, and the accelerator's units, lint clean, without a waiver.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hdl::rtl::{Design, Header, Module};
use hdl::unit;
use spec::{Dataflow, Format, PeKind};
use tool::Command;

fn config(preset: &str) -> spec::Config {
    spec::Config::from_toml(hdl::presets::preset(preset).unwrap()).unwrap()
}

fn lint(preset: &str, module: Result<Arc<Module>, hdl::Error>, folder: &Path) {
    let design = Design::new(module.unwrap_or_else(|e| panic!("{preset}: {e}")));
    let header = Header { generator: "a test".into(), config_hash: "0".into() };
    let files = design.emit(&header).unwrap();
    for (name, text) in &files {
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 100), "{preset}: {name}");
        let lines = text.lines().count();
        assert!(lines <= 400, "{preset}: {name} has {lines} lines");
        std::fs::write(folder.join(name), text).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let top = &design.top.name;
    let script = format!("read_verilog {}; hierarchy -check -top {top}; proc; check -assert", names.join(" "));
    let verilator = Command::tool(&tool::VERILATOR).unwrap().args(["--lint-only", "-Wall", &format!("{top}.v")]);
    let icarus = Command::tool(&tool::IVERILOG).unwrap().args(["-g2005", "-Wall", "-t", "null"]).args(&names);
    let yosys = Command::tool(&tool::YOSYS).unwrap().args(["-q", "-p", &script]);
    for command in [verilator, icarus, yosys] {
        let command = command.cwd(folder).timeout(Duration::from_secs(600));
        let output = command.run().unwrap_or_else(|e| panic!("{preset}: {e}"));
        let said = output.stdout_text() + &output.stderr_text();
        assert!(said.trim().is_empty(), "{preset}: {}: {said}", command.line());
    }
}

#[test]
fn engines_of_all_presets_lint_clean() {
    for (preset, _) in hdl::presets::PRESETS {
        let folder = tempfile::tempdir().unwrap();
        lint(preset, unit::engine::engine(&config(preset)), folder.path());
    }
}

#[test]
fn units_around_the_memory_lint_clean_on_every_bus() {
    let shapes = [(4, 4, 1), (5, 3, 2), (16, 16, 2), (5, 12, 5), (8, 32, 1)];
    let presets = [("tiny", 32), ("small", 64), ("base", 128), ("wide", 256), ("fp4", 512)];
    for ((preset, data_bits), (rows, cols, preload_rows)) in presets.into_iter().zip(shapes) {
        let mut config = config(preset);
        config.bus.data_bits = data_bits;
        config.array = spec::config::Array { rows, cols, preload_rows, ..config.array };
        config.validate().unwrap_or_else(|e| panic!("{preset}: {e}"));
        for module in [unit::front::front(&config), unit::axil_regs::axil_regs(&config)] {
            let folder = tempfile::tempdir().unwrap();
            lint(&format!("{preset}, {data_bits} bits"), module, folder.path());
        }
    }
}

#[test]
fn vector_units_of_all_presets_lint_clean() {
    for (preset, _) in hdl::presets::PRESETS {
        let folder = tempfile::tempdir().unwrap();
        lint(preset, unit::vec::vector::vector(&config(preset)), folder.path());
    }
}

#[test]
fn matrix_units_with_and_without_scales_lint_clean() {
    let formats: [&[Format]; 5] = [
        &[Format::W8a8],
        &[Format::W8a8, Format::W4a8, Format::Mxfp4a8, Format::Nvfp4, Format::W4a4, Format::Pot4],
        &[Format::Mxfp4],
        &[Format::W8a8, Format::Mxfp4a8],
        &[Format::Pot4, Format::Pot8],
    ];
    for ((preset, _), formats) in hdl::presets::PRESETS.into_iter().zip(formats) {
        let mut config = config(preset);
        config.pe.formats = formats.to_vec();
        config.pe.kind = if formats.contains(&Format::Pot8) { PeKind::Shift } else { PeKind::Mac };
        config.validate().unwrap_or_else(|e| panic!("{preset}: {e}"));
        let folder = tempfile::tempdir().unwrap();
        lint(preset, unit::mm::mm(&config), folder.path());
    }
}

#[test]
fn matrix_units_that_keep_sums_lint_clean() {
    for (rows, cols, formats) in [
        (1, 7, &[Format::W8a8][..]),
        (5, 3, &[Format::W8a8, Format::W4a4, Format::Fp4]),
        (16, 16, &[Format::W8a8, Format::W4a8]),
    ] {
        let mut config = config("base");
        config.array = spec::config::Array { rows, cols, dataflow: Dataflow::Os, preload_rows: 1, ..config.array };
        config.pe.formats = formats.to_vec();
        config.validate().unwrap_or_else(|e| panic!("{rows} x {cols}: {e}"));
        let folder = tempfile::tempdir().unwrap();
        lint(&format!("os, {rows} x {cols}"), unit::mm::mm(&config), folder.path());
    }
}

#[test]
fn the_whole_accelerator_of_every_preset_lints_clean() {
    for (preset, _) in hdl::presets::PRESETS {
        let folder = tempfile::tempdir().unwrap();
        lint(preset, unit::top::top(&config(preset)), folder.path());
    }
}
