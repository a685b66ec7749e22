//! OpenSTA: its script and its report.

use std::path::Path;

/// What the script needs to know.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// Liberty file.
    pub liberty: &'a Path,
    /// Verilog netlist.
    pub netlist: &'a str,
    /// Top module.
    pub top: &'a str,
    /// Name of the clock port, if there is a clock.
    pub clock: Option<&'a str>,
    /// Clock period in the library's unit of time.
    pub period: f64,
    /// Cell that drives the inputs.
    pub driver: Option<&'a str>,
    /// Load of the outputs in the library's unit of capacitance.
    pub load: f64,
}

impl Script<'_> {
    /// The Tcl text: an ideal clock, no delay outside the design.
    pub fn text(&self) -> String {
        let clock = match self.clock {
            Some(port) => format!("create_clock -name clock -period {} [get_ports {port}]\n", self.period),
            None => format!("create_clock -name clock -period {}\n", self.period),
        };
        let driver =
            self.driver.map_or(String::new(), |cell| format!("set_driving_cell -lib_cell {cell} [all_inputs]\n"));
        format!(
            "read_liberty {}\nread_verilog {}\nlink_design {}\n{clock}set_input_delay 0 -clock clock [all_inputs]\n\
             set_output_delay 0 -clock clock [all_outputs]\n{driver}set_load {} [all_outputs]\n\
             report_checks -path_delay max -digits 5\nexit\n",
            self.liberty.display(),
            self.netlist,
            self.top,
            self.load
        )
    }
}

/// The slowest path of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Instance or port where it begins.
    pub start: String,
    /// Instance or port where it ends.
    pub end: String,
    /// Slack in the library's unit of time.
    pub slack: f64,
}

/// Reads what `report_checks` printed; `None` if there is no path in it.
pub fn parse(text: &str) -> Option<Checked> {
    let point = |key: &str| {
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(key))?;
        line.split_whitespace().next().map(|name| name.trim_start_matches('\\').to_string())
    };
    let slack = text.lines().find_map(|line| {
        let line = line.trim();
        let rest = line.strip_suffix("(MET)").or_else(|| line.strip_suffix("(VIOLATED)"))?;
        rest.trim().strip_suffix("slack")?.trim().parse().ok()
    })?;
    Some(Checked { start: point("Startpoint:")?, end: point("Endpoint:")?, slack })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Startpoint: first_q_DFF_Q (rising edge-triggered flip-flop clocked by clock)
Endpoint: second_q_DFF_Q (rising edge-triggered flip-flop clocked by clock)
Path Group: clock
Path Type: max

   Delay     Time   Description
-----------------------------------------------------------
 0.00000  0.00000   clock clock (rise edge)
 0.08440  0.08440 ^ first_q_DFF_Q/Q (DFF)
 1.00000  1.08440 ^ second_q_DFF_Q/D (DFF)
          1.08440   data arrival time

 1.00000  1.00000   clock clock (rise edge)
-0.03930  0.96070   library setup time
          0.96070   data required time
-----------------------------------------------------------
         -0.12370   slack (VIOLATED)
";

    #[test]
    fn reports_are_read() {
        let expected = Checked { start: "first_q_DFF_Q".into(), end: "second_q_DFF_Q".into(), slack: -0.1237 };
        assert_eq!(parse(REPORT), Some(expected));
        assert_eq!(
            parse(&REPORT.replace("-0.12370   slack (VIOLATED)", " 0.5 slack (MET)")).map(|c| c.slack),
            Some(0.5)
        );
        assert_eq!(parse("No paths found."), None);
    }
}
