//! Cell libraries: yosys and abc map, OpenSTA times where it is installed, our own levelised estimate always.

mod buffers;
mod choice;
mod figures;
mod script;
mod ties;

use std::fs;
use std::path::Path;

use hdl::rtl::Module;
use hdl::rtl::module::Item;
use spec::Problem;
use spec::cost::{Cost, MemoryCost, WorstPath};
use tool::Command;

use crate::cells::{Settings, settings};
use crate::error::Error;
use crate::hierarchy::{instances, owner};
use crate::job::{Job, Options, Work};
use crate::liberty::{Library, trim};
use crate::netlist::{Module as Netlisted, Netlist};
use crate::store;
use crate::timing::levelised::{self, Edge, Path as LongPath};
use crate::timing::opensta;

/// Netlist of library cells, flattened, with the ports of the Verilog.
pub const NETLIST: &str = "netlist.v";
/// The same as yosys writes it in JSON, cells with numbers for names.
pub const FLAT: &str = "flat.json";
/// Simulation models of its cells.
pub const MODELS: &str = "cells.v";
/// Largest memory that is made of flip-flops; larger ones are left for macros.
pub const MOST_FLOP_BITS: u64 = 2048;
const CLOCK: &str = "clk_i";
/// Copy of the library without excluded cells.
const CELLS: &str = "cells.lib";

/// What decides the result beside Verilog and tools.
pub(crate) fn plan(_: &Job, options: &Options) -> Result<String, Error> {
    let path = liberty(options)?;
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    Ok(format!(
        "{} {:?} {} {}",
        store::key([bytes.as_slice()]),
        crate::cells::known(),
        buffers::PLAN,
        script::SCRIPTS.map(|s| format!("{} {}", s.1, s.2)).concat()
    ))
}

fn liberty(options: &Options) -> Result<&Path, Error> {
    options.liberty.as_deref().ok_or_else(|| {
        let problem =
            Problem::new("liberty", "none", "a Liberty file (.lib)", "give the cell library with --liberty FILE");
        Error::Invalid(problem)
    })
}

/// Cell library, and what the flow needs to know of it.
struct Cells {
    library: Library,
    settings: Settings,
}

impl Cells {
    fn load(options: &Options, folder: &Path) -> Result<Self, Error> {
        let path = liberty(options)?;
        let wrong = |problem: String| Error::Liberty { path: path.to_path_buf(), problem };
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let text = String::from_utf8_lossy(&bytes);
        let library = Library::parse(&text).map_err(wrong)?;
        let mut settings = settings(&library);
        if let Some(period) = options.period_ps {
            settings.period_ps = period;
        }
        if !library.cells.values().any(|cell| cell.state.as_ref().is_some_and(|state| !state.is_latch)) {
            return Err(wrong("the library has no flip-flop".to_string()));
        }
        // One copy serves every run with this library. It must be in the run's folder, for a WebAssembly build of yosys
        // sees no other.
        let excluded = settings.exclude.join(" ");
        let name = format!("cells-{}.lib", store::key([bytes.as_slice(), excluded.as_bytes()]));
        let shared = folder.parent().unwrap_or(folder).join(name);
        if !shared.is_file() {
            let trimmed = trim::trim(&text, &settings.exclude).map_err(wrong)?;
            tool::write_atomic(&shared, trimmed.as_bytes())?;
        }
        let own = folder.join(CELLS);
        if fs::hard_link(&shared, &own).is_err() {
            fs::copy(&shared, &own).map_err(Error::io("write", &own))?;
        }
        Ok(Self { library, settings })
    }

    /// Surroundings of a netlist; `slows_inputs` for that of the whole, for which OpenSTA has it so.
    fn edge(&self, slows_inputs: bool) -> Edge<'_> {
        let driver = self.library.cells.get(&self.settings.driver);
        let driver = driver.and_then(|cell| cell.pins.iter().find(|pin| pin.is_output).map(|pin| (cell, pin)));
        Edge { driver, load_ff: self.settings.load_ff, clock: CLOCK, slows_inputs }
    }
}

/// Whether a module is skew registers around an array.
pub fn is_skew(module: &str) -> bool {
    module.contains("_skew_") || module.contains("_deskew_")
}

/// Memories of a module that are left for macros, and the names of those that become flip-flops.
fn memories(module: &Module) -> (Vec<(u32, u32)>, Vec<&str>) {
    let (mut macros, mut small) = (Vec::new(), Vec::new());
    for item in &module.items {
        if let Item::Memory(memory) = item {
            if u64::from(memory.width) * u64::from(memory.depth) > MOST_FLOP_BITS {
                macros.push((memory.depth, memory.width));
            } else {
                small.push(memory.name.as_str());
            }
        }
    }
    (macros, small)
}

