//! Constants of an op, or of a block of it: shift, factor, addend, divisor, what rounds.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::coder::CODE_QBITS;
use super::divide_control::COUNT_BITS;
use super::issue::{any, is};
use super::plan::{
    DEN_BITS, EXP_BITS, FACTOR_BITS, MOST_LEFT, MOST_RIGHT, OCTAVE_BITS, SHIFT_BITS, VALUE_BITS, VecPlan,
};
use super::quotient::ALIGN_BITS;
use crate::error::Error;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty};

/// Kinds of 4-bit codes (`kind` of `VCOD`).
pub mod kind {
    /// INT4 of the whole row.
    pub const INT4: i128 = 0;
    /// INT4 in groups.
    pub const GROUPS: i128 = 1;
    /// E2M1 of the whole row.
    pub const E2M1: i128 = 2;
    /// MX blocks.
    pub const MX: i128 = 3;
    /// NV blocks.
    pub const NV: i128 = 4;
}

const AMOUNT: Ty = Ty::s(18);

/// `<prefix>_vec_constants`: constants of the lanes, registered with `prepare_i`.
///
/// Ports: `prepare_i`; the op's fields; `s0_i` = S[s], `s1_i` = S[s + 1]; `block_i`: the block's entry in VB; of the scalar
/// arithmetic `octaves_i`, `den_i`, `places_i`; `align_i` of the first division; `qbits_o` (of the first division),
/// `block_factor_o` (what T is multiplied by for the block), then the registers.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn constants(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Constants of an op, or of a block of it, for the lanes. Registered with prepare_i.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_constants"), doc);
    let prepare_i = m.input("prepare_i", Ty::bit());
    let op_i = m.input("op_i", Ty::u(8));
    let k_i = m.input("k_i", Ty::u(5));
    let q_i = m.input("q_i", Ty::u(15));
    let qbits_i = m.input("qbits_i", Ty::u(5));
    let chord_i = m.input("chord_i", Ty::bit());
    let s0_i = m.input("s0_i", Ty::s(VALUE_BITS));
    let s1_i = m.input("s1_i", Ty::s(VALUE_BITS));
    let block_i = m.input("block_i", Ty::s(VALUE_BITS));
    let octaves_i = m.input("octaves_i", Ty::u(EXP_BITS));
    let den_i = m.input("den_i", Ty::u(DEN_BITS));
    let places_i = m.input("places_i", Ty::u(5));
    let align_i = m.input("align_i", Ty::u(ALIGN_BITS));
    let exponential = m.wire("exponential", &any(&op_i, &[Op::Vexp, Op::Vsig]));
    let coded = m.wire("coded", &is(&op_i, Op::Vcod));
    let quotient = m.wire("is_quotient", &is(&op_i, Op::Vquo));
    let is_kind = |kind: i128| &coded & k_i.eq_k(kind);

    m.section("Bits of the first quotient");
    let qbits = m.output("qbits_o", Ty::u(COUNT_BITS));
    m.comb("by op", |b| {
        b.set(&qbits, &(qbits_i.extend(COUNT_BITS) + qbits.k(1)));
        b.when(&exponential, |b| b.set(&qbits, &qbits.k(OCTAVE_BITS.into())));
        b.when(&coded, |b| b.set(&qbits, &qbits.k(CODE_QBITS.into())));
        b.when(&is(&op_i, Op::Ve4m), |b| b.set(&qbits, &qbits.k(super::block_scale::CODE_QBITS.into())));
    });

    m.section("A block's scale: a group's factor, an E4M3 code m * 2^x, an exponent");
    let group = m.wire("group", &block_i.slice(7, 0).any().mux(&block_i.slice(7, 0), &Expr::u(8, 1)));
    let octave = m.wire("octave", &block_i.slice(6, 3));
    let normal = m.wire("normal", &octave.any());
    let mantissa = Expr::concat(&[Expr::u(4, 0), normal.clone(), block_i.slice(2, 0)]);
    m.output_is("block_factor_o", &is_kind(kind::NV).mux(&mantissa, &group));
    let distance = m.wire("distance", &(&s1_i - &block_i));
    let far = distance.slice(VALUE_BITS - 2, 8).any();
    let byte = m.wire("distance_byte", &(far.repeat(8) | distance.slice(7, 0)));
    let scale = m.net("scale", Ty::u(8));
    m.comb("scale byte", |b| {
        b.set(&scale, &scale.k(0));
        b.when(&is_kind(kind::GROUPS), |b| b.set(&scale, &group));
        b.when(&is_kind(kind::MX), |b| b.set(&scale, &(&byte & (!distance.sign()).repeat(8))));
        b.when(&is_kind(kind::NV), |b| b.set(&scale, &block_i.slice(7, 0)));
    });

    m.section("Places to shift right; numerators are shifted left by their quotient's alignment as well");
    let wide = |e: &Expr| e.extend(AMOUNT.width).as_signed();
    let align = m.wire("align", &wide(&align_i));
    let s0_low = m.wire("s0_low", &s0_i.slice(15, 0).as_signed().extend(AMOUNT.width));
    let s0_high = s0_i.slice(VALUE_BITS - 1, 15);
    let s0_fits = m.wire("s0_fits", &(s0_high.all() | !s0_high.any()));
    let step_shift = m.wire("step_shift", &s0_i.slice(31, 16).as_signed().extend(AMOUNT.width));
    let clamp = |low: i128, high: i128, e: &Expr| {
        let held = e.lt(&e.k(low)).mux(&e.k(low), e);
        e.gt(&e.k(high)).mux(&e.k(high), &held)
    };
    let end = s0_i.sign().mux(&s0_low.k(-40), &s0_low.k(63));
    let row_shift = m.wire("row_shift", &s0_fits.mux(&clamp(-40, 63, &s0_low), &end));
    let chord_left = &align + wide(&places_i) + align.k(16);
    let octave_low = normal.mux(&octave, &octave.k(1));
    let nv_left = m.wire("nv_left", &(align.k(19) - wide(&octave_low)));
    let amount = m.net("amount", AMOUNT);
    m.comb("by op", |b: &mut Block| {
        b.set(&amount, &amount.k(0));
        b.when(&is(&op_i, Op::Vacc), |b| b.set(&amount, &wide(&k_i)));
        b.when(&is(&op_i, Op::Vshr), |b| b.set(&amount, &row_shift));
        b.when(&is(&op_i, Op::Vfix), |b| b.set(&amount, &step_shift));
        b.when(&quotient, |b| b.set(&amount, &-(&align + wide(&k_i))));
        b.when(&exponential, |b| {
            b.set(&amount, &(&step_shift - step_shift.k(16)));
            b.when(&chord_i, |b| b.set(&amount, &-&chord_left));
        });
        b.when(&is(&op_i, Op::Vrop), |b| b.set(&amount, &amount.k(14)));
        b.when(&coded, |b| b.set(&amount, &-&align));
        b.when(&is_kind(kind::NV), |b| b.set(&amount, &-(&align + &nv_left)));
        b.when(&is(&op_i, Op::Ve4m), |b| b.set(&amount, &-(&align + align.k(16))));
    });
    let held = m.wire("held_amount", &clamp(-MOST_LEFT, MOST_RIGHT, &amount));
    let offset = m.wire("offset", &(&held + held.k(MOST_LEFT)));

    m.section("Factor and addend");
    let factor = m.net("factor", Ty::s(FACTOR_BITS));
    let unsigned = |e: &Expr| e.extend(FACTOR_BITS).as_signed();
    m.comb("by op", |b: &mut Block| {
        b.set(&factor, &factor.k(1));
        b.when(&is(&op_i, Op::Vacc), |b| b.set(&factor, &(factor.k(128) - s0_i.slice(FACTOR_BITS - 1, 0).as_signed())));
        b.when(&any(&op_i, &[Op::Vmls, Op::Vfix]), |b| b.set(&factor, &unsigned(&s0_i.slice(15, 0))));
        b.when(&quotient, |b| b.set(&factor, &unsigned(&q_i)));
        b.when(&(&exponential & !&chord_i), |b| b.set(&factor, &unsigned(&octaves_i)));
        b.when(&is(&op_i, Op::Ve4m), |b| b.set(&factor, &factor.k(7)));
        b.when(&coded, |b| {
            b.case(&k_i, |c| {
                for (kind, value) in
                    [(kind::INT4, 14), (kind::GROUPS, 14 * 255), (kind::E2M1, 24), (kind::MX, 16), (kind::NV, 21)]
                {
                    c.arm(&k_i.k(kind), |b| b.set(&factor, &factor.k(value)));
                }
            });
        });
    });
    let first = m.wire("adds_first", &is(&op_i, Op::Vads));

    m.section("Divisor, and what rounds a positive and a negative numerator half up");
    let exponent = m.wire("exponent", &(block_i.slice(11, 0).as_signed() + Expr::s(12, 2)));
    let power = m.wire("power", &clamp(0, i128::from(DEN_BITS) - 1, &exponent));
    let power = Expr::u(DEN_BITS, 1).shl(&power.slice(6, 0));
    let den = m.net("den", Ty::u(DEN_BITS));
    m.comb("by op", |b| {
        b.set(&den, &s0_i.as_unsigned().extend(DEN_BITS));
        b.when(&(&exponential | is_kind(kind::GROUPS) | is_kind(kind::NV)), |b| b.set(&den, &den_i));
        b.when(&is_kind(kind::MX), |b| b.set(&den, &power));
    });
    let bits = plan.num_bits();
    let rounds = quotient.repeat(bits);
    let half = s0_i.slice(VALUE_BITS - 1, 1).extend(bits);
    let less = m.wire("den_less", &(s0_i.as_unsigned() - Expr::u(VALUE_BITS, 1)));
    let under_half = less.slice(VALUE_BITS - 1, 1).extend(bits);
    let bias = m.wire("bias", &(half.shl(&align_i) & &rounds));
    let negative = m.wire("negative_bias", &((under_half.shl(&align_i) & rounds) + Expr::u(bits, 1)));

    let registers = [
        ("offset", offset.slice(SHIFT_BITS - 1, 0)),
        ("factor", factor),
        ("addend", first.mux(&s0_i, &s1_i)),
        ("den", den),
        ("bias", bias),
        ("negative_bias", negative),
        ("scale", scale),
    ];
    for (name, value) in registers {
        let q = m.pipe_if(&format!("{name}_q"), &prepare_i, &value);
        m.output_is(&format!("{name}_o"), &q);
    }
    m.build()
}
