//! Whole models on the whole accelerator: `run` in hardware, `simulate` without a unit.

mod common;

use std::fs;
use std::path::Path;

use common::{json, run};
use golden::layers::random::{Coding, Shape, random_model};
use golden::layers::{KvCache, Layers};
use golden::load::qmodel;
use golden::sample::greedy;
use serde_json::Value;
use spec::Format;
use spec::model::QModel;
use tempfile::{TempDir, tempdir};

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };
/// Three tokens of the random models' tokenizer, behind the one that begins a text.
const PROMPT: &str = "word word word";

/// A folder with a random model in `m.q`.
fn folder(format: Format, seed: u64) -> (TempDir, QModel) {
    let folder = tempdir().unwrap();
    let model = random_model(&SHAPE, &[Coding::new(format)], seed);
    qmodel::write(&model, &folder.path().join("m.q")).unwrap();
    (folder, model)
}

/// The most likely continuation, whatever it says.
fn continuation(model: &QModel, tokens: usize) -> Vec<u32> {
    let (layers, mut cache, mut ids) = (Layers::new(model).unwrap(), KvCache::default(), vec![0, 2, 2, 2]);
    let mut found = Vec::new();
    while found.len() < tokens {
        let next = greedy(layers.next(&ids, &mut cache).unwrap().rows.row(0));
        found.push(next);
        ids = vec![next];
    }
    found
}

fn speak(folder: &Path, args: &[&str]) -> (i32, Value) {
    json(folder, &[&["run", "--model", "m.q", "--prompt", PROMPT], args].concat())
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field}: {value}"))
}

#[test]
fn the_accelerator_says_what_golden_says_in_several_formats() {
    for (format, preset) in [(Format::W8a8, "tiny"), (Format::W4a8, "small"), (Format::Mxfp4a8, "small")] {
        let (folder, _) = folder(format, 4);
        let folder = folder.path();
        let golden = speak(folder, &["--tokens", "3"]).1;
        let step = ["--preset", preset, "--tokens", "3", "--engine", "step"];
        let (code, value) = speak(folder, &[&step[..], &["--check"]].concat());
        assert_eq!((code, &value["match"], &value["mismatches"]), (0, &true.into(), &0.into()), "{value}");
        for field in ["tokens", "text", "stopped", "format"] {
            assert_eq!(value[field], golden[field], "{field}");
        }
        // Every logit and step, every token.
        let tokens = value["tokens"].as_array().unwrap().len() as u64 + u64::from(value["stopped"] == "end");
        assert_eq!(number(&value, "golden_values_checked"), tokens * (SHAPE.vocab as u64 + 2));
        assert!(number(&value, "cycles") > number(&value, "roofline_cycles"), "{value}");
        let args = ["--preset", preset, "--tokens", "3", "--engine", "fast", "--check"];
        let (code, fast) = speak(folder, &args);
        assert_eq!((code, &fast["match"], &fast["tokens"]), (0, &true.into(), &golden["tokens"]), "{fast}");
        let slow =
            speak(folder, &[&step[..], &["--mem-latency", "90", "--stall-seed", "3", "--random-start", "5"]].concat());
        assert_eq!((slow.0, &slow.1["tokens"]), (0, &golden["tokens"]));
        assert!(number(&slow.1, "cycles") > number(&value, "cycles"), "{}", slow.1);
    }
}

#[test]
fn formats_that_the_hardware_lacks_are_added_and_that_is_said() {
    let (folder, _) = folder(Format::Mxfp4, 4);
    let args = ["run", "--model", "m.q", "--prompt", PROMPT, "--tokens", "1", "--engine", "step"];
    let (code, _, stderr) = run(folder.path(), &args);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("does not offer mxfp4; ") && stderr.contains("[\"mxfp4\", \"w8a8\"]"), "{stderr}");
    let with = [&args[..], &["--preset", "small", "--set", "pe.formats=mxfp4"]].concat();
    let (code, _, stderr) = run(folder.path(), &with);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("does not offer w8a8, in which attention multiplies"), "{stderr}");
    let (code, _, stderr) = run(folder.path(), &[&args[..], &["-q"]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[test]
fn a_text_that_ends_is_cut_there() {
    // Tokens 0 and 1 end a text.
    let seed = (0..400).find(|&seed| {
        let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], seed);
        let ids = continuation(&model, 6);
        ids.iter().position(|&id| id < 2).is_some_and(|at| at > 0)
    });
    let (folder, _) = folder(Format::W8a8, seed.expect("some model ends its text"));
    let golden = speak(folder.path(), &["--tokens", "12"]).1;
    let (code, value) = speak(folder.path(), &["--tokens", "12", "--engine", "step", "--check"]);
    assert_eq!((code, &value["stopped"]), (0, &"end".into()), "{value}");
    assert_eq!(value["tokens"], golden["tokens"]);
    let whole = speak(folder.path(), &["--tokens", "1", "--engine", "step"]).1;
    assert!(number(&value, "cycles") < 12 * number(&whole, "cycles"), "what follows the end is not simulated");
    assert!(number(&value, "roofline_cycles") < number(&value, "cycles"));
}

