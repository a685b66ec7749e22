//! Quotients of the scalar unit: a long dividend by a short divisor.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::DEN_BITS;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Bits of the divisor.
pub const SHORT_BITS: u32 = 17;
/// Quotient bits a cycle.
pub const BITS_A_CYCLE: u32 = 2;
/// Bits of the number of cycles.
pub const CYCLES_BITS: u32 = 6;

/// `<prefix>_vec_long_divide`: restoring division, two quotient bits a cycle.
///
/// Ports: `load_i` with `num_i` (highest bit first), `first_i` (the first remainder, below the divisor), `cycles_i` (at least
/// 1); `den_i` holds; `done_o` in the cycle in which `quotient_o` (of the highest `2·cycles` bits) and `remainder_o` hold,
/// until the next load.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn long_divide(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Quotient of the highest {BITS_A_CYCLE} * cycles_i bits of num_i, below the remainder first_i, by den_i:\n\
         restoring division, {BITS_A_CYCLE} quotient bits a cycle, from the cycle after load_i on."
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_long_divide"), doc);
    let load_i = m.input("load_i", Ty::bit());
    let num_i = m.input("num_i", Ty::u(DEN_BITS));
    let first_i = m.input("first_i", Ty::u(SHORT_BITS));
    let den_i = m.input("den_i", Ty::u(SHORT_BITS));
    let cycles_i = m.input("cycles_i", Ty::u(CYCLES_BITS));
    let left_q = m.reg("left_q", Ty::u(CYCLES_BITS));
    let runs = m.wire("runs", &left_q.any());
    m.next_reset(&left_q, 0, Some(&(&load_i | &runs)), &load_i.mux(&cycles_i, &(&left_q - left_q.k(1))));
    let remainder_q = m.reg("remainder_q", Ty::u(SHORT_BITS));
    let rest_q = m.reg("rest_q", Ty::u(DEN_BITS));
    let den = m.wire("den", &den_i.extend(SHORT_BITS + 1));
    let mut remainder = remainder_q.clone();
    let mut parts = vec![rest_q.slice(DEN_BITS - 1 - BITS_A_CYCLE, 0)];
    for i in 0..BITS_A_CYCLE {
        let trial = m.wire(&format!("trial{i}"), &Expr::concat(&[remainder, rest_q.bit(DEN_BITS - 1 - i)]));
        let diff = m.wire(&format!("diff{i}"), &(&trial - &den));
        let less = m.wire(&format!("less{i}"), &diff.sign());
        let restored = less.mux(&trial.slice(SHORT_BITS - 1, 0), &diff.slice(SHORT_BITS - 1, 0));
        remainder = m.wire(&format!("remainder{i}"), &restored);
        parts.push(!&less);
    }
    let step = m.wire("step", &(&load_i | &runs));
    m.next_if(&remainder_q, &step, &load_i.mux(&first_i, &remainder));
    m.next_if(&rest_q, &step, &load_i.mux(&num_i, &Expr::concat(&parts)));
    let last_q = m.pipe_reset("last_q", 0, &(!&load_i & left_q.eq_k(1)));
    m.output_is("done_o", &last_q);
    m.output_is("quotient_o", &rest_q);
    m.output_is("remainder_o", &remainder_q);
    m.build()
}
