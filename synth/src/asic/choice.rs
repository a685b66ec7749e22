//! Which of several mappings of a module is taken: the smallest that is fast enough, otherwise the fastest.

use std::collections::BTreeMap;

/// What abc says of one mapping of a module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mapping {
    /// Area of its combinational cells, in the library's unit.
    pub area: f64,
    /// Its longest combinational path in ps.
    pub delay_ps: f64,
}

/// Mappings by module, from what yosys printed of one run of abc over all modules.
pub fn mappings(log: &str) -> BTreeMap<String, Mapping> {
    let mut found = BTreeMap::new();
    let mut module = None;
    for line in log.lines() {
        if let Some(rest) = line.split("Extracting gate netlist of module `").nth(1) {
            module = rest.split('\'').next().map(|name| name.trim_start_matches('\\').to_string());
        }
        // Colours stand between the numbers.
        let line = plain(line);
        let number = |key: &str| {
            let rest = line.split(key).nth(1)?.trim_start().strip_prefix('=')?.trim_start();
            rest.split_whitespace().next()?.parse().ok()
        };
        if line.contains("Gates =") {
            if let (Some(module), Some(area), Some(delay_ps)) = (&module, number("Area"), number("Delay")) {
                found.insert(module.clone(), Mapping { area, delay_ps });
            }
        }
    }
    found
}

/// The line without terminal colours.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut parts = line.split('\u{1b}');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    out
}

/// Index of the mapping to take; `None` if there is none.
pub fn choose(of: &[Option<Mapping>], most_ps: f64) -> Option<usize> {
    let known = || of.iter().enumerate().filter_map(|(i, mapping)| mapping.map(|mapping| (i, mapping)));
    let fast = known().filter(|(_, m)| m.delay_ps <= most_ps).min_by(|a, b| a.1.area.total_cmp(&b.1.area));
    fast.or_else(|| known().min_by(|a, b| a.1.delay_ps.total_cmp(&b.1.delay_ps))).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
4.1.1. Extracting gate netlist of module `\\demo_pe' to `<abc-temp-dir>/input.blif'..
ABC: WireLoad = \"none\"  \u{1b}[1;33mGates =    500\u{1b}[0m ( 18.2 %)   \u{1b}[1;32mCap =  3.7 ff\u{1b}[0m (  2.0 %)   \u{1b}[1;36mArea =      620.50\u{1b}[0m ( 94.6 %)   \u{1b}[1;35mDelay =   950.25 ps\u{1b}[0m  ( 13.6 %)
4.2.1. Extracting gate netlist of module `\\demo_skew' to `<abc-temp-dir>/input.blif'..
Don't call ABC as there is nothing to map.
4.3.1. Extracting gate netlist of module `\\demo_top' to `<abc-temp-dir>/input.blif'..
ABC: WireLoad = \"none\"  Gates =    5 ( 18.2 %)   Cap =  3.7 ff (  2.0 %)   Area =      6.00 ( 94.6 %)   Delay =    90.00 ps  ( 13.6 %)
";

    #[test]
    fn areas_and_delays_are_read_module_by_module() {
        let found = mappings(LOG);
        assert_eq!(found["demo_pe"], Mapping { area: 620.5, delay_ps: 950.25 });
        assert_eq!(found["demo_top"], Mapping { area: 6.0, delay_ps: 90.0 });
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn the_smallest_that_is_fast_enough_is_taken() {
        let of = [Some((600.0, 1200.0)), None, Some((650.0, 900.0)), Some((640.0, 950.0))];
        let of = of.map(|m| m.map(|(area, delay_ps)| Mapping { area, delay_ps }));
        assert_eq!(choose(&of, 1000.0), Some(3));
        assert_eq!(choose(&of, 2000.0), Some(0));
        assert_eq!(choose(&of, 500.0), Some(2));
        assert_eq!(choose(&[None], 500.0), None);
    }
}
