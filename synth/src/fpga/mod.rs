//! FPGA targets: yosys maps, nextpnr places, routes and times.

mod names;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use spec::cost::{Cost, ModuleCost, WorstPath};
use tool::Command;

use self::names::{Aliases, Names, Point, is};

use crate::error::Error;
use crate::harness;
use crate::hierarchy::{DUT, instances, owner};
use crate::job::{Job, Options, Work};
use crate::netlist::{Bit, Module, Netlist};
use crate::target::{Device, Family, Target};
use crate::timing::nextpnr::Report;
use crate::timing::routed;
use crate::timing::sdf::Sdf;

/// Netlist of the design alone, its module as in the Verilog.
pub const NETLIST: &str = "netlist.v";
/// Most of a device's look-up tables that a design may take, in per cent: fuller ones seldom route.
const MOST_PERCENT: u64 = 95;
/// Most of them where a larger device can be had: fuller ones take long to route.
const EASY_PERCENT: u64 = 85;

/// The design as the Verilog describes it, flattened in its frame, with all names of its nets.
const DESCRIBED: &str = "described.json";
/// Delays of the placed and routed frame.
const DELAYS: &str = "delays.sdf";
/// Changes whenever results for the same input may.
const FLOW: &str = "paths of modules 3";
/// Share of the period by which our own longest path may differ from nextpnr's before the result says so.
const MOST_DIFFERENCE: f64 = 0.01;

/// What decides the result beside Verilog and tools.
pub(crate) fn plan(job: &Job, options: &Options) -> String {
    format!("{FLOW} {EASY_PERCENT} {MOST_PERCENT} {:?}{}", options.target.family(), harness::frame(&job.design))
}

/// Runs the flow in its folder.
pub(crate) fn run(work: &Work<'_>) -> Result<Cost, Error> {
    let (job, options) = (work.job, work.options);
    let family = options.target.family().expect("the caller has an FPGA target");
    let top = &job.design.top.name;
    let sources = work.sources()?;
    work.write("systole_frame.v", &harness::frame(&job.design))?;
    let commands = if work.yosys.is_at_least(&[0, 50]) { &family.synth } else { &family.older };
    let synth = if options.uses_dsps { &commands.with_dsp } else { &commands.without_dsp };
    let frame = harness::NAME;
    let script = format!(
        "read_verilog {sources} systole_frame.v\nhierarchy -check -top {frame}\n\
         setattr -mod -set keep_hierarchy 1 {top}\n{synth} -top {frame}\nwrite_json mapped.json\n\
         select {top}\nwrite_verilog -noattr -selected {NETLIST}\nselect -clear\n\
         setattr -mod -unset keep_hierarchy {top}\nflatten\ndelete t:$scopeinfo\nopt_clean\n{finish}\nwrite_json frame.json\n\
         design -reset\nread_verilog {sources} systole_frame.v\nhierarchy -top {frame}\nproc\nflatten\n\
         delete {frame}/c:*\nwrite_json {DESCRIBED}\n",
        finish = family.finish.join("\n")
    );
    for file in &family.files {
        work.write(&file.name, &file.text)?;
    }
    let log = work.yosys("yosys", &script, &["mapped.json", "frame.json", DESCRIBED, NETLIST])?;
    let described = Netlist::load(&work.path(DESCRIBED), &log)?;
    let aliases = Aliases::new(described.modules.get(frame).ok_or_else(|| lacks(&log, DESCRIBED, frame))?);
    let netlist = Netlist::load(&work.path("mapped.json"), &log)?;
    let module = netlist.modules.get(top).filter(|module| !module.cells.is_empty());
    let module = module.ok_or_else(|| lacks(&log, NETLIST, top))?;
    let modules = table(job, &family, module, &aliases);
    let sum = |count: fn(&ModuleCost) -> u64| modules.iter().map(count).sum::<u64>();
    let (luts, ffs) = (sum(|m| m.luts), sum(|m| m.ffs));
    let (dsps, brams) = (sum(|m| m.dsps), sum(|m| m.brams));
    let mut cost = Cost {
        target: options.target.name().to_string(),
        unit: job.unit.clone(),
        top: top.clone(),
        config_hash: job.config_hash.clone(),
        luts: Some(luts),
        ffs,
        dsps: Some(dsps),
        brams: Some(brams),
        modules,
        ..Cost::default()
    };
    let holds = |device: &Device, percent: u64| {
        device.luts == 0 || (luts * 100 <= device.luts * percent && brams <= device.brams && dsps <= device.dsps)
    };
    let largest = family.devices.last().expect("a family has devices");
    let smallest = |percent: u64| family.devices.iter().find(|device| holds(device, percent));
    let device = smallest(EASY_PERCENT).or_else(|| smallest(MOST_PERCENT));
    cost.technology = device.unwrap_or(largest).name.clone();
    if let Some(fuller) = smallest(MOST_PERCENT).filter(|fuller| fuller.name != cost.technology) {
        cost.remarks.push(format!(
            "{} would hold it, {} % of its look-up tables used: fuller than {EASY_PERCENT} %, it would take long to route",
            fuller.name,
            luts * 100 / fuller.luts
        ));
    }
    match (work.timer, device) {
        (Some(_), None) => cost.remarks.push(format!(
            "does not fit the largest device of the flow, {}: {} look-up tables ({MOST_PERCENT} % of them used), {} \
             block RAMs, {} multipliers; no frequency",
            largest.name, largest.luts, largest.brams, largest.dsps
        )),
        (Some(_), Some(device)) => {
            if place(work, &family, device, &mut cost)? {
                let placed = Netlist::load(&work.path("frame.json"), &log)?;
                let placed = placed.modules.get(frame).ok_or_else(|| lacks(&log, "frame.json", frame))?;
                time(work, &Names::new(&job.design, &family, placed, &aliases), &mut cost)?;
            }
        }
        (None, _) => {}
    }
    Ok(cost)
}

