//! `generate`: equal bytes everywhere, folders that are whole or untouched, Verilog without a warning.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{files, json, run};
use serde_json::Value;
use tempfile::tempdir;

fn generate(folder: &Path, args: &[&str]) -> Value {
    let (code, value) = json(folder, &[&["generate"], args].concat());
    assert_eq!(code, 0, "{value}");
    value
}

#[test]
fn equal_configurations_give_equal_bytes_in_any_folder() {
    let (a, b) = (tempdir().unwrap(), tempdir().unwrap());
    generate(a.path(), &["--preset", "small", "-o", "one"]);
    generate(b.path(), &["--preset", "small", "-o", "deep/er"]);
    let (one, two) = (files(&a.path().join("one")), files(&b.path().join("deep/er")));
    assert_eq!(one, two);
    let names: Vec<&str> = one.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "systole_top.v",
        "systole_vector.v",
        "tb_systole_top.v",
        "systole_top.f",
        "systole_top.core",
        "config.toml",
        "manifest.json",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with('.')), "{names:?}");
}

#[test]
fn the_manifest_lists_every_file_with_its_hash() {
    let folder = tempdir().unwrap();
    let config = spec::Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
    for (unit, top) in [(&[][..], "systole_top"), (&["--unit", "engine"], "systole_engine")] {
        generate(folder.path(), &[&["--preset", "tiny", "-o", "g"], unit].concat());
        let all = files(&folder.path().join("g"));
        hashes(&config, &all, top);
    }
}

fn hashes(config: &spec::Config, all: &[(String, Vec<u8>)], top: &str) {
    use sha2::{Digest, Sha256};
    let (_, text) = all.iter().find(|(name, _)| name == "manifest.json").unwrap();
    let manifest: Value = serde_json::from_slice(text).unwrap();
    assert_eq!(manifest["top"], top);
    assert_eq!(manifest["config_hash"], config.hash());
    assert_eq!(manifest["derived"]["requant_lanes"], config.lanes());
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, all.len());
    for (name, bytes) in all.iter().filter(|(name, _)| name != "manifest.json") {
        let entry = listed.iter().find(|entry| entry["name"] == name.as_str()).unwrap();
        let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(entry["sha256"], digest, "{name}");
    }
}

#[test]
fn generating_again_removes_what_is_stale_and_keeps_what_is_not_ours() {
    let folder = tempdir().unwrap();
    let g = folder.path().join("g");
    generate(folder.path(), &["--preset", "tiny", "-o", "g"]);
    fs::write(g.join("notes.txt"), "mine").unwrap();
    generate(folder.path(), &["--preset", "tiny", "--unit", "pe", "-o", "g"]);
    let names: Vec<String> = files(&g).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"notes.txt".to_string()) && names.contains(&"systole_pe.v".to_string()), "{names:?}");
    assert!(!names.contains(&"systole_engine.v".to_string()), "{names:?}");
    fs::remove_file(g.join("notes.txt")).unwrap();
    generate(folder.path(), &["--preset", "tiny", "--unit", "pe", "-o", "fresh"]);
    assert_eq!(files(&g), files(&folder.path().join("fresh")));
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "mine").unwrap();
    let (code, _, stderr) = run(folder.path(), &["generate", "--preset", "tiny", "-o", "."]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--force"), "{stderr}");
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(run(folder.path(), &["generate", "--preset", "tiny", "-o", ".", "--force"]).0, 0);
    assert!(folder.path().join("manifest.json").exists() && folder.path().join("thesis.tex").exists());
    let (code, _, stderr) = run(folder.path(), &["generate", "--preset", "tiny", "-o", "thesis.tex"]);
    assert_eq!((code, stderr.contains("thesis.tex")), (2, true), "{stderr}");
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempdir().unwrap();
    let binary = assert_cmd::cargo::cargo_bin("systole");
    // `ulimit -f` counts blocks of 512 bytes; ignoring SIGXFSZ turns the limit into an error of the write.
    let limited = |arguments: &str| {
        let script = format!("trap '' XFSZ; ulimit -f 4; exec {} {arguments}", binary.display());
        Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap()
    };
    let output = limited("generate --preset tiny -o g");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let output = limited("quantize fairy --format w8a8 -o q");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(files(folder.path()).is_empty());

    generate(folder.path(), &["--preset", "tiny", "--unit", "pe", "-o", "g"]);
    let before = files(&folder.path().join("g"));
    assert_eq!(limited("generate --preset tiny -o g").status.code(), Some(2));
    assert_eq!(files(&folder.path().join("g")), before);
}

/// Runs a tool in a folder and expects success without a word.
fn silent(folder: &Path, tool: &str, args: &[&str]) {
    let output = Command::new(tool).args(args).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&text));
    assert_eq!(String::from_utf8_lossy(&text), "", "{tool}");
}

#[test]
fn the_verilog_and_its_test_bench_pass_three_tools_without_a_warning() {
    for (preset, unit) in
        [("tiny", "top"), ("tiny", "engine"), ("base", "engine"), ("small", "array"), ("small", "requant")]
    {
        let folder = tempdir().unwrap();
        let value = generate(folder.path(), &["--preset", preset, "--unit", unit, "-o", "g"]);
        let g = folder.path().join("g");
        let top = value["top"].as_str().unwrap();
        let list = fs::read_to_string(g.join(format!("{top}.f"))).unwrap();
        let rtl: Vec<&str> = list.lines().collect();
        let written = files(&g);
        let bench = written.iter().map(|(name, _)| name.as_str()).filter(|n| n.ends_with(".v") && !rtl.contains(n));
        let with_bench: Vec<&str> = rtl.iter().copied().chain(bench).collect();
        for sources in [&rtl, &with_bench] {
            silent(&g, "verilator", &[&["--lint-only", "-Wall"], &sources[..]].concat());
            silent(&g, "iverilog", &[&["-g2005", "-Wall", "-o", "/dev/null"], &sources[..]].concat());
            let script =
                format!("read_verilog {}; hierarchy -check -top {top}; proc; check -assert", sources.join(" "));
            silent(&g, "yosys", &["-q", "-p", &script]);
        }
    }
}

#[test]
fn the_engines_test_bench_passes_and_fails_on_a_changed_operator() {
    let folder = tempdir().unwrap();
    let value = generate(folder.path(), &["--preset", "tiny", "--unit", "engine", "-o", "g"]);
    let g = folder.path().join("g");
    let top = value["top"].as_str().unwrap();
    let simulate = || {
        let compiled = Command::new("sh")
            .args(["-c", &format!("iverilog -g2005 -o tb.vvp -s tb_{top} *.v && vvp tb.vvp")])
            .current_dir(&g)
            .output()
            .unwrap();
        String::from_utf8(compiled.stdout).unwrap()
    };
    let passed = simulate();
    assert!(passed.contains("PASS: 9 result beats"), "{passed}");
    let path = g.join("systole_product.v");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(" * ").count(), 1, "{text}");
    fs::write(&path, text.replace(" * ", " + ")).unwrap();
    let failed = simulate();
    assert!(failed.contains("FAIL") && failed.contains("expected"), "{failed}");
}
