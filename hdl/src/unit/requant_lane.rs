//! One lane of the requantizer: a column's sum becomes a code.

use std::sync::Arc;

use spec::Config;
use spec::qmodel::ALIGN_GUARD_BITS;
use spec::stream::CHANNEL_BITS;

use super::divider::divider;
use super::dyadic::dyadic;
use super::module_name;
use super::multiply::multiply;
use super::requant_plan::{NUMERATOR_BITS, Plan, RANGE_BITS, choose};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Bits of a sum after its zero point is taken out, and of the accumulator it comes from.
pub(super) const SUM_BITS: u32 = 32;
/// Bits of the sum times its alignment: |P'| <= 2^31, times at most 2^15.
const PRODUCT_BITS: u32 = 47;
/// Bits that alignment drops.
const DROPPED_BITS: u32 = 15 - ALIGN_GUARD_BITS;

/// `<prefix>_requant_lane`: alignment, then the dividers, the fixed ratio, or both.
///
/// Ports, with the stage in which each belongs to the word (see [`Plan`]): `acc_i`, `channel_i`, `used_i` (1; an unused
/// column counts as 0), `zero_offset_i` (2; 128 - zero point of the inputs), `aligned_o` (`aligned`); dynamic modes:
/// `asymmetric_i` (constant), `bias_i` (`aligned + 1`), `load_i` (one-hot, `load`), `den_i` (`[dividers]`, from `load` on),
/// `pick_i` (divider, `load + steps`); `static`: `mult_i` (`aligned`), `coarse_i` (`aligned + 1`), `fine_i` (`aligned + 2`);
/// `fixed_i` (constant); `keep_i` (`out - 1`), `code_o` (`out`). What only one choice of modes needs is not there otherwise.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn requant_lane(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "One lane of the requantizer. Alignment: A = round_half_up(P * align / 2^{DROPPED_BITS}), where P is the\n\
         sum without the zero point of its inputs. Then the code of A, from the dividers or from the\n\
         fixed ratio. Latency {} cycles from acc_i to aligned_o, {} to code_o.",
        plan.aligned() - 1,
        plan.out() - 1
    );
    let mut m = ModuleBuilder::new(module_name(config, "requant_lane"), doc);
    let acc_i = m.input("acc_i", Ty::s(SUM_BITS));
    let channel_i = m.input("channel_i", Ty::u(CHANNEL_BITS));
    let used_i = m.input("used_i", Ty::bit());
    let aligned_q = aligned(&mut m, config, plan, &acc_i, &channel_i, &used_i)?;
    let asymmetric = plan.both_dynamic().then(|| m.input("asymmetric_i", Ty::bit()));
    let fixed = plan.both_rules().then(|| m.input("fixed_i", Ty::bit()));
    let keep_i = m.input("keep_i", Ty::bit());

    let divided =
        if plan.measured() { Some(quotient(&mut m, config, plan, &aligned_q, asymmetric.as_ref())?) } else { None };
    let scaled = if plan.fixed { Some(ratio(&mut m, config, plan, &aligned_q)?) } else { None };
    let code = m.wire("code", &choose(fixed.as_ref(), scaled, divided));
    let code_q = m.pipe("code_q", &(&code & keep_i.repeat(8)));
    if plan.measured() {
        m.output_is("aligned_o", &aligned_q);
    }
    m.output_is("code_o", &code_q);
    m.build()
}

fn aligned(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &Plan,
    acc: &Expr,
    channel: &Expr,
    used: &Expr,
) -> Result<Expr, Error> {
    m.section("An unused column has alignment 0: its A is 0");
    let mut sum = m.pipe("acc_q", acc);
    let mut align = m.pipe("align_q", &(channel.slice(15, 0) & used.repeat(16)));

    if plan.asymmetric {
        m.section("P = acc + (128 - zero point) * sum of the channel's weights");
        let zero_offset_i = m.input("zero_offset_i", Ty::s(9));
        let by_weights = multiply(config, Ty::s(9), Ty::s(24), SUM_BITS)?;
        let weights_q = m.pipe("weights_q", &channel.slice(39, 16).as_signed());
        let product = m.instance("u_zero_product", &by_weights, &[("a_i", &zero_offset_i), ("b_i", &weights_q)]);
        let correction_q = m.pipe("correction_q", &product.out("product_o"));
        let late_acc_q = m.pipe("late_acc_q", &sum);
        sum = m.pipe("sum_q", &(&late_acc_q + &correction_q));
        align = m.pipe("late_align_q", &align);
        align = m.pipe("sum_align_q", &align);
    }

    m.section("A = round_half_up(P * align / 2^7)");
    let by_align = multiply(config, Ty::s(SUM_BITS), Ty::s(17), PRODUCT_BITS)?;
    let factor = align.extend(17).as_signed();
    let product = m.instance("u_align_product", &by_align, &[("a_i", &sum), ("b_i", &factor)]).out("product_o");
    // Below the bit that is worth a half, nothing counts.
    let product_q = m.pipe("aligned_product_q", &product.slice(PRODUCT_BITS - 1, DROPPED_BITS - 1));
    let rounded = m.wire("rounded", &(&product_q + product_q.k(1)));
    Ok(m.pipe("aligned_q", &rounded.slice(PRODUCT_BITS - DROPPED_BITS, 1).as_signed()))
}

