//! Which module of a design a name in a flattened netlist belongs to, and how often each module is there.

use std::collections::BTreeMap;

use hdl::rtl::{Design, Module};

/// The name of the design in its test frame.
pub const DUT: &str = "u_dut";

/// Instances of every module of a design, by name; the top has one.
pub fn instances(design: &Design) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    count(&design.top, 1, &mut counts);
    counts
}

fn count(module: &Module, times: u64, counts: &mut BTreeMap<String, u64>) {
    *counts.entry(module.name.clone()).or_default() += times;
    for instance in module.instances() {
        let (rows, cols) = instance.grid.unwrap_or((1, 1));
        count(&instance.module, times * u64::from(rows) * u64::from(cols), counts);
    }
}

/// The module in whose body the name of a flattened cell or net stands: `u_control.g_row[3].u_pe.sum_q_DFF_Q` is in the
/// module of `u_pe`. Names that a tool made up belong to the top.
pub fn owner<'a>(design: &'a Design, name: &str) -> &'a str {
    let mut module: &Module = &design.top;
    let name = name.trim_start_matches('\\');
    for segment in name.strip_prefix(DUT).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name).split('.') {
        if segment.starts_with("g_") {
            continue;
        }
        match module.instances().find(|instance| instance.name == segment) {
            Some(instance) => module = &instance.module,
            None => break,
        }
    }
    &module.name
}

/// Modules that hold registers, memories, or instances of such, of a design; the others are combinational.
pub fn is_sequential(module: &Module) -> bool {
    module.has_clock
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array() -> Design {
        let config = spec::Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
        Design::new(hdl::unit::array::array(&config).unwrap())
    }

    #[test]
    fn names_lead_to_their_modules() {
        let design = array();
        let cells: Vec<_> = design.top.instances().filter(|instance| instance.module.name.contains("_pe")).collect();
        assert!(!cells.is_empty());
        for cell in cells {
            let path = format!("u_dut.g_a[2].g_b[3].{}", cell.name);
            assert_eq!(owner(&design, &format!("{path}.sum_q_SB_DFF_Q_4")), cell.module.name);
            assert_eq!(owner(&design, &format!("{path}.u_product.product_o_LUT4_Z")), "systole_product");
        }
        for (name, module) in [
            ("u_skew_act.stage1_q[3]", "systole_skew_act"),
            ("u_dut.swap_q_DFF", "systole_array"),
            ("$abc$12$auto$3", "systole_array"),
        ] {
            assert_eq!(owner(&design, name), module, "{name}");
        }
    }

    #[test]
    fn instances_are_counted_through_grids() {
        let counts = instances(&array());
        let pes: u64 = counts.iter().filter(|(name, _)| name.starts_with("systole_pe")).map(|(_, count)| count).sum();
        assert_eq!((pes, counts["systole_product"], counts["systole_array"]), (16, 16, 1));
    }
}
