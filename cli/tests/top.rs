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
    for (preset, fields) in [
        ("fp4", &["array.rows=4", "array.cols=6", "vec.lanes=2"][..]),
        ("small", &["array.rows=5", "array.cols=3", "bus.data_bits=32"]),
        ("small", &["pe.formats=[\"w8a8\", \"mxfp4\"]", "vec.lanes=1", "bus.data_bits=128"]),
        ("small", &["pe.formats=[\"mxfp4a8\"]", "array.rows=3", "array.cols=4"]),
        ("tiny", &["pe.formats=[\"nvfp4\"]"]),
        ("tiny", &["pe.kind=shift", "pe.formats=[\"pot4\"]", "array.cols=1"]),
    ] {
        let fields = fields.iter().flat_map(|field| ["--set", field]);
        let args: Vec<&str> = ["--preset", preset].into_iter().chain(fields).collect();
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

/// Runs a script of a vendor's tool in the Tcl of yosys, with commands that only say that they were called.
fn calls(g: &Path, script: &str) -> Vec<String> {
    let stub = "proc unknown {name args} { puts \"CALL $name $args\"; return {} }\n\
        set argc 2\nset argv {part 8.000}\narray set quartus {args {}}\nsource ";
    fs::write(g.join("stub.tcl"), format!("{stub}{script}\n")).unwrap();
    let said = tool(g, "yosys", &["-q", "-c", "stub.tcl"]);
    said.lines().filter_map(|line| line.strip_prefix("CALL ")).map(ToString::to_string).collect()
}

#[test]
fn the_scripts_of_vendors_run_and_name_every_file() {
    let (_folder, g) = generate(&["--preset", "tiny"]);
    let rtl = fs::read_to_string(g.join("systole_top.f")).unwrap();
    for (script, command) in [
        ("systole_top_vivado.tcl", "add_files -norecurse "),
        ("systole_top_quartus.tcl", "set_global_assignment -name VERILOG_FILE "),
    ] {
        let calls = calls(&g, script);
        let named: Vec<&str> = calls.iter().filter_map(|call| call.strip_prefix(command)).collect();
        let mut names: Vec<&str> = named.iter().filter_map(|path| path.rsplit('/').next()).collect();
        assert!(named.iter().all(|path| Path::new(path).is_file()), "{script}: {named:?}");
        names.sort_unstable();
        let mut expected: Vec<&str> = rtl.lines().collect();
        expected.sort_unstable();
        assert_eq!(names, expected, "{script}");
    }
    let ooc = fs::read_to_string(g.join("vivado/systole_top_ooc.xdc")).unwrap();
    assert_eq!(ooc, "create_clock -name clk_i -period 8.000 [get_ports clk_i]\n");
    for (file, line) in [
        ("systole_top.xdc", "create_clock -name clk_i -period 10.000 [get_ports clk_i]"),
        ("systole_top.sdc", "derive_clock_uncertainty"),
    ] {
        let text = fs::read_to_string(g.join(file)).unwrap();
        assert!(text.lines().any(|l| l == line) && !text.contains("set_false_path"), "{text}");
    }
}

#[test]
fn the_ports_of_the_top_have_the_names_from_which_packagers_infer_interfaces() {
    let (_folder, g) = generate(&["--preset", "tiny"]);
    let text = fs::read_to_string(g.join("systole_top.v")).unwrap();
    let (ports, _) = text.split_once(");").unwrap();
    for channel in ["aw", "ar"] {
        for signal in ["valid", "ready", "addr", "len", "size", "burst", "cache", "prot", "id", "lock", "qos"] {
            assert!(ports.contains(&format!(" m_axi_{channel}{signal}")), "{channel}{signal}");
        }
        for signal in ["valid", "ready", "addr", "prot"] {
            assert!(ports.contains(&format!(" s_axil_{channel}{signal}")), "{channel}{signal}");
        }
    }
    for (master, signals) in [
        ("m_axi", "wvalid wready wdata wstrb wlast bvalid bready bresp rvalid rready rdata rresp rlast"),
        ("s_axil", "wvalid wready wdata wstrb bvalid bready bresp rvalid rready rdata rresp"),
    ] {
        for signal in signals.split(' ') {
            assert!(ports.contains(&format!(" {master}_{signal}")), "{master}_{signal}");
        }
    }
    for port in ["clk_i", "rst_ni", "irq_o"] {
        assert!(ports.contains(&format!(" {port}")), "{port}");
    }
}