#[test]
fn text_is_shown_as_golden_shows_it() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), "There was once a king who had a golden ball.\n").unwrap();
    let quantize = ["quantize", "fairy", "--format", "w8a8", "--recipe", "plain", "--calib", "tale.txt", "-o", "f.q"];
    assert_eq!(json(folder.path(), &quantize).0, 0);
    let args = ["run", "--preset", "base", "--model", "f.q", "--prompt", "The king", "--tokens", "3"];
    let golden = run(folder.path(), &args);
    let step = run(folder.path(), &[&args[..], &["--engine", "step", "--check"]].concat());
    assert_eq!((golden.0, step.0), (0, 0), "{}", step.2);
    let verdict = step.1.strip_prefix(&golden.1).unwrap_or_else(|| panic!("{} {}", golden.1, step.1));
    assert!(verdict.starts_with("MATCH: "), "{verdict}");
    assert!(step.2.contains("cycles/s"), "{}", step.2);
}

#[test]
fn a_simulation_tells_where_the_cycles_of_each_layer_went() {
    let (folder, _) = folder(Format::W4a8, 4);
    let folder = folder.path();
    let simulate = ["simulate", "--preset", "small", "--model", "m.q", "--prompt-tokens", "9", "--tokens", "3"];
    let (code, value) = json(folder, &simulate);
    assert_eq!((code, &value["match"], value["unit"].as_str()), (0, &true.into(), Some("top")), "{value}");
    let cycles = number(&value, "cycles");
    assert!(number(&value, "roofline_cycles") < cycles);
    let sum = |object: &Value| object.as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum(&value["stalls"]), cycles);
    for list in ["passes", "layers", "operators", "sections"] {
        let rows = value[list].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| number(row, "cycles")).sum::<u64>(), cycles, "{list}");
        assert!(rows.iter().all(|row| sum(&row["stalls"]) == number(row, "cycles")), "{list}");
        let read = rows.iter().map(|row| number(row, "read_bytes")).sum::<u64>();
        assert_eq!(read, number(&value, "read_bytes"), "{list}");
    }
    assert_eq!((value["passes"].as_array().unwrap().len(), value["layers"].as_array().unwrap().len()), (3, 3));
    let fast = json(folder, &[&simulate[..], &["--engine", "fast"]].concat()).1;
    for field in ["cycles", "stalls", "sections", "tokens", "match"] {
        assert_eq!(fast[field], value[field], "{field}: the fast simulator says the same");
    }
    let (code, text, _) = run(folder, &simulate);
    assert_eq!(code, 0);
    for part in ["prompt ", "2 tokens", "layer 1", "down_proj", "lm_head", "wgt  weights: ", "MATCH: "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let slower = json(folder, &[&simulate[..], &["--mem-latency", "100"]].concat()).1;
    assert!(number(&slower, "cycles") > cycles);
}