fn lacks(log: &Path, file: &str, module: &str) -> Error {
    let problem = format!("{module} is not in {file}, or has no cells");
    Error::Output { tool: "yosys".to_string(), problem, log: log.to_path_buf() }
}

/// Places and routes the design in its frame; `false` if that cannot be, which the remarks then say.
fn place(work: &Work<'_>, family: &Family, device: &Device, cost: &mut Cost) -> Result<bool, Error> {
    let Some(placer) = work.timer else { return Ok(false) };
    let log = work.path("nextpnr.log");
    let result = Command::new(&placer.path)
        .args(&device.args)
        .args(&family.pin_options)
        .args(["--json", "frame.json", "--report", "report.json", "--sdf", DELAYS])
        .args(["--seed", "1", "--timing-allow-fail"])
        .args(["--freq", &family.freq_mhz.to_string()])
        .cwd(work.folder)
        .timeout(work.options.timeout)
        .log(&log)
        .writes(work.path("report.json"))
        .run();
    match result {
        Ok(_) => Ok(true),
        Err(error @ tool::Error::TimedOut { .. }) => {
            let line = error.to_string().lines().next().unwrap_or_default().to_string();
            cost.remarks.push(format!("{line}; no frequency"));
            Ok(false)
        }
        Err(error) => {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let is_full = |line: &&str| {
                let line = line.to_ascii_lowercase();
                line.contains("error")
                    && ["unable to place", "failed to place", "no more", "failed to route", "exceed"]
                        .iter()
                        .any(|w| line.contains(w))
            };
            let Some(line) = text.lines().find(is_full) else { return Err(error.into()) };
            cost.remarks.push(format!("{}: {}: {line}; no frequency", placer.name, device.name));
            Ok(false)
        }
    }
}

/// Frequency, what is taken of the device, and the longest path of the whole and of each module.
fn time(work: &Work<'_>, names: &Names<'_>, cost: &mut Cost) -> Result<(), Error> {
    let Some(placer) = work.timer else { return Ok(()) };
    let path = work.path("report.json");
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    let wrong =
        |problem: String| Error::Output { tool: placer.name.to_string(), problem, log: work.path("nextpnr.log") };
    let report = Report::parse(&bytes).map_err(|e| wrong(format!("report.json: {e}")))?;
    cost.freq_mhz = report.freq_mhz();
    if cost.freq_mhz.is_none() && work.job.design.top.has_clock {
        return Err(wrong("report.json has no frequency".to_string()));
    }
    cost.timing = Some(placer.name.to_string());
    cost.utilisation = report.utilisation();
    let named = |path: &routed::Path, end: Point| WorstPath {
        start: names.point(&path.start).name,
        end: end.name,
        unit: end.unit,
        period_ns: Some(path.period_ns),
    };
    let Some(slowest) = report.slowest() else { return Ok(()) };
    cost.worst_path = Some(named(&slowest, names.point(&slowest.end)));
    let paths = fs::read_to_string(work.path(DELAYS)).map_err(|e| e.to_string());
    let paths = paths.and_then(|text| routed::paths(&Sdf::parse(&text)?));
    let paths = match paths {
        Ok(paths) => paths,
        Err(problem) => {
            cost.remarks.push(format!("no longest path of each module: {DELAYS} of {}: {problem}", placer.name));
            return Ok(());
        }
    };
    for path in &paths {
        let end = names.point(&path.end);
        let row = cost.modules.iter_mut().find(|row| row.module == end.unit && row.worst_path.is_none());
        if let Some(row) = row.filter(|_| !end.is_frame) {
            row.worst_path = Some(named(path, end));
        }
    }
    // Of several paths as long as the longest, the one that nextpnr names.
    if let Some(whole) = &cost.worst_path {
        let row = cost.modules.iter_mut().filter_map(|row| row.worst_path.as_mut()).find(|row| row.unit == whole.unit);
        let is_as_long = |ns: f64| (ns - slowest.period_ns).abs() < 1e-3 * slowest.period_ns;
        if let Some(row) = row.filter(|row| row.period_ns.is_some_and(is_as_long)) {
            row.clone_from(whole);
        }
    }
    let own_ns = paths.first().map_or(0.0, |path| path.period_ns);
    if (own_ns - slowest.period_ns).abs() > MOST_DIFFERENCE * slowest.period_ns {
        cost.remarks.push(format!(
            "the modules' paths are of {DELAYS}, whose longest takes {own_ns:.3} ns; {} says {:.3} ns",
            placer.name, slowest.period_ns
        ));
    }
    Ok(())
}

