//! Results of layers: rows of tables, verdicts in words and in JSON.

use cosim::Timing;
use serde_json::{Map, Value, json};
use spec::qmodel::QLinear;
use spec::verdict::{Mismatch, Verdict};

use crate::exit::Exit;
use crate::report::{Report, Table, grouped};

/// What was found about one layer.
#[derive(Clone, Debug, Default)]
pub struct LayerResult {
    /// Name of the layer, or what the product is.
    pub label: String,
    /// Number format.
    pub format: &'static str,
    /// Tokens, reduction, channels.
    pub shape: (usize, usize, usize),
    /// Cycles from the first input beat to the last result beat; `None` where the run did not end.
    pub cycles: Option<u64>,
    /// Fewest cycles that any engine of this size could take.
    pub roofline_cycles: u64,
    /// Cycles by cause.
    pub stalls: Vec<(&'static str, u64)>,
    /// What was compared.
    pub verdict: Verdict,
}

impl LayerResult {
    /// A layer of which nothing is known yet.
    pub fn new(label: String, layer: &QLinear, tokens: usize) -> Self {
        let shape = (tokens, layer.weight.cols, layer.weight.rows);
        Self { label, format: layer.format.name(), shape, ..Self::default() }
    }

    /// Takes in what a co-simulation found; returns whether all was equal.
    pub fn found(&mut self, verdict: Verdict, timing: Option<Timing>) -> bool {
        let matched = verdict.matched();
        self.verdict = verdict;
        if let Some(timing) = timing.filter(|_| matched) {
            self.cycles = Some(timing.cycles);
            self.stalls = timing.stalls;
        }
        matched
    }

    fn utilisation(&self) -> Option<f64> {
        self.cycles.filter(|&cycles| cycles > 0).map(|cycles| self.roofline_cycles as f64 / cycles as f64)
    }

    fn json(&self, matched: bool) -> Value {
        let (m, k, n) = self.shape;
        json!({
            "layer": self.label,
            "format": self.format,
            "m": m,
            "k": k,
            "n": n,
            "match": matched,
            "cycles": self.cycles,
            "roofline_cycles": self.roofline_cycles,
            "utilisation": self.utilisation(),
            "stalls": stalls(&self.stalls),
            "cycles_checked": self.verdict.cycles_checked,
            "golden_values_checked": self.verdict.golden_values_checked,
        })
    }
}

/// Sums over layers.
pub struct Totals {
    /// Cycles of all layers.
    pub cycles: u64,
    /// Fewest cycles of all layers.
    pub roofline_cycles: u64,
    /// Cycles by cause.
    pub stalls: Vec<(&'static str, u64)>,
    /// All verdicts as one.
    pub verdict: Verdict,
}

impl Totals {
    /// Sums of these layers.
    pub fn of(layers: &[LayerResult]) -> Self {
        let mut totals = Self { cycles: 0, roofline_cycles: 0, stalls: Vec::new(), verdict: Verdict::default() };
        for layer in layers {
            totals.cycles += layer.cycles.unwrap_or(layer.verdict.cycles);
            totals.roofline_cycles += layer.roofline_cycles;
            for &(cause, cycles) in &layer.stalls {
                match totals.stalls.iter_mut().find(|(known, _)| *known == cause) {
                    Some((_, sum)) => *sum += cycles,
                    None => totals.stalls.push((cause, cycles)),
                }
            }
            totals.verdict = totals.verdict.and(layer.verdict.clone());
        }
        totals
    }

