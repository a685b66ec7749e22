//! An exact quotient of up to 32 bits: restoring division, some bits a cycle.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::requant_plan::count_of;
use super::plan::{DEN_BITS, EXP_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vec_divider`: `floor(num / den)`, whether there is a remainder, and whether the quotient has too many bits.
///
/// Ports: a division begins in the cycle of `load_i` with `num_i`, `negative_i` (goes along) and the divisor: `den_i`, which
/// then holds, or, with `own_i`, `own_den_i`, which is kept here. `num_i` is shifted left by [`VecPlan::align`]; after
/// [`VecPlan::steps`] cycles the results are valid for one cycle, in which the next division may begin: `quotient_o`,
/// `inexact_o`, `overflow_o` (the quotient is larger than its bits hold), `negative_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn divider(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let (bits, rest_bits) = (plan.quotient_bits, plan.rest_bits());
    let doc = format!(
        "Exact quotient num_i / den_i: restoring division, {} a cycle. A division begins\n\
         with load_i; the results hold for one cycle after as many steps as the quotient needs, and the\n\
         next division may begin in it. Above its low {rest_bits} bits num_i is the first remainder: where that\n\
         is not below the divisor, the quotient has too many bits. own_i chooses a divisor of its own.",
        count_of(bits, "quotient bit")
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_divider"), doc);
    let load_i = m.input("load_i", Ty::bit());
    let num_i = m.input("num_i", Ty::u(plan.num_bits()));
    let negative_i = m.input("negative_i", Ty::bit());
    let den_i = m.input("den_i", Ty::u(DEN_BITS));
    let own_i = m.input("own_i", Ty::bit());
    let own_den_i = m.input("own_den_i", Ty::u(EXP_BITS + 1));

    m.section("Divisor");
    let own_q = m.pipe_if("own_q", &load_i, &own_i);
    let own_den_q = m.pipe_if("own_den_q", &load_i, &own_den_i);
    let own = m.wire("own", &load_i.mux(&own_i, &own_q));
    let own_den = m.wire("own_den", &load_i.mux(&own_den_i, &own_den_q));
    let den = m.wire("den", &own.mux(&own_den.extend(DEN_BITS + 1), &den_i.extend(DEN_BITS + 1)));

    m.section(
        "remainder < divisor; rest holds the numerator's bits to come, highest first, and below\n\
         them the quotient's bits so far",
    );
    let remainder_q = m.reg("remainder_q", Ty::u(DEN_BITS));
    let rest_q = m.reg("rest_q", Ty::u(rest_bits));
    let first = m.wire("first", &num_i.slice(plan.num_bits() - 1, rest_bits));
    let mut remainder = m.wire("remainder", &load_i.mux(&first, &remainder_q));
    let rest = m.wire("rest", &load_i.mux(&num_i.slice(rest_bits - 1, 0), &rest_q));
    let mut parts = Vec::new();
    if rest_bits > bits {
        parts.push(rest.slice(rest_bits - 1 - bits, 0));
    }
    for i in 0..bits {
        let next_bit = rest.bit(rest_bits - 1 - i);
        let trial = m.wire(&format!("trial{i}"), &Expr::concat(&[remainder.clone(), next_bit]));
        // trial < 2 * den, so the difference's top bit is its sign.
        let diff = m.wire(&format!("diff{i}"), &(&trial - &den));
        let less = m.wire(&format!("less{i}"), &diff.sign());
        parts.push(!&less);
        let restored = less.mux(&trial.slice(DEN_BITS - 1, 0), &diff.slice(DEN_BITS - 1, 0));
        remainder = m.wire(&format!("remainder{i}"), &restored);
    }
    m.next(&remainder_q, &remainder);
    m.next(&rest_q, &Expr::concat(&parts));

    m.section("What else is known of the quotient");
    let too_large = m.wire("too_large", &first.extend(DEN_BITS + 1).ge(&den));
    let overflow_q = m.pipe_if("overflow_q", &load_i, &too_large);
    let negative_q = m.pipe_if("negative_q", &load_i, &negative_i);
    m.output_is("quotient_o", &rest_q);
    m.output_is("inexact_o", &remainder_q.any());
    m.output_is("overflow_o", &overflow_q);
    m.output_is("negative_o", &negative_q);
    m.build()
}
