//! Programs of the accelerator: made of a model, shown, assembled again.

mod common;

use std::fs;

use common::{json, run};
use tempfile::tempdir;

#[test]
fn a_program_reads_as_a_document_and_comes_back_from_it() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("calib.txt"), "Once upon a time there was a king who had three daughters.").unwrap();
    let model = ["--model", "fairy", "--recipe", "plain", "--calib", "calib.txt", "--prompt", "The king"];
    let lower = [&["lower", "--preset", "tiny"], &model[..], &["--tokens", "2", "-o", "p.prog"]].concat();
    let (code, value) = json(folder.path(), &lower);
    assert_eq!(code, 0, "{value}");
    assert!(value["instructions"].as_u64().unwrap() > 1000, "{value}");
    let (code, text, _) = run(folder.path(), &["disasm", "p.prog", "--no-data"]);
    assert_eq!(code, 0);
    for part in [
        "layer 3: gate_proj",
        "MM    rows=",
        "LDW   addr=model.layers.0.self_attn.q_proj.weight words=",
        "ST    addr=tokens bytes=4",
        "bytes of data are not shown",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(run(folder.path(), &["disasm", "p.prog", "-o", "p.s"]).0, 0);
    assert_eq!(run(folder.path(), &["asm", "p.s", "-o", "again.prog"]).0, 0);
    assert_eq!(fs::read(folder.path().join("again.prog")).unwrap(), fs::read(folder.path().join("p.prog")).unwrap());
}

#[test]
fn bad_programs_are_refused_with_the_line() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("bad.s"), ".code\nVSHR n=1\nVSHR n=99999\nJUMP\n").unwrap();
    let (code, _, stderr) = run(folder.path(), &["asm", "bad.s", "-o", "x.prog"]);
    assert_eq!(code, 2);
    for part in ["bad.s", "line 3: VSHR.n = 99999: allowed 1..=65535", "line 4: instruction = JUMP"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(!folder.path().join("x.prog").exists());
    for name in ["bad.s", "nowhere.prog", "."] {
        let (code, _, stderr) = run(folder.path(), &["disasm", name]);
        assert_eq!(code, 2, "{name}: {stderr}");
        assert!(stderr.contains(name), "{name}: {stderr}");
    }
}