/// Runs the flow in its folder.
pub(crate) fn run(work: &Work<'_>) -> Result<Cost, Error> {
    let job = work.job;
    let cells = Cells::load(work.options, work.folder)?;
    let log = script::map(work, &cells)?;
    let counts = instances(&job.design);
    let hierarchical = Netlist::load(&work.path("hierarchy.json"), &log)?;
    let wrong = |problem: String| Error::Output { tool: "yosys".to_string(), problem, log: log.clone() };
    let top = &job.design.top.name;
    let mut cost = figures::cost(job, &cells.library, &hierarchical).map_err(wrong)?;
    cost.target = work.options.target.name().to_string();
    cost.technology = cells.settings.name.clone();
    for (name, module) in job.design.modules() {
        for (words, width_bits) in memories(&module).0 {
            let instances = counts.get(&name).copied().unwrap_or(0);
            cost.memories.push(MemoryCost { module: name.clone(), instances, words, width_bits });
        }
    }
    if !cost.memories.is_empty() {
        let bits: u64 = cost.memories.iter().map(|m| m.instances * u64::from(m.words) * u64::from(m.width_bits)).sum();
        cost.remarks.push(format!(
            "{bits} bits of memory are neither in the area nor in the timing; each memory above {MOST_FLOP_BITS} bits \
             is left for a macro"
        ));
    }
    let flat = Netlist::load(&work.path(FLAT), &log)?;
    let module = flat.modules.get(top).ok_or_else(|| wrong(format!("{top} is not in the flattened netlist")))?;
    let paths = levelised::paths(module, &cells.library, &cells.edge(true)).map_err(wrong)?;
    write_models(work, &cells.library, module)?;
    let worst = |path: &LongPath| WorstPath {
        start: path.start.clone(),
        end: path.end.clone(),
        unit: owner(&job.design, &path.end).to_string(),
        period_ns: Some(path.period_ns),
    };
    for path in &paths {
        let path = worst(path);
        // A unit that was merged into the one above it has no row of its own.
        let row = cost.modules.iter_mut().find(|row| row.module == path.unit);
        if let Some(row) = row.filter(|row| row.worst_path.is_none()) {
            row.worst_path = Some(path);
        }
    }
    cost.own_period_ns = paths.first().map(|path| path.period_ns);
    cost.worst_path = paths.first().map(worst);
    cost.timing = cost.own_period_ns.map(|_| "systole".to_string());
    if let (Some(_), Some(own)) = (work.timer, cost.own_period_ns) {
        let (path, checked) = time(work, &cells, module, own)?;
        cost.worst_path = Some(path);
        cost.timing = Some(checked);
    }
    cost.freq_mhz = cost.worst_path.as_ref().and_then(|path| path.period_ns).map(|period| 1000.0 / period);
    Ok(cost)
}

/// Verilog of a result for simulation: the netlist and the models of its cells.
///
/// # Errors
/// [`Error::Io`].
pub fn simulation(folder: &Path) -> Result<Vec<(String, String)>, Error> {
    let read = |name: &str| {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        Ok((name.to_string(), text))
    };
    [NETLIST, MODELS].into_iter().map(read).collect()
}

/// Simulation models of the cells in a netlist.
fn write_models(work: &Work<'_>, library: &Library, module: &Netlisted) -> Result<(), Error> {
    let used: std::collections::BTreeSet<&str> = module.cells.values().map(|cell| cell.kind.as_str()).collect();
    let used = used.into_iter().filter(|kind| library.cells.contains_key(*kind));
    let models = crate::liberty::verilog::models(library, used);
    let wrong = |problem: String| Error::Liberty { path: work.options.liberty.clone().unwrap_or_default(), problem };
    work.write(MODELS, &models.map_err(wrong)?)
}

/// OpenSTA's slowest path, and its name for results.
fn time(work: &Work<'_>, cells: &Cells, module: &Netlisted, own_ns: f64) -> Result<(WorstPath, String), Error> {
    let Cells { library, settings } = cells;
    // A clock of about the period keeps all digits of the slack.
    let period = (own_ns / library.time_ns * 1000.0).round() / 1000.0;
    let script = opensta::Script {
        liberty: Path::new(CELLS),
        netlist: "timing.v",
        top: &work.job.design.top.name,
        clock: work.job.design.top.has_clock.then_some(CLOCK),
        period,
        driver: Some(settings.driver.as_str()).filter(|driver| !driver.is_empty()),
        load: settings.load_ff / library.cap_ff,
    };
    work.write("opensta.tcl", &script.text())?;
    let sta = work.timer.expect("the caller has a timing tool");
    let log = work.path("opensta.log");
    let command = Command::new(&sta.path).args(["-no_splash", "-exit", "opensta.tcl"]);
    let output = command.cwd(work.folder).timeout(work.options.timeout).log(&log).run()?;
    // It ends with status 0 whatever happens.
    let (said, output) = (output.stderr_text() + &output.stdout_text(), output.stdout_text());
    let error = said.lines().find(|line| line.contains("Error:"));
    let wrong = |problem: String| Error::Output { tool: "sta".to_string(), problem, log: log.clone() };
    if let Some(line) = error {
        return Err(wrong(line.to_string()));
    }
    let checked = opensta::parse(&output).ok_or_else(|| wrong("no path in its report".to_string()))?;
    let labels = module.net_labels();
    let named = |point: &str| figures::register(module, library, &labels, point).unwrap_or_else(|| point.to_string());
    let (start, end) = (named(&checked.start), named(&checked.end));
    let unit = owner(&work.job.design, &end).to_string();
    let period_ns = Some((period - checked.slack) * library.time_ns);
    Ok((WorstPath { start, end, unit, period_ns }, "opensta".to_string()))
}
