//! `run`, and `eval` in integers, on the model inside the binary.

mod common;

use std::fs;
use std::path::Path;

use common::{json, run};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// Public domain: the first lines of "The Frog-King" (Grimm, translated by Margaret Hunt, 1884).
const TALE: &str = "In old times when wishing still helped one, there lived a king whose daughters were all beautiful, \
    but the youngest was so beautiful that the sun itself, which has seen so much, was astonished whenever it shone in \
    her face.\n";

const PROMPT: &str = "Once upon a time";

fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), TALE).unwrap();
    folder
}

/// `run` with calibration on the tale.
fn speak(folder: &Path, args: &[&str]) -> Value {
    let all =
        [&["run", "--model", "fairy", "--recipe", "plain", "--calib", "tale.txt", "--prompt", PROMPT], args].concat();
    let (code, value) = json(folder, &all);
    assert_eq!(code, 0, "{value}");
    value
}

#[test]
fn the_model_speaks_and_the_file_speaks_the_same() {
    let folder = folder();
    let folder = folder.path();
    let value = speak(folder, &["--format", "w8a8", "--tokens", "24"]);
    let (text, ids) = (value["text"].as_str().unwrap(), value["tokens"].as_array().unwrap());
    assert_eq!((ids.len(), value["stopped"].as_str()), (24, Some("tokens")));
    assert!(text.split_whitespace().count() > 8, "{text}");
    assert!(value["tokens_per_second"].as_f64().unwrap() > 0.0);
    let args =
        ["run", "--model", "fairy", "--recipe", "plain", "--calib", "tale.txt", "--prompt", PROMPT, "--tokens", "24"];
    let (code, stdout, _) = run(folder, &args);
    assert_eq!((code, stdout), (0, format!("{PROMPT}{text}\n")), "what is shown as it comes is the whole text");
    let (code, _) = json(
        folder,
        &["quantize", "fairy", "--format", "w8a8", "--recipe", "plain", "--calib", "tale.txt", "-o", "f.q"],
    );
    assert_eq!(code, 0);
    let (_, same) = json(folder, &["run", "--model", "f.q", "--prompt", PROMPT, "--tokens", "24"]);
    assert_eq!((&same["tokens"], &same["format"]), (&value["tokens"], &value["format"]));
    let float = speak(folder, &["--format", "fp32", "--tokens", "8"]);
    assert_eq!(float["tokens"].as_array().unwrap().len(), 8);
}

#[test]
fn draws_follow_the_seed() {
    let folder = folder();
    let ids = |args: &[&str]| {
        let temperature = ["--temperature", "0.9", "--tokens", "16"];
        speak(folder.path(), &[&temperature, args].concat())["tokens"].clone()
    };
    for format in ["w8a8", "fp32"] {
        let ids = |args: &[&str]| ids(&[args, &["--format", format]].concat());
        assert_eq!(ids(&["--seed", "5"]), ids(&["--seed", "5"]));
        assert_ne!(ids(&["--seed", "5"]), ids(&["--seed", "6"]));
        let greedy = speak(folder.path(), &["--tokens", "16", "--format", format])["tokens"].clone();
        assert_eq!(ids(&["--top-k", "1"]), greedy);
        assert_eq!(ids(&["--top-p", "0.0001"]), greedy);
    }
}

