//! Which of several mappings of a module is taken: the smallest that is fast enough, otherwise the fastest.

use std::collections::BTreeMap;

use crate::liberty::Library;
use crate::netlist::Netlist;
use crate::timing::levelised::{Edge, paths};

/// One mapping of a module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mapping {
    /// Area of its cells in µm², without the modules in it.
    pub area_um2: f64,
    /// Its longest path in ns by our own estimate, from its registers and inputs to its registers and outputs.
    pub period_ns: f64,
}

/// The mapping of every module of a netlist in which modules are apart.
pub fn mappings(netlist: &Netlist, library: &Library, edge: &Edge<'_>) -> BTreeMap<String, Mapping> {
    let mut found = BTreeMap::new();
    for (name, module) in netlist.bodies() {
        let cells = module.cells.values().filter_map(|cell| library.cells.get(&cell.kind));
        let area_um2 = cells.map(|cell| cell.area).sum();
        // A module with a loop is refused later, when the whole netlist is timed.
        let period_ns = paths(module, library, edge).ok().and_then(|paths| paths.first().map(|path| path.period_ns));
        found.insert(name.clone(), Mapping { area_um2, period_ns: period_ns.unwrap_or(0.0) });
    }
    found
}

/// Index of the mapping to take.
pub fn choose(of: &[Mapping], most_ns: f64) -> usize {
    let all = || of.iter().enumerate();
    let fast = all().filter(|(_, m)| m.period_ns <= most_ns).min_by(|a, b| a.1.area_um2.total_cmp(&b.1.area_um2));
    let best = fast.or_else(|| all().min_by(|a, b| a.1.period_ns.total_cmp(&b.1.period_ns)));
    best.map_or(0, |(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_is_fast_enough_is_taken() {
        let of = [(600.0, 1.2), (650.0, 0.9), (640.0, 0.95)];
        let of = of.map(|(area_um2, period_ns)| Mapping { area_um2, period_ns });
        assert_eq!(choose(&of, 1.0), 2);
        assert_eq!(choose(&of, 2.0), 0);
        assert_eq!(choose(&of, 0.5), 1);
        assert_eq!(choose(&[], 0.5), 0);
    }
}
