//! `simulate` and `cosim`: layers and products through the tile engine.

mod common;

use std::fs;

use common::{files, json, outcome, run, systole};
use serde_json::Value;
use tempfile::tempdir;

const LAYER: &str = "model.layers.1.self_attn.k_proj";

#[test]
fn a_simulation_accounts_for_every_cycle_and_is_the_same_each_time() {
    let folder = tempdir().unwrap();
    let args = ["simulate", "--preset", "tiny", "--gemm", "7x13x9"];
    let (code, value) = json(folder.path(), &args);
    assert_eq!((code, &value["match"]), (0, &Value::Bool(true)));
    let number = |field: &str| value[field].as_u64().unwrap();
    let stalls = value["stalls"].as_object().unwrap();
    assert!(stalls.len() > 2, "{stalls:?}");
    assert_eq!(stalls.values().map(|cycles| cycles.as_u64().unwrap()).sum::<u64>(), number("cycles"));
    assert!(number("roofline_cycles") > 0 && number("roofline_cycles") < number("cycles"), "{value}");
    assert_eq!(number("golden_values_checked"), 7 * 9 + 7);
    let utilisation = number("roofline_cycles") as f64 / number("cycles") as f64;
    assert!((value["utilisation"].as_f64().unwrap() - utilisation).abs() < 1e-12);
    assert_eq!(run(folder.path(), &[&args[..], &["--json"]].concat()).1, format!("{value:#}\n"));
    let (_, other) = json(folder.path(), &[&args[..], &["--stall-seed", "3"]].concat());
    assert!(other["cycles"].as_u64() > value["cycles"].as_u64(), "{other}");
}

