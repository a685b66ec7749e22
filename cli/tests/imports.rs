//! The import rule: which crate of the workspace may depend on which, dev- and build-dependencies included.

use std::process::Command;

use serde_json::{Value, json};

/// Each crate and all that it may import. Golden and the hardware meet in `cosim` only.
const ALLOWED: &[(&str, &[&str])] = &[
    ("spec", &[]),
    ("tool", &[]),
    ("golden", &["spec"]),
    ("hdl", &["spec"]),
    ("sim", &["spec", "hdl"]),
    ("cosim", &["spec", "golden", "hdl", "sim", "tool"]),
    ("synth", &["spec", "hdl", "tool"]),
    ("hdl-rusthdl", &["spec", "hdl", "sim", "tool"]),
    ("report", &["spec"]),
    ("systole", &["spec", "golden", "hdl", "sim", "cosim", "synth", "tool", "report"]),
];

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}

/// Everything in the output of `cargo metadata` that breaks the rule.
fn violations(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for package in list(metadata, "packages") {
        let importer = name(package);
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == importer) else {
            found.push(format!("{importer}: unknown crate; give it a place in the import rule"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let imported = name(dependency);
            // A dependency has a path only if it is in this repository.
            if !dependency["path"].is_null() && !allowed.contains(&imported) {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                found.push(format!("{importer} -> {imported} ({kind}): allowed {allowed:?}"));
            }
        }
    }
    for id in list(metadata, "workspace_default_members") {
        if list(metadata, "packages").iter().any(|package| package["id"] == *id && name(package) == "hdl-rusthdl") {
            found.push("hdl-rusthdl: a default member; it is built by its own job".to_string());
        }
    }
    found
}

#[test]
fn the_workspace_keeps_the_import_rule() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<&str> = list(&metadata, "packages").iter().map(name).collect();
    for expected in ["spec", "tool", "golden", "hdl", "sim", "cosim", "systole"] {
        assert!(found.contains(&expected), "{expected} is not in {found:?}");
    }
    assert_eq!(violations(&metadata), Vec::<String>::new());
}

#[test]
fn every_kind_of_forbidden_arrow_is_found() {
    let package = |name: &str, dependencies: Value| json!({"name": name, "id": name, "dependencies": dependencies});
    let arrow = |name: &str, kind: Value| json!({"name": name, "kind": kind, "path": format!("/repo/{name}")});
    let of = |package: Value| violations(&json!({"packages": [package]}));

    let foreign = json!({"name": "serde", "kind": null, "path": null});
    assert!(of(package("sim", json!([arrow("hdl", Value::Null), foreign]))).is_empty());
    for kind in [Value::Null, json!("dev"), json!("build")] {
        assert_eq!(of(package("golden", json!([arrow("hdl", kind.clone())]))).len(), 1, "{kind}");
        assert_eq!(of(package("systole", json!([arrow("hdl-rusthdl", kind.clone())]))).len(), 1, "{kind}");
        assert_eq!(of(package("tool", json!([arrow("stranger", kind.clone())]))).len(), 1, "{kind}");
    }
    assert_eq!(of(package("stranger", json!([]))).len(), 1);
    let metadata =
        json!({"packages": [package("hdl-rusthdl", json!([]))], "workspace_default_members": ["hdl-rusthdl"]});
    assert_eq!(violations(&metadata).len(), 1);
}
