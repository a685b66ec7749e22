//! `synth`: figures, netlists that equal the step simulator, and what is said without a tool.

mod common;

use common::{json, run, systole};
use tempfile::tempdir;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../synth/tests/demo.lib");

fn has(tools: &[tool::Tool]) -> bool {
    let missing = tools.iter().find(|tool| tool.find().is_err());
    if let Some(tool) = missing {
        eprintln!("skipped: {} is not installed ({})", tool.name, tool.install());
    }
    missing.is_none()
}

/// A 2 x 3 array of INT4 PEs: small enough for gates of two inputs.
const SMALL: [&str; 8] =
    ["--preset", "tiny", "--set", "array.rows=2", "--set", "array.cols=3", "--set", "pe.formats=[\"w4a4\"]"];

#[test]
fn netlists_of_an_array_equal_the_step_simulator_and_golden() {
    if !has(&[tool::SYNTH_YOSYS, tool::VERILATOR]) {
        return;
    }
    let folder = tempdir().unwrap();
    for target in [&["ice40"][..], &["asic", "--liberty", LIBRARY]] {
        let args = [&["synth", "--unit", "array", "--check", "-o", target[0], "--target"], target, &SMALL].concat();
        let (code, value) = json(folder.path(), &args);
        assert_eq!(code, 0, "{value}");
        let check = &value["check"];
        assert_eq!((&check["match"], &check["mismatches"]), (&true.into(), &0.into()), "{value}");
        assert!(check["cycles_checked"].as_u64() > Some(4096) && check["golden_values_checked"].as_u64() > Some(0));
        let figure = if target[0] == "asic" { "area_um2" } else { "luts" };
        assert!(value[figure].as_f64() > Some(0.0) && value["ffs"].as_u64() > Some(0), "{value}");
        assert!(value.as_object().unwrap().contains_key("freq_mhz") && value["tools"][0]["name"] == "yosys");
        let out = folder.path().join(target[0]);
        let log = if target[0] == "asic" { "front.log" } else { "yosys.log" };
        assert!(out.join("netlist.v").is_file() && out.join(log).is_file(), "{:?}", std::fs::read_dir(&out).unwrap());
    }
}

#[test]
fn a_netlist_that_differs_is_a_mismatch() {
    if !has(&[tool::SYNTH_YOSYS, tool::VERILATOR]) {
        return;
    }
    let config = spec::Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
    let design = hdl::rtl::Design::new(hdl::unit::pe::pe(&config).unwrap());
    let options = synth::Options::asic(LIBRARY.as_ref());
    let job = synth::Job::new(&config, "pe", design.clone()).unwrap();
    let mut files = synth::run(&job, &options).unwrap().simulation(&options).unwrap();
    let same = cosim::netlist::cosim_netlist(&design, &files, 500, 7).unwrap();
    assert_eq!((same.mismatches, same.cycles_checked), (0, 500), "{:?}", same.first);
    // One gate of another kind in the library's models.
    let models = files.iter_mut().find(|(name, _)| name == "cells.v").unwrap();
    assert!(models.1.contains("~(A & B)"), "{}", models.1);
    models.1 = models.1.replace("~(A & B)", "~(A | B)");
    let wrong = cosim::netlist::cosim_netlist(&design, &files, 500, 7).unwrap();
    assert!(wrong.mismatches > 0 && wrong.first.is_some());
}

#[test]
fn without_tools_it_says_what_is_missing() {
    let folder = tempdir().unwrap();
    let args = ["synth", "--preset", "tiny", "--unit", "pe", "--target", "ice40"];
    let bare = |command: &mut assert_cmd::Command| {
        command.env_remove("SYSTOLE_YOSYS").env_remove("SYSTOLE_NEXTPNR_ICE40").env("SYSTOLE_EDA", "/nonexistent");
        let output = command.env("SYSTOLE_CACHE", folder.path().join("cache")).output().unwrap();
        common::outcome(&output)
    };
    let (code, _, stderr) = bare(systole(folder.path()).args(args).env("PATH", "/nonexistent"));
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("yosys: not found") && stderr.contains("apt-get install -y yosys"), "{stderr}");
    if !has(&[tool::YOSYS]) {
        return;
    }
    // Only yosys and its abc, behind names of their own.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(tool::YOSYS.find().unwrap(), bin.join("yosys")).unwrap();
    for abc in ["yosys-abc", "berkeley-abc"] {
        let path = std::env::var_os("PATH").unwrap();
        let mut found = std::env::split_paths(&path).map(|path| path.join(abc));
        if let Some(found) = found.find(|file| file.is_file()) {
            std::os::unix::fs::symlink(found, bin.join(abc)).unwrap();
        }
    }
    // yosys starts its abc by a shell.
    std::os::unix::fs::symlink("/bin/sh", bin.join("sh")).unwrap();
    let (code, stdout, stderr) = bare(systole(folder.path()).args(args).arg("--json").env("PATH", &bin));
    assert_eq!(code, 0, "{stderr}");
    let value: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(value["freq_mhz"].is_null() && value["luts"].as_u64() > Some(0), "{value}");
    assert!(stderr.contains("nextpnr-ice40: not found") && stderr.contains("apt-get install"), "{stderr}");
}

#[test]
fn bad_arguments_are_refused() {
    let folder = tempdir().unwrap();
    for (args, problem) in [
        (&["synth", "--preset", "tiny", "--target", "tpu"][..], "tpu"),
        (&["synth", "--preset", "tiny", "--target", "asic"], "--liberty"),
        (&["synth", "--preset", "tiny", "--target", "asic", "--liberty", "none.lib", "--unit", "pe"], "none.lib"),
    ] {
        let (code, _, stderr) = run(folder.path(), args);
        assert!(stderr.contains(problem), "{stderr}");
        // A machine without yosys says that first.
        assert!(code == 2 || (code == 3 && !has(&[tool::SYNTH_YOSYS])), "{code}: {stderr}");
    }
}