#[test]
fn the_verilog_says_the_same_in_every_cycle() {
    let (folder, _) = folder(Format::W8a8, 4);
    let folder = folder.path();
    let golden = speak(folder, &["--tokens", "2"]).1;
    let args = ["--preset", "tiny", "--tokens", "2", "--check", "--engine"];
    let step = speak(folder, &[&args[..], &["step"]].concat()).1;
    let (code, value) = speak(folder, &[&args[..], &["rtl"]].concat());
    assert_eq!((code, &value["match"], &value["mismatches"]), (0, &true.into(), &0.into()), "{value}");
    assert_eq!((&value["tokens"], &value["text"]), (&golden["tokens"], &golden["text"]));
    assert!(number(&value, "cycles_checked") >= number(&value, "cycles"), "{value}");
    assert!(number(&value, "golden_values_checked") > 10 * number(&step, "golden_values_checked"), "{value}");
    let (code, text, stderr) = run(
        folder,
        &["run", "--model", "m.q", "--prompt", PROMPT, "--preset", "tiny", "--tokens", "2", "--engine", "rtl"],
    );
    assert_eq!(code, 0);
    assert!(text.starts_with(PROMPT) && text.contains("MATCH: every output of "), "{text}");
    assert!(stderr.contains("cycles/s"), "{stderr}");

    let cosim = ["cosim", "--preset", "tiny", "--model", "m.q", "--prompt", PROMPT, "--tokens", "2"];
    let more = ["--stall-seed", "7", "--random-start", "3", "--mem-latency", "9"];
    let (code, value) = json(folder, &[&cosim[..], &more].concat());
    assert_eq!((code, &value["match"], value["unit"].as_str()), (0, &true.into(), Some("top")), "{value}");
    assert_eq!(
        value["stalls"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum::<u64>(),
        number(&value, "cycles")
    );
    assert!(number(&value, "roofline_cycles") < number(&value, "cycles"));
    assert!(number(&value, "instructions_checked") > 500, "{value}");

    // Verilog from a folder, as it stands: changed, hanging, broken.
    assert_eq!(json(folder, &["generate", "--preset", "tiny", "-o", "rtl"]).0, 0);
    let cosim = [&cosim[..], &["--rtl", "rtl"]].concat();
    let path = folder.join("rtl/systole_product.v");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(" * ", " + ")).unwrap();
    let (code, value) = json(folder, &cosim);
    assert_eq!((code, &value["match"]), (1, &false.into()), "{value}");
    let first = &value["first_mismatch"];
    assert!(first["point"].is_string() && first["rtl"].is_string(), "{first}");
    assert!(first["repeat"].as_str().unwrap().starts_with("systole cosim --preset tiny --model m.q"), "{first}");
    fs::write(&path, "module broken").unwrap();
    let (code, value) = json(folder, &cosim);
    assert_eq!((code, value["kind"].as_str()), (3, Some("tool")), "{value}");
}

#[test]
fn a_missing_verilator_is_named() {
    let (folder, _) = folder(Format::W8a8, 4);
    for args in [&["run", "--preset", "tiny", "--tokens", "1", "--engine", "rtl"][..], &["cosim", "--preset", "tiny"]] {
        let args = [args, &["--model", "m.q", "--prompt", PROMPT]].concat();
        let output = common::systole(folder.path()).args(args).env("PATH", "/nonexistent").output().unwrap();
        let (code, _, stderr) = common::outcome(&output);
        assert_eq!((code, stderr.contains("apt-get install -y verilator")), (3, true), "{stderr}");
    }
}

#[test]
fn single_layers_run_on_the_accelerator_too() {
    let (folder, _) = folder(Format::W4a8, 4);
    let folder = folder.path();
    for args in [
        &["--gemm", "5x20x33"][..],
        &["--gemm", "1x20x33", "--format", "w4a8"],
        &["--gemm", "3x20x33", "--format", "nvfp4"],
        &["--model", "m.q", "--layer", "model.layers.1.mlp.gate_proj", "--prompt", PROMPT],
    ] {
        let (code, value) = json(folder, &[&["simulate", "--preset", "small", "--unit", "top"], args].concat());
        assert_eq!((code, &value["match"], value["unit"].as_str()), (0, &true.into(), Some("top")), "{value}");
        assert!(number(&value, "golden_values_checked") >= 30, "{value}");
        assert!(number(&value, "roofline_cycles") < number(&value, "cycles"), "{value}");
    }
    let (code, text, _) = run(folder, &["simulate", "--preset", "small", "--unit", "top", "--gemm", "5x20x33"]);
    assert!(code == 0 && text.contains("linear") && text.contains("MATCH: "), "{text}");
}

