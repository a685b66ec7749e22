//! What a row's minimum and maximum say about its requantisation: the range `d` and the numerators' constant part.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::requant_plan::{ALIGNED_BITS, NUMERATOR_BITS, Plan, RANGE_BITS, choose};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Cycles from the row's last word to `range_o`.
pub const RANGE_CYCLES: u32 = 4;
/// Cycles from the row's last word to `bias_o`.
pub const BIAS_CYCLES: u32 = 5;

/// `<prefix>_row_stats`: range and bias of a row from the minimum and maximum of its words, zero included.
///
/// Ports: `valid_i`, `first_i` (first word of a row), `min_i`, `max_i`, `asymmetric_i` (if both modes are built);
/// `range_o`: `d = max(1, max |A|)`, or `max(1, max A - min A)`, [`RANGE_CYCLES`] after the last word; `bias_o`:
/// `127 * d + floor(d / 2)`, or `255 * -min A + floor(d / 2)`, [`BIAS_CYCLES`] after it.
///
/// The quotient of a value is `floor((Q * A + bias) / d)`: the half-up rounded one, shifted to start at 0. This is
/// `floor((2 * Q * (A + offset) + d) / (2 * d))`, both halved, for the floor of a half does not change the quotient.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn row_stats(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Range d of a row and the constant part of its numerators (Q * offset + floor(d / 2)).\n\
         Symmetric: d = max |A|, offset = d, Q = 127. Asymmetric: d = max A - min A, offset = -min A,\n\
         Q = 255. Zero counts as a value of every row; d is at least 1.\n\
         range_o is valid {RANGE_CYCLES} cycles after the row's last word, bias_o {BIAS_CYCLES}."
    );
    let mut m = ModuleBuilder::new(module_name(config, "row_stats"), doc);
    let valid_i = m.input("valid_i", Ty::bit());
    let first_i = m.input("first_i", Ty::bit());
    let min_i = m.input("min_i", Ty::s(ALIGNED_BITS));
    let max_i = m.input("max_i", Ty::s(ALIGNED_BITS));
    let asymmetric = plan.both_dynamic().then(|| m.input("asymmetric_i", Ty::bit()));

    m.section("Over the row; the maximum is never negative, the minimum never positive");
    let min_q = m.reg("min_q", Ty::s(ALIGNED_BITS));
    let max_q = m.reg("max_q", Ty::s(ALIGNED_BITS));
    let min_so_far = m.wire("min_so_far", &first_i.mux(&min_q.k(0), &min_q));
    let max_so_far = m.wire("max_so_far", &first_i.mux(&max_q.k(0), &max_q));
    m.next_if(&min_q, &valid_i, &min_i.lt(&min_so_far).mux(&min_i, &min_so_far));
    m.next_if(&max_q, &valid_i, &max_i.gt(&max_so_far).mux(&max_i, &max_so_far));

    m.section("Magnitude of the minimum");
    let depth_q = m.pipe("depth_q", &(-&min_q).as_unsigned());
    let height_q = m.pipe("height_q", &max_q.as_unsigned());

    m.section("Range; an all-zero row has range 1");
    let largest = plan.symmetric.then(|| m.wire("largest", &depth_q.gt(&height_q).mux(&depth_q, &height_q)));
    let span = plan.asymmetric.then(|| m.wire("span", &(&depth_q + &height_q)));
    let extent_q = m.pipe("extent_q", &choose(asymmetric.as_ref(), span, largest));
    let extent_depth_q = plan.asymmetric.then(|| m.pipe("extent_depth_q", &depth_q));
    let lowest = extent_q.bit(0) | !extent_q.any();
    let range_q = m.pipe("range_q", &Expr::concat(&[extent_q.slice(RANGE_BITS - 1, 1), lowest]));
    let offset_q = extent_depth_q.map(|depth| m.pipe("offset_q", &depth));
    m.output_is("range_o", &range_q);

    m.section("Q * offset = offset * 2^7 - offset, or offset * 2^8 - offset");
    let times = |m: &mut ModuleBuilder, name: &str, offset: &Expr, shift: u32| {
        let wide = m.wire(name, &offset.extend(NUMERATOR_BITS));
        &wide.shl_k(shift) - &wide
    };
    let by_127 = plan.symmetric.then(|| times(&mut m, "range_wide", &range_q, 7));
    let by_255 = offset_q.map(|offset| times(&mut m, "offset_wide", &offset, 8));
    let scaled_q = m.pipe("scaled_offset_q", &choose(asymmetric.as_ref(), by_255, by_127));
    let half_q = m.pipe("half_range_q", &range_q.slice(RANGE_BITS - 1, 1));
    m.output_is("bias_o", &(&scaled_q + half_q.extend(NUMERATOR_BITS)));
    m.build()
}
