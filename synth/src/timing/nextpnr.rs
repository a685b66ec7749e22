//! nextpnr: its report.

use std::collections::BTreeMap;

use serde::Deserialize;
use spec::cost::Utilisation;

use super::routed::Path;
use super::sdf::Pin;

/// What is read of a report (`--report`).
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    #[serde(default)]
    critical_paths: Vec<CriticalPath>,
    #[serde(default)]
    fmax: BTreeMap<String, Fmax>,
    #[serde(default)]
    utilization: BTreeMap<String, Used>,
}

#[derive(Clone, Debug, Deserialize)]
struct CriticalPath {
    from: String,
    to: String,
    path: Vec<Segment>,
}

#[derive(Clone, Debug, Deserialize)]
struct Segment {
    #[serde(default)]
    delay: f64,
    to: Point,
}

#[derive(Clone, Debug, Deserialize)]
struct Point {
    cell: String,
    #[serde(default)]
    port: String,
}

impl Point {
    fn pin(&self) -> Pin {
        Pin { cell: self.cell.clone(), port: self.port.clone() }
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Fmax {
    achieved: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Used {
    available: u64,
    used: u64,
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }

    /// The lowest of the clocks' highest frequencies, in MHz; there is one clock.
    pub fn freq_mhz(&self) -> Option<f64> {
        self.fmax.values().map(|clock| clock.achieved).min_by(f64::total_cmp)
    }

    /// Resources of which something is taken.
    pub fn utilisation(&self) -> Vec<Utilisation> {
        let used = self.utilization.iter().filter(|(_, used)| used.used > 0);
        used.map(|(name, used)| Utilisation { resource: name.clone(), used: used.used, available: used.available })
            .collect()
    }

    /// The path from clock edge to clock edge that limits the frequency.
    pub fn slowest(&self) -> Option<Path> {
        let is_clocked = |path: &&CriticalPath| path.from.contains("edge") && path.to.contains("edge");
        let length = |path: &CriticalPath| path.path.iter().map(|segment| segment.delay).sum::<f64>();
        let path = self.critical_paths.iter().filter(is_clocked).max_by(|a, b| length(a).total_cmp(&length(b)))?;
        // nextpnr 0.4 says of the first segment that it comes from where the second one goes to.
        let (start, end) = (path.path.first()?.to.pin(), path.path.last()?.to.pin());
        Some(Path { start, end, period_ns: length(path) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{
        "fmax": {"clk_i": {"achieved": 80.0, "constraint": 100}},
        "utilization": {"LC": {"available": 100, "used": 7}, "RAM": {"available": 4, "used": 0}},
        "critical_paths": [
            {"from": "posedge clk_i", "to": "posedge clk_i", "path": [
                {"delay": 0.5, "type": "clk-to-q", "from": {"cell": "x", "port": "CLK"}, "to": {"cell": "x", "port": "O"}},
                {"delay": 11.0, "type": "routing", "net": "u_dut.u_a.weight_q[1]", "from": {"cell": "x"}, "to": {"cell": "y"}},
                {"delay": 1.0, "type": "setup", "from": {"cell": "y"}, "to": {"cell": "u_dut.u_a.sum_q_SB_DFF_Q_D_SB_LUT4_O_LC", "port": "I0"}}]},
            {"from": "<async>", "to": "posedge clk_i", "path": [
                {"delay": 99.0, "type": "routing", "net": "bit_i", "from": {"cell": "x"}, "to": {"cell": "y"}}]}]}"#;

    #[test]
    fn reports_are_read() {
        let report = Report::parse(REPORT.as_bytes()).unwrap();
        assert_eq!(report.freq_mhz(), Some(80.0));
        assert_eq!(report.utilisation().len(), 1);
        let slowest = report.slowest().unwrap();
        assert_eq!((slowest.start.cell.as_str(), slowest.start.port.as_str()), ("x", "O"));
        assert_eq!(slowest.end.cell, "u_dut.u_a.sum_q_SB_DFF_Q_D_SB_LUT4_O_LC");
        assert_eq!(slowest.end.port, "I0");
        assert!((slowest.period_ns - 12.5).abs() < 1e-12);
        assert!(Report::parse(b"{").is_err());
        assert_eq!(Report::parse(b"{}").unwrap().freq_mhz(), None);
    }
}
