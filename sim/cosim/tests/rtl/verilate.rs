//! The emitted Verilog under Verilator: outputs of every cycle for given inputs, through files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hdl::rtl::module::{Signal, SignalKind};
use hdl::rtl::{Design, Header, Module};
use tool::Command;

/// Writes the design's files and returns their names.
pub fn write_files(design: &Design, folder: &Path) -> Vec<String> {
    let header = Header { generator: "a test".into(), config_hash: "0".into() };
    let files = design.emit(&header).expect("a sound design can be written");
    for (name, text) in &files {
        let long = text.lines().filter(|l| l.len() > 100 && l.trim().contains(' ')).count();
        assert!(text.is_ascii() && long == 0, "{name}: {long} lines are longer than 100 columns");
        fs::write(folder.join(name), text).unwrap();
    }
    files.into_iter().map(|(name, _)| name).collect()
}

fn words(signal: &Signal) -> u32 {
    signal.ty.width.div_ceil(32)
}

fn of_kind(module: &Module, kind: SignalKind) -> Vec<&Signal> {
    module.ports().map(|(_, signal)| signal).filter(|s| s.kind == kind).collect()
}

/// Ports that are inputs, in order.
pub fn inputs(module: &Module) -> Vec<&Signal> {
    of_kind(module, SignalKind::Input)
}

/// Ports that are outputs, in order.
pub fn outputs(module: &Module) -> Vec<&Signal> {
    of_kind(module, SignalKind::Output)
}

/// A main that reads 32-bit words of all inputs (and the reset before them) for each cycle, and writes all outputs before
/// each clock edge.
fn main_cpp(module: &Module) -> String {
    let mut text = String::from(
        r#"#include "Vdut.h"
#include "verilated.h"
#include <cstdio>
template <typename T> bool take(FILE* f, T& to, int words) {
  uint64_t value = 0;
  for (int i = 0; i < words; ++i) {
    uint32_t word = 0;
    if (fread(&word, 4, 1, f) != 1) return false;
    value |= uint64_t(word) << (32 * i);
  }
  to = value;
  return true;
}
template <std::size_t N> bool take(FILE* f, VlWide<N>& to, int words) {
  return fread(to.m_storage, 4, words, f) == size_t(words);
}
template <typename T> void put(FILE* f, const T& from, int words) {
  uint64_t value = from;
  for (int i = 0; i < words; ++i) {
    uint32_t word = value >> (32 * i);
    fwrite(&word, 4, 1, f);
  }
}
template <std::size_t N> void put(FILE* f, const VlWide<N>& from, int words) {
  fwrite(from.m_storage, 4, words, f);
}
int main() {
  Vdut dut;
  FILE* in = fopen("stimulus.bin", "rb");
  FILE* out = fopen("response.bin", "wb");
  for (;;) {
    uint32_t rst_n = 0;
    if (!take(in, rst_n, 1)) break;
"#,
    );
    if module.has_reset {
        text.push_str("    dut.rst_ni = rst_n;\n");
    }
    for port in inputs(module) {
        let _ = writeln!(text, "    if (!take(in, dut.{}, {})) return 1;", port.name, words(port));
    }
    let clocked = module.has_clock;
    text.push_str(if clocked { "    dut.clk_i = 0;\n    dut.eval();\n" } else { "    dut.eval();\n" });
    for port in outputs(module) {
        let _ = writeln!(text, "    put(out, dut.{}, {});", port.name, words(port));
    }
    if clocked {
        text.push_str("    dut.clk_i = 1;\n    dut.eval();\n");
    }
    text.push_str("  }\n  dut.final();\n  fclose(in);\n  return fclose(out) == 0 ? 0 : 1;\n}\n");
    text
}

/// Runs the design under Verilator; `stimulus` and the result are 32-bit words, cycle by cycle, port by port.
pub fn run(design: &Design, folder: &Path, stimulus: &[u32]) -> Vec<u32> {
    let files = write_files(design, folder);
    fs::write(folder.join("main.cpp"), main_cpp(&design.top)).unwrap();
    let bytes: Vec<u8> = stimulus.iter().flat_map(|w| w.to_le_bytes()).collect();
    fs::write(folder.join("stimulus.bin"), bytes).unwrap();
    let build = Command::tool(&tool::VERILATOR)
        .unwrap()
        .args(["--cc", "--exe", "--build", "--prefix", "Vdut", "-Wno-fatal", "--x-initial", "unique"])
        .args(["-MAKEFLAGS", "OPT_FAST=-O0", "-MAKEFLAGS", "OPT_SLOW=-O0", "--top-module", &design.top.name])
        .args(&files)
        .arg("main.cpp")
        .cwd(folder)
        .timeout(Duration::from_secs(1200));
    build.run().unwrap();
    let model = Command::new(folder.join("obj_dir/Vdut")).cwd(folder).timeout(Duration::from_secs(300));
    model.run().unwrap();
    let bytes = fs::read(folder.join("response.bin")).unwrap();
    bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Lints the design with Verilator, Icarus and yosys; none may say a word. The files are kept if one does.
pub fn lint(design: &Design) {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path();
    let files = write_files(design, folder);
    let top = &design.top.name;
    let time = Duration::from_secs(600);
    let verilator = Command::tool(&tool::VERILATOR)
        .unwrap()
        .args(["--lint-only", "-Wall", "--top-module", top])
        // Random logic compares with what happens to be a bound of the type.
        .args(["-Wno-CMPCONST", "-Wno-UNSIGNED"])
        .args([&format!("{top}.v")]);
    let icarus =
        Command::tool(&tool::IVERILOG).unwrap().args(["-g2005", "-Wall", "-t", "null", "-s", top]).args(&files);
    let script = format!("read_verilog {}; hierarchy -check -top {top}; proc; check -assert", files.join(" "));
    let yosys = Command::tool(&tool::YOSYS).unwrap().args(["-q", "-p", &script]);
    for command in [verilator, icarus, yosys] {
        let line = command.line();
        let said = match command.cwd(folder).timeout(time).run() {
            Ok(output) => output.stdout_text() + &output.stderr_text(),
            Err(error) => error.to_string(),
        };
        if !said.trim().is_empty() {
            panic!("{line} in {}: {said}", kept.keep().display());
        }
    }
}
