//! An exact short quotient: restoring division, some bits a cycle.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::requant_plan::{NUMERATOR_BITS, Plan, RANGE_BITS, count_of};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_divider`: `quotient_o = floor(num_i / den_i)` for `num_i < 256 * den_i`.
///
/// Ports: `load_i` (not there if one cycle makes the whole quotient), `num_i`, `den_i`, `quotient_o`. A division begins
/// in the cycle of `load_i`; `den_i` holds from then on for [`Plan::steps`] cycles, after which `quotient_o` is valid for
/// one cycle, in which the next division may begin.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn divider(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let (steps, bits) = (plan.steps(), plan.quotient_bits);
    let rest_bits = steps * bits;
    let doc = format!(
        "Exact 8-bit quotient num_i / den_i, where num_i < 256 * den_i: restoring division,\n\
         {} a cycle. A division begins with load_i; quotient_o holds the result\n\
         {} later, for one cycle, in which the next division may begin. den_i must not\n\
         change in between.",
        count_of(bits, "quotient bit"),
        count_of(steps, "cycle")
    );
    let mut m = ModuleBuilder::new(module_name(config, "divider"), doc);
    let load_i = (steps > 1).then(|| m.input("load_i", Ty::bit()));
    let num_i = m.input("num_i", Ty::u(NUMERATOR_BITS));
    let den_i = m.input("den_i", Ty::u(RANGE_BITS));

    m.section(
        "remainder < den_i; rest holds the numerator's bits to come, highest first, and below\n\
         them the quotient's bits so far",
    );
    let remainder_q = load_i.as_ref().map(|_| m.reg("remainder_q", Ty::u(RANGE_BITS)));
    let rest_q = m.reg("rest_q", Ty::u(rest_bits));
    let num_high = num_i.slice(NUMERATOR_BITS - 1, rest_bits).extend(RANGE_BITS);
    let num_low = num_i.slice(rest_bits - 1, 0);
    let (remainder, rest) = match (&load_i, &remainder_q) {
        (Some(load), Some(held)) => (load.mux(&num_high, held), load.mux(&num_low, &rest_q)),
        _ => (num_high, num_low),
    };
    let mut remainder = m.wire("remainder", &remainder);
    let rest = m.wire("rest", &rest);
    let den = m.wire("den", &den_i.extend(RANGE_BITS + 1));
    let mut quotient = Vec::new();
    for i in 0..bits {
        let next_bit = rest.bit(rest_bits - 1 - i);
        let trial = m.wire(&format!("trial{i}"), &Expr::concat(&[remainder.clone(), next_bit]));
        // trial < 2 * den, so the difference's top bit is its sign.
        let diff = m.wire(&format!("diff{i}"), &(&trial - &den));
        let less = m.wire(&format!("less{i}"), &diff.sign());
        quotient.push(!&less);
        if i + 1 == bits && remainder_q.is_none() {
            break;
        }
        let restored = less.mux(&trial.slice(RANGE_BITS - 1, 0), &diff.slice(RANGE_BITS - 1, 0));
        remainder = m.wire(&format!("remainder{i}"), &restored);
    }
    if let Some(held) = &remainder_q {
        m.next(held, &remainder);
    }
    let mut parts = Vec::new();
    if rest_bits > bits {
        parts.push(rest.slice(rest_bits - 1 - bits, 0));
    }
    parts.extend(quotient);
    m.next(&rest_q, &Expr::concat(&parts));
    m.output_is("quotient_o", &rest_q.slice(7, 0));
    m.build()
}
