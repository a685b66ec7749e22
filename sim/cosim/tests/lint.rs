//! Every preset's engine lints clean, without a waiver.

use std::path::Path;
use std::time::Duration;

use hdl::rtl::{Design, Header};
use tool::Command;

fn lint(preset: &str, folder: &Path) {
    let text = hdl::presets::preset(preset).unwrap();
    let config = spec::Config::from_toml(text).unwrap();
    let design = Design::new(hdl::unit::engine::engine(&config).unwrap_or_else(|e| panic!("{preset}: {e}")));
    let header = Header { generator: "a test".into(), config_hash: "0".into() };
    let files = design.emit(&header).unwrap();
    for (name, text) in &files {
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 100), "{preset}: {name}");
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
        lint(preset, folder.path());
    }
}
