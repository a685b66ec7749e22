//! A mapped netlist, as yosys writes it in JSON: cells, nets, ports.

use std::collections::BTreeMap;

use serde_json::Value;

/// A net: one bit.
pub type Net = u32;

/// Net of constant 0; constant 1 is the next one, the others follow.
pub const ZERO: Net = 0;
/// Net of constant 1.
pub const ONE: Net = 1;

/// A cell of the library.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Type.
    pub cell: String,
    /// Net of each pin.
    pub pins: BTreeMap<String, Net>,
}

/// A flat netlist.
#[derive(Clone, Debug, Default)]
pub struct Netlist {
    /// Cells, by name.
    pub cells: Vec<Instance>,
    /// Inputs: port and its nets, lowest bit first.
    pub inputs: Vec<(String, Vec<Net>)>,
    /// Outputs.
    pub outputs: Vec<(String, Vec<Net>)>,
    /// Nets, the two constants included.
    pub nets: usize,
    /// Bits of named nets: `u_pe.sum_q`, lowest bit first.
    pub names: BTreeMap<String, Vec<Net>>,
}

impl Netlist {
    /// Reads what `write_json` wrote of a flattened design whose module is `top`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(text: &str, top: &str) -> Result<Self, String> {
        let root: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let module = &root["modules"][top];
        let ports = module["ports"].as_object().ok_or_else(|| format!("there is no module {top}"))?;
        let mut netlist = Self { nets: 2, ..Self::default() };
        let mut numbers = BTreeMap::new();
        let mut nets = 2;
        let mut net = |bit: &Value| match bit {
            Value::String(s) if s == "1" => ONE,
            Value::String(_) => ZERO,
            other => *numbers.entry(other.as_u64().unwrap_or_default()).or_insert_with(|| {
                nets += 1;
                nets - 1
            }),
        };
        let mut bits = |value: &Value| value.as_array().into_iter().flatten().map(&mut net).collect::<Vec<Net>>();
        for (name, port) in ports {
            let port_bits = bits(&port["bits"]);
            let list = if port["direction"] == "input" { &mut netlist.inputs } else { &mut netlist.outputs };
            list.push((name.clone(), port_bits));
        }
        for (_, cell) in module["cells"].as_object().into_iter().flatten() {
            let name = cell["type"].as_str().unwrap_or_default();
            // Where yosys keeps the parts of a flattened hierarchy's scopes.
            if name == "$scopeinfo" {
                continue;
            }
            let pins = cell["connections"].as_object().into_iter().flatten();
            let pins = pins.map(|(pin, value)| (pin.clone(), bits(value).first().copied().unwrap_or(ZERO))).collect();
            netlist.cells.push(Instance { cell: name.into(), pins });
        }
        for (name, value) in module["netnames"].as_object().into_iter().flatten() {
            netlist.names.insert(name.clone(), bits(&value["bits"]));
        }
        netlist.nets = nets as usize;
        Ok(netlist)
    }
}
