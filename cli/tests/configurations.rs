//! `new`, and what is said of bad configurations.

mod common;

use std::fs;

use common::{files, json, run};
use tempfile::tempdir;

#[test]
fn a_new_file_states_every_field_and_generates() {
    let folder = tempdir().unwrap();
    let new = ["new", "c.toml", "--preset", "small", "--set", "array.rows=5", "--set", "array.cols=12"];
    let (code, value) = json(folder.path(), &new);
    assert_eq!((code, value["file"].as_str()), (0, Some("c.toml")));
    let text = fs::read_to_string(folder.path().join("c.toml")).unwrap();
    for part in ["rows = 5", "cols = 12", "data_bits = 64"] {
        assert!(text.contains(part), "{text}");
    }
    let (code, manifest) = json(folder.path(), &["generate", "--config", "c.toml", "--unit", "array", "-o", "g"]);
    assert_eq!((code, &manifest["config_hash"]), (0, &value["config_hash"]));
}

#[test]
fn a_file_is_overwritten_only_on_request() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("c.toml");
    fs::write(&path, "mine").unwrap();
    let (code, _, stderr) = run(folder.path(), &["new", "c.toml", "--preset", "tiny"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("c.toml: exists already") && stderr.contains("--force"), "{stderr}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(run(folder.path(), &["new", "c.toml", "--preset", "tiny", "--force"]).0, 0);
    assert!(fs::read_to_string(&path).unwrap().contains("[array]"));
}

#[test]
fn bad_settings_are_named_and_nothing_is_written() {
    let folder = tempdir().unwrap();
    for (setting, part) in [
        ("array.row=5", "near ones: array.rows"),
        ("rows", "allowed FIELD=VALUE"),
        ("array.rows=0", "array.rows = 0: allowed 1..=128"),
        ("array.rows=-1", "--set array.rows=-1: allowed a whole number"),
        ("array.rows=many", "--set array.rows=many: allowed a whole number"),
        ("array.rows=99999999999999999999", "a whole number"),
        ("pe.product_register=1", "true or false"),
        ("pe.formats=[\"int3\"]", "int3"),
        ("pe.formats=pot4", "pe.kind"),
        ("design.prefix=9", "--set design.prefix=9: allowed a word"),
        ("design.prefix=Nine", "design.prefix = \"Nine\""),
        ("buffer.act_bytes=1", "buffer.act_bytes = 1"),
    ] {
        let (code, _, stderr) = run(folder.path(), &["new", "c.toml", "--preset", "tiny", "--set", setting]);
        assert_eq!(code, 2, "{setting}");
        assert!(stderr.contains(part), "{setting}: {stderr}");
        assert!(stderr.lines().count() <= 9, "{setting}: {stderr}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn several_problems_are_reported_at_once_with_the_file() {
    let folder = tempdir().unwrap();
    run(folder.path(), &["new", "c.toml", "--preset", "tiny"]);
    let text = fs::read_to_string(folder.path().join("c.toml")).unwrap();
    let broken = text
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((name @ ("rows" | "cols" | "lanes"), _)) => format!("{name} = 0\n"),
            _ => format!("{line}\n"),
        })
        .collect::<String>();
    fs::write(folder.path().join("bad.toml"), broken).unwrap();
    let (code, _, stderr) = run(folder.path(), &["generate", "--config", "bad.toml", "-o", "g"]);
    assert_eq!(code, 2);
    for part in ["bad.toml", "array.rows = 0", "array.cols = 0", "requant.lanes = 0"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(!folder.path().join("g").exists());
}

#[test]
fn files_that_are_no_configuration_are_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("empty.toml"), "").unwrap();
    fs::write(folder.path().join("binary.toml"), [0xff, 0xfe, 0]).unwrap();
    fs::write(folder.path().join("large.toml"), vec![b'#'; 2 << 20]).unwrap();
    fs::create_dir(folder.path().join("folder.toml")).unwrap();
    let unknown = format!("{}\n[power]\nwatts = 3\n", hdl::presets::preset("tiny").unwrap());
    fs::write(folder.path().join("unknown.toml"), unknown).unwrap();
    for (name, part) in [
        ("empty.toml", "[array] = missing"),
        ("binary.toml", "not UTF-8"),
        ("large.toml", "larger than 1 MiB"),
        ("folder.toml", "cannot read"),
        ("nowhere.toml", "cannot read"),
        ("unknown.toml", "power"),
        ("/dev/zero", "larger than 1 MiB"),
    ] {
        let (code, _, stderr) = run(folder.path(), &["generate", "--config", name, "-o", "g"]);
        assert_eq!(code, 2, "{name}");
        assert!(stderr.contains(part) && stderr.contains(name), "{name}: {stderr}");
        assert!(stderr.lines().count() <= 9, "{name}: {stderr}");
    }
    assert!(!folder.path().join("g").exists());
}
