//! Random yosys mutants of the tile engine: all of them in one netlist behind a selector, one Verilator build.

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use cosim::engine::generate;
use cosim::rtl::Source;
use cosim::{Cosim, Options, Sources};
use hdl::rtl::module::{Design, SignalKind};
use sim::engine::engine_design;
use spec::{Config, Format};
use support::config;
use tool::{Command, YOSYS};

/// The Config whose engine is mutated: two formats of the array, every mode, a bus that words share and span.
fn small_engine() -> Config {
    let mut config = config(8, 4, &[Format::W8a8, Format::W4a8]);
    config.array.chunk_rows = 16;
    config.bus.data_bits = 32;
    config.requant.lanes = 2;
    // Eight rows of the longest reduction: only that reaches the highest bits.
    config.buffer.act_bytes = 2 * 8 * 8 * 8192;
    config.buffer.acc_bytes = 2 * 16 * 16 * 4;
    config.buffer.channels = 16;
    config
}

fn yosys(folder: &Path, script: &str) {
    tool::write_atomic(&folder.join("script.ys"), script.as_bytes()).unwrap();
    let command = Command::tool(&YOSYS).unwrap().args(["-q", "script.ys"]).cwd(folder);
    command.timeout(Duration::from_secs(600)).run().unwrap_or_else(|e| panic!("{e}"));
}

/// The mutants' descriptions, and Verilog of an engine that is mutant `+mutant=N` (0: none).
///
/// Memories stay modules of their own: yosys cannot write the clock of a memory behind a selector.
fn mutated(config: &Config, design: &Design, count: usize, seed: u64) -> (Vec<String>, Vec<Source>) {
    let folder = tempfile::tempdir().unwrap();
    let top = &design.top.name;
    let prefix = &config.design.prefix;
    let mut read = String::new();
    for (name, text) in generate(config, design).unwrap() {
        std::fs::write(folder.path().join(&name), text).unwrap();
        writeln!(read, "read_verilog {name}").unwrap();
    }
    yosys(
        folder.path(),
        &format!(
            "{read}hierarchy -check -top {top}\nproc\nsetattr -mod -set keep_hierarchy 1 {prefix}_ram_*\nflatten\n\
             opt\nwreduce\nopt\nclean\nwrite_rtlil base.il\nmutate -list {count} -seed {seed} -o mutants.txt {top}\n"
        ),
    );
    let list = std::fs::read_to_string(folder.path().join("mutants.txt")).unwrap();
    let mutants: Vec<String> = list.lines().map(str::to_string).collect();
    let mut script = "read_rtlil base.il\n".to_string();
    for (i, mutant) in mutants.iter().enumerate() {
        let rest = mutant.strip_prefix("mutate ").expect("a list of mutate commands");
        writeln!(script, "mutate -ctrl mutsel 16 {} {rest}", i + 1).unwrap();
    }
    writeln!(script, "rename {top} mutated\nwrite_verilog -noattr mutated.v").unwrap();
    yosys(folder.path(), &script);
    let text = std::fs::read_to_string(folder.path().join("mutated.v")).unwrap();
    (mutants, vec![("mutated.v".into(), text), (format!("{top}.v"), selector(design))])
}

/// The engine's ports around the mutated netlist, whose selector is read from the command line.
fn selector(design: &Design) -> String {
    let mut ports = "  input wire clk_i,\n  input wire rst_ni".to_string();
    let mut connections = "    .clk_i(clk_i),\n    .rst_ni(rst_ni)".to_string();
    for (_, port) in design.top.ports() {
        let direction = if port.kind == SignalKind::Input { "input" } else { "output" };
        write!(ports, ",\n  {direction} wire [{}:0] {}", port.ty.width - 1, port.name).unwrap();
        write!(connections, ",\n    .{0}({0})", port.name).unwrap();
    }
    format!(
        "module {} (\n{ports}\n);\n  reg [15:0] mutant;\n  initial if (!$value$plusargs(\"mutant=%d\", mutant)) mutant = 0;\n\
         mutated u_mutated (\n{connections},\n    .mutsel(mutant)\n  );\nendmodule\n",
        design.top.name
    )
}

fn options(mutant: usize) -> Options {
    Options { plusargs: vec![format!("+mutant={mutant}")], ..Options::default() }
}

/// Mutants that no run tells from the engine.
fn survivors(count: usize, seed: u64) -> Vec<String> {
    let config = small_engine();
    config.validate().unwrap();
    let design = engine_design(&config).unwrap();
    let (mutants, files) = mutated(&config, &design, count, seed);
    assert_eq!(mutants.len(), count);
    let cosim = Cosim::new(&config, &Sources::Given(files), &Options::default()).unwrap();
    assert!(!cosim.has_probes());
    let stress = |mutant: usize| cosim.stress(&options(mutant), |_, _| {}).unwrap();
    let verdict = stress(0);
    assert!(verdict.matched(), "{:?}", verdict.first);
    let is_caught = |mutant: usize| !stress(mutant).matched();
    (1..=count).filter(|&i| !is_caught(i)).map(|i| mutants[i - 1].clone()).collect()
}

#[test]
fn mutants_are_caught() {
    let (count, seed) = (40, 1);
    let survivors = survivors(count, seed);
    eprintln!("{} of {count} survive:\n{}", survivors.len(), survivors.join("\n"));
    // Mutants of what this Config cannot reach survive: forwarding between rows of different tiles, which needs a tile a
    // cycle; upper bits of row counters; steps whose mantissas are not normalised.
    assert!(survivors.len() * 100 <= 10 * count, "{} of {count} survive:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
#[ignore = "a thousand mutants: minutes"]
fn full_mutants() {
    let mut all = Vec::new();
    for seed in 10..14 {
        all.extend(survivors(250, seed));
    }
    eprintln!("{} of 1000 survive:\n{}", all.len(), all.join("\n"));
    assert!(all.len() <= 80, "{} of 1000 survive", all.len());
}
