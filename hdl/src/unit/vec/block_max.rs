//! Largest magnitudes of blocks.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::{VALUE_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vec_block_max`: the largest magnitude of a block's words.
///
/// Ports: `valid_i`, `end_i` (the block's last word), `mask_i`, `data_i`; `valid_o`, `max_o` after the block's last word.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn block_max(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let lanes = plan.lanes;
    let doc = format!(
        "Largest magnitude of a block: of the {lanes} elements of a word by a tree with a register after each\n\
         level, then of the block's words. Latency {} cycles from the last word.",
        plan.tree() + 2
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_block_max"), doc);
    let valid_i = m.input("valid_i", Ty::bit());
    let end_i = m.input("end_i", Ty::bit());
    let mask_i = m.input("mask_i", Ty::u(lanes));
    let data_i = m.input("data_i", Ty::u(lanes * VALUE_BITS));
    m.section("Magnitudes; of -2^63 it is 2^63 - 1");
    let bits = VALUE_BITS - 1;
    let mut values = Vec::new();
    for i in 0..lanes {
        let x = m.wire(&format!("x{i}"), &data_i.part(i * VALUE_BITS, VALUE_BITS).as_signed());
        let negated = m.wire(&format!("negated{i}"), &-&x);
        let both = x.sign() & negated.sign();
        let size = x.sign().mux(&(negated.slice(bits - 1, 0) | both.repeat(bits)), &x.slice(bits - 1, 0));
        values.push(m.pipe(&format!("size{i}_q"), &(size & mask_i.bit(i).repeat(bits))));
    }
    let mut flags = m.reg("flags0_q", Ty::u(2));
    m.next_reset(&flags, 0, None, &Expr::concat(&[&end_i & &valid_i, valid_i]));
    for level in 1..=plan.tree() {
        let next = values.chunks(2).enumerate().map(|(i, pair)| {
            let larger = pair[1].gt(&pair[0]).mux(&pair[1], &pair[0]);
            m.pipe(&format!("max{level}_{i}_q"), &larger)
        });
        values = next.collect();
        let next = m.reg(&format!("flags{level}_q"), Ty::u(2));
        m.next_reset(&next, 0, None, &flags);
        flags = next;
    }
    let (valid, end) = (flags.bit(0), flags.bit(1));
    let max_q = m.reg("max_q", Ty::u(bits));
    let fresh_q = m.reg("fresh_q", Ty::bit());
    m.next_reset(&fresh_q, 1, Some(&valid), &end);
    let keep = m.wire("keep", &(!&fresh_q & max_q.gt(&values[0])));
    m.next_if(&max_q, &valid, &keep.mux(&max_q, &values[0]));
    let valid_q = m.pipe_reset("valid_q", 0, &end);
    m.output_is("valid_o", &valid_q);
    m.output_is("max_o", &max_q.extend(VALUE_BITS).as_signed());
    m.build()
}
