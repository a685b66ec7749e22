//! Shift by a signed amount, rounded half up and saturated.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::{MOST_LEFT, SHIFT_BITS, SHIFTED_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vec_shifter`: `value_o = saturate(round_half_up(value_i / 2^amount))`, two cycles later.
///
/// Ports: `value_i`; `offset_i` = amount + [`MOST_LEFT`], where amount is `-MOST_LEFT..=MOST_RIGHT`, held for both cycles;
/// `value_o` is saturated to the bits of a numerator ([`VecPlan::num_bits`]) before it is rounded.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn shifter(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let out_bits = plan.num_bits();
    let doc = format!(
        "value_o = saturate(round_half_up(value_i / 2^(offset_i - {MOST_LEFT}))): the value stands {MOST_LEFT}\n\
         places further left, with one more bit below to round with, and is shifted right. What does\n\
         not fit {out_bits} bits saturates. Latency 2 cycles; offset_i is held."
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_shifter"), doc);
    let value_i = m.input("value_i", Ty::s(SHIFTED_BITS));
    let offset_i = m.input("offset_i", Ty::u(SHIFT_BITS));
    let below = MOST_LEFT as u32 + 1;
    let bits = SHIFTED_BITS + below;
    let mut value = m.wire("placed", &Expr::concat(&[value_i.clone(), Expr::u(below, 0)]));
    for level in (0..SHIFT_BITS).rev() {
        if level == 2 {
            m.section("The fine shift, one cycle later");
            value = m.pipe("coarse_q", &value);
        }
        let by = 1u32 << level;
        let moved = Expr::concat(&[value.bit(bits - 1).repeat(by), value.slice(bits - 1, by)]);
        value = m.wire(&format!("by{by}"), &offset_i.bit(level).mux(&moved, &value));
    }
    m.section("Saturate, then round half up: the lowest bit is worth a half");
    let high = m.wire("high", &value.slice(bits - 1, out_bits));
    let negative = m.wire("negative", &value.bit(bits - 1));
    let fits = m.wire("fits", &(high.all() | !high.any()));
    let bound = Expr::concat(&[negative.clone(), (!&negative).repeat(out_bits)]);
    let kept = m.wire("kept", &fits.mux(&value.slice(out_bits, 0), &bound));
    let whole = kept.slice(out_bits, 1).as_signed().extend(out_bits + 1);
    let half = kept.slice(0, 0).extend(out_bits + 1).as_signed();
    let value_q = m.pipe("value_q", &(&whole + &half));
    m.output_is("value_o", &value_q);
    m.build()
}