/// Verilog of a result for simulation: the netlist with the primitives' own descriptions, which yosys brings, put in.
///
/// # Errors
/// [`Error::Tool`].
pub fn simulation(top: &str, target: Target, folder: &Path, timeout: Duration) -> Result<Vec<(String, String)>, Error> {
    let (log, out) = (folder.join("simulation.log"), folder.join("simulation.v"));
    let mut models = format!("read_verilog -defer -overwrite +/{target}/cells_sim.v\n");
    if target == Target::Ecp5 {
        // Its multiplier comes without a description.
        tool::write_atomic(&folder.join("multiplier.v"), include_bytes!("../../flows/ecp5_multiplier.v"))?;
        models.push_str("read_verilog -defer -overwrite multiplier.v\n");
    }
    let script = format!(
        "{models}read_verilog {NETLIST}\nhierarchy -check -top {top}\nproc\nflatten\nopt_clean\n\
         write_verilog -noattr simulation.v\n"
    );
    tool::write_atomic(&folder.join("simulation.ys"), script.as_bytes())?;
    Command::tool(&tool::SYNTH_YOSYS)?
        .args(["-q", "-l", "simulation.log", "-s", "simulation.ys"])
        .cwd(folder)
        .timeout(timeout)
        .log(folder.join("simulation.out"))
        .writes(&log)
        .writes(&out)
        .run()?;
    let text = fs::read_to_string(&out).map_err(Error::io("read", &out))?;
    Ok(vec![(NETLIST.to_string(), text)])
}

/// Share of each module: a primitive belongs to the module in whose body the register or net stands that it was named
/// after. Registers, multipliers and block RAMs keep their names; a look-up table has that of what it feeds.
fn table(job: &Job, family: &Family, module: &Module, aliases: &Aliases<'_>) -> Vec<ModuleCost> {
    let counts = instances(&job.design);
    let mut rows: BTreeMap<&str, ModuleCost> = BTreeMap::new();
    let labels = module.net_labels();
    for (name, cell) in &module.cells {
        // A register's own name is that of its net, which has several where modules pass it on.
        let state = cell.connections.get("Q").filter(|_| is(&family.ffs, &cell.kind)).and_then(|bits| bits.first());
        let state = state.and_then(|bit| if let Bit::Net(net) = bit { labels.get(*net) } else { None });
        let inner = format!("{DUT}.{}", state.filter(|label| !label.is_empty()).unwrap_or(name));
        let owner = owner(&job.design, aliases.best(&inner));
        let row = rows.entry(owner).or_insert_with(|| ModuleCost {
            module: owner.to_string(),
            instances: counts.get(owner).copied().unwrap_or(0),
            ..ModuleCost::default()
        });
        row.cells += 1;
        let kind = cell.kind.as_str();
        row.luts += u64::from(is(&family.luts, kind)) + family.lut_weights.get(kind).copied().unwrap_or(0);
        row.ffs += u64::from(is(&family.ffs, kind));
        row.dsps += u64::from(is(&family.dsps, kind));
        row.brams += u64::from(is(&family.brams, kind));
    }
    let mut rows: Vec<ModuleCost> = rows.into_values().collect();
    rows.sort_by(|a, b| (b.luts, b.ffs, b.dsps).cmp(&(a.luts, a.ffs, a.dsps)).then_with(|| a.module.cmp(&b.module)));
    rows
}
