//! Requantisation by a fixed dyadic ratio, rounded half up and saturated.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::multiply::multiply;
use super::requant_plan::ALIGNED_BITS;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Largest shift that still matters: |A * mult| < 2^55, so that shifts from 56 on round everything to 0.
pub const MAX_SHIFT: u32 = 56;

const PRODUCT_BITS: u32 = 56;

/// `<prefix>_dyadic`: `code_o = saturate(round_half_up(value_i * mult_i / 2^shift), -127..=127)`.
///
/// Ports: `value_i`, `mult_i` (one cycle), `coarse_i` = shift / 8 (the next cycle), `fine_i` = shift mod 8 (the one after);
/// shift is at most [`MAX_SHIFT`]. `code_o` (two's complement bits) is valid 3 cycles after `value_i`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn dyadic(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "code_o = saturate(round_half_up(value_i * mult_i / 2^(8 * coarse_i + fine_i)), -127..127).\n\
         Shifts are at most {MAX_SHIFT}. Latency 3 cycles from value_i and mult_i; coarse_i comes one cycle\n\
         after them, fine_i two."
    );
    let product = multiply(config, Ty::s(ALIGNED_BITS), Ty::s(17), PRODUCT_BITS)?;
    let mut m = ModuleBuilder::new(module_name(config, "dyadic"), doc);
    let value_i = m.input("value_i", Ty::s(ALIGNED_BITS));
    let mult_i = m.input("mult_i", Ty::u(16));
    let coarse_i = m.input("coarse_i", Ty::u(3));
    let fine_i = m.input("fine_i", Ty::u(3));
    let mult = mult_i.extend(17).as_signed();
    let product = m.instance("u_product", &product, &[("a_i", &value_i), ("b_i", &mult)]).out("product_o");
    let product_q = m.pipe("product_q", &product);

    m.section("Shift right, but keep one fraction bit to round with");
    let doubled = m.wire("doubled", &Expr::concat(&[product_q, Expr::u(1, 0)]).as_signed());
    let coarse_shift = m.wire("coarse_shift", &Expr::concat(&[coarse_i, Expr::u(3, 0)]));
    let coarse_q = m.pipe("coarse_q", &doubled.shr(&coarse_shift));
    let halves = m.wire("halves", &coarse_q.shr(&fine_i));

    m.section("Clip to 9 bits: what does not fit saturates either way");
    let high = m.wire("high", &halves.slice(PRODUCT_BITS, 8));
    let negative = m.wire("negative", &halves.sign());
    let fits = m.wire("fits", &(high.all() | !&high.any()));
    let bound = m.wire("bound", &negative.mux(&Expr::s(9, -256), &Expr::s(9, 255)));
    let clipped_q = m.pipe("clipped_q", &fits.mux(&halves.slice(8, 0).as_signed(), &bound));

    m.section("Round half up and saturate");
    let rounded = m.wire("rounded", &(clipped_q.extend(10) + Expr::s(10, 1)));
    let value = m.wire("value", &rounded.slice(9, 1).as_signed());
    let code = m.net("code", Ty::s(9));
    m.comb("saturate", |b| {
        b.set(&code, &value);
        b.when(&value.gt(&value.k(127)), |b| b.set(&code, &code.k(127)));
        b.when(&value.lt(&value.k(-127)), |b| b.set(&code, &code.k(-127)));
    });
    m.output_is("code_o", &code.slice(7, 0));
    m.build()
}
