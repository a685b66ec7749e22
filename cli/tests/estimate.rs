//! `systole estimate`, and what `systole fit` refuses, through the binary.

use std::time::{Duration, Instant};

use serde_json::Value;

fn systole(args: &[&str]) -> std::process::Output {
    assert_cmd::Command::cargo_bin("systole").unwrap().args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = systole(&[&["estimate", "--json"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or_else(|| panic!("{field} in {value}"))
}

#[test]
fn a_configuration_has_area_frequency_energy_and_power() {
    let found = json(&["--preset", "base"]);
    let [area, cells, sram] = ["area_um2", "cells_um2", "sram_um2"].map(|field| number(&found, field));
    assert!((cells + sram - area).abs() < 1e-6 * area && cells > 1e5 && sram > 1e5, "{area} {cells} {sram}");
    assert!((200.0..2000.0).contains(&number(&found, "freq_mhz")));
    assert!((0.3..3.0).contains(&number(&found, "pj_per_mac")));
    assert_eq!(found["macs_per_cycle"], 256);
    assert!(number(&found, "power_mw") > number(&found, "leakage_mw"));
    // The tree begins with the whole, and what stands in it is not more than that.
    let units = found["units"].as_array().unwrap();
    assert!((number(&units[0], "cells_um2") / cells - 1.0).abs() < 1e-9);
    let below = units.iter().filter(|unit| unit["level"] == 1).map(|unit| number(unit, "cells_um2")).sum::<f64>();
    assert!(below > 0.9 * cells && below < 1.0001 * cells, "{below} of {cells}");
    let modules = found["modules"].as_array().unwrap();
    let sum: f64 = modules.iter().map(|module| module["area_um2"].as_f64().unwrap()).sum();
    assert!((sum / cells - 1.0).abs() < 1e-9, "{sum} {cells}");
    let memories = found["memories"].as_array().unwrap();
    assert!(memories.iter().any(|memory| memory["words"] == 1024 && memory["width_bits"] == 64), "{memories:?}");
}

#[test]
fn more_of_it_costs_more() {
    let small = json(&["--preset", "small", "--unit", "array"]);
    let large = json(&["--preset", "small", "--unit", "array", "--set", "array.rows=16"]);
    let ratio = number(&large, "area_um2") / number(&small, "area_um2");
    assert!((1.7..2.6).contains(&ratio), "{ratio}");
    let memory = json(&["--preset", "small", "--set", "buffer.act_bytes=65536"]);
    let usual = json(&["--preset", "small"]);
    assert!(number(&memory, "sram_um2") > number(&usual, "sram_um2"));
    let narrow = json(&["--preset", "small", "--unit", "pe", "--set", "pe.formats=fp4"]);
    let wide = json(&["--preset", "small", "--unit", "pe"]);
    assert!(number(&narrow, "area_um2") < 0.7 * number(&wide, "area_um2"));
    assert!(number(&narrow, "pj_per_mac") < 0.7 * number(&wide, "pj_per_mac"));
}

#[test]
fn it_fits_a_terminal_states_its_errors_and_is_quick() {
    let begin = Instant::now();
    let output = systole(&["estimate", "--preset", "small"]);
    // An unoptimised build on a busy machine; by itself it takes less than a tenth of that.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.starts_with("Repeat")), "{text}");
    for word in ["u_mm", "u_vector", "not fitted on", "pJ a MAC", "leakage", "Repeat with: systole estimate"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    for (args, words) in [
        (vec!["estimate", "--preset", "tiny", "--technology", "n3"], ["nangate45", "systole fit"]),
        (vec!["estimate", "--preset", "tiny", "--technology", "missing.toml"], ["missing.toml", "cannot read"]),
        (vec!["estimate", "--preset", "tiny", "--unit", "alu"], ["alu", "vector"]),
        (vec!["estimate", "--preset", "tiny", "--set", "array.rows=0"], ["array.rows", "1..=128"]),
        (vec!["fit", "--liberty", "missing.lib"], ["missing.lib", "check the path"]),
    ] {
        let output = systole(&args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        for word in words {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, "name = \"own\"\n").unwrap();
    let output = systole(&["estimate", "--preset", "tiny", "--technology", file.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("systole fit"), "{text}");
}

#[test]
fn the_file_of_a_fit_serves_simulations_too() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../synth/technologies");
    let simulate = |technology: &str| -> Value {
        let args = ["simulate", "--json", "--preset", "tiny", "--gemm", "4x8x8", "--technology", technology];
        let output = systole(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["energy"].clone()
    };
    let by_file = simulate(&format!("{root}/fitted/nangate45.toml"));
    assert!(by_file.is_object(), "{by_file}");
    assert_eq!(by_file, simulate("nangate45"));
    // Energies alone are not enough for an estimate, which says what is.
    let alone = format!("{root}/sky130.toml");
    let output = systole(&["estimate", "--preset", "tiny", "--technology", &alone]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("simulate and report take it") && stderr.contains("systole fit"), "{stderr}");
}
