//! Netlists as yosys writes them (`write_json`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// All modules of a file.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Netlist {
    /// By name.
    pub modules: BTreeMap<String, Module>,
}

/// A module.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Module {
    /// Attributes: numbers as binary digits.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Ports.
    #[serde(default)]
    pub ports: BTreeMap<String, Port>,
    /// Cells and instances.
    #[serde(default)]
    pub cells: BTreeMap<String, Cell>,
    /// Names of nets.
    #[serde(default)]
    pub netnames: BTreeMap<String, NetName>,
}

/// A port.
#[derive(Clone, Debug, Deserialize)]
pub struct Port {
    /// `input`, `output` or `inout`.
    pub direction: String,
    /// Nets, lowest bit first.
    pub bits: Vec<Bit>,
}

/// A cell.
#[derive(Clone, Debug, Deserialize)]
pub struct Cell {
    /// Library cell, primitive or module.
    #[serde(rename = "type")]
    pub kind: String,
    /// Nets at its ports, lowest bit first.
    #[serde(default)]
    pub connections: BTreeMap<String, Vec<Bit>>,
}

/// Nets under a name.
#[derive(Clone, Debug, Deserialize)]
pub struct NetName {
    /// 1 for names that yosys made.
    #[serde(default)]
    pub hide_name: u8,
    /// Nets, lowest bit first.
    pub bits: Vec<Bit>,
}

/// A net or a constant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Bit {
    /// Number of the net.
    Net(usize),
    /// `0`, `1`, `x` or `z`.
    Constant(String),
}

impl Netlist {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] for what is not such a file.
    pub fn load(path: &Path, log: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let wrong = |problem: String| Error::Output {
            tool: "yosys".to_string(),
            problem: format!("{}: {problem}", path.display()),
            log: log.to_path_buf(),
        };
        serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))
    }

    /// The text that it was read from, with its cells and their connections: all else stays as it was.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn edited(&self, text: &str) -> Result<String, String> {
        let mut root: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        for (name, module) in &self.modules {
            let cells = root["modules"][name.as_str()]["cells"].as_object_mut();
            let cells = cells.ok_or_else(|| format!("module {name} has no cells"))?;
            cells.retain(|name, _| module.cells.contains_key(name));
            for (name, cell) in &module.cells {
                let fresh = || serde_json::json!({"hide_name": 1, "parameters": {}, "attributes": {}});
                let to = cells.entry(name.clone()).or_insert_with(fresh);
                to["type"] = serde_json::json!(cell.kind);
                to["connections"] = serde_json::json!(cell.connections);
            }
        }
        serde_json::to_string(&root).map_err(|e| e.to_string())
    }

    /// The modules that have a body.
    pub fn bodies(&self) -> impl Iterator<Item = (&String, &Module)> {
        self.modules.iter().filter(|(_, module)| !module.is_blackbox())
    }
}

impl Module {
    /// Whether it stands for a primitive or a macro.
    pub fn is_blackbox(&self) -> bool {
        ["blackbox", "whitebox"].iter().any(|name| self.attributes.get(*name).is_some_and(is_set))
    }

    /// Largest number of a net, plus one.
    pub fn nets(&self) -> usize {
        let ports = self.ports.values().flat_map(|port| &port.bits);
        let cells = self.cells.values().flat_map(|cell| cell.connections.values().flatten());
        let names = self.netnames.values().flat_map(|name| &name.bits);
        let most = ports
            .chain(cells)
            .chain(names)
            .filter_map(|bit| if let Bit::Net(net) = bit { Some(*net) } else { None })
            .max();
        most.map_or(0, |net| net + 1)
    }

    /// A name for each net, one that a person gave where there is one: `acc_q[3]`.
    pub fn net_labels(&self) -> Vec<String> {
        let mut labels: Vec<(u8, usize, String)> = vec![(2, 0, String::new()); self.nets()];
        for (name, net) in &self.netnames {
            for (i, bit) in net.bits.iter().enumerate() {
                let Bit::Net(number) = bit else { continue };
                let Some(label) = labels.get_mut(*number) else { continue };
                // Registers are named before wires that only carry them on, short names before long ones.
                let is_hidden = net.hide_name > 0 || is_made_up(name);
                let rank = (u8::from(is_hidden) * 2 + u8::from(!name.ends_with("_q")), name.len());
                if label.2.is_empty() || rank < (label.0, label.1) {
                    let text = if net.bits.len() == 1 { name.clone() } else { format!("{name}[{i}]") };
                    *label = (rank.0, rank.1, text);
                }
            }
        }
        labels.into_iter().map(|(_, _, text)| text).collect()
    }
}

/// Whether yosys made a name up: `$auto$12`, `_12_`.
pub fn is_made_up(name: &str) -> bool {
    let number = name.strip_prefix('_').and_then(|rest| rest.strip_suffix('_'));
    name.starts_with('$') || number.is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()))
}

/// Whether an attribute is a number other than zero.
fn is_set(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('1'),
        serde_json::Value::Number(number) => number.as_u64() != Some(0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"creator": "x", "modules": {
        "BOX": {"attributes": {"blackbox": "00000000000000000000000000000001"}, "ports": {}, "cells": {}, "netnames": {}},
        "m": {"attributes": {"top": "1"},
            "ports": {"a_i": {"direction": "input", "bits": [2, 3]}, "y_o": {"direction": "output", "bits": [5]}},
            "cells": {"u": {"hide_name": 0, "type": "NAND2", "parameters": {}, "attributes": {},
                "connections": {"A": [2], "B": ["1"], "Y": [5]}}},
            "netnames": {"a_i": {"hide_name": 0, "bits": [2, 3], "attributes": {}}, "y_o": {"bits": [5]},
                "$1": {"hide_name": 1, "bits": [5]}, "long_name_q": {"bits": [5]}}}}}"#;

    #[test]
    fn modules_cells_and_names_are_read() {
        let netlist: Netlist = serde_json::from_str(TEXT).unwrap();
        let (name, module) = netlist.bodies().next().unwrap();
        assert_eq!((name.as_str(), netlist.bodies().count(), module.nets()), ("m", 1, 6));
        assert_eq!(module.cells["u"].connections["B"], [Bit::Constant("1".into())]);
        let labels = module.net_labels();
        assert_eq!((labels[3].as_str(), labels[5].as_str()), ("a_i[1]", "long_name_q"));
    }
}
