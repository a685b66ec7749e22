//! Constants at memories that are left for macros.

use super::Cells;
use crate::netlist::{Bit, Module, Netlist};

/// Gives memories the constants that cells for constants drive; returns whether there were such.
///
/// yosys takes a constant 1 for granted at the enable of a read port without a clock, but its `hilomap` puts a cell there
/// as everywhere else.
pub fn release(netlist: &mut Netlist, cells: &Cells) -> bool {
    let ties = [(&cells.settings.tie_high, "1"), (&cells.settings.tie_low, "0")];
    let mut is_changed = false;
    for module in netlist.modules.values_mut() {
        for (tie, value) in &ties {
            let [kind, pin] = tie.as_slice() else { continue };
            let of_kind = module.cells.iter().filter(|(_, cell)| cell.kind == *kind);
            let driven =
                of_kind.filter_map(|(name, cell)| Some((name.clone(), cell.connections.get(pin)?.first()?.clone())));
            for (name, net) in driven.collect::<Vec<_>>() {
                if !matches!(net, Bit::Net(_)) {
                    continue;
                }
                let memories = module.cells.values_mut().filter(|cell| cell.kind.starts_with("$mem"));
                let at = memories.flat_map(|cell| cell.connections.values_mut().flatten()).filter(|bit| **bit == net);
                let count = at.map(|bit| *bit = Bit::Constant((*value).to_string())).count();
                if count > 0 {
                    is_changed = true;
                    // The cell drives nothing else then, or stays.
                    if users(module, &net) == 1 {
                        module.cells.remove(&name);
                    }
                }
            }
        }
    }
    is_changed
}

/// Pins and ports at a net.
fn users(module: &Module, net: &Bit) -> usize {
    let pins = module.cells.values().flat_map(|cell| cell.connections.values().flatten());
    pins.chain(module.ports.values().flat_map(|port| &port.bits)).filter(|bit| *bit == net).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::liberty::Library;
    use crate::liberty::library::tests::DEMO;

    #[test]
    fn memories_have_constants_and_other_cells_keep_theirs() {
        let library = Library::parse(DEMO).unwrap();
        let cells = Cells { settings: crate::cells::settings(&library), library };
        for other in [false, true] {
            let gate = if other { r#""g": {"type": "INV", "connections": {"A": [5], "Y": [6]}},"# } else { "" };
            let text = format!(
                r#"{{"modules": {{"m": {{"cells": {{{gate} "one": {{"type": "TIE1", "connections": {{"Y": [5]}}}},
                "zero": {{"type": "TIE0", "connections": {{"Y": [4]}}}},
                "mem": {{"type": "$mem_v2", "connections": {{"RD_EN": [5, 7], "WR_DATA": [4, 5]}}}}}}}}}}}}"#
            );
            let mut netlist: Netlist = serde_json::from_str(&text).unwrap();
            assert!(release(&mut netlist, &cells));
            let found = &netlist.modules["m"].cells;
            assert_eq!(found["mem"].connections["RD_EN"], [Bit::Constant("1".into()), Bit::Net(7)]);
            assert_eq!(found["mem"].connections["WR_DATA"], [Bit::Constant("0".into()), Bit::Constant("1".into())]);
            assert_eq!((found.contains_key("one"), found.contains_key("zero")), (other, false));
            let edited: serde_json::Value = serde_json::from_str(&netlist.edited(&text).unwrap()).unwrap();
            assert_eq!(edited["modules"]["m"]["cells"].get("one").is_some(), other);
            assert!(!release(&mut netlist, &cells));
        }
    }
}
