//! One lane's quotients: numerator, dividers that take turns, rounding's bias, limits.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::divider::divider;
use super::plan::{DEN_BITS, EXP_BITS, MOST_QBITS, OCTAVE_BITS, VALUE_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Most binary places of a sigmoid.
const MOST_PLACES: u32 = 15;
/// Bits of `imm`.
const LIMIT_BITS: u32 = 16;
/// Bits of an alignment: below [`VecPlan::rest_bits`].
pub const ALIGN_BITS: u32 = 6;

/// `<prefix>_vec_quotient`: `value_o = round_half_up(N / den)`, held within the limit, or the parts of `floor(N / den)`.
///
/// Ports: `shifted_i` (N, shifted left by the alignment), `unsigned_i` (constant: below 0 it counts as 0, and the sign is
/// `negative_i`), or with `sigmoid_i` the numerator and divisor of a sigmoid of `exp_i`, `exp_negative_i`, `places_i`,
/// `align_i`; one cycle later `load_i` (one-hot), `den_i` (held); `bias_i`, `negative_bias_i`: what rounds a positive and a
/// negative N; `pick_i` (which divider has finished); one cycle later `value_o` by `limited_i`, `limit_i`, `asymmetric_i`,
/// and `quotient_o`, `inexact_o`, `overflow_o`, `negative_o`, `octaves_o` (the quotient saturated).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn quotient(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Quotients of one lane. The numerator's magnitude, with a bias that rounds half up, goes to one\n\
               of the dividers, which take turns; the quotient is held within the limit and gets its sign.\n\
               A sigmoid has a divisor of its own: 2^places * (x < 0 ? e : 2^16) / (2^16 + e).";
    let divider = divider(config, plan)?;
    let (num_bits, rest_bits, count) = (plan.num_bits(), plan.rest_bits(), plan.dividers);
    let mut m = ModuleBuilder::new(module_name(config, "vec_quotient"), doc);
    let shifted_i = m.input("shifted_i", Ty::s(num_bits + 1));
    let negative_i = m.input("negative_i", Ty::bit());
    let unsigned_i = m.input("unsigned_i", Ty::bit());
    let sigmoid_i = m.input("sigmoid_i", Ty::bit());
    let exp_i = m.input("exp_i", Ty::u(EXP_BITS));
    let exp_negative_i = m.input("exp_negative_i", Ty::bit());
    let places_i = m.input("places_i", Ty::u(4));
    let align_i = m.input("align_i", Ty::u(ALIGN_BITS));
    let bias_i = m.input("bias_i", Ty::u(num_bits));
    let negative_bias_i = m.input("negative_bias_i", Ty::u(num_bits));
    let den_i = m.input("den_i", Ty::u(DEN_BITS));
    let load_i = m.input("load_i", Ty::u(count));
    let pick_i = (count > 1).then(|| m.input("pick_i", Ty::u(index_bits(count))));
    let limited_i = m.input("limited_i", Ty::bit());
    let limit_i = m.input("limit_i", Ty::u(LIMIT_BITS));
    let asymmetric_i = m.input("asymmetric_i", Ty::bit());

    m.section("Magnitude of N and bias; the negative bias has the 1 of the two's complement");
    let below = m.wire("below", &shifted_i.sign());
    let turn = m.wire("turn", &(&below & !&unsigned_i));
    let counts = m.wire("counts", &!(&below & &unsigned_i));
    let turned = m.wire("turned", &(shifted_i.slice(num_bits - 1, 0) ^ turn.repeat(num_bits)));
    let bias = m.wire("bias", &turn.mux(&negative_bias_i, &bias_i));
    let number = m.wire("number", &((turned & counts.repeat(num_bits)) + &bias));

    m.section("Sigmoid: numerator and divisor");
    let one = Expr::u(EXP_BITS, 1 << 16);
    let den_bits = EXP_BITS + 1;
    let own_den = m.wire("own_den", &(exp_i.extend(den_bits) + one.extend(den_bits)));
    let share = m.wire("share", &exp_negative_i.mux(&exp_i, &one));
    let wide = EXP_BITS + MOST_PLACES + 1;
    let half = own_den.slice(den_bits - 1, 1).extend(wide);
    let rounded = m.wire("rounded", &(share.extend(wide).shl(&places_i) + half));
    let sigmoid_bits = EXP_BITS + rest_bits;
    let sigmoid = m.wire("sigmoid", &rounded.extend(sigmoid_bits.max(wide)).shl(&align_i));
    let sigmoid = sigmoid.extend(num_bits);

    let num_q = m.pipe("num_q", &sigmoid_i.mux(&sigmoid, &number));
    let sign = unsigned_i.mux(&negative_i, &below);
    let negative_q = m.pipe("negative_q", &(!&sigmoid_i & sign));
    let own_q = m.pipe("own_q", &sigmoid_i);
    let own_den_q = m.pipe("own_den_q", &own_den);

    m.section("Dividers take turns");
    let loads = m.nets("load", Ty::bit(), count);
    m.split(&load_i, &loads, 0, 1, count);
    let quotients = m.nets("quotient", Ty::u(rest_bits), count);
    let flags = ["inexact", "overflow", "negative"].map(|name| m.nets(name, Ty::bit(), count));
    let mut conns = vec![
        ("load_i", loads.step(0, 1, 0)),
        ("num_i", Conn::In(num_q)),
        ("negative_i", Conn::In(negative_q)),
        ("den_i", Conn::In(den_i)),
        ("own_i", Conn::In(own_q)),
        ("own_den_i", Conn::In(own_den_q)),
        ("quotient_o", quotients.step(0, 1, 0)),
    ];
    for (name, nets) in ["inexact_o", "overflow_o", "negative_o"].iter().zip(&flags) {
        conns.push((name, nets.step(0, 1, 0)));
    }
    m.grid("u_divider", &divider, 1, count, &conns);
    let result = |i: u32| {
        let parts = flags.iter().map(|nets| nets.at(i)).chain([quotients.at(i)]);
        Expr::concat(&parts.collect::<Vec<_>>())
    };
    let picked = match &pick_i {
        None => m.wire("picked", &result(0)),
        Some(pick) => {
            let picked = m.net("picked", Ty::u(rest_bits + 3));
            m.comb("the divider that has just finished", |b| {
                b.set(&picked, &result(0));
                b.case(pick, |c| {
                    for i in 1..count {
                        c.arm(&pick.k(i.into()), |b| b.set(&picked, &result(i)));
                    }
                });
            });
            picked
        }
    };
    let result_q = m.pipe("result_q", &picked);
    let quotient = m.wire("whole", &result_q.slice(rest_bits - 1, 0));
    let negative = m.wire("result_negative", &result_q.bit(rest_bits));
    let overflow = m.wire("result_overflow", &result_q.bit(rest_bits + 1));

    m.section("Limit and sign");
    let beyond = m.wire("beyond", &(&overflow | quotient.gt(&limit_i.extend(rest_bits))));
    let most = overflow.repeat(rest_bits) | &quotient;
    let held = m.wire("held", &(&limited_i & &beyond).mux(&limit_i.extend(rest_bits), &most));
    let magnitude = m.wire("magnitude", &held.extend(rest_bits + 1).as_signed().extend(VALUE_BITS));
    let signed = m.wire("signed_value", &negative.mux(&-&magnitude, &magnitude));
    let centre = m.wire("centre", &Expr::concat(&[asymmetric_i, Expr::u(7, 0)]));
    m.output_is("value_o", &(&signed - &centre.extend(VALUE_BITS).as_signed()));

    m.section("The quotient as it is");
    let high = quotient.slice(rest_bits - 1, OCTAVE_BITS);
    let large = m.wire("too_large", &(&overflow | high.any()));
    m.output_is("octaves_o", &(large.repeat(OCTAVE_BITS) | quotient.slice(OCTAVE_BITS - 1, 0)));
    m.output_is("quotient_o", &quotient.slice(MOST_QBITS - 1, 0));
    m.output_is("inexact_o", &result_q.bit(rest_bits + 2));
    m.output_is("overflow_o", &overflow);
    m.output_is("negative_o", &negative);
    m.build()
}
