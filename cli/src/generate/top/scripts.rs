//! Constraints, and scripts for the tools of FPGA vendors.

use spec::Config;

use super::super::testbench::fill;
use super::super::{File, GENERATOR};

/// Period of the clock, unless the one who runs a script gives another: 100 MHz.
const PERIOD_NS: &str = "10.000";

/// Constraints and scripts of a top.
pub fn scripts(config: &Config, top: &str, rtl: &[String]) -> Vec<File> {
    let list = |indent: &str| rtl.iter().map(|name| format!("{indent}{name} \\\n")).collect::<String>();
    let of = |name: String, template: &str| {
        let text = fill(
            template,
            &[
                ("@TOP@", top.to_string()),
                ("@GENERATOR@", GENERATOR.to_string()),
                ("@HASH@", config.hash()),
                ("@PERIOD@", PERIOD_NS.to_string()),
                ("@VERSION@", env!("CARGO_PKG_VERSION").to_string()),
                ("@FILES@", list("  ")),
            ],
        );
        File::new(name, text)
    };
    vec![
        of(format!("{top}.xdc"), include_str!("top.xdc")),
        of(format!("{top}.sdc"), include_str!("top.sdc")),
        of(format!("{top}_vivado.tcl"), include_str!("vivado.tcl")),
        of(format!("{top}_quartus.tcl"), include_str!("quartus.tcl")),
    ]
}
