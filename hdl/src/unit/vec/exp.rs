//! The exponential: a parabola or a chord through each octave.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::multiply::multiply;
use super::plan::{EXP_BITS, EXP_CYCLES, OCTAVE_BITS};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// From so many octaves on the exponential is 0.
const OCTAVES: i128 = 18;
const PARABOLA_BITS: u32 = 45;

/// `<prefix>_vec_exp`: `exp_o` = 2^16 · 2^(-u / 65536) for `u = octaves_i`, by `chord_i` (constant) as a parabola or a chord.
///
/// Ports: `octaves_i`, `negative_i` (goes along), `chord_i`; [`EXP_CYCLES`] cycles later `exp_o`, `negative_o`.
/// `z = u >> 16`, `f = u mod 65536`, `v = 2^44 - f·2^27 - 705·f·(2^16 - f)` (chord: without the last term),
/// `exp = round_half_up(v / 2^(28 + z))`, 0 from 18 octaves on.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn exp(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "2^16 * 2^(-octaves_i / 65536): z whole octaves and the fraction f, v = 2^44 - f * 2^27\n\
         - 705 * f * (2^16 - f), exp_o = round_half_up(v / 2^(28 + z)). With chord_i the line without\n\
         the product. Latency {EXP_CYCLES} cycles."
    );
    let product = multiply(config, Ty::u(16), Ty::u(17), 33)?;
    let mut m = ModuleBuilder::new(module_name(config, "vec_exp"), doc);
    let octaves_i = m.input("octaves_i", Ty::u(OCTAVE_BITS));
    let negative_i = m.input("negative_i", Ty::bit());
    let chord_i = m.input("chord_i", Ty::bit());

    m.section("f * (2^16 - f)");
    let fraction = m.wire("fraction", &octaves_i.slice(15, 0));
    let rest = m.wire("rest", &(Expr::u(17, 1 << 16) - fraction.extend(17)));
    let product = m.instance("u_product", &product, &[("a_i", &fraction), ("b_i", &rest)]).out("product_o");
    let product_q = m.pipe("product_q", &product.slice(30, 0));
    let fraction_q = m.pipe("fraction_q", &fraction);
    let octave_q = m.pipe("octave_q", &octaves_i.slice(OCTAVE_BITS - 1, 16));

    m.section("705 = 512 + 128 + 64 + 1");
    let wide = m.wire("product_wide", &product_q.extend(PARABOLA_BITS));
    let terms = &(&wide.shl_k(9) + &wide.shl_k(7)) + &(&wide.shl_k(6) + &wide);
    let curve = m.wire("curve", &(terms & (!&chord_i).repeat(PARABOLA_BITS)));
    let line = m.wire("line", &fraction_q.extend(PARABOLA_BITS).shl_k(27));
    let v_q = m.pipe("v_q", &(Expr::u(PARABOLA_BITS, 1 << 44) - &line - &curve));
    let late_octave_q = m.pipe("late_octave_q", &octave_q);

    m.section("Shift by the octaves, one bit below to round with");
    let halves = m.wire("halves", &v_q.slice(PARABOLA_BITS - 1, 27).shr(&late_octave_q));
    let rounded = m.wire("rounded", &(&halves + halves.k(1)));
    let counts = m.wire("counts", &late_octave_q.lt(&late_octave_q.k(OCTAVES)));
    let exp_q = m.pipe("exp_q", &(rounded.slice(EXP_BITS, 1) & counts.repeat(EXP_BITS)));
    let sign_q = m.reg("sign_q", Ty::u(EXP_CYCLES));
    m.next(&sign_q, &Expr::concat(&[sign_q.slice(EXP_CYCLES - 2, 0), negative_i]));
    m.output_is("exp_o", &exp_q);
    m.output_is("negative_o", &sign_q.bit(EXP_CYCLES - 1));
    m.build()
}
