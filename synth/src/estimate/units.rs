//! Outlines of units: built from their description, the whole accelerator joined from those of its units.

use std::sync::Arc;

use hdl::unit::table;
use spec::{Config, Problem};

use super::canonical::{canonical, restored};
use super::outline::{Outline, Part};
use super::timing::{Delays, period};
use crate::error::Error;

/// The units of the accelerator with the names of their instances, and those in its core.
const IN_TOP: [(&str, &str); 2] = [("u_regs", "axil_regs"), ("u_run_control", "run_control")];
const IN_CORE: [(&str, &str); 3] = [("u_front", "front"), ("u_vector", "vector"), ("u_mm", "mm")];

/// The outline of a unit.
///
/// # Errors
/// [`Error::Invalid`] for a unit that there is not, or a Config that it cannot be built for.
pub fn outline_of(config: &Config, unit: &str) -> Result<Outline, Error> {
    joined(config, unit, &|unit| of_unit(config, unit).map(Arc::new)).map(|outline| (*outline).clone())
}

/// The outline of a unit that is described as a whole.
///
/// # Errors
/// As [`outline_of`].
pub fn of_unit(config: &Config, unit: &str) -> Result<Outline, Error> {
    Ok(restored(built(&canonical(config, unit), unit)?, config, unit))
}

/// The outline of a unit, where `of` gives those of units that are described as a whole.
pub fn joined(
    config: &Config,
    unit: &str,
    of: &dyn Fn(&str) -> Result<Arc<Outline>, Error>,
) -> Result<Arc<Outline>, Error> {
    if !matches!(unit, "top" | "core") {
        return of(unit);
    }
    config.check_accelerator().map_err(Error::Invalid)?;
    let name = |unit: &str| hdl::unit::module_name(config, unit);
    // Neither has logic of its own.
    let mut core = Outline { top: name("core"), ..Outline::default() };
    core.parts.insert(core.top.clone(), Part { family: "core".into(), instances: 1, ..Part::default() });
    for (instance, unit) in IN_CORE {
        core.join(&name("core"), instance, &*of(unit)?);
    }
    if unit == "core" {
        return Ok(Arc::new(core));
    }
    let mut top = Outline { top: name("top"), ..Outline::default() };
    top.parts.insert(top.top.clone(), Part { family: "top".into(), instances: 1, ..Part::default() });
    top.join(&name("top"), "u_core", &core);
    for (instance, unit) in IN_TOP {
        top.join(&name("top"), instance, &*of(unit)?);
    }
    Ok(Arc::new(top))
}

/// The outline of a unit from its description.
///
/// # Errors
/// As [`outline_of`].
pub fn built(config: &Config, unit: &str) -> Result<Outline, Error> {
    let build = table::find(unit).ok_or_else(|| {
        let names: Vec<&str> = table::UNITS.iter().map(|(name, _)| *name).collect();
        Error::Invalid(Problem::new("unit", unit, names.join(", "), "choose one of them"))
    })?;
    let module = build(config)?;
    let mut outline = Outline::new(config, &module);
    let (path, end) = period(&module, &Delays::default());
    (outline.path, outline.path_end) = (path, end);
    Ok(outline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accelerator_is_the_sum_of_its_units() {
        for preset in ["tiny", "fp4"] {
            let config = Config::from_toml(hdl::presets::preset(preset).unwrap()).unwrap();
            let (joined, whole) = (outline_of(&config, "top").unwrap(), built(&config, "top").unwrap());
            let sum = |outline: &Outline| -> f64 {
                outline.parts.values().map(|p| p.census.counts.iter().sum::<f64>() * p.instances as f64).sum()
            };
            // Addresses of buffers have one width in the joined one.
            assert!((sum(&joined) / sum(&whole) - 1.0).abs() < 0.01, "{} {}", sum(&joined), sum(&whole));
            for (name, part) in &whole.parts {
                if let Some(there) = joined.parts.get(name) {
                    assert_eq!(part.instances, there.instances, "{name}");
                }
                // Top and core pass on what their units give, with a few gates.
                if part.family == "top" || part.family == "core" {
                    let own: f64 = part.census.counts.iter().sum();
                    assert!(own < 32.0, "{name}: {:?}", part.census);
                }
            }
            assert!(joined.path > 0.8 * whole.path, "{} of {}", joined.path, whole.path);
        }
    }

    #[test]
    fn what_there_is_not_is_named() {
        let config = Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
        let error = outline_of(&config, "alu").unwrap_err().to_string();
        assert!(error.contains("alu") && error.contains("vector"), "{error}");
    }
}
