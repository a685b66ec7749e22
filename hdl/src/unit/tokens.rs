//! Tokens between queues.

use std::sync::Arc;

use spec::Config;
use spec::isa::{Queue, TOKEN_BITS};

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_tokens`: a counter for each ordered pair of queues.
///
/// Ports: `clear_i`: no tokens; for each queue by its name: `<q>_give_i`: it gives a token to each of these queues; `<q>_take_i`: it takes one
/// from each of these; `<q>_have_o`: these have given it one at least; `<q>_full_o`: its counters towards these are full.
/// Bits by place in [`Queue::ALL`]. A token can be taken in the cycle after it was given.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn tokens(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Tokens between queues: one counter for each ordered pair. A token can be taken in the cycle\n\
               after it was given.";
    let mut m = ModuleBuilder::new(module_name(config, "tokens"), doc);
    let clear_i = m.input("clear_i", Ty::bit());
    let count = Queue::ALL.len() as u32;
    let inputs: Vec<(Expr, Expr)> = Queue::ALL
        .iter()
        .map(|q| {
            let give = m.input(&format!("{}_give_i", q.name()), Ty::u(count));
            (give, m.input(&format!("{}_take_i", q.name()), Ty::u(count)))
        })
        .collect();
    let mut have = vec![Vec::new(); Queue::ALL.len()];
    let mut full = vec![Vec::new(); Queue::ALL.len()];
    for (from, giver) in Queue::ALL.iter().enumerate() {
        for (to, taker) in Queue::ALL.iter().enumerate() {
            let name = format!("{}_to_{}", giver.name(), taker.name());
            let q = m.reg(&format!("{name}_q"), Ty::u(TOKEN_BITS));
            let given = inputs[from].0.bit(to as u32);
            let taken = inputs[to].1.bit(from as u32);
            let changes = m.wire(&format!("{name}_changes"), &((&given ^ &taken) | &clear_i));
            let counted = given.mux(&(&q + q.k(1)), &(&q - q.k(1)));
            m.next_reset(&q, 0, Some(&changes), &clear_i.mux(&q.k(0), &counted));
            have[to].push(q.any());
            full[from].push(q.all());
        }
    }
    for (i, q) in Queue::ALL.iter().enumerate() {
        let bits = |list: &[Expr]| Expr::concat(&list.iter().rev().cloned().collect::<Vec<_>>());
        m.output_is(&format!("{}_have_o", q.name()), &bits(&have[i]));
        m.output_is(&format!("{}_full_o", q.name()), &bits(&full[i]));
    }
    m.build()
}
