//! `explore`: resumption to the byte, points that are left out, fronts, refusals.

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{files, json, run, systole};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// Public domain: the first lines of "The Frog-King" (Grimm, translated by Margaret Hunt, 1884).
const TALE: &str = "In old times when wishing still helped one, there lived a king whose daughters were all beautiful, \
    but the youngest was so beautiful that the sun itself, which has seen so much, was astonished whenever it shone in \
    her face.\n";

const SWEEP: &str = "preset = \"base\"\nmodels = [\"fairy\"]\nformats = [\"w8a8\", \"w4a8\"]\nrecipe = \"plain\"\n\
    calib = \"tale.txt\"\nperplexity = \"tale.txt\"\ncontext = 3\ntechnology = \"nangate45\"\n\
    [vary]\nbus.data_bits = [64, 128, 96]\n\"array.rows,array.cols\" = [[8, 8], [16, 8], [0, 4]]\nvec.params = [4096, 64]\n";

fn folder(sweep: &str) -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), TALE).unwrap();
    fs::write(folder.path().join("sweep.toml"), sweep).unwrap();
    folder
}

fn explore(folder: &Path, more: &[&str]) -> Value {
    let (code, value) = json(folder, &[&["explore", "sweep.toml"], more].concat());
    assert_eq!(code, 0, "{value}");
    value
}

#[test]
fn every_point_is_told_of_and_the_front_is_what_no_other_beats() {
    let folder = folder(SWEEP);
    let value = explore(folder.path(), &["-o", "out"]);
    assert_eq!((value["points"].as_u64(), value["measured"].as_u64()), (Some(36), Some(8)), "{value}");
    let csv = fs::read_to_string(folder.path().join("out/points.csv")).unwrap();
    assert_eq!(csv.lines().count(), 37);
    for reason in ["bus.data_bits = 96", "array.rows = 0", "vec.params = 64"] {
        assert!(csv.contains(reason), "{reason}: {csv}");
    }
    let found: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("out/explore.json")).unwrap()).unwrap();
    let points: Vec<&Value> = found["points"].as_array().unwrap().iter().filter(|p| !p["found"].is_null()).collect();
    let figures = |point: &Value| {
        let of = |name: &str| point["found"][name].as_f64().unwrap();
        ["area_mm2", "latency_us", "energy_uj", "perplexity"].map(of)
    };
    let beats = |a: &Value, b: &Value| {
        let (a, b) = (figures(a), figures(b));
        a.iter().zip(&b).all(|(a, b)| a <= b) && a != b
    };
    for point in &points {
        let is_beaten = points.iter().any(|other| beats(other, point));
        assert_eq!(point["is_front"], !is_beaten, "{point}");
    }
    // The same perplexity as that of eval, and the same hardware as that of the best point's file.
    let args = ["eval", "fairy", "--format", "w4a8", "--text", "tale.txt", "--recipe", "plain", "--calib", "tale.txt"];
    let (_, eval) = json(folder.path(), &args);
    let difference = found["models"][1]["perplexity"].as_f64().unwrap() / eval["ppl"].as_f64().unwrap() - 1.0;
    assert!(difference.abs() < 1e-7, "{difference}");
    let (code, manifest, _) = run(folder.path(), &["generate", "--config", "out/best.toml", "-o", "rtl", "--json"]);
    assert_eq!(code, 0, "{manifest}");
    let (code, text, _) = run(folder.path(), &["explore", "sweep.toml", "-o", "out"]);
    assert!(code == 0 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let (code, text, _) = run(folder.path(), &["report", "--explore", "out", "-o", "page"]);
    assert!(code == 0 && text.contains("page/explore.html"), "{text}");
    let page = |of: &str| fs::read(folder.path().join(of).join("explore.html")).unwrap();
    assert!(page("out") == page("page"), "the page is made of what was written");
}

/// The cycles of a point are those of `simulate`, tokens that are found and read again counted in: on a bus of 64 bits it
/// depends on the token whether its embedding crosses a page.
#[test]
fn cycles_are_those_of_simulate() {
    let work = "prompt_tokens = 3\ntokens = 3\nmem_latency = [17]\nperplexity = false\n";
    let sweep = SWEEP.replace("context = 3\n", work).replace("perplexity = \"tale.txt\"\n", "");
    let sweep = sweep.replace("[64, 128, 96]", "[64]").replace("[4096, 64]", "[4096]");
    let folder = folder(&sweep);
    explore(folder.path(), &["-o", "out"]);
    let found: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("out/explore.json")).unwrap()).unwrap();
    let point = &found["points"][4];
    assert_eq!(point["format"], "w4a8");
    let args = "simulate --preset base --set bus.data_bits=64 --set array.rows=16 --set array.cols=8 --set vec.params=4096 \
        --engine fast --model fairy --format w4a8 --recipe plain --calib tale.txt --prompt-tokens 3 --tokens 3 \
        --mem-latency 17";
    let (code, simulated) = json(folder.path(), &args.split_whitespace().collect::<Vec<_>>());
    assert_eq!(code, 0, "{simulated}");
    for name in ["cycles", "roofline_cycles", "config_hash"] {
        assert_eq!(point["found"][name], simulated[name], "{name}");
    }
    assert!(found["models"][0]["perplexity"].is_null());
}

