//! Areas from a netlist of library cells.

use spec::cost::{Cost, ModuleCost};

use super::is_skew;
use crate::hierarchy::instances;
use crate::job::Job;
use crate::liberty::Library;
use crate::netlist::{Bit, Module, Netlist};

/// Areas of each module and of the whole; the netlist keeps modules apart.
///
/// # Errors
/// A cell that is neither of the library nor a module nor a memory: something was not mapped.
pub fn cost(job: &Job, library: &Library, netlist: &Netlist) -> Result<Cost, String> {
    let counts = instances(&job.design);
    let mut cost = Cost {
        unit: job.unit.clone(),
        top: job.design.top.name.clone(),
        config_hash: job.config_hash.clone(),
        ..Cost::default()
    };
    let (mut area, mut seq_area, mut skew_area) = (0.0, 0.0, 0.0);
    for (name, module) in netlist.bodies() {
        let instances = counts.get(name).copied().ok_or_else(|| format!("module {name} is not of the design"))?;
        let mut row = ModuleCost { module: name.clone(), instances, ..ModuleCost::default() };
        for (cell_name, cell) in &module.cells {
            if let Some(found) = library.cells.get(&cell.kind) {
                row.cells += 1;
                row.area_um2 += found.area;
                if found.state.is_some() {
                    row.ffs += 1;
                    row.seq_area_um2 += found.area;
                }
            } else if !netlist.modules.contains_key(&cell.kind) && !cell.kind.starts_with("$mem") {
                return Err(format!("cell {cell_name} of {name} is {}, which the library does not have", cell.kind));
            }
        }
        let times = instances as f64;
        row.area_um2 *= times;
        row.seq_area_um2 *= times;
        row.cells *= instances;
        row.ffs *= instances;
        area += row.area_um2;
        seq_area += row.seq_area_um2;
        cost.ffs += row.ffs;
        if is_skew(name) {
            skew_area += row.area_um2;
        }
        if row.cells > 0 {
            cost.modules.push(row);
        }
    }
    if cost.modules.is_empty() {
        return Err("the netlist has no cells".to_string());
    }
    cost.modules.sort_by(|a, b| b.area_um2.total_cmp(&a.area_um2).then_with(|| a.module.cmp(&b.module)));
    cost.area_um2 = Some(area);
    cost.seq_area_um2 = Some(seq_area);
    cost.skew_area_um2 = cost.modules.iter().any(|row| is_skew(&row.module)).then_some(skew_area);
    Ok(cost)
}

/// The net that a register of a flattened netlist drives, by the register's instance name.
pub fn register(module: &Module, library: &Library, labels: &[String], instance: &str) -> Option<String> {
    let cell = module.cells.get(instance)?;
    let outputs = library.cells.get(&cell.kind)?.pins.iter().filter(|pin| pin.is_output);
    let nets = outputs.filter_map(|pin| cell.connections.get(&pin.name)?.first());
    let named = nets.filter_map(|bit| if let Bit::Net(net) = bit { labels.get(*net).cloned() } else { None });
    named.filter(|name| !name.is_empty()).min_by_key(|name| crate::netlist::is_made_up(name))
}
