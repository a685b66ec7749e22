//! One lane's datapath: sum of two, multiply, combine with the product before, shift.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::multiply::multiply;
use super::plan::{FACTOR_BITS, PARAM_BITS, PRODUCT_BITS, SHIFT_BITS, SHIFTED_BITS, SUM_BITS, VALUE_BITS, VecPlan};
use super::shifter::shifter;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// What is added to an element: `add_i`.
pub mod add {
    /// Nothing.
    pub const ZERO: i128 = 0;
    /// The op's constant.
    pub const CONSTANT: i128 = 1;
    /// The element that came before.
    pub const PREVIOUS: i128 = 2;
    /// The partner of a butterfly within the word.
    pub const PARTNER: i128 = 3;
    /// The product that has just been made.
    pub const PRODUCT: i128 = 4;
}

/// What an element is multiplied by: `factor_i`.
pub mod factor {
    /// The op's constant.
    pub const CONSTANT: i128 = 0;
    /// The parameter that came with it.
    pub const PARAM: i128 = 1;
    /// The element that came before.
    pub const PREVIOUS: i128 = 2;
}

/// How products are combined: `combine_i`.
pub mod combine {
    /// Each alone.
    pub const NONE: i128 = 0;
    /// The product before less this one.
    pub const DIFFERENCE: i128 = 1;
    /// The product before and this one.
    pub const SUM: i128 = 2;
}

/// `<prefix>_vec_lane`: `shifted_o = round_half_up((±x + addend)·factor / 2^amount)`.
///
/// Ports, with the stage in which each belongs to the word: `x_i`, `param_i` (1); `x_o` (2), `partner_i`, `negate_i`,
/// `magnitude_i` (the sign of x decides instead), `add_i`, `factor_i` (2); `combine_i` (4); `shifted_o`, `negative_o` (sign
/// of x; 6). Constants of the op: `addend_i`, `factor_const_i`, `offset_i` (see [`shifter`]).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn lane(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "One lane of the vector unit: round_half_up((+-x + addend) * factor / 2^amount), all exact, with\n\
               an optional sum or difference of two products in a row. Latency 5 cycles from x_i.";
    let product = multiply(config, Ty::s(SUM_BITS), Ty::s(FACTOR_BITS), PRODUCT_BITS)?;
    let shifter = shifter(config, plan)?;
    let mut m = ModuleBuilder::new(module_name(config, "vec_lane"), doc);
    let value = Ty::s(VALUE_BITS);
    let x_i = m.input("x_i", value);
    let param_i = m.input("param_i", Ty::s(PARAM_BITS));
    let partner_i = m.input("partner_i", value);
    let negate_i = m.input("negate_i", Ty::bit());
    let magnitude_i = m.input("magnitude_i", Ty::bit());
    let add_i = m.input("add_i", Ty::u(3));
    let factor_i = m.input("factor_i", Ty::u(2));
    let combine_i = m.input("combine_i", Ty::u(2));
    let addend_i = m.input("addend_i", value);
    let factor_const_i = m.input("factor_const_i", Ty::s(FACTOR_BITS));
    let offset_i = m.input("offset_i", Ty::u(SHIFT_BITS));

    m.section("Stage 2: the element, its parameter, and the element before");
    let x_q = m.pipe("x_q", &x_i);
    let param_q = m.pipe("param_q", &param_i.slice(FACTOR_BITS - 1, 0).as_signed());
    let previous_q = m.pipe("previous_q", &x_q);
    let product_q = m.reg("product_q", Ty::s(PRODUCT_BITS));

    m.section("Stage 3: sum and factor");
    let addend = m.net("addend", value);
    let multiplier = m.net("multiplier", Ty::s(FACTOR_BITS));
    m.comb("what is added, and what the sum is multiplied by", |b| {
        b.set(&addend, &addend.k(0));
        b.set(&multiplier, &factor_const_i);
        b.case(&add_i, |c| {
            c.arm(&add_i.k(add::CONSTANT), |b| b.set(&addend, &addend_i));
            c.arm(&add_i.k(add::PREVIOUS), |b| b.set(&addend, &previous_q));
            c.arm(&add_i.k(add::PARTNER), |b| b.set(&addend, &partner_i));
            c.arm(&add_i.k(add::PRODUCT), |b| {
                b.set(&addend, &product_q.slice(VALUE_BITS - 1, 0).as_signed());
            });
        });
        b.case(&factor_i, |c| {
            c.arm(&factor_i.k(factor::PARAM), |b| b.set(&multiplier, &param_q));
            c.arm(&factor_i.k(factor::PREVIOUS), |b| {
                b.set(&multiplier, &previous_q.slice(FACTOR_BITS - 1, 0).as_signed());
            });
        });
    });
    let negate = m.wire("negate", &magnitude_i.mux(&x_q.sign(), &negate_i));
    let wide = m.wire("wide", &x_q.extend(SUM_BITS));
    let turned = m.wire("turned", &(&wide ^ negate.repeat(SUM_BITS).as_signed()));
    let carry = m.wire("carry", &negate.extend(SUM_BITS).as_signed());
    let sum_q = m.pipe("sum_q", &(&turned + &addend.extend(SUM_BITS) + &carry));
    let multiplier_q = m.pipe("multiplier_q", &multiplier);

    m.section("Stage 4: product; stage 5 begins with the sum or difference of two products");
    let product = m.instance("u_product", &product, &[("a_i", &sum_q), ("b_i", &multiplier_q)]).out("product_o");
    m.next(&product_q, &product);
    let before_q = m.pipe("before_q", &product_q);
    let now = m.wire("product_wide", &product_q.extend(SHIFTED_BITS));
    let before = m.wire("before_wide", &before_q.extend(SHIFTED_BITS));
    let combined = m.net("combined", Ty::s(SHIFTED_BITS));
    m.comb("products combined", |b| {
        b.set(&combined, &now);
        b.case(&combine_i, |c| {
            c.arm(&combine_i.k(combine::DIFFERENCE), |b| b.set(&combined, &(&before - &now)));
            c.arm(&combine_i.k(combine::SUM), |b| b.set(&combined, &(&before + &now)));
        });
    });
    let shifted = m.instance("u_shifter", &shifter, &[("value_i", &combined), ("offset_i", &offset_i)]).out("value_o");

    m.section("The sign goes along");
    let sign = m.reg("sign_q", Ty::u(4));
    m.next(&sign, &Expr::concat(&[sign.slice(2, 0), x_q.sign()]));
    m.output_is("x_o", &x_q);
    m.output_is("shifted_o", &shifted);
    m.output_is("negative_o", &sign.bit(3));
    m.build()
}