#[test]
fn a_cut_journal_ends_with_the_same_bytes_on_any_number_of_threads() {
    let folder = folder(SWEEP);
    explore(folder.path(), &["-o", "whole", "--jobs", "1"]);
    let whole = files(&folder.path().join("whole"));
    let journal = whole.iter().find(|(name, _)| name == "journal.jsonl").unwrap().1.clone();
    let lines: Vec<usize> = (0..journal.len()).filter(|&i| journal[i] == b'\n').collect();
    // Nothing, a part of the first line, between and inside lines, all.
    for (place, length) in
        [0, 7, lines[0] + 1, lines[2] - 5, lines[9] + 1, lines[20] + 40, journal.len()].into_iter().enumerate()
    {
        let out = folder.path().join(format!("cut{place}"));
        fs::create_dir(&out).unwrap();
        fs::write(out.join("journal.jsonl"), &journal[..length]).unwrap();
        explore(folder.path(), &["-o", out.to_str().unwrap(), "--jobs", if place % 2 == 0 { "2" } else { "3" }]);
        let found = files(&out);
        for ((name, bytes), (found_name, found_bytes)) in whole.iter().zip(&found) {
            assert!(name == found_name && bytes == found_bytes, "{length} bytes left: {name} differs");
        }
        assert_eq!(found.len(), whole.len());
    }
}

#[test]
fn a_killed_sweep_goes_on_and_ends_with_the_same_bytes() {
    let sweep = SWEEP.replace("context = 3", "context = { from = 0, to = 60, step = 3 }");
    let folder = folder(&sweep);
    explore(folder.path(), &["-o", "whole"]);
    let journal = folder.path().join("killed/journal.jsonl");
    let mut kills = 0;
    for wanted in [3, 60, 200] {
        let mut command = std::process::Command::new(systole(folder.path()).get_program());
        command.current_dir(folder.path()).args(["explore", "sweep.toml", "-o", "killed", "--jobs", "2", "-q"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        let lines = || fs::read(&journal).map_or(0, |text| text.iter().filter(|&&b| b == b'\n').count());
        while lines() < wanted && start.elapsed() < Duration::from_secs(300) {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        kills += u32::from(!child.wait().unwrap().success());
    }
    assert!(kills > 0, "nothing was killed");
    let before = fs::read(&journal).unwrap().iter().filter(|&&b| b == b'\n').count();
    assert!(before >= 3, "nothing was kept");
    explore(folder.path(), &["-o", "killed"]);
    let (whole, found) = (files(&folder.path().join("whole")), files(&folder.path().join("killed")));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&whole), names(&found));
    for ((name, bytes), (_, found)) in whole.iter().zip(&found) {
        assert!(bytes == found, "{name} differs");
    }
}

#[test]
fn bad_sweeps_are_refused_with_field_value_range_and_cure() {
    let refusal = |sweep: &str| {
        let folder = folder(sweep);
        let (code, _, stderr) = run(folder.path(), &["explore", "sweep.toml", "-o", "out"]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.lines().count() <= 8, "{stderr}");
        stderr
    };
    assert!(refusal("preset = 7").contains("sweep.toml"));
    assert!(refusal("not toml").contains("sweep.toml"));
    assert!(refusal(&SWEEP.replace("nangate45", "nangate44")).contains("nangate44"));
    assert!(refusal(&SWEEP.replace("vec.params", "vec.parms")).contains("vec.params"));
    assert!(refusal(&SWEEP.replace("w4a8", "w4a9")).contains("formats = \"w4a9\""));
    assert!(refusal(&SWEEP.replace("base", "huge")).contains("preset = \"huge\""));
    assert!(refusal(&SWEEP.replace("calib = \"tale.txt\"", "calib = \"none.txt\"")).contains("none.txt"));
    let folder = folder(SWEEP);
    let (code, _, stderr) = run(folder.path(), &["explore", "none.toml"]);
    assert!(code == 2 && stderr.contains("none.toml"), "{stderr}");
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/journal.jsonl"), "{\"sweep\":\"0000\"}\n").unwrap();
    let (code, _, stderr) = run(folder.path(), &["explore", "sweep.toml", "-o", "out"]);
    assert!(code == 2 && stderr.contains("the journal of another sweep") && stderr.contains("-o"), "{stderr}");
}

/// A model or format that cannot be used leaves its points out; the others are measured.
#[test]
fn a_model_that_cannot_be_used_is_not_fatal() {
    let sweep = SWEEP.replace("[\"fairy\"]", "[\"nowhere\", \"fairy\"]");
    let folder = folder(&sweep);
    let value = explore(folder.path(), &["-o", "out"]);
    assert_eq!((value["points"].as_u64(), value["measured"].as_u64()), (Some(72), Some(8)), "{value}");
    assert!(value["models"][0]["reason"].as_str().unwrap().contains("nowhere"), "{value}");
}