#[test]
fn waves_of_the_accelerator_show_what_is_asked_for() {
    let (folder, _) = folder(Format::W8a8, 4);
    let args = ["simulate", "--preset", "tiny", "--model", "m.q", "--prompt", PROMPT, "--vcd", "w.vcd"];
    let more = ["--signal", "u_sequencer", "--cycles", "100..200"];
    let (code, value) = json(folder.path(), &[&args[..], &more].concat());
    assert_eq!(code, 0, "{value}");
    let text = fs::read_to_string(folder.path().join("w.vcd")).unwrap();
    assert!(text.contains("vec_retire_i") && text.contains("\n#150\n") && !text.contains("\n#250\n"));
    let (code, _, stderr) = run(folder.path(), &[&args[..8], &["no/such/w.vcd"]].concat());
    assert_eq!((code, stderr.contains("no/such/w.vcd")), (2, true), "{stderr}");
    let (code, _, stderr) = run(folder.path(), &[&args[..], &["--signal", "nonsense"]].concat());
    assert_eq!((code, stderr.contains("nonsense")), (2, true), "{stderr}");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let (folder, _) = folder(Format::W8a8, 4);
    let folder = folder.path();
    let mut bytes = fs::read(folder.join("m.q")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.join("broken.q"), &bytes).unwrap();
    fs::write(folder.join("short.q"), &bytes[..middle]).unwrap();
    let step = ["--engine", "step", "--prompt", PROMPT];
    let run_m = ["run", "--model", "m.q", "--tokens=2"];
    for (args, part) in [
        (&["--temperature", "0.8"][..], "--temperature = 0.8: allowed 0"),
        (&["--top-k", "3"], "--top-k = 3"),
        (&["--top-p", "0.5"], "--top-p = 0.5"),
        (&["--format", "fp32"], "--format = fp32"),
        (&["--format", "w4a8"], "--format = w4a8"),
        (&["--top-k", "0"], "--top-k = 0"),
        (&["--mem-latency", "0"], "--mem-latency = 0: allowed 1..=100000"),
        (&["--preset", "huge"], "huge"),
        (&["--preset", "small", "--config", "x.toml"], "--config"),
        (&["--config", "x.toml"], "x.toml"),
        (&["--preset", "tiny", "--set", "vec.elements=64"], "vec.elements = 64: allowed >= "),
        (&["--preset", "tiny", "--set", "pe.formats=pot9"], "pot9"),
    ] {
        let (code, stdout, stderr) = run(folder, &[&run_m[..], &step, args].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(part) && stderr.lines().count() <= 12, "{args:?}: {stderr}");
    }
    for (args, part) in [
        (&["run", "--model", "broken.q", "--prompt", "word", "--engine", "step"][..], "broken.q"),
        (&["run", "--model", "short.q", "--prompt", "word", "--engine", "step"], "short.q"),
        (&["run", "--model", "m.q", "--prompt", "word", "--check"], "--check"),
        (
            &["run", "--model", "m.q", "--prompt", "word", "--tokens", "0", "--engine", "step"],
            "--tokens = 0: allowed 1..=39",
        ),
        (
            &["run", "--model", "m.q", "--prompt", "word", "--tokens", "99", "--engine", "step"],
            "max_position_embeddings",
        ),
        (&["simulate", "--preset", "tiny", "--model", "broken.q", "--prompt-tokens", "3"], "broken.q"),
        (&["simulate", "--preset", "tiny", "--model", "m.q", "--prompt-tokens", "0"], "--prompt-tokens = 0"),
        (&["simulate", "--preset", "tiny", "--model", "m.q", "--prompt-tokens", "41"], "--prompt-tokens = 41"),
        (&["simulate", "--preset", "tiny", "--model", "m.q", "--prompt-tokens", "40", "--tokens", "2"], "--tokens = 2"),
        (&["simulate", "--preset", "tiny", "--model", "m.q"], "--prompt"),
        (&["simulate", "--preset", "tiny", "--gemm", "5x20x33", "--unit", "top", "--acts", "symmetric"], "--acts"),
        (
            &["simulate", "--preset", "tiny", "--gemm", "5x20x33", "--unit", "top", "--format", "mixed"],
            "--format = mixed",
        ),
        (
            &[
                "simulate",
                "--preset",
                "tiny",
                "--unit",
                "top",
                "--model",
                "m.q",
                "--layer",
                "x",
                "--prompt-tokens",
                "3",
            ],
            "model.layers.0",
        ),
    ] {
        let (code, stdout, stderr) = run(folder, args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(part) && stderr.lines().count() <= 12, "{args:?}: {stderr}");
    }
}
