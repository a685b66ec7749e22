//! The plots of a run.

use spec::profile::{Profile, Section};
use spec::regs::STALLS;

use crate::chart::{Axes, Axis, Bars, Chart, Figure, Mark, Series};
use crate::run::{Breakdown, Run};

/// Most bars of a plot; smaller ones are drawn together.
const MOST_BARS: usize = 24;

/// All plots that the data of a run allow, in the order of the page.
pub fn figures(run: &Run) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(profile) = run.profile.as_ref().filter(|p| p.cycles > 0) {
        let layers = profile.grouped(|s| s.layer);
        let operators = profile.grouped(|s| s.operator.clone());
        figures.push(stalls("cycles-operators", "Cycles by operator and cause", &operators, operator_name, false));
        figures.push(stalls("stalls-layers", "Share of causes in every layer", &layers, layer_name, true));
        figures.extend(roofline(profile, &operators));
    }
    figures.extend(run.breakdowns.iter().filter(|b| b.total() > 0.0).map(bars));
    if run.power.len() > 1 {
        let points = run.power.iter().map(|(at, power)| (*at, *power, String::new())).collect();
        let axis = |label: &str| Axis { label: label.into(), log: false };
        let series = vec![Series { name: "power".into(), points, mark: Mark::Steps }];
        figures.push(Figure {
            name: "power".into(),
            title: "Power over time".into(),
            caption: "Mean of every window of activity.".into(),
            chart: Chart::Axes(Axes { x: axis("time, µs"), y: axis("power, mW"), series }),
        });
    }
    figures
}

/// A layer as people call it.
pub fn layer_name(section: &Section) -> String {
    section.layer.map_or_else(|| "outside the blocks".into(), |layer| format!("block {layer}"))
}

fn operator_name(section: &Section) -> String {
    section.operator.clone()
}

fn stalls(name: &str, title: &str, groups: &[Section], label: fn(&Section) -> String, shares: bool) -> Figure {
    let rows = groups.iter().map(|g| (label(g), g.stalls.map(|cycles| cycles as f64).to_vec())).collect();
    let meanings: Vec<String> = STALLS.iter().map(|(name, meaning)| format!("{name}: {meaning}")).collect();
    let breakdown = Breakdown {
        name: name.into(),
        title: title.into(),
        caption: format!("Every cycle belongs to the first cause that holds. {}.", meanings.join("; ")),
        unit: "cycles".into(),
        parts: STALLS.iter().map(|(name, _)| (*name).to_string()).collect(),
        rows,
    };
    let mut figure = bars(&breakdown);
    if let Chart::Bars(bars) = &mut figure.chart {
        bars.shares = shares;
    }
    figure
}

fn bars(breakdown: &Breakdown) -> Figure {
    let shown = if breakdown.rows.len() > MOST_BARS { breakdown.largest(MOST_BARS - 1) } else { breakdown.clone() };
    let parts = shown.parts.iter().enumerate().map(|(part, name)| {
        let values = shown.rows.iter().map(|(_, values)| values.get(part).copied().unwrap_or(0.0)).collect();
        (name.clone(), values)
    });
    let bars = Bars {
        unit: shown.unit.clone(),
        categories: shown.rows.iter().map(|(name, _)| name.clone()).collect(),
        parts: parts.collect(),
        shares: false,
    };
    let (name, title, caption) = (shown.name.clone(), shown.title.clone(), shown.caption.clone());
    Figure { name, title, caption, chart: Chart::Bars(bars) }
}

/// Products a cycle against products a byte: under the roof of the array and the slope of the bus.
fn roofline(profile: &Profile, operators: &[Section]) -> Option<Figure> {
    let known = |s: &&Section| s.macs > 0 && s.compulsory_bytes > 0 && s.cycles > 0;
    let points: Vec<(f64, f64, String)> = operators
        .iter()
        .filter(known)
        .map(|s| (s.macs as f64 / s.compulsory_bytes as f64, s.macs as f64 / s.cycles as f64, s.operator.clone()))
        .collect();
    let (roof, bus) = (profile.macs_per_cycle as f64, profile.beat_bytes as f64);
    if points.is_empty() || roof <= 0.0 || bus <= 0.0 {
        return None;
    }
    let ends = points.iter().map(|p| p.0);
    let (low, high) = (ends.clone().fold(f64::INFINITY, f64::min), ends.fold(0.0, f64::max));
    let ridge = roof / bus;
    let (low, high) = (low.min(ridge) / 2.0, high.max(ridge) * 2.0);
    let line = [low, ridge, high].map(|x| (x, roof.min(x * bus), String::new())).to_vec();
    let axis = |label: &str| Axis { label: label.into(), log: true };
    let series = vec![
        Series { name: "operators".into(), points, mark: Mark::Dots },
        Series { name: "roofline of array and bus".into(), points: line, mark: Mark::Line },
    ];
    Some(Figure {
        name: "roofline".into(),
        title: "Roofline".into(),
        caption: format!(
            "Products a cycle over products for each byte that no machine can do without. The slope is the bus \
             ({bus} bytes a cycle), the level the array ({roof} products a cycle)."
        ),
        chart: Chart::Axes(Axes { x: axis("products a byte"), y: axis("products a cycle"), series }),
    })
}