#[test]
fn integers_are_measured_against_the_checkpoint() {
    let folder = folder();
    let folder = folder.path();
    let eval = |args: &[&str]| {
        let (code, value) = json(folder, &[&["eval"], args, &["--text", "tale.txt"]].concat());
        assert_eq!(code, 0, "{value}");
        value
    };
    let value = eval(&["fairy", "--format", "w8a8", "--recipe", "plain", "--calib", "tale.txt"]);
    let number = |value: &Value, field: &str| value[field].as_f64().unwrap_or_else(|| panic!("{field}: {value}"));
    let (ppl, float) = (number(&value, "ppl"), number(&value, "ppl_fp32"));
    assert!((ppl / float - 1.0).abs() < 0.01, "{ppl} {float}");
    assert!((number(&value, "delta_percent") - (ppl / float - 1.0) * 100.0).abs() < 1e-9);
    assert_eq!(number(&eval(&["fairy", "--format", "fp32"]), "ppl"), float);
    assert!(number(&value, "top1_percent") > 90.0 && number(&value, "kl") > 0.0);
    let layers = value["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 29);
    assert!(layers.iter().all(|layer| number(layer, "sqnr_db") > 20.0), "{value}");
    assert!(layers.iter().all(|layer| number(layer, "worst_channel_db") <= number(layer, "sqnr_db")));
    // The edge of INT8 clips nothing: the largest value of a row has the largest code.
    assert!(layers.iter().all(|layer| number(layer, "inputs") > 0.0 && number(layer, "inputs_clipped") == 0.0));
    // A byte a weight, two a channel.
    assert!((1.0..1.05).contains(&number(&value, "bytes_per_weight")));

    let (code, _) = json(
        folder,
        &["quantize", "fairy", "--format", "w8a8", "--recipe", "plain", "--calib", "tale.txt", "-o", "f.q"],
    );
    assert_eq!(code, 0);
    let alone = eval(&["f.q"]);
    assert_eq!((number(&alone, "ppl"), &alone["ppl_fp32"]), (ppl, &Value::Null));
    assert_eq!(eval(&["f.q", "--reference", "fairy"])["layers"], value["layers"]);

    let compared = eval(&["fairy", "--compare", "w4a8,w8a8", "--recipe", "plain", "--calib", "tale.txt"]);
    let [w4a8, w8a8] = &compared["formats"].as_array().unwrap()[..] else { panic!("{compared}") };
    assert_eq!((w8a8["format"].as_str(), number(w8a8, "ppl")), (Some("w8a8"), ppl));
    assert!(number(w4a8, "bytes") < 0.6 * number(w8a8, "bytes"), "{compared}");
    assert!(number(w4a8, "kl") > number(w8a8, "kl"));
    let args =
        ["eval", "fairy", "--compare", "w4a8,w8a8", "--recipe", "plain", "--calib", "tale.txt", "--text", "tale.txt"];
    let (_, table, _) = run(folder, &args);
    assert!(table.lines().count() >= 5 && table.lines().all(|line| line.chars().count() <= 100), "{table}");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = folder();
    let folder = folder.path();
    let (code, _) = json(
        folder,
        &["quantize", "fairy", "--format", "w4a8", "--recipe", "plain", "--calib", "tale.txt", "-o", "f.q"],
    );
    assert_eq!(code, 0);
    let speak = ["run", "--model", "fairy", "--recipe", "plain", "--calib", "tale.txt", "--prompt", PROMPT];
    let long = "word ".repeat(300);
    for (args, part) in [
        (&["--engine", "gpu"][..], "gpu"),
        (&["--engine", "golden", "--check"], "--check = given: allowed with an engine of hardware"),
        (&["--tokens", "0"], "--tokens = 0: allowed 1..="),
        (&["--tokens", "5000"], "--tokens = 5000: allowed 1..="),
        (&["--temperature", "warm"], "warm"),
        (&["--temperature", "1", "--top-k", "0"], "top_k = 0"),
        (&["--temperature", "1", "--top-p", "2"], "top_p = 2 / 1"),
        (&["--format", "w9a9"], "w9a9"),
    ] {
        let (code, stdout, stderr) = run(folder, &[&speak[..], args].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(part) && stderr.lines().count() <= 9, "{args:?}: {stderr}");
    }
    for (args, part) in [
        (&["run", "--model", "nowhere", "--prompt", "x"][..], "nowhere"),
        (&["run", "--model", "fairy", "--prompt", &long], "tokens = "),
        (&["run", "--model", "f.q", "--format", "w8a8", "--prompt", "x"], "--format = w8a8"),
        (&["run", "--model", "f.q", "--calib", "tale.txt", "--prompt", "x"], "--calib"),
        (&["eval", "f.q", "--recipe", "best", "--text", "tale.txt"], "--recipe"),
        (&["eval", "f.q", "--format", "fp32", "--text", "tale.txt"], "a checkpoint"),
        (&["eval", "f.q", "--reference", "f.q", "--text", "tale.txt"], "--reference"),
        (&["eval", "fairy", "--reference", "fairy", "--text", "tale.txt"], "--reference"),
        (&["eval", "f.q", "--compare", "w8a8", "--text", "tale.txt"], "--compare"),
        (&["eval", "fairy", "--compare", "w8a8", "--format", "w8a8", "--text", "tale.txt"], "--compare"),
        (&["eval", "fairy", "--compare", "w8a8,none", "--text", "tale.txt"], "none"),
    ] {
        let (code, stdout, stderr) = run(folder, args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(part) && stderr.lines().count() <= 9, "{args:?}: {stderr}");
    }
}
