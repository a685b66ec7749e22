//! Verilator's own trace of a design that gets the inputs of every cycle.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cosim::bench::{TestBench, vector_words};
use hdl::rtl::{Design, Header};
use tool::VERILATOR;

/// Builds the design with a trace of every signal, runs it on `frames` and gives the trace's path.
pub fn trace(folder: &Path, design: &Design, frames: &[Vec<u64>]) -> PathBuf {
    trace_with(&VERILATOR.find().unwrap(), "vcd", folder, design, frames)
}

/// The same with a Verilator and a kind of trace, `vcd` or `saif`.
pub fn trace_with(verilator: &Path, kind: &str, folder: &Path, design: &Design, frames: &[Vec<u64>]) -> PathBuf {
    let tb = TestBench::new(design, &[], true);
    let words = vector_words(&tb.inputs);
    let shim = include_str!("shim.cpp")
        .replace("@TOP@", &tb.name)
        .replace("@KIND@", kind)
        .replace("@TRACE@", if kind == "vcd" { "VerilatedVcdC" } else { "VerilatedSaifC" })
        .replace("@IN_WORDS@", &(2 * words).to_string());
    fs::write(folder.join("shim.cpp"), shim).unwrap();
    let bench = format!("{}.v", tb.name);
    fs::write(folder.join(&bench), &tb.text).unwrap();
    let sources = design.emit(&Header::default()).unwrap();
    for (name, text) in &sources {
        fs::write(folder.join(name), text).unwrap();
    }
    tool::Command::new(verilator)
        .args(["--cc", "--exe", "--build", "-O3", "--no-timing", "--x-initial", "unique", "--x-assign", "unique"])
        .args([
            if kind == "vcd" { "--trace" } else { "--trace-saif" },
            "--trace-max-width",
            "0",
            "--trace-max-array",
            "1",
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-style",
        ])
        .args(["-MAKEFLAGS", "OPT_FAST=-O1", "-MAKEFLAGS", "OPT_SLOW=-O0", "-j", "2"])
        .args(["--output-split", "5000"])
        .args(["--top-module", &tb.name, "--Mdir", "obj", "-o", "model", "shim.cpp", &bench])
        .args(sources.iter().map(|(name, _)| name))
        .cwd(folder)
        .timeout(std::time::Duration::from_secs(1800))
        .run()
        .unwrap();
    let path = folder.join("trace.out");
    let mut model = Command::new(folder.join("obj/model"))
        .args([path.as_os_str(), "+verilator+rand+reset+0".as_ref()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::io::BufWriter::new(model.stdin.take().unwrap());
    for frame in frames {
        for word in (0..words).map(|i| frame.get(i).copied().unwrap_or(0)) {
            input.write_all(&word.to_le_bytes()).unwrap();
        }
    }
    drop(input);
    assert!(model.wait().unwrap().success());
    path
}
