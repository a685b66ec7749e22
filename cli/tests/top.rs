//! What `generate` writes of the whole accelerator: a test bench that passes and sees faults, scripts, constraints.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::json;
use tempfile::{TempDir, tempdir};

fn generate(args: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let (code, value) = json(folder.path(), &[&["generate", "--unit", "top", "-o", "g"], args].concat());
    assert_eq!(code, 0, "{value}");
    let g = folder.path().join("g");
    (folder, g)
}

/// Runs a tool in a folder; what it says.
fn tool(folder: &Path, name: &str, args: &[&str]) -> String {
    let output = Command::new(name).args(args).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{name}: {text}");
    text
}

fn compile(g: &Path) {
    let rtl = fs::read_to_string(g.join("systole_top.f")).unwrap();
    let mut args = vec!["-g2005", "-Wall", "-o", "tb.vvp", "-s", "tb_systole_top"];
    args.extend(rtl.lines());
    args.extend(["tb_systole_top.v", "systole_axi_monitor.v"]);
    assert_eq!(tool(g, "iverilog", &args), "");
}

#[test]
fn the_bench_passes_and_sees_wrong_values_and_every_breach_of_the_protocol() {
    let (_folder, g) = generate(&["--preset", "tiny"]);
    compile(&g);
    let passed = tool(&g, "vvp", &["-N", "tb.vvp"]);
    assert!(passed.contains("PASS 13 values") && !passed.contains("FAIL"), "{passed}");
    for (fault, told) in [
        ("1", "valid fell before ready came"),
        ("2", "the payload changed while it waited"),
        ("3", "wlast is"),
        ("4", "leaves its 4 KiB page"),
    ] {
        let failed = tool(&g, "vvp", &["-N", "tb.vvp", &format!("+fault={fault}")]);
        assert!(failed.contains("FAIL") && failed.contains(told) && !failed.contains("PASS"), "{fault}: {failed}");
    }
    let path = g.join("systole_product.v");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(" * ").count(), 1, "{text}");
    fs::write(&path, text.replace(" * ", " + ")).unwrap();
    compile(&g);
    let failed = tool(&g, "vvp", &["-N", "tb.vvp"]);
    assert!(failed.contains("FAIL") && failed.contains("expected") && !failed.contains("PASS"), "{failed}");
    // No result at all is no success.
    let bench = fs::read_to_string(g.join("tb_systole_top.v")).unwrap();
    let none = bench.replace("localparam [31:0] Results = 32'd13;", "localparam [31:0] Results = 32'd0;");
    assert_ne!(bench, none);
    fs::write(g.join("tb_systole_top.v"), none).unwrap();
    compile(&g);
    let failed = tool(&g, "vvp", &["-N", "tb.vvp"]);
    assert!(failed.contains("FAIL: 0 of 0 values"), "{failed}");
}

#[test]
fn the_bench_passes_on_other_shapes_and_formats() {
    for args in [
        ["--preset", "fp4", "--set", "array.rows=4", "--set", "array.cols=6", "--set", "vec.lanes=2"],
        ["--preset", "small", "--set", "array.rows=5", "--set", "array.cols=3", "--set", "bus.data_bits=32"],
        [
            "--preset",
            "small",
            "--set",
            "pe.formats=[\"w8a8\", \"mxfp4\"]",
            "--set",
            "vec.lanes=1",
            "--set",
            "bus.data_bits=128",
        ],
    ] {
        let (_folder, g) = generate(&args);
        compile(&g);
        let passed = tool(&g, "vvp", &["-N", "tb.vvp"]);
        assert!(passed.contains("PASS ") && !passed.contains("FAIL"), "{args:?}: {passed}");
    }
}

#[test]
fn the_bench_and_its_monitor_lint_clean() {
    for preset in ["tiny", "fp4"] {
        let (_folder, g) = generate(&["--preset", preset]);
        compile(&g);
        let rtl = fs::read_to_string(g.join("systole_top.f")).unwrap();
        let mut sources: Vec<&str> = rtl.lines().collect();
        sources.extend(["tb_systole_top.v", "systole_axi_monitor.v"]);
        let args = ["--lint-only", "-Wall", "--top-module", "tb_systole_top"];
        assert_eq!(tool(&g, "verilator", &[&args[..], &sources].concat()), "", "{preset}");
    }
}