/// The code from the dividers: quotient - 127, or, asymmetric, quotient - 128.
fn quotient(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &Plan,
    aligned: &Expr,
    asymmetric: Option<&Expr>,
) -> Result<Expr, Error> {
    let divider = divider(config, plan)?;
    let count = plan.dividers;
    let bias_i = m.input("bias_i", Ty::u(NUMERATOR_BITS));
    let load_i = (plan.steps() > 1).then(|| m.input("load_i", Ty::u(count)));
    let den_i = m.input("den_i", Ty::u(count * RANGE_BITS));
    let pick_i = (count > 1).then(|| m.input("pick_i", Ty::u(index_bits(count))));

    m.section("Numerator: Q * A + bias, Q = 2^7 - 1 or 2^8 - 1; with the bias it is not negative");
    let wide = m.wire("aligned_wide", &aligned.extend(NUMERATOR_BITS));
    let by_128 = plan.symmetric.then(|| wide.shl_k(7));
    let by_256 = plan.asymmetric.then(|| wide.shl_k(8));
    let shifted = m.wire("aligned_shifted", &choose(asymmetric, by_256, by_128));
    let scaled_q = m.pipe("scaled_q", &(&shifted - &wide));
    let numerator_q = m.pipe("numerator_q", &(scaled_q.as_unsigned() + &bias_i));

    m.section("Dividers take turns");
    let dens = m.nets("den", Ty::u(RANGE_BITS), count);
    m.split(&den_i, &dens, 0, 1, count);
    let quotients = m.nets("quotient", Ty::u(8), count);
    let mut conns =
        vec![("num_i", Conn::In(numerator_q)), ("den_i", dens.step(0, 1, 0)), ("quotient_o", quotients.step(0, 1, 0))];
    if let Some(load_i) = &load_i {
        let loads = m.nets("load", Ty::bit(), count);
        m.split(load_i, &loads, 0, 1, count);
        conns.push(("load_i", loads.step(0, 1, 0)));
    }
    m.grid("u_divider", &divider, 1, count, &conns);
    let picked = m.net("picked", Ty::u(8));
    m.comb("the divider that has just finished", |b| {
        b.set(&picked, &quotients.at(0));
        if let Some(pick) = &pick_i {
            b.case(pick, |c| {
                for i in 1..count {
                    c.arm(&pick.k(i.into()), |b| b.set(&picked, &quotients.at(i)));
                }
            });
        }
    });
    let less_128 = m.wire("less_128", &Expr::concat(&[!picked.bit(7), picked.slice(6, 0)]));
    let less_127 = plan.symmetric.then(|| &less_128 + less_128.k(1));
    Ok(choose(asymmetric, plan.asymmetric.then_some(less_128), less_127))
}

/// The code from the fixed ratio, as late as a quotient would be.
fn ratio(m: &mut ModuleBuilder, config: &Config, plan: &Plan, aligned: &Expr) -> Result<Expr, Error> {
    let dyadic = dyadic(config)?;
    m.section("Fixed ratio");
    let mult_i = m.input("mult_i", Ty::u(16));
    let coarse_i = m.input("coarse_i", Ty::u(3));
    let fine_i = m.input("fine_i", Ty::u(3));
    let ports = [("value_i", aligned), ("mult_i", &mult_i), ("coarse_i", &coarse_i), ("fine_i", &fine_i)];
    let mut code = m.instance("u_dyadic", &dyadic, &ports).out("code_o");
    for step in 1..plan.steps() {
        code = m.pipe(&format!("fixed_code{step}_q"), &code);
    }
    Ok(code)
}
