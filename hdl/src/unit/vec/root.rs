//! Integer square root, digit by digit.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::VALUE_BITS;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Bits of a root.
pub const ROOT_BITS: u32 = VALUE_BITS / 2;
const DIGITS_A_CYCLE: u32 = 2;
const CYCLES: i128 = (ROOT_BITS / DIGITS_A_CYCLE) as i128;

/// `<prefix>_vec_root`: `root_o = floor(sqrt(value_i))`.
///
/// Ports: `load_i`, `value_i`; 17 cycles later `done_o`, and `root_o` until the next load.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn root(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "root_o = floor(sqrt(value_i)), {DIGITS_A_CYCLE} binary digits a cycle: a digit is 1 where the remainder holds\n\
         4 * root + 1. {} cycles from load_i to done_o.",
        CYCLES + 1
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_root"), doc);
    let load_i = m.input("load_i", Ty::bit());
    let value_i = m.input("value_i", Ty::u(VALUE_BITS));
    let left_q = m.reg("left_q", Ty::u(5));
    let step = m.wire("step", &(&load_i | left_q.any()));
    m.next_reset(&left_q, 0, Some(&step), &load_i.mux(&left_q.k(CYCLES), &(&left_q - left_q.k(1))));
    let rest_q = m.reg("rest_q", Ty::u(VALUE_BITS));
    let root_q = m.reg("root_q", Ty::u(ROOT_BITS));
    let wide = ROOT_BITS + 2;
    let remainder_q = m.reg("remainder_q", Ty::u(wide));
    let (mut remainder, mut root) = (remainder_q.clone(), root_q.clone());
    for i in 0..DIGITS_A_CYCLE {
        let next = rest_q.slice(VALUE_BITS - 1 - 2 * i, VALUE_BITS - 2 - 2 * i);
        let held = m.wire(&format!("held{i}"), &Expr::concat(&[remainder.slice(wide - 2, 0), next]).extend(wide + 1));
        let trial = m.wire(&format!("trial{i}"), &Expr::concat(&[Expr::u(1, 0), root.clone(), Expr::u(2, 1)]));
        let diff = m.wire(&format!("diff{i}"), &(&held - &trial));
        let less = m.wire(&format!("less{i}"), &held.lt(&trial));
        remainder = m.wire(&format!("remainder{i}"), &less.mux(&held.slice(wide - 1, 0), &diff.slice(wide - 1, 0)));
        root = m.wire(&format!("root{i}"), &Expr::concat(&[root.slice(ROOT_BITS - 2, 0), !&less]));
    }
    let shifted = Expr::concat(&[rest_q.slice(VALUE_BITS - 1 - 2 * DIGITS_A_CYCLE, 0), Expr::u(2 * DIGITS_A_CYCLE, 0)]);
    m.next_if(&rest_q, &step, &load_i.mux(&value_i, &shifted));
    m.next_if(&remainder_q, &step, &load_i.mux(&remainder_q.k(0), &remainder));
    m.next_if(&root_q, &step, &load_i.mux(&root_q.k(0), &root));
    let last_q = m.pipe_reset("last_q", 0, &(!&load_i & left_q.eq_k(1)));
    m.output_is("done_o", &last_q);
    m.output_is("root_o", &root_q);
    m.build()
}
