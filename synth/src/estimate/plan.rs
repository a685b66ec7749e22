//! The designs that a model is fitted on, and those that are kept back to see how well it foresees.

use hdl::presets::preset;
use sha2::{Digest, Sha256};
use spec::{Config, Dataflow, Format};

/// One design in so many is kept back.
const ONE_IN: u8 = 4;

/// A unit of a Config that is to be synthesised.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Unit, as `--unit` names it.
    pub unit: &'static str,
    /// Its Config.
    pub config: Config,
}

impl Wanted {
    /// Whether the design is kept back: decided by a hash of the unit's name and the Config, before anything is known of
    /// what it costs. Never a unit that is the same in every Config, of which nothing could be foreseen.
    pub fn is_held_out(&self) -> bool {
        if self.unit == "run_control" {
            return false;
        }
        let digest = Sha256::digest(format!("{} {}", self.unit, self.config.to_toml()));
        digest[0] % ONE_IN == 0
    }
}

/// An array of a format: rows, columns, rows of weights a cycle, whether products have a register.
type Shape = (u32, u32, u32, bool);

struct Plan(Vec<Wanted>);

impl Plan {
    /// Adds a unit of a changed preset, if there is one: combinations that no Config may have are left out.
    fn add(&mut self, unit: &'static str, of: &str, change: impl FnOnce(&mut Config)) {
        let Some(mut config) = preset(of).and_then(|text| Config::from_toml(text).ok()) else { return };
        change(&mut config);
        if config.validate().is_ok() {
            self.0.push(Wanted { unit, config });
        }
    }

    fn array(&mut self, unit: &'static str, format: Format, (rows, cols, preload, register): Shape) {
        self.add(unit, "tiny", |c| {
            formats(c, &[format]);
            (c.array.rows, c.array.cols, c.array.preload_rows) = (rows, cols, preload);
            c.pe.product_register = register;
        });
    }
}

fn formats(config: &mut Config, formats: &[Format]) {
    config.pe.formats = formats.to_vec();
    config.pe.kind = formats[0].pe_kind();
}

/// Formats whose operands differ: every PE that there is.
const OPERANDS: [Format; 7] =
    [Format::W8a8, Format::W4a8, Format::Fp4a8, Format::Fp4, Format::W4a4, Format::Pot4, Format::Pot8];

/// Every design, what says most first, so that a fit may stop early; `is_quick` leaves out those that take minutes.
pub fn designs(is_quick: bool) -> Vec<Wanted> {
    let mut plan = Plan(Vec::new());
    for format in OPERANDS {
        plan.array("array", format, (12, 3, 1, false));
    }
    for unit in ["front", "vector", "mm", "axil_regs", "run_control"] {
        plan.add(unit, "tiny", |_| {});
    }
    for format in OPERANDS {
        plan.array("array", format, (4, 4, 1, false));
        plan.array("array", format, (4, 4, 1, true));
        plan.array("pe", format, (4, 4, 1, false));
    }
    plan.add("mm", "small", |_| {});
    plan.add("vector", "small", |c| (c.vec.lanes, c.vec.dividers) = (2, 2));
    plan.add("load_unit", "base", |_| {});
    plan.add("head_buffer", "small", |_| {});
    for format in OPERANDS {
        plan.array("pe", format, (16, 16, 1, true));
    }
    for format in OPERANDS {
        plan.array("array", format, (16, 2, 2, true));
        plan.array("pe", format, (8, 8, 1, false));
    }
    matrix(&mut plan);
    control(&mut plan);
    vectors(&mut plan);
    for format in [Format::W8a8, Format::Fp4a8, Format::Pot4] {
        for shape in [(8, 8, 2, false), (32, 2, 1, false), (5, 3, 1, true), (2, 6, 1, false), (16, 1, 4, false)] {
            plan.array("array", format, shape);
        }
        plan.array("pe", format, (32, 4, 1, false));
        plan.array("pe", format, (64, 4, 1, true));
    }
    stationary_outputs(&mut plan);
    for format in [Format::W4a8, Format::Fp4, Format::W4a4, Format::Pot8] {
        plan.array("array", format, (8, 8, 1, true));
        plan.array("array", format, (6, 2, 1, false));
        plan.array("pe", format, (128, 4, 1, false));
    }
    if !is_quick {
        whole(&mut plan);
    }
    plan.0
}

fn stationary_outputs(plan: &mut Plan) {
    for (unit, format, rows, cols) in [
        ("pe", Format::W8a8, 4, 4),
        ("array", Format::W8a8, 4, 4),
        ("array", Format::W4a8, 8, 2),
        ("array", Format::Fp4, 4, 4),
        ("pe", Format::Fp4a8, 8, 8),
        ("array", Format::Pot4, 3, 5),
        ("mm", Format::W8a8, 4, 4),
        ("array", Format::Fp4a8, 6, 6),
    ] {
        plan.add(unit, "tiny", |c| {
            formats(c, &[format]);
            (c.array.rows, c.array.cols) = (rows, cols);
            c.array.dataflow = Dataflow::Os;
        });
    }
}

