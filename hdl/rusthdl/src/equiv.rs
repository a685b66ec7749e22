//! Sequential equivalence of two Verilog descriptions of one module, decided by yosys.
//!
//! Both descriptions stand side by side and get the same inputs. The claim is that their outputs, and the signals named
//! as pairs, are equal in every cycle. yosys' `sat` proves it by induction over time:
//!
//! - base: it holds in the first cycles when all registers start at zero;
//! - step: from *any* state in which it holds, reachable or not, it holds one cycle later, for all inputs.
//!
//! So cells whose registers have no reset need not start at zero: they stay equal from wherever they are equal. Every
//! register of one description needs a partner in the other, or must not matter to its next state and outputs.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use hdl::rtl::Module;
use hdl::rtl::module::SignalKind;

use crate::error::Error;

/// Longest induction tried, and thus the length of the shortest counterexamples found from the zero state.
const MAX_STEPS: u32 = 6;

/// What yosys found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Equivalence {
    /// Equal in every cycle, from all registers at zero and from any state in which the pairs are equal.
    Proven,
    /// A run from all registers at zero in which they differ: yosys' table of it.
    Refuted(String),
    /// No such run within a few cycles, and no proof: the register pairs do not suffice, or they differ later.
    Open,
}

/// Compares our description of `module` with rust-hdl's.
///
/// `ours` is the text of `module` and everything below it. `theirs` is what rust-hdl generated: its module `top` has the
/// same ports, but its clock is called `clock`. `pairs` are registers or wires, ours and theirs, by their hierarchical
/// names with `.` between instances. yosys may take `timeout`.
///
/// # Errors
/// [`Error::Tool`] if yosys is missing, fails (a text that it cannot read, a name that is not there) or takes too long.
pub fn compare(
    module: &Module,
    ours: &str,
    theirs: &str,
    pairs: &[(String, String)],
    timeout: Duration,
) -> Result<Equivalence, Error> {
    let folder = tempfile::tempdir().map_err(|source| Error::Io { path: std::env::temp_dir(), source })?;
    let miter = miter(module);
    for (name, text) in [("ours.v", ours), ("theirs.v", theirs), ("miter.v", miter.as_str())] {
        let path = folder.path().join(name);
        fs::write(&path, text).map_err(|source| Error::Io { path, source })?;
    }
    let output = tool::Command::tool(&tool::YOSYS)?
        .args(["-p", &script(module, pairs)])
        .cwd(folder.path())
        .timeout(timeout)
        .run()?
        .stdout_text();
    if output.contains("Induction step proven: SUCCESS!") {
        return Ok(Equivalence::Proven);
    }
    if let Some((_, run)) = output.split_once("model found for base case: FAIL!") {
        return Ok(Equivalence::Refuted(table(run)));
    }
    if output.contains("Reached maximum number of time steps -> proof failed.") {
        return Ok(Equivalence::Open);
    }
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(Error::NoResult { tail: lines[lines.len().saturating_sub(3)..].join(" / ") })
}

/// Both descriptions with common inputs; each output twice, `ours_` and `theirs_`.
fn miter(module: &Module) -> String {
    let mut ports = vec!["  input wire clk".to_string()];
    let (mut ours, mut theirs) = (vec![".clk_i(clk)".to_string()], vec![".clock(clk)".to_string()]);
    for (_, port) in module.ports() {
        let (name, msb) = (&port.name, port.ty.width - 1);
        if port.kind == SignalKind::Input {
            ports.push(format!("  input wire [{msb}:0] {name}"));
            ours.push(format!(".{name}({name})"));
            theirs.push(format!(".{name}({name})"));
        } else {
            ports.push(format!("  output wire [{msb}:0] ours_{name}"));
            ports.push(format!("  output wire [{msb}:0] theirs_{name}"));
            ours.push(format!(".{name}(ours_{name})"));
            theirs.push(format!(".{name}(theirs_{name})"));
        }
    }
    format!(
        "module miter (\n{}\n);\n  {} ours ({});\n  top theirs ({});\nendmodule\n",
        ports.join(",\n"),
        module.name,
        ours.join(", "),
        theirs.join(", ")
    )
}

/// Reads both, makes registers of memories, forgets rust-hdl's initial values, and proves.
fn script(module: &Module, pairs: &[(String, String)]) -> String {
    let mut claims = String::new();
    for (_, port) in module.ports().filter(|(_, port)| port.kind != SignalKind::Input) {
        let _ = write!(claims, " -prove ours_{0} theirs_{0}", port.name);
    }
    for (ours, theirs) in pairs {
        let _ = write!(claims, " -prove ours.{ours} theirs.{theirs}");
    }
    // Registers of the two sides start out with different initial values, so that nothing merges them before the
    // proof: only the claims say what is equal.
    format!(
        "read_verilog theirs.v; read_verilog ours.v; read_verilog miter.v; prep -flatten -top miter; \
         setattr -unset init w:*; memory_map; opt_clean; \
         sat -tempinduct -maxsteps {MAX_STEPS} -set-init-zero -show-inputs -show-outputs{claims} miter"
    )
}

/// The table of signals by time that follows a counterexample.
fn table(run: &str) -> String {
    let rows = run.lines().skip_while(|line| !line.trim_start().starts_with("Time"));
    rows.take_while(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}
