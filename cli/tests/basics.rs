//! Help, versions, wrong arguments, exit codes, pipes.

mod common;

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use common::{json, outcome, run, systole};
use tempfile::tempdir;

const COMMANDS: &[&str] = &[
    "doctor",
    "new",
    "generate",
    "quantize",
    "inspect",
    "eval",
    "run",
    "lower",
    "asm",
    "disasm",
    "image",
    "operators",
    "simulate",
    "cosim",
    "report",
    "synth",
    "estimate",
    "fit",
    "explore",
    "demo",
];

#[test]
fn no_arguments_give_help_and_every_command_has_examples() {
    let folder = tempdir().unwrap();
    let (code, help, _) = run(folder.path(), &[]);
    assert_eq!(code, 0);
    let mut listed: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().filter(|_| !line.starts_with("   ")))
        .collect();
    listed.retain(|name| *name != "help");
    assert_eq!(listed, COMMANDS);
    for &command in COMMANDS {
        let (code, help, _) = run(folder.path(), &[command, "--help"]);
        assert_eq!(code, 0);
        for part in ["Examples:", &format!("systole {command}"), "--json", "--quiet"] {
            assert!(help.contains(part), "{command}: {part}");
        }
    }
    assert_eq!(run(folder.path(), &["--version"]).1, format!("systole {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_arguments_are_bad_input_in_few_lines() {
    let folder = tempdir().unwrap();
    for args in [
        &["nonsense"][..],
        &["new"],
        &["new", "x.toml"],
        &["new", "x.toml", "--preset", "huge"],
        &["generate", "-o", "g"],
        &["generate", "--preset", "tiny", "--config", "x.toml", "-o", "g"],
        &["generate", "--preset", "tiny", "--unit", "gpu", "-o", "g"],
        &["quantize", "fairy", "-o", "q"],
        &["quantize", "fairy", "--format", "int3", "-o", "q"],
        &["eval", "fairy", "--format", "fp32"],
        &["eval", "fairy", "--format", "w9a9", "--text", "t"],
        &["run", "--model", "fairy"],
    ] {
        let (code, stdout, stderr) = run(folder.path(), args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
        assert!(stderr.lines().count() <= 9, "{args:?}: {stderr}");
        let (code, value) = json(folder.path(), args);
        assert_eq!((code, value["exit_code"].as_i64()), (2, Some(2)), "{args:?}");
        assert!(value["error"].as_str().is_some_and(|text| !text.is_empty()), "{args:?}");
    }
    assert!(common::files(folder.path()).is_empty());
}

#[test]
fn doctor_finds_what_is_there() {
    let folder = tempdir().unwrap();
    let (code, value) = json(folder.path(), &["doctor"]);
    let tools = value["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 6);
    let all = tools.iter().all(|tool| tool["ok"] == true);
    assert_eq!(value["ok"], all);
    assert_eq!(code, if all { 0 } else { 3 });
}

#[test]
fn doctor_names_missing_tools_and_the_command_that_installs_them() {
    let folder = tempdir().unwrap();
    let mut command = systole(folder.path());
    let (code, stdout, _) = outcome(&command.arg("doctor").env("PATH", "/nonexistent").output().unwrap());
    assert_eq!(code, 3);
    for part in ["verilator", "yosys", "iverilog", "apt-get install -y verilator make g++ yosys iverilog"] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let mut command = systole(folder.path());
    let output = command.args(["doctor", "--json"]).env("PATH", "/nonexistent").output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((value["ok"].as_bool(), output.status.code()), (Some(false), Some(3)));
    assert!(value["tools"].as_array().unwrap().iter().all(|tool| tool["install"].is_string()));
}

#[test]
fn a_closed_pipe_is_no_failure_and_a_full_device_is() {
    let binary = assert_cmd::cargo::cargo_bin("systole");
    let mut child = Command::new(&binary).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));

    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(&binary).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"));
}
