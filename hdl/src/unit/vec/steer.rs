//! What an op makes of each slot: sources, addends, factors, combination.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::issue::{SLOT_BITS, any, is};
use super::lane::{add, combine, factor};
use super::plan::VecPlan;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// Where elements come from: `source_o`.
pub mod source {
    /// The vector memory.
    pub const VALUES: i128 = 0;
    /// The parameter memory.
    pub const PARAMS: i128 = 1;
    /// The accumulators.
    pub const SUMS: i128 = 2;
}

/// `<prefix>_vec_steer`: the op and the slot to what the lanes do.
///
/// Ports: the op's fields `op_i`, `k_i`, `zp_i`, `asymmetric_i`; `slot1_i`, `slot2_i`, `slot4_i`: the slot in stage 1, 2 and
/// 4; `source_o` (stage 1), `add_o`, `factor_o`, `negate_o`, `upper_o` (upper lanes are negated), `magnitude_o` (stage 2),
/// `combine_o` (stage 4). Combinational.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn steer(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "What the lanes do with a slot of an op. Combinational.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_steer"), doc);
    let op_i = m.input("op_i", Ty::u(8));
    let k_i = (plan.lanes > 1).then(|| m.input("k_i", Ty::u(5)));
    let zp_i = m.input("zp_i", Ty::bit());
    let asymmetric_i = m.input("asymmetric_i", Ty::bit());
    let slot1_i = m.input("slot1_i", Ty::u(SLOT_BITS));
    let slot2_i = m.input("slot2_i", Ty::u(SLOT_BITS));
    let slot4_i = m.input("slot4_i", Ty::u(SLOT_BITS));

    let aligned = m.wire("aligned", &is(&op_i, Op::Vacc));
    let completed = m.wire("completed", &(&aligned & &zp_i));
    let butterfly = m.wire("butterfly", &is(&op_i, Op::Vhad));
    let rotary = m.wire("rotary", &is(&op_i, Op::Vrop));
    let near = k_i.as_ref().map(|k| &butterfly & k.lt(&k.k(plan.tree().into())));
    let near = near.map(|near| m.wire("near", &near));

    let source = m.output("source_o", Ty::u(2));
    m.comb("source", |b| {
        b.set(&source, &source.k(source::VALUES));
        b.when(&is(&op_i, Op::Vpar), |b| b.set(&source, &source.k(source::PARAMS)));
        b.when(&any(&op_i, &[Op::Vacc, Op::Vraw]), |b| b.set(&source, &source.k(source::SUMS)));
        b.when(&(&completed & slot1_i.eq_k(0)), |b| b.set(&source, &source.k(source::PARAMS)));
    });
    let added = m.output("add_o", Ty::u(3));
    let constant = m.wire("adds_constant", &(any(&op_i, &[Op::Vads, Op::Vexp]) | (is(&op_i, Op::Vquo) & asymmetric_i)));
    m.comb("addend", |b| {
        b.set(&added, &added.k(add::ZERO));
        b.when(&constant, |b| b.set(&added, &added.k(add::CONSTANT)));
        b.when(&(is(&op_i, Op::Vadd) | &butterfly), |b| b.set(&added, &added.k(add::PREVIOUS)));
        if let Some(near) = &near {
            b.when(near, |b| b.set(&added, &added.k(add::PARTNER)));
        }
        b.when(&(&completed & slot2_i.any()), |b| b.set(&added, &added.k(add::PRODUCT)));
    });
    let by = m.output("factor_o", Ty::u(2));
    m.comb("factor", |b| {
        b.set(&by, &by.k(factor::CONSTANT));
        b.when(&any(&op_i, &[Op::Vacc, Op::Vmlp, Op::Vrop]), |b| b.set(&by, &by.k(factor::PARAM)));
        b.when(&(&completed & slot2_i.eq_k(0)), |b| b.set(&by, &by.k(factor::CONSTANT)));
        b.when(&is(&op_i, Op::Vmul), |b| b.set(&by, &by.k(factor::PREVIOUS)));
    });
    let turned = is(&op_i, Op::Vexp) | (&butterfly & slot2_i.eq_k(2));
    m.output_is("negate_o", &turned);
    if let Some(near) = &near {
        m.output_is("upper_o", near);
    }
    m.output_is("magnitude_o", &is(&op_i, Op::Vsig));
    let combined = m.output("combine_o", Ty::u(2));
    m.comb("combination of products", |b| {
        b.set(&combined, &combined.k(combine::NONE));
        b.when(&rotary, |b| {
            b.set(&combined, &slot4_i.bit(1).mux(&combined.k(combine::SUM), &combined.k(combine::DIFFERENCE)));
        });
    });
    m.build()
}
