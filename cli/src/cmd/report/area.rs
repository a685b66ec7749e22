//! The area of a run's accelerator, unit by unit, by estimate.

use ::report::{Breakdown, Quantity, Run};
use spec::Config;
use synth::estimate::{Branch, Estimator};

/// Adds the area tree of a configuration in a technology; a remark where there is no estimate.
pub fn add(run: &mut Run, config: &Config, technology: &str) {
    let estimate = Estimator::new(technology).and_then(|estimator| {
        let quality = estimator.held_out();
        estimator.estimate(config).map(|estimate| (estimate, quality))
    });
    let (estimate, quality) = match estimate {
        Ok(both) => both,
        Err(error) => return run.remarks.push(format!("no area: {error}")),
    };
    let basis = format!(
        "estimated; area of designs that it was not fitted on: {:.1} % off in the mean, {:.1} % at most",
        quality.area_mean_percent, quality.area_worst_percent
    );
    let quantity = |name: &str, value: f64, unit: &str| Quantity {
        name: name.into(),
        value,
        unit: unit.into(),
        note: basis.clone(),
    };
    run.quantities.push(quantity("area", estimate.area_um2 * 1e-6, "mm²"));
    run.quantities.push(quantity("of it memories", estimate.sram_um2 * 1e-6, "mm²"));
    run.breakdowns.push(Breakdown {
        name: "area-units".into(),
        title: "Area by unit".into(),
        caption: format!(
            "{technology}, {basis}. Every amount is its own, without what stands in it under another name."
        ),
        unit: "µm²".into(),
        parts: vec!["cells".into(), "memories".into()],
        rows: own(&estimate.tree),
    });
}

/// Every unit with its path and what is its own: the sum is the whole.
fn own(tree: &[Branch]) -> Vec<(String, Vec<f64>)> {
    let mut rows = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for (place, branch) in tree.iter().enumerate() {
        path.truncate(branch.level as usize);
        path.push(&branch.name);
        let below = tree[place + 1..].iter().take_while(|b| b.level > branch.level);
        let (mut cells, mut sram) = (branch.cells_um2, branch.sram_um2);
        for child in below.filter(|b| b.level == branch.level + 1) {
            cells -= child.cells_um2;
            sram -= child.sram_um2;
        }
        // What rounding leaves of a unit that is nothing but others is none of its own.
        let whole = branch.cells_um2 + branch.sram_um2;
        if cells + sram > 1e-9 * whole {
            let name = if path.len() > 1 { path[1..].join(".") } else { "top itself".into() };
            rows.push((name, vec![cells.max(0.0), sram.max(0.0)]));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_own_what_no_other_does_and_nothing_is_lost() {
        let config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
        let mut run = Run::default();
        add(&mut run, &config, "nangate45");
        let area = run.breakdowns[0].total();
        assert!((area * 1e-6 / run.quantities[0].value - 1.0).abs() < 1e-6, "{area}");
        assert!(run.breakdowns[0].rows.len() > 5, "{:?}", run.breakdowns[0].rows);
        add(&mut run, &config, "no such");
        assert!(run.remarks[0].starts_with("no area: technology = no such"), "{}", run.remarks[0]);
    }
}
