//! `inspect` on QModel files and on what is none.

mod common;

use std::fs;

use common::{json, run};
use serde_json::Value;
use tempfile::tempdir;

const TALE: &str = "There was once a king who had a golden ball, and a frog who lived in the well.\n";

#[test]
fn a_file_says_what_is_inside() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), TALE).unwrap();
    let quantize = ["quantize", "fairy", "--format", "w4a8", "--calib", "tale.txt", "-o", "m.q"];
    assert_eq!(run(folder.path(), &quantize).0, 0);
    let (code, text, _) = run(folder.path(), &["inspect", "m.q"]);
    assert_eq!(code, 0);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    for part in ["4 blocks, hidden 128", "recipe ", "3.down", "128x384", "group32", "lm_head", "-7..7", "-127..127"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (code, value) = json(folder.path(), &["inspect", "m.q"]);
    assert_eq!(code, 0);
    let layers = value["layers"].as_array().unwrap();
    assert_eq!((layers.len(), value["options"]["kv_bits"].as_u64()), (29, Some(8)));
    let down = layers.iter().find(|l| l["name"] == "model.layers.3.mlp.down_proj").unwrap();
    // 128 channels of 384 codes in 12 groups.
    let (codes, scales, alignment) = (128 * 192, 128 * 12, 128 * 2);
    let total = codes + scales + alignment;
    assert_eq!(
        down["bytes"],
        serde_json::json!({"codes": codes, "scales": scales, "alignment": alignment, "total": total})
    );
    assert_eq!((down["int_max"].as_i64(), down["scale_max"].as_i64()), (Some(7), Some(255)));
    assert!(down["channel_step_min"].as_f64().unwrap() <= down["channel_step_max"].as_f64().unwrap());
    assert!(down["codes_at_edge"].as_u64().unwrap() >= 128, "a group's largest weight is at the edge");
    let sum = |field: &str| layers.iter().map(|l| l["bytes"][field].as_u64().unwrap()).sum::<u64>();
    assert_eq!(value["bytes"]["total"].as_u64(), Some(sum("total")));
    let held = sum("total") + value["embedding_bytes"].as_u64().unwrap() + value["rope_bytes"].as_u64().unwrap();
    assert!(fs::metadata(folder.path().join("m.q")).unwrap().len() > held);
    assert_eq!(value["shape"]["vocab_size"], Value::from(512));
}

#[test]
fn other_files_are_answered_with_what_to_do() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), TALE).unwrap();
    fs::create_dir(folder.path().join("dir")).unwrap();
    for (file, parts) in [
        ("fairy", ["fairy = a checkpoint: allowed a QModel file", "systole quantize fairy --format w8a8"]),
        ("dir", ["dir = a checkpoint", "systole quantize dir"]),
        ("tale.txt", ["tale.txt", "systole quantize"]),
        ("nowhere", ["nowhere: cannot read", "check the path"]),
    ] {
        let (code, stdout, stderr) = run(folder.path(), &["inspect", file]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{file}");
        assert!(parts.iter().all(|p| stderr.contains(p)), "{stderr}");
    }
}
