//! Longest paths of a placed and routed design from its delays: one pass in the order of the logic.
//!
//! As nextpnr counts: an ideal clock, every path from a clock edge to the next one, clock-to-output and setup times in it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::sdf::{Pin, Sdf};

/// The longest path to one input of a register, a memory or a multiplier.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Clocked output where it begins.
    pub start: Pin,
    /// Clocked input where it ends.
    pub end: Pin,
    /// Time from clock edge to clock edge in ns, setup time in it.
    pub period_ns: f64,
}

type Key<'a> = (&'a str, &'a str);

/// Pins by number.
#[derive(Default)]
struct Pins<'a> {
    numbers: HashMap<Key<'a>, u32>,
    keys: Vec<Key<'a>>,
}

impl<'a> Pins<'a> {
    fn number(&mut self, cell: &'a str, port: &'a str) -> u32 {
        let next = self.keys.len() as u32;
        let number = *self.numbers.entry((cell, port)).or_insert(next);
        if number == next {
            self.keys.push((cell, port));
        }
        number
    }

    fn pin(&self, number: u32) -> Pin {
        let (cell, port) = self.keys[number as usize];
        Pin { cell: cell.to_string(), port: port.to_string() }
    }
}

/// Inputs that take a clock: those with setup times related to them, and all others on the same wires.
fn clocks(sdf: &Sdf) -> HashSet<Key<'_>> {
    let related = |cell: &'_ super::sdf::Cell| cell.setups.iter().map(|s| s.clock.clone()).collect::<HashSet<_>>();
    let named: HashMap<&str, HashSet<String>> = sdf.cells.iter().map(|c| (c.name.as_str(), related(c))).collect();
    let is_named = |pin: &Pin| named.get(pin.cell.as_str()).is_some_and(|ports| ports.contains(&pin.port));
    let drivers: HashSet<&Pin> = sdf.wires.iter().filter(|wire| is_named(&wire.to)).map(|wire| &wire.from).collect();
    let taken = sdf.wires.iter().filter(|wire| drivers.contains(&wire.from));
    taken.map(|wire| (wire.to.cell.as_str(), wire.to.port.as_str())).collect()
}

/// The longest path from a clock edge to every clocked input, longest first; inputs that no clocked output reaches have
/// none.
///
/// # Errors
/// A combinational loop: the name of a cell in it.
pub fn paths(sdf: &Sdf) -> Result<Vec<Path>, String> {
    let clocks = clocks(sdf);
    let mut pins = Pins::default();
    let mut edges: Vec<(u32, u32, f64)> = Vec::new();
    // Start and time of the latest arrival.
    let mut launches: BTreeMap<u32, f64> = BTreeMap::new();
    for wire in &sdf.wires {
        if !clocks.contains(&(wire.to.cell.as_str(), wire.to.port.as_str())) {
            let from = pins.number(&wire.from.cell, &wire.from.port);
            edges.push((from, pins.number(&wire.to.cell, &wire.to.port), wire.delay_ns));
        }
    }
    for cell in &sdf.cells {
        for arc in &cell.arcs {
            let to = pins.number(&cell.name, &arc.to);
            if clocks.contains(&(cell.name.as_str(), arc.from.as_str())) {
                let time = launches.entry(to).or_insert(arc.delay_ns);
                *time = time.max(arc.delay_ns);
            } else {
                edges.push((pins.number(&cell.name, &arc.from), to, arc.delay_ns));
            }
        }
    }
    let count = pins.keys.len();
    let mut arrivals: Vec<Option<(f64, u32)>> = vec![None; count];
    for (pin, time) in launches {
        arrivals[pin as usize] = Some((time, pin));
    }
    let mut waiting = vec![0u32; count];
    let mut from: Vec<Vec<(u32, f64)>> = vec![Vec::new(); count];
    for (start, end, delay) in edges {
        waiting[end as usize] += 1;
        from[start as usize].push((end, delay));
    }
    let mut ready: Vec<u32> = (0..count as u32).filter(|&pin| waiting[pin as usize] == 0).collect();
    let mut done = 0;
    while let Some(pin) = ready.pop() {
        done += 1;
        for &(next, delay) in &from[pin as usize] {
            if let Some((time, start)) = arrivals[pin as usize] {
                let slot = &mut arrivals[next as usize];
                if slot.is_none_or(|(latest, _)| time + delay > latest) {
                    *slot = Some((time + delay, start));
                }
            }
            waiting[next as usize] -= 1;
            if waiting[next as usize] == 0 {
                ready.push(next);
            }
        }
    }
    if done < count {
        let stuck = (0..count).find(|&pin| waiting[pin] > 0).map_or("", |pin| pins.keys[pin].0);
        return Err(format!("a combinational loop through {stuck}"));
    }
    let mut longest: BTreeMap<u32, (f64, u32)> = BTreeMap::new();
    for cell in &sdf.cells {
        for setup in &cell.setups {
            let Some(&pin) = pins.numbers.get(&(cell.name.as_str(), setup.port.as_str())) else { continue };
            let Some((time, start)) = arrivals[pin as usize] else { continue };
            let period = time + setup.time_ns;
            let slot = longest.entry(pin).or_insert((period, start));
            if period > slot.0 {
                *slot = (period, start);
            }
        }
    }
    let path = |(&end, &(period_ns, start)): (&u32, &(f64, u32))| Path {
        start: pins.pin(start),
        end: pins.pin(end),
        period_ns,
    };
    let mut found: Vec<Path> = longest.iter().map(path).collect();
    found.sort_by(|a, b| b.period_ns.total_cmp(&a.period_ns).then_with(|| a.end.cmp(&b.end)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::sdf::tests::TEXT;
    use super::*;

    #[test]
    fn a_path_is_the_sum_of_its_parts() {
        let paths = paths(&Sdf::parse(TEXT).unwrap()).unwrap();
        let ends: Vec<_> = paths.iter().map(|p| (p.start.cell.as_str(), p.end.cell.as_str())).collect();
        assert_eq!(ends, [("a.x_q[1]", "b"), ("b", "a.x_q[1]")]);
        // Clock to output 510, wire 100, table 1000, wire 250, setup -10. Back: 500, wire 20, the longer setup 40.
        assert!((paths[0].period_ns - 1.85).abs() < 1e-9 && (paths[1].period_ns - 0.56).abs() < 1e-9, "{paths:?}");
        assert_eq!((paths[0].start.port.as_str(), paths[0].end.port.as_str()), ("Q", "D"));
    }

    #[test]
    fn a_clock_without_setup_times_launches_too() {
        // A register with a constant input.
        let check = "(TIMINGCHECK (SETUPHOLD (posedge D) (posedge CLK) (-10:-10:-10) (0:0:0)))";
        let sdf = Sdf::parse(&TEXT.replace(check, "")).unwrap();
        let paths = paths(&sdf).unwrap();
        assert_eq!((paths.len(), paths[0].start.cell.as_str()), (1, "b"));
    }

    #[test]
    fn a_loop_is_an_error() {
        let looped = TEXT.replace("a.x_q\\[1\\]/Q lut/A", "lut/F lut/A");
        assert!(paths(&Sdf::parse(&looped).unwrap()).unwrap_err().contains("lut"));
    }
}
