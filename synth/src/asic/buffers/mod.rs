//! Buffers and stronger drivers for nets that lead through several modules.
//!
//! Modules are mapped one by one, so that the mapper knows neither what hangs on a module's outputs nor what drives its
//! inputs. This pass times the whole, takes the nets on its longest paths, and bounds their loads with buffers (or a
//! stronger driver) within the modules, until the period is met or nothing is gained any more. Of what the rounds make it
//! keeps the netlist whose product of area and longest path is least.

mod drive;
mod flat;
mod place;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use self::drive::{Drives, Load};
use self::flat::Flat;
use self::place::Round;
use super::Cells;
use crate::netlist::Netlist;
use crate::timing::levelised::{self, Path};

/// Rounds at most.
const ROUNDS: usize = 24;
/// Rounds after which it ends if none of them made the product of area and period less.
const PATIENCE: usize = 4;
/// Periods up to this part of the one that is aimed at are near enough: what is left is not a matter of buffers.
const NEAR: f64 = 1.05;
/// Paths that are at least this part of the longest are worked on.
const LONG: f64 = 0.9;
/// Gain for a net, as a part of the period, below which it stays as it is.
const LEAST: f64 = 0.02;
/// For keys of kept results: changes whenever what this pass does may.
pub const PLAN: &str = "buffers 1";

/// Bounds the loads of nets on long paths of a netlist of modules; returns whether it changed it.
///
/// The library's period (or that of the options) is aimed at: a netlist that meets it stays as it is, and so does one of a
/// library without a buffer.
pub fn bound(netlist: &mut Netlist, cells: &Cells, top: &str) -> bool {
    let Some(drives) = Drives::new(&cells.library, &cells.settings) else { return false };
    let period = f64::from(cells.settings.period_ps) / 1000.0;
    let round = Round {
        library: &cells.library,
        drives: &drives,
        top,
        output: Load { ff: cells.settings.load_ff, pins: 1 },
        least_ns: LEAST * period,
    };
    let (mut best, mut least, mut since, mut changes) = (None, f64::INFINITY, 0, 0);
    for _ in 0..ROUNDS {
        // A loop is told when the flattened netlist is timed.
        let Some(State { longest_ns, area, nets }) = State::new(netlist, cells, top, period) else { break };
        since += 1;
        if longest_ns * area < least {
            best = Some((netlist.clone(), changes));
            (least, since) = (longest_ns * area, 0);
        }
        if longest_ns <= NEAR * period || since > PATIENCE {
            break;
        }
        let changed = round.run(netlist, &nets);
        changes += changed;
        if changed == 0 {
            break;
        }
    }
    let Some((best, changes)) = best else { return false };
    *netlist = best;
    changes > 0
}

/// A netlist between two rounds.
struct State {
    longest_ns: f64,
    area: f64,
    /// Nets of modules on the longest path and on those that are nearly as long.
    nets: BTreeMap<String, BTreeSet<usize>>,
}

impl State {
    /// `None` for what cannot be timed.
    fn new(netlist: &Netlist, cells: &Cells, top: &str, period: f64) -> Option<Self> {
        let flat = Flat::new(netlist, top);
        let paths = levelised::paths(&flat.module, &cells.library, &cells.edge(true)).ok()?;
        let longest_ns = paths.first()?.period_ns;
        let is_long = |path: &&Path| path.period_ns > period && path.period_ns >= LONG * longest_ns;
        let nets: BTreeSet<usize> = paths.iter().filter(is_long).flat_map(|path| path.nets.iter().copied()).collect();
        let known = flat.module.cells.values().filter_map(|cell| cells.library.cells.get(&cell.kind));
        let area = known.map(|cell| cell.area).sum();
        let nets = flat.origins(&nets).into_iter().map(|(name, nets)| (name.to_string(), nets)).collect();
        Some(Self { longest_ns, area, nets })
    }
}