    fn utilisation(&self) -> f64 {
        if self.cycles == 0 { 0.0 } else { self.roofline_cycles as f64 / self.cycles as f64 }
    }
}

/// How a result is told.
pub struct Telling<'a> {
    /// Whether layer `l` passed.
    pub passed: &'a dyn Fn(&LayerResult) -> bool,
    /// Layers that were to be run.
    pub wanted: usize,
    /// What the verdict means, in words.
    pub claim: &'a dyn Fn(&Totals) -> String,
    /// Fields in front of the JSON object.
    pub head: Value,
}

/// The report of layers, the last of which may have failed.
pub fn report(layers: &[LayerResult], telling: &Telling) -> Report {
    let totals = Totals::of(layers);
    let matched = layers.len() == telling.wanted && !layers.is_empty() && layers.iter().all(telling.passed);
    let mut json = telling.head.as_object().cloned().unwrap_or_default();
    json.insert("match".into(), matched.into());
    json.insert("cycles".into(), totals.cycles.into());
    json.insert("roofline_cycles".into(), totals.roofline_cycles.into());
    json.insert("utilisation".into(), totals.utilisation().into());
    json.insert("stalls".into(), stalls(&totals.stalls));
    json.insert("cycles_checked".into(), totals.verdict.cycles_checked.into());
    json.insert("golden_values_checked".into(), totals.verdict.golden_values_checked.into());
    json.insert("mismatches".into(), totals.verdict.mismatches.into());
    json.insert("first_mismatch".into(), serde_json::to_value(&totals.verdict.first).unwrap_or(Value::Null));
    json.insert("layers".into(), layers.iter().map(|l| l.json((telling.passed)(l))).collect());
    let mut text = table(layers, telling.passed);
    if let Some(only) = layers.first().filter(|only| layers.len() == 1 && !only.stalls.is_empty()) {
        text.push_str(&format!("\n\n{}", stall_lines(only)));
    }
    let brief = match &totals.verdict.first {
        Some(mismatch) => describe(mismatch),
        None if matched => format!("MATCH: {}", (telling.claim)(&totals)),
        None => format!("NO MATCH: {}", (telling.claim)(&totals)),
    };
    text.push_str(&format!("\n\n{brief}"));
    Report { text, brief, json: Value::Object(json), exit: if matched { Exit::Match } else { Exit::Mismatch } }
}

fn stalls(stalls: &[(&'static str, u64)]) -> Value {
    Value::Object(stalls.iter().map(|&(cause, cycles)| (cause.to_string(), cycles.into())).collect::<Map<_, _>>())
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_string(), |share| format!("{:.1} %", 100.0 * share))
}

fn table(layers: &[LayerResult], passed: &dyn Fn(&LayerResult) -> bool) -> String {
    let mut table = Table::new(&["layer", "format", "M x K x N", "cycles", "of roofline", "values checked", "verdict"]);
    for layer in layers {
        let (m, k, n) = layer.shape;
        table.row([
            layer.label.clone(),
            layer.format.to_string(),
            if m == 0 { "-".to_string() } else { format!("{m} x {k} x {n}") },
            layer.cycles.map_or("-".to_string(), grouped),
            percent(layer.utilisation()),
            grouped(layer.verdict.golden_values_checked),
            if passed(layer) { "match" } else { "MISMATCH" }.to_string(),
        ]);
    }
    table.render()
}

/// Where the cycles of a layer went.
fn stall_lines(layer: &LayerResult) -> String {
    let all = layer.cycles.unwrap_or(0).max(1) as f64;
    let mut table = Table::new(&["cycles", "share", "spent on"]);
    for &(cause, cycles) in &layer.stalls {
        table.row([grouped(cycles), percent(Some(cycles as f64 / all)), cause.to_string()]);
    }
    table.render()
}

/// A mismatch in words.
pub fn describe(mismatch: &Mismatch) -> String {
    let mut out = format!("MISMATCH in {} at cycle {}", mismatch.layer, mismatch.cycle);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("\n  {name:<8} {value}"));
        }
    };
    let number = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
    line("point", &mismatch.point);
    line("command", mismatch.instruction.as_deref().unwrap_or(""));
    line("place", mismatch.place.as_deref().unwrap_or(""));
    line("tile", &mismatch.tile);
    line("row", &number(mismatch.row));
    line("column", &number(mismatch.col));
    line("golden", mismatch.golden.as_deref().unwrap_or(""));
    line("step", mismatch.step.as_deref().unwrap_or(""));
    line("Verilog", mismatch.rtl.as_deref().unwrap_or(""));
    line("waves", mismatch.vcd.as_deref().unwrap_or(""));
    line("repeat", &mismatch.repeat);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(values: u64, first: Option<Mismatch>) -> LayerResult {
        let mismatches = u64::from(first.is_some());
        let verdict = Verdict { cycles: 12, cycles_checked: 12, golden_values_checked: values, mismatches, first };
        let stalls = vec![("a", 8), ("b", 2)];
        LayerResult { cycles: Some(10), roofline_cycles: 5, stalls, verdict, ..LayerResult::default() }
    }

    fn tell(layers: &[LayerResult], wanted: usize) -> Report {
        let passed = |l: &LayerResult| l.verdict.matched();
        let claim = |t: &Totals| format!("{} cycles", t.cycles);
        report(layers, &Telling { passed: &passed, wanted, claim: &claim, head: json!({"unit": "engine"}) })
    }

    #[test]
    fn all_layers_must_have_run_and_matched() {
        let good = tell(&[layer(3, None), layer(4, None)], 2);
        assert_eq!((good.exit, &good.json["match"]), (Exit::Match, &json!(true)));
        assert_eq!(good.json["cycles"], 20);
        assert_eq!(good.json["golden_values_checked"], 7);
        assert_eq!(good.json["stalls"], json!({"a": 16, "b": 4}));
        assert_eq!(good.json["utilisation"], json!(0.5));
        for bad in [tell(&[layer(3, None)], 2), tell(&[layer(0, None)], 1), tell(&[], 0)] {
            assert_eq!((bad.exit, &bad.json["match"]), (Exit::Mismatch, &json!(false)));
        }
    }

    #[test]
    fn a_mismatch_is_told_with_all_it_carries() {
        let mismatch = Mismatch {
            cycle: 7,
            point: "m_axis_tdata".into(),
            instruction: Some("12: MM rows=3".into()),
            place: Some("acc bank 1".into()),
            layer: "l".into(),
            tile: "0/1".into(),
            row: Some(2),
            col: Some(3),
            golden: Some("5".into()),
            step: Some("5".into()),
            rtl: Some("6".into()),
            repeat: "systole cosim".into(),
            vcd: Some("w.vcd".into()),
        };
        let bad = tell(&[layer(3, Some(mismatch))], 1);
        assert_eq!(bad.exit, Exit::Mismatch);
        for part in [
            "cycle 7",
            "MM rows=3",
            "acc bank 1",
            "m_axis_tdata",
            "0/1",
            "row      2",
            "column   3",
            "Verilog  6",
            "w.vcd",
            "systole cosim",
        ] {
            assert!(bad.brief.contains(part), "{part}: {}", bad.brief);
        }
        assert_eq!(bad.json["first_mismatch"]["row"], 2);
    }
}