#[test]
fn waves_of_a_simulation_show_every_register_or_those_asked_for() {
    let folder = tempdir().unwrap();
    let waves = |more: &[&str]| {
        let args = ["simulate", "--preset", "tiny", "--gemm", "6x11x10", "--vcd", "w.vcd"];
        let (code, _) = json(folder.path(), &[&args[..], more].concat());
        (code, fs::read_to_string(folder.path().join("w.vcd")).unwrap_or_default())
    };
    let (code, all) = waves(&["--random-start", "3"]);
    assert_eq!(code, 0);
    for part in ["u_matmul", "_pe[1][2]", "weight_q", "s_axis_tdata", "$enddefinitions"] {
        assert!(all.contains(part), "{part}");
    }
    let (_, some) = waves(&["--signal", "u_matmul", "--cycles", "20..60"]);
    assert!(some.len() < all.len() / 4 && some.contains("weight_q") && !some.contains("s_axis_tdata"));
    assert!(some.contains("\n#20\n") && !some.contains("\n#61\n"));
    fs::remove_file(folder.path().join("w.vcd")).unwrap();
    for more in [&["--signal", "nonsense"][..], &["--cycles", "9..3"], &["--requant", "none"]] {
        assert_eq!(waves(more), (2, String::new()), "{more:?}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_long_product_keeps_the_array_busy() {
    let folder = tempdir().unwrap();
    let (code, value) = json(folder.path(), &["simulate", "--preset", "base", "--gemm", "512x576x576"]);
    assert_eq!(code, 0);
    assert!(value["utilisation"].as_f64().unwrap() >= 0.97, "{}", value["utilisation"]);
}

#[test]
fn all_layers_of_all_blocks_run_with_the_tokens_of_a_prompt() {
    let folder = tempdir().unwrap();
    let args = ["simulate", "--preset", "base", "--model", "fairy", "--prompt", "A king"];
    let (code, value) = json(folder.path(), &[&args[..], &["--unit", "engine"]].concat());
    assert_eq!((code, value["layers"].as_array().unwrap().len()), (0, 28));
    let tokens = value["layers"][0]["m"].as_u64().unwrap();
    assert!((2..10).contains(&tokens), "{tokens}");
    for (wanted, layer) in [(1, LAYER), (20, LAYER)] {
        let (code, value) =
            json(folder.path(), &[&args[..], &["--layer", layer, "--tokens", &wanted.to_string()]].concat());
        assert_eq!((code, value["layers"][0]["m"].as_u64()), (0, Some(wanted)));
    }
    let (code, text, stderr) = run(folder.path(), &[&args[..], &["--layer", LAYER, "--format", "pot4"]].concat());
    assert_eq!(code, 0);
    assert!(text.contains("pot4") && text.contains("MATCH"), "{text}");
    assert!(stderr.contains("--set pe.kind=shift --set pe.formats=pot4"), "{stderr}");
    let (_, _, stderr) = run(folder.path(), &[&args[..], &["--layer", LAYER, "--format", "pot4", "-q"]].concat());
    assert_eq!(stderr, "");
}

#[test]
fn a_qmodel_stands_in_for_a_directory_with_its_own_format() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("tale.txt"), "There was once a king who had a golden ball.\n").unwrap();
    let quantize = |format: &str, more: &[&str], file: &str| {
        let args = ["quantize", "fairy", "--format", format, "--calib", "tale.txt", "-o", file];
        assert_eq!(run(folder.path(), &[&args[..], more].concat()).0, 0);
    };
    quantize("w8a8", &["--acts", "asymmetric"], "m.q");
    quantize("w4a8", &[], "groups.q");
    let of = |model: &str, more: &[&str]| {
        let args = ["simulate", "--preset", "small", "--model", model, "--layer", LAYER, "--prompt", "A king"];
        run(folder.path(), &[&args[..], more].concat())
    };
    for requant in ["dynamic", "asymmetric", "static"] {
        let (code, text, stderr) = of("m.q", &["--requant", requant, "--tokens", "9"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(text.contains("w8a8") && text.contains("MATCH"), "{text}");
    }
    for (model, more, parts) in [
        ("m.q", &["--format", "w4a8"][..], ["format = w4a8: allowed w8a8, the layer's own", "m.q: model.layers."]),
        ("m.q", &["--acts", "symmetric"], ["acts = symmetric: allowed asymmetric", "leave --acts out"]),
        ("groups.q", &[], ["scaling = group32: allowed channel", "groups.q: model.layers."]),
    ] {
        let (code, stdout, stderr) = of(model, more);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(parts.iter().all(|p| stderr.contains(p)), "{stderr}");
    }
}

#[test]
fn work_that_cannot_be_done_is_refused() {
    let folder = tempdir().unwrap();
    let tiny = ["simulate", "--preset", "tiny"];
    let fairy = ["--model", "fairy", "--prompt", "A king"];
    for (args, part) in [
        (&["--gemm", "0x5x5"][..], "0x5x5"),
        (&["--gemm", "5x5"], "MxKxN"),
        (&["--gemm", "5x70000x5"], "65535"),
        (&["--gemm", "99999999999999999999x5x5"], "MxKxN"),
        (&["--gemm", "5x5x5", "--prompt", "A king"], "--prompt"),
        (&["--gemm", "5x5x5", "--model", "fairy"], "--model"),
        (&["--gemm", "5x5x50000"], "buffer.channels"),
        (&["--gemm", "5x5x5", "--format", "fp4", "--acts", "asymmetric"], "symmetric"),
        (&["--gemm", "5x5x5", "--set", "requant.modes=static", "--requant", "dynamic"], "requant.modes"),
        (&["--gemm", "5x5x5", "--set", "array.rows=0"], "array.rows = 0"),
        (&["--model", "fairy"], "--prompt"),
        (&[], "--gemm"),
        (&["--layer", "x"], "--model"),
        (&[&fairy[..], &["--layer", "model.layers.9.mlp.up_proj"]].concat(), "model.layers.0"),
        (&[&fairy[..], &["--tokens", "0"]].concat(), "--tokens = 0"),
        (&[&fairy[..], &["--tokens", "100000"]].concat(), "max_position_embeddings"),
        (&["--model", "nowhere", "--prompt", "x"], "nowhere"),
        (&["--gemm", "5x5x5", "--mem-latency", "9"], "--mem-latency = given: allowed with --unit top"),
        (&["--gemm", "5x5x5", "--format", "nvfp4"], "--format = nvfp4"),
        (
            &[&fairy[..], &["--unit", "engine", "--recipe", "plain"]].concat(),
            "--recipe = given: allowed with --unit top",
        ),
        (&[&fairy[..], &["--acts", "symmetric"]].concat(), "--acts = given: allowed with --unit engine"),
    ] {
        let (code, stdout, stderr) = run(folder.path(), &[&tiny[..], args].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(part), "{args:?}: {stderr}");
        assert!(stderr.lines().count() <= 9, "{args:?}: {stderr}");
    }
}

#[test]
fn verilog_simulator_and_golden_agree_also_with_stalls_random_starts_and_waves() {
    let folder = tempdir().unwrap();
    let gemm = ["cosim", "--preset", "tiny", "--gemm", "6x11x10"];
    for more in [&[][..], &["--stall-seed", "5"], &["--random-start", "9"], &["--requant", "asymmetric"]] {
        let (code, value) = json(folder.path(), &[&gemm[..], more].concat());
        assert_eq!((code, &value["match"], &value["mismatches"]), (0, &Value::Bool(true), &0.into()), "{value}");
        for field in ["cycles", "cycles_checked", "golden_values_checked"] {
            assert!(value[field].as_u64().unwrap() > 0, "{field}");
        }
    }
    let (code, text, _) = run(folder.path(), &[&gemm[..], &["--vcd", "w.vcd", "-q"]].concat());
    assert_eq!(code, 0);
    assert!(text.starts_with("MATCH: ") && text.lines().count() == 1, "{text}");
    assert!(fs::read_to_string(folder.path().join("w.vcd")).unwrap().contains("$enddefinitions"));
    let fairy = ["cosim", "--preset", "tiny", "--model", "fairy", "--layer", LAYER, "--prompt", "A king"];
    assert_eq!(json(folder.path(), &fairy).1["match"], true);
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn the_array_alone_gives_golden_partial_sums() {
    let folder = tempdir().unwrap();
    let array = ["cosim", "--preset", "tiny", "--gemm", "3x9x6", "--unit", "array"];
    for more in [&[][..], &["--set", "array.rows=7", "--set", "array.preload_rows=2", "--format", "pot4"]] {
        let (code, value) = json(folder.path(), &[&array[..], more].concat());
        assert_eq!((code, value["unit"].as_str()), (0, Some("array")), "{value}");
        let k_tiles = if more.is_empty() { 3 } else { 2 };
        assert_eq!(value["golden_values_checked"], 3 * 6 * k_tiles);
    }
    let (code, _, stderr) = run(folder.path(), &[&array[..], &["--stall-seed", "1"]].concat());
    assert_eq!((code, stderr.contains("--stall-seed")), (2, true), "{stderr}");
    run(folder.path(), &["generate", "--preset", "tiny", "--unit", "array", "-o", "rtl"]);
    let path = folder.path().join("rtl/systole_pe.v");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(" + ").count(), 2, "one in the header, one in the logic: {text}");
    let changed = text.rsplitn(2, " + ").collect::<Vec<_>>();
    fs::write(&path, format!("{} - {}", changed[1], changed[0])).unwrap();
    let (code, value) = json(folder.path(), &[&array[..], &["--rtl", "rtl"]].concat());
    assert_eq!((code, value["first_mismatch"]["point"].as_str()), (1, Some("sum_o")), "{value}");
    assert_eq!(value["first_mismatch"]["tile"], "0/0/0");
}

#[test]
fn waves_that_cannot_be_written_are_refused_and_leave_nothing() {
    let folder = tempdir().unwrap();
    for file in ["/dev/full", "no/such/w.vcd", "."] {
        let args = ["cosim", "--preset", "tiny", "--gemm", "6x11x10", "--vcd", file];
        let (code, stdout, stderr) = run(folder.path(), &args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{file}");
        assert!(stderr.contains(file), "{file}: {stderr}");
    }
    assert!(!std::path::Path::new("/dev/full").metadata().unwrap().is_file());
    assert!(files(folder.path()).is_empty());
    let args = ["cosim", "--preset", "tiny", "--model", "fairy", "--prompt", "A king", "--vcd", "w.vcd"];
    let (code, _, stderr) = run(folder.path(), &[&args[..], &["--unit", "engine"]].concat());
    assert_eq!((code, stderr.contains("--layer")), (2, true), "{stderr}");
}

#[test]
fn verilog_from_a_folder_is_compared_as_it_stands() {
    let folder = tempdir().unwrap();
    run(folder.path(), &["generate", "--preset", "tiny", "--unit", "engine", "-o", "rtl"]);
    let cosim = ["cosim", "--preset", "tiny", "--gemm", "6x11x10", "--rtl", "rtl"];
    assert_eq!(json(folder.path(), &cosim).1["match"], true);

    let path = folder.path().join("rtl/systole_product.v");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(" * ").count(), 1, "{text}");
    fs::write(&path, text.replace(" * ", " + ")).unwrap();
    let (code, value) = json(folder.path(), &cosim);
    assert_eq!((code, &value["match"]), (1, &Value::Bool(false)), "{value}");
    let first = &value["first_mismatch"];
    assert!(value["mismatches"].as_u64().unwrap() > 0);
    assert!(first["point"].is_string() && first["golden"].is_string() && first["rtl"].is_string(), "{first}");
    assert_eq!(first["repeat"], "systole cosim --preset tiny --gemm 6x11x10 --rtl rtl");
    assert!(folder.path().join(first["vcd"].as_str().unwrap()).metadata().unwrap().len() > 0);
    let (code, text, _) = run(folder.path(), &cosim);
    assert_eq!(code, 1);
    for part in ["MISMATCH in gemm", "at cycle", "golden", "Verilog", "waves", "repeat"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    fs::write(&path, "module broken").unwrap();
    let (code, value) = json(folder.path(), &cosim);
    assert_eq!((code, value["kind"].as_str()), (3, Some("tool")), "{value}");
    fs::create_dir(folder.path().join("empty")).unwrap();
    let (code, _, stderr) = run(folder.path(), &["cosim", "--preset", "tiny", "--gemm", "2x2x2", "--rtl", "empty"]);
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn a_missing_verilator_is_named_with_the_command_that_installs_it() {
    let folder = tempdir().unwrap();
    let mut command = systole(folder.path());
    let output = command.args(["cosim", "--preset", "tiny", "--gemm", "2x2x2"]).env("PATH", "/nonexistent").output();
    let (code, stdout, stderr) = outcome(&output.unwrap());
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert!(stderr.contains("verilator") && stderr.contains("apt-get install -y verilator"), "{stderr}");
}

#[test]
#[ignore = "takes minutes: six hardware configurations are built"]
fn the_demo_matches() {
    let folder = tempdir().unwrap();
    let (code, value) = json(folder.path(), &["demo"]);
    assert_eq!((code, &value["match"]), (0, &Value::Bool(true)));
    assert_eq!(value["layers"].as_array().unwrap().len(), 33);
}