/// Units without arithmetic, and the requantizer.
fn control(plan: &mut Plan) {
    for unit in ["sequencer", "store_unit", "head_buffer", "load_unit", "requant"] {
        plan.add(unit, "tiny", |_| {});
    }
    for bits in [64, 128, 256] {
        plan.add("load_unit", "small", |c| c.bus.data_bits = bits);
        plan.add("store_unit", "tiny", |c| c.bus.data_bits = bits);
    }
    plan.add("head_buffer", "base", |_| {});
    plan.add("load_unit", "tiny", |c| c.pe.formats = vec![Format::Fp4, Format::W8a8]);
    plan.add("load_unit", "fp4", |_| {});
    plan.add("front", "small", |c| c.dma.outstanding = 4);
    plan.add("front", "base", |_| {});
    plan.add("front", "tiny", |c| (c.bus.data_bits, c.dma.outstanding) = (128, 2));
    plan.add("requant", "small", |_| {});
    plan.add("requant", "tiny", |c| (c.requant.lanes, c.requant.dividers, c.requant.quotient_bits) = (4, 1, 4));
}

fn matrix(plan: &mut Plan) {
    use Format::{Fp4, Fp4a8, Mxfp4, Mxfp4a8, Nvfp4, Pot4, Pot8, W4a4, W4a8, W8a8};
    let lists: [&[Format]; 12] = [
        &[W8a8, W4a8],
        &[W4a8],
        &[Mxfp4a8],
        &[Fp4],
        &[Nvfp4],
        &[W4a4],
        &[Pot4],
        &[Mxfp4, W8a8],
        &[Fp4, Mxfp4],
        &[Fp4a8, W4a8],
        &[Pot4, Pot8],
        &[Nvfp4, W4a8],
    ];
    for (i, list) in lists.into_iter().enumerate() {
        plan.add("mm", "tiny", |c| {
            formats(c, list);
            // Other sizes for some, so that they are not all alike.
            if i % 2 == 1 {
                (c.array.rows, c.array.cols) = (8, 2);
            }
            c.pe.product_register = i % 3 == 0;
        });
    }
    plan.add("mm", "tiny", |c| (c.array.rows, c.array.cols, c.buffer.act_bytes) = (3, 8, 1 << 15));
    plan.add("foot", "small", |_| {});
    plan.add("foot", "tiny", |c| formats(c, &[Nvfp4]));
    plan.add("foot", "small", |c| formats(c, &[Mxfp4a8]));
    plan.add("mm", "small", |c| (c.array.rows, c.array.cols, c.array.preload_rows) = (4, 16, 1));
}

fn vectors(plan: &mut Plan) {
    plan.add("vector", "tiny", |c| (c.vec.dividers, c.vec.quotient_bits, c.vec.elements) = (4, 2, 512));
    plan.add("vector", "small", |_| {});
    plan.add("vector", "small", |c| {
        formats(c, &[Format::Nvfp4]);
        (c.vec.lanes, c.vec.dividers, c.vec.quotient_bits) = (4, 2, 4);
    });
    plan.add("vector", "tiny", |c| (c.vec.lanes, c.vec.dividers, c.array.cols) = (4, 8, 8));
}

/// Designs that take minutes.
fn whole(plan: &mut Plan) {
    plan.add("top", "tiny", |_| {});
    plan.add("top", "tiny", |c| {
        formats(c, &[Format::W4a8, Format::Fp4a8]);
        (c.array.rows, c.vec.lanes, c.bus.data_bits) = (8, 2, 64);
    });
    plan.add("engine", "tiny", |_| {});
    plan.add("top", "small", |_| {});
    plan.add("top", "tiny", |c| {
        formats(c, &[Format::Mxfp4a8]);
        (c.array.cols, c.vec.lanes) = (8, 4);
    });
    plan.add("array", "base", |_| {});
    plan.add("top", "small", |c| formats(c, &[Format::Nvfp4]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_design_is_there_once_and_can_be_built_and_some_are_held_out() {
        let all = designs(false);
        let keys: HashSet<String> = all.iter().map(|w| format!("{} {}", w.unit, w.config.to_toml())).collect();
        assert_eq!(keys.len(), all.len());
        for wanted in &all {
            let build = hdl::unit::table::find(wanted.unit).unwrap();
            build(&wanted.config).unwrap_or_else(|e| panic!("{} {:?}: {e}", wanted.unit, wanted.config));
        }
        let held_out = all.iter().filter(|wanted| wanted.is_held_out()).count();
        assert!(held_out * 6 > all.len() && held_out * 2 < all.len(), "{held_out} of {}", all.len());
        // A quick fit begins with the same designs.
        let quick = designs(true);
        assert!(quick.len() < all.len());
        assert!(quick.iter().zip(&all).all(|(a, b)| a.unit == b.unit && a.config == b.config));
    }
}
