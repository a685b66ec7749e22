//! Random yosys mutants of the tile engine: all of them in one netlist behind a selector, one Verilator build.

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cosim::engine::generate;
use cosim::rtl::Source;
use cosim::{Cosim, Options, Sources};
use hdl::rtl::module::{Design, Module, SignalKind};
use sim::engine::engine_design;
use spec::{Config, Format};
use support::config;
use tempfile::TempDir;
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

fn yosys(folder: &Path, name: &str, script: &str) -> Result<(), tool::Error> {
    tool::write_atomic(&folder.join(name), script.as_bytes()).unwrap();
    let command = Command::tool(&YOSYS)?.args(["-q", name]).cwd(folder);
    command.timeout(Duration::from_secs(600)).run()?;
    Ok(())
}

/// The engine's netlist in a folder; memories stay modules of their own.
struct Netlist {
    folder: TempDir,
    top: String,
    prefix: String,
}

impl Netlist {
    fn new(config: &Config, design: &Design) -> Self {
        let (folder, top) = (tempfile::tempdir().unwrap(), design.top.name.clone());
        let prefix = config.design.prefix.clone();
        let mut read = String::new();
        for (name, text) in generate(config, design).unwrap() {
            std::fs::write(folder.path().join(&name), text).unwrap();
            writeln!(read, "read_verilog {name}").unwrap();
        }
        yosys(
            folder.path(),
            "base.ys",
            &format!(
                "{read}hierarchy -check -top {top}\nproc\nsetattr -mod -set keep_hierarchy 1 {prefix}_ram_*\n\
                 flatten\nopt\nwreduce\nopt\nclean\nwrite_rtlil base.il\n"
            ),
        )
        .unwrap();
        let modules = design.modules();
        let is_memory = |module: &&Arc<Module>| module.name.starts_with(&format!("{prefix}_ram_"));
        let accesses: String = modules.values().filter(is_memory).map(|module| accesses(module)).collect();
        std::fs::write(folder.path().join("accesses.v"), accesses).unwrap();
        Self { folder, top, prefix }
    }

    /// The mutants' descriptions, and Verilog of an engine that is mutant `+mutant=N` (0: none).
    fn mutated(&self, design: &Design, count: usize, seed: u64) -> (Vec<String>, Vec<Source>) {
        let (folder, top) = (self.folder.path(), &self.top);
        let list = format!("read_rtlil base.il\nmutate -list {count} -seed {seed} -o mutants.txt {top}\n");
        yosys(folder, "list.ys", &list).unwrap();
        let list = std::fs::read_to_string(folder.join("mutants.txt")).unwrap();
        let mutants: Vec<String> = list.lines().map(str::to_string).collect();
        let mut script = "read_rtlil base.il\n".to_string();
        for (i, mutant) in mutants.iter().enumerate() {
            writeln!(script, "mutate -ctrl mutsel 16 {} {}", i + 1, arguments(mutant)).unwrap();
        }
        writeln!(script, "rename {top} mutated\nwrite_verilog -noattr mutated.v").unwrap();
        yosys(folder, "mutate.ys", &script).unwrap();
        let text = std::fs::read_to_string(folder.join("mutated.v")).unwrap();
        (mutants, vec![("mutated.v".into(), text), (format!("{top}.v"), selector(design))])
    }

    /// Whether yosys proves a mutant equivalent to the engine: whatever registers and memories hold, all outputs, all
    /// next states and all accesses to memories are equal. Registers that nothing reads do not count.
    fn is_equivalent(&self, mutant: &str) -> bool {
        let Self { folder, top, prefix } = self;
        // Registers become ports, so that what is left is combinational.
        let cut = format!(
            "delete {prefix}_ram_*\nread_verilog accesses.v\nproc\nhierarchy -top {top}\nflatten\nmemory\n\
             opt_clean -purge\ndffunmap\nopt_clean -purge\nexpose -evert-dff\n"
        );
        let script = format!(
            "read_rtlil base.il\n{cut}rename {top} gold\ndesign -stash gold\n\
             read_rtlil base.il\nmutate {}\n{cut}rename {top} gate\ndesign -stash gate\n\
             design -copy-from gold -as gold gold\ndesign -copy-from gate -as gate gate\n\
             miter -equiv -flatten gold gate miter\nhierarchy -top miter\nopt -full\nopt_clean\n\
             sat -timeout 20 -verify -prove trigger 0 miter\n",
            arguments(mutant)
        );
        let hash = script.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        yosys(folder.path(), &format!("proof-{hash:016x}.ys"), &script).is_ok()
    }
}

