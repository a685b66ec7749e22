//! `quantize` and `eval` on the model inside the binary.

mod common;

use std::fs;

use common::{files, json, run};
use tempfile::tempdir;

/// Public domain: the first lines of "The Frog-King" (Grimm, translated by Margaret Hunt, 1884).
const TALE: &str = "In old times when wishing still helped one, there lived a king whose daughters were all beautiful, \
    but the youngest was so beautiful that the sun itself, which has seen so much, was astonished whenever it shone in \
    her face.\n";

#[test]
fn a_model_becomes_one_file_the_same_each_time_that_is_a_model_itself() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), TALE).unwrap();
    for file in ["a.q", "b.q"] {
        let (code, value) =
            json(folder.path(), &["quantize", "fairy", "--format", "w4a8", "--calib", "tale.txt", "-o", file]);
        assert_eq!((code, value["layers"].as_u64()), (0, Some(29)));
    }
    let all = files(folder.path());
    assert_eq!(all.len(), 3, "nothing else is left behind");
    assert_eq!(all[0].1, all[1].1);
    let eval = |model: &str| json(folder.path(), &["eval", model, "--format", "fp32", "--text", "tale.txt"]);
    let ((code, float), (refused, why)) = (eval("fairy"), eval("a.q"));
    assert_eq!((code, refused, why["kind"].as_str()), (0, 2, Some("input")));
    let ppl = |value: &serde_json::Value| value["ppl"].as_f64().unwrap();
    assert!(ppl(&float) > 1.0 && ppl(&float) < 100.0, "{float}");
    assert_eq!(float["ppl"], float["ppl_fp32"]);
    assert!(float["tokens"].as_u64().unwrap() > 40, "{float}");
    let (code, value) = json(folder.path(), &["quantize", "a.q", "--format", "w8a8", "-o", "c.q"]);
    assert_eq!((code, value["kind"].as_str()), (2, Some("input")));
}

#[test]
fn bad_models_texts_and_targets_are_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), TALE).unwrap();
    fs::write(folder.path().join("empty.txt"), "").unwrap();
    fs::write(folder.path().join("bad.json"), "{\"ids\": [[1, 999999]]}").unwrap();
    fs::create_dir(folder.path().join("dir")).unwrap();
    for (args, part) in [
        (&["eval", "nowhere", "--format", "fp32", "--text", "tale.txt"][..], "nowhere"),
        (&["eval", "dir", "--format", "fp32", "--text", "tale.txt"], "config.json"),
        (&["eval", "tale.txt", "--format", "fp32", "--text", "tale.txt"], "tale.txt"),
        (&["eval", "fairy", "--format", "fp32", "--text", "nowhere"], "nowhere"),
        (&["eval", "fairy", "--format", "fp32", "--text", "empty.txt"], "empty.txt"),
        (&["eval", "fairy", "--format", "fp32", "--windows", "bad.json"], "999999"),
        (&["eval", "fairy", "--format", "fp32", "--windows", "tale.txt"], "tale.txt"),
        (&["quantize", "fairy", "--calib", "tale.txt", "--format", "w8a8", "-o", "dir"], "dir"),
        (&["quantize", "fairy", "--calib", "tale.txt", "--format", "w8a8", "-o", "no/where/q"], "no/where/q"),
        (
            &["quantize", "fairy", "--calib", "tale.txt", "--format", "fp4", "--acts", "asymmetric", "-o", "q"],
            "asymmetric",
        ),
        (&["quantize", "fairy", "--calib", "tale.txt", "--format", "w8a8", "-o", "/dev/full"], "/dev/full"),
    ] {
        let (code, stdout, stderr) = run(folder.path(), args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(part), "{args:?}: {stderr}");
        assert!(stderr.lines().count() <= 9, "{args:?}: {stderr}");
    }
}

#[test]
fn a_curve_of_mixed_precision_never_rises() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), TALE).unwrap();
    let (code, value) = json(
        folder.path(),
        &["quantize", "fairy", "--format", "mixed", "--recipe", "plain", "--calib", "tale.txt", "--curve", "6"],
    );
    let points = value["curve"].as_array().unwrap();
    assert_eq!((code, points.len()), (0, 6));
    let all = |field: &str| points.iter().map(|p| p[field].as_f64().unwrap()).collect::<Vec<_>>();
    assert!(all("ppl").is_sorted_by(|a, b| a >= b), "{value}");
    assert!(all("weight_bytes").is_sorted() && all("weight_bytes")[0] < all("weight_bytes")[5], "{value}");
}
