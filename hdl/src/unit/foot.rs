//! The foot of a column: where a tile's partial sum meets the accumulator.

use std::sync::Arc;

use spec::Config;

use super::mm_plan::MmPlan;
use super::module_name;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// Whether a word may be wanted in the cycle in which it is written: only if a tile can take a single cycle.
pub fn forwards(config: &Config) -> bool {
    config.preload_cycles() == 1
}

/// `<prefix>_foot`: `acc_o = sum_i`, plus, unless it is the first K tile, the accumulator so far; combinational.
///
/// Ports: `sum_i` (signed, `Config::sum_bits`, or in the accelerator a scaled sum), `first_i`, `stored_i` (the word read from memory), `acc_o`; where
/// [`forwards`], `forward_i`, `last_i` (the word written in the previous cycle). Per-channel formats add the sum as it is.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn foot(config: &Config) -> Result<Arc<Module>, Error> {
    adder(config, &MmPlan::engine(config))
}

/// [`foot`] of a plan's widths.
pub(super) fn adder(config: &Config, plan: &MmPlan) -> Result<Arc<Module>, Error> {
    let mut doc = "Foot of one column: adds a tile's partial sum to the accumulator. Combinational.".to_string();
    if forwards(config) {
        doc += "\nforward_i takes the value written in the previous cycle, which a read could not see yet.";
    }
    let mut m = ModuleBuilder::new(module_name(config, "foot"), doc);
    let acc = Ty::s(plan.acc_bits);
    let sum_i = m.input("sum_i", Ty::s(plan.addend_bits));
    let first_i = m.input("first_i", Ty::bit());
    let forward = forwards(config).then(|| (m.input("forward_i", Ty::bit()), m.input("last_i", acc)));
    let stored_i = m.input("stored_i", acc);
    let so_far = m.net("so_far", acc);
    m.comb("accumulator so far", |b| {
        b.set(&so_far, &stored_i);
        if let Some((forward_i, last_i)) = &forward {
            b.when(forward_i, |b| b.set(&so_far, last_i));
        }
        b.when(&first_i, |b| b.set(&so_far, &so_far.k(0)));
    });
    let sum = m.wire("sum", &sum_i.extend(plan.acc_bits));
    m.output_is("acc_o", &(&so_far + &sum));
    m.build()
}