/// Stands in for a memory in proofs: registers that take each access, and read data that may be anything.
fn accesses(memory: &Module) -> String {
    let width = |name: &str| memory.ports().find(|(_, port)| port.name == name).expect("a memory's port").1.ty.width;
    let (addr, data) = (width("waddr_i"), width("wdata_i"));
    format!(
        "module {} (input clk_i, input write_i, input [{a}:0] waddr_i, input [{d}:0] wdata_i,\n\
         input read_i, input [{a}:0] raddr_i, output [{d}:0] rdata_o);\n\
         (* keep *) reg [{both}:0] written;\n(* keep *) reg [{addr}:0] read;\nreg [{d}:0] data;\n\
         always @(posedge clk_i) begin\nwritten <= write_i ? {{1'b1, waddr_i, wdata_i}} : 0;\n\
         read <= read_i ? {{1'b1, raddr_i}} : 0;\ndata <= ~data;\nend\nassign rdata_o = data;\nendmodule\n",
        memory.name,
        a = addr - 1,
        d = data - 1,
        both = addr + data,
    )
}

/// The arguments of a `mutate` command of a list.
fn arguments(mutant: &str) -> &str {
    mutant.strip_prefix("mutate ").expect("a list of mutate commands")
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

/// What became of the mutants of one seed.
struct Outcome {
    seed: u64,
    count: usize,
    /// Mutants that no run tells from the engine, and whether they are proven to be the same.
    survivors: Vec<(String, bool)>,
}

impl Outcome {
    fn equivalent(&self) -> usize {
        self.survivors.iter().filter(|(_, is_equivalent)| *is_equivalent).count()
    }

    fn caught(&self) -> usize {
        self.count - self.survivors.len()
    }

    fn print(&self) {
        let Self { seed, count, survivors } = self;
        let (caught, equivalent) = (self.caught(), self.equivalent());
        eprintln!("seed {seed}: {caught} of {count} caught, {equivalent} proven equivalent");
        for (mutant, is_equivalent) in survivors {
            eprintln!("  {}: {mutant}", if *is_equivalent { "equivalent" } else { "survives" });
        }
    }
}

/// Puts `count` mutants through the stress layers and tries to prove the survivors equivalent.
fn run(count: usize, seed: u64) -> Outcome {
    let config = small_engine();
    config.validate().unwrap();
    let design = engine_design(&config).unwrap();
    let netlist = Netlist::new(&config, &design);
    let (mutants, files) = netlist.mutated(&design, count, seed);
    assert_eq!(mutants.len(), count);
    let cosim = Cosim::new(&config, &Sources::Given(files), &Options::default()).unwrap();
    assert!(!cosim.has_probes());
    let layers = cosim.record_stress().unwrap();
    let is_caught = |mutant: usize| {
        let plusargs = [format!("+mutant={mutant}")];
        layers.iter().any(|layer| !cosim.replay(layer, &plusargs).unwrap().matched())
    };
    assert!(!is_caught(0));
    let next = AtomicUsize::new(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut survivors = std::thread::scope(|scope| {
        let work = || {
            let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&i| i <= count));
            numbers.filter(|&i| !is_caught(i)).map(|i| (i, netlist.is_equivalent(&mutants[i - 1]))).collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    survivors.sort_unstable();
    let survivors = survivors.into_iter().map(|(i, is_equivalent)| (mutants[i - 1].clone(), is_equivalent)).collect();
    let outcome = Outcome { seed, count, survivors };
    outcome.print();
    outcome
}

/// At least `percent` of the mutants that are not proven equivalent are caught.
fn check(outcomes: &[Outcome], percent: usize) {
    let count: usize = outcomes.iter().map(|o| o.count - o.equivalent()).sum();
    let caught: usize = outcomes.iter().map(Outcome::caught).sum();
    assert!(100 * caught >= percent * count, "{caught} of {count} mutants that are not proven equivalent are caught");
}

/// Of so few mutants two may be such that no run reaches them and no proof covers them.
#[test]
fn mutants_are_caught() {
    check(&[run(40, 1)], 95);
}

/// Four hundred mutants: at least 98 of 100. Minutes on two free cores.
#[test]
#[ignore = "hundreds of mutants: minutes"]
fn full_mutants() {
    check(&(10..14).map(|seed| run(100, seed)).collect::<Vec<_>>(), 98);
}
