//! The scripts of yosys and abc.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::choice::{Mapping, choose, mappings};
use super::{CELLS, Cells, buffers, is_skew, memories, ties};
use crate::error::Error;
use crate::job::Work;
use crate::liberty::library::ArcKind;
use crate::netlist::Netlist;

/// Ways of mapping, of which each module takes the best: name, script of abc, and the share of the period that it aims at.
/// abc knows neither wires nor the transitions of registers, so what aims at all of it seldom meets it.
pub const SCRIPTS: [(&str, &str, f64); 6] = [
    ("plain", include_str!("../../flows/asic/plain.abc"), 1.0),
    ("plain_fast", include_str!("../../flows/asic/plain.abc"), 0.93),
    ("plain_faster", include_str!("../../flows/asic/plain.abc"), 0.86),
    ("buffered", include_str!("../../flows/asic/buffered.abc"), 0.9),
    ("levels", include_str!("../../flows/asic/levels.abc"), 0.9),
    ("area", include_str!("../../flows/asic/area.abc"), 1.0),
];

/// The netlist of mapped modules, and the same with loads bounded.
const MAPPED: &str = "mapped.json";
const BUFFERED: &str = "buffered.json";

/// Maps the design: `hierarchy.json` (modules apart), `flat.json`, the netlist for simulation and that for timing.
pub fn map(work: &Work<'_>, cells: &Cells) -> Result<PathBuf, Error> {
    let settings = &cells.settings;
    let period = combinational_ps(cells);
    let constraints = format!("set_driving_cell {}\nset_load {}\n", settings.driver, settings.load_ff);
    work.write("edge.constr", &constraints)?;
    for (name, text, share) in SCRIPTS {
        work.write(&format!("{name}.abc"), &text.replace("@PERIOD@", &format!("{:.0}", period * share)))?;
    }
    work.yosys("front", &front(work)?, &["gates.il"])?;
    let mut found: BTreeMap<String, Vec<(&str, Mapping)>> = BTreeMap::new();
    let mut failed = None;
    for (name, _, _) in SCRIPTS {
        let file = format!("try_{name}.json");
        let script = format!("read_rtlil gates.il\n{}opt_clean\nwrite_json {file}\n", abc(name, ""));
        let log = match work.yosys(&format!("try_{name}"), &script, &[&file]) {
            Ok(log) => log,
            // Not every mapper of abc takes every library.
            Err(error @ Error::Tool(tool::Error::Failed { .. })) => {
                failed = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let netlist = Netlist::load(&work.path(&file), &log)?;
        for (module, mapping) in mappings(&netlist, &cells.library, &cells.edge(false)) {
            found.entry(module).or_default().push((name, mapping));
        }
    }
    if let Some(error) = failed.filter(|_| found.is_empty()) {
        return Err(error);
    }
    let mut script = String::from("read_rtlil gates.il\n");
    for (module, of) in &found {
        let mappings: Vec<Mapping> = of.iter().map(|(_, mapping)| *mapping).collect();
        let best = choose(&mappings, f64::from(settings.period_ps) / 1000.0);
        script.push_str(&abc(of[best].0, &format!(" {module}")));
    }
    for (command, tie) in [("-hicell", &settings.tie_high), ("-locell", &settings.tie_low)] {
        if let [cell, pin] = tie.as_slice() {
            script.push_str(&format!("hilomap -singleton {command} {cell} {pin}\n"));
        }
    }
    script.push_str(&format!("setundef -zero\nopt_clean\nwrite_rtlil mapped.il\nwrite_json {MAPPED}\n"));
    let log = work.yosys("map", &script, &["mapped.il", MAPPED])?;
    let read = if buffer(work, cells, &log)? { format!("read_json {BUFFERED}") } else { "read_rtlil mapped.il".into() };
    let netlist = super::NETLIST;
    let script = format!(
        "{read}\nwrite_json hierarchy.json\nsetattr -mod -unset keep_hierarchy *\nflatten\n\
         delete */t:$scopeinfo\nopt_clean\nrename -enumerate\nwrite_json flat.json\nopt_clean -purge\n\
         write_verilog -noattr {netlist}\nsplitnets -ports\nopt_clean -purge\ndelete */t:$mem*\nwrite_verilog -noattr -noexpr timing.v\n"
    );
    work.yosys("back", &script, &["hierarchy.json", "flat.json", netlist, "timing.v"])
}

/// Writes the mapped netlist with the loads of long nets bounded, if there are such; returns whether it did.
fn buffer(work: &Work<'_>, cells: &Cells, log: &Path) -> Result<bool, Error> {
    let path = work.path(MAPPED);
    let mut netlist = Netlist::load(&path, log)?;
    let is_released = ties::release(&mut netlist, cells);
    let is_changed = buffers::bound(&mut netlist, cells, &work.job.design.top.name) || is_released;
    if is_changed {
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let wrong = |problem| Error::Output { tool: "yosys".to_string(), problem, log: log.to_path_buf() };
        work.write(BUFFERED, &netlist.edited(&text).map_err(wrong)?)?;
    }
    Ok(is_changed)
}

fn abc(script: &str, modules: &str) -> String {
    format!("abc -liberty {CELLS} -constr edge.constr -script {script}.abc{modules}\n")
}

/// From Verilog to gates and library registers.
fn front(work: &Work<'_>) -> Result<String, Error> {
    let design = &work.job.design;
    let top = &design.top.name;
    let sources = work.sources()?;
    // Booth's multipliers came after 0.23.
    let booth = if work.yosys.is_at_least(&[0, 40]) { " -booth" } else { "" };
    let across = if work.options.propagates && work.yosys.is_at_least(&[0, 60]) { " -hieropt" } else { "" };
    let mut kept = String::new();
    let mut small = String::new();
    for (name, module) in design.modules() {
        let (macros, flops) = memories(&module);
        let stays = if work.options.flattens { is_skew(&name) || !macros.is_empty() } else { module.has_clock };
        if stays && name != *top {
            kept.push_str(&format!("setattr -mod -set keep_hierarchy 1 {name}\n"));
        }
        // A memory in a module that is merged is not there under its name: its module was kept apart, or it is mapped.
        for memory in flops {
            small.push_str(&format!(" {name}/{memory}"));
        }
    }
    let has_macros = design.modules().values().any(|module| !memories(module).0.is_empty());
    let memory_map = match (has_macros, small.is_empty()) {
        (false, _) => "memory_map\n".to_string(),
        (true, true) => String::new(),
        (true, false) => format!("memory_map{small}\n"),
    };
    Ok(format!(
        "read_verilog {sources}\nhierarchy -check -top {top}\n{kept}synth -flatten{booth}{across} -top {top} -run begin:fine\n\
         opt -fast -full\n{memory_map}opt -full\ntechmap\nopt -fast\ndfflibmap -liberty {CELLS}\nopt\n\
         delete */t:$scopeinfo\nwrite_rtlil gates.il\n"
    ))
}

/// The part of the period in ps that is left for logic between registers: without launch and setup of the fastest
/// flip-flop.
fn combinational_ps(cells: &Cells) -> f64 {
    let library = &cells.library;
    let load = cells.settings.load_ff / library.cap_ff;
    let overhead = |cell: &crate::liberty::Cell| {
        let arcs = |kind: ArcKind| cell.pins.iter().flat_map(|pin| &pin.arcs).filter(move |arc| arc.kind == kind);
        let slowest = |kind: ArcKind| {
            let tables = arcs(kind).flat_map(|arc| arc.delay.iter().flatten());
            tables.map(|table| table.at(0.0, if kind == ArcKind::Launch { load } else { 0.0 })).fold(0.0, f64::max)
        };
        slowest(ArcKind::Launch) + slowest(ArcKind::Setup)
    };
    let flops = library.cells.values().filter(|cell| cell.state.as_ref().is_some_and(|state| !state.is_latch));
    let used =
        flops.filter(|cell| !cells.settings.exclude.iter().any(|p| crate::liberty::trim::matches(p, &cell.name)));
    let least = used.map(overhead).filter(|time| *time > 0.0).min_by(f64::total_cmp).unwrap_or(0.0);
    let period = f64::from(cells.settings.period_ps);
    (period - least * library.time_ns * 1000.0).max(period / 4.0)
}
