//! Butterflies within a word: each lane's partner.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::{VALUE_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vec_partner`: lane `i` gets the element of lane `i ^ 2^k`, and whether it is the upper one of the two.
///
/// Ports: `k_i` (below the logarithm of the lanes), `data_i`; `data_o`, `upper_o` (one bit a lane). Combinational.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn partner(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Each lane's partner in a butterfly of distance 2^k_i within the word. Combinational.";
    let lanes = plan.lanes;
    let mut m = ModuleBuilder::new(module_name(config, "vec_partner"), doc);
    let k_i = m.input("k_i", Ty::u(5));
    let data_i = m.input("data_i", Ty::u(lanes * VALUE_BITS));
    let data = m.output("data_o", data_i.ty());
    let upper = m.output("upper_o", Ty::u(lanes));
    let swapped = |k: u32| {
        let parts = (0..lanes).rev().map(|i| data_i.part((i ^ (1 << k)) * VALUE_BITS, VALUE_BITS));
        Expr::concat(&parts.collect::<Vec<_>>())
    };
    let uppers = |k: u32| (0..lanes).filter(|i| i >> k & 1 == 1).map(|i| 1i128 << i).sum::<i128>();
    m.comb("by distance", |b| {
        b.set(&data, &swapped(0));
        b.set(&upper, &upper.k(uppers(0)));
        b.case(&k_i, |c| {
            for k in 1..plan.tree() {
                c.arm(&k_i.k(k.into()), |b| {
                    b.set(&data, &swapped(k));
                    b.set(&upper, &upper.k(uppers(k)));
                });
            }
        });
    });
    m.build()
}
