//! Runs the binary.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// The binary, in a folder.
pub fn systole(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("systole").unwrap();
    command.current_dir(folder).env("SYSTOLE_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/models"));
    command
}

/// Runs it and gives exit code, standard output and standard error.
pub fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    outcome(&systole(folder).args(args).output().unwrap())
}

/// Exit code, standard output and standard error.
pub fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().expect("not killed by a signal"), text(&output.stdout), text(&output.stderr))
}

/// Runs it with `--json`: exit code and the one object on standard output.
pub fn json(folder: &Path, args: &[&str]) -> (i32, Value) {
    let output = systole(folder).args(args).arg("--json").output().unwrap();
    let (code, stdout, stderr) = outcome(&output);
    let value: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout:?} {stderr}"));
    assert!(value.is_object(), "{value}");
    (code, value)
}

/// Every file of a folder, sorted: name and bytes.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}
