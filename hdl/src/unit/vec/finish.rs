//! What a lane makes of a shifted product: an element, or an exponential's argument.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::{OCTAVE_BITS, VALUE_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vec_finish`: `value_o` is `shifted_i` saturated to 64 bits and held within `±limit_i` where `limited_i`;
/// `octaves_o` is it saturated to `0..2^21`. Combinational.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn finish(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "A shifted product saturated to an element, within the op's limit if it has one, and to the\n\
               argument of an exponential. Combinational.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_finish"), doc);
    let bits = plan.num_bits() + 1;
    let shifted_i = m.input("shifted_i", Ty::s(bits));
    let limited_i = m.input("limited_i", Ty::bit());
    let limit_i = m.input("limit_i", Ty::u(16));
    let negative = m.wire("negative", &shifted_i.sign());
    let high = m.wire("high", &shifted_i.slice(bits - 1, VALUE_BITS - 1));
    let fits = m.wire("fits", &(high.all() | !high.any()));
    let bound = Expr::concat(&[negative.clone(), (!&negative).repeat(VALUE_BITS - 1)]);
    let held = m.wire("held", &fits.mux(&shifted_i.slice(VALUE_BITS - 1, 0), &bound).as_signed());
    let limit = m.wire("limit", &limit_i.extend(VALUE_BITS).as_signed());
    let low = m.wire("low_limit", &-&limit);
    let value = m.output("value_o", Ty::s(VALUE_BITS));
    m.comb("within the limit", |b| {
        b.set(&value, &held);
        b.when(&(&limited_i & held.gt(&limit)), |b| b.set(&value, &limit));
        b.when(&(&limited_i & held.lt(&low)), |b| b.set(&value, &low));
    });
    let large = m.wire("too_large", &shifted_i.slice(bits - 2, OCTAVE_BITS).any());
    let octaves = large.repeat(OCTAVE_BITS) | shifted_i.slice(OCTAVE_BITS - 1, 0);
    m.output_is("octaves_o", &(octaves & (!&negative).repeat(OCTAVE_BITS)));
    m.build()
}
