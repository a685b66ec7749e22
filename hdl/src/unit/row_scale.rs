//! The step of a requantised row, normalised.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::multiply::multiply;
use super::requant_plan::{Plan, RANGE_BITS, choose};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Cycles from `start_i` to `done_o`; the next row may start one cycle later.
pub const CYCLES: u32 = 16;

const TOTAL_BITS: u32 = 72;
const NORMAL_BITS: u32 = 40;
const QUOTIENT_BITS: u32 = 20;
const BITS_A_CYCLE: u32 = 4;

/// `<prefix>_row_scale`: `d * m1 * m2 / (Q * 2^(k1 + k2))` as a mantissa of 16 bits, rounded half up, and a shift.
///
/// The mantissas `m1` and `m2` are normalised: 2^15 or more.
///
/// Ports: `start_i` while `idle_o`; `range_i` (d; not there if only `static` is built), `row_mult_i`, `row_shift_i` (m1, k1),
/// `step_mult_i`, `step_shift_i` (m2, k2), `asymmetric_i` (Q = 255 instead of 127), `fixed_i` (d = Q = 1), each if there is
/// a choice, held until `done_o`, which comes with `mult_o`, `shift_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn row_scale(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Step of a requantised row: T / (Q * 2^(k1 + k2)), T = d * m1 * m2, as a mantissa in\n\
         2^15..2^16-1, rounded half up, and a shift in -128..127. T is exact; of its quotient by Q\n\
         only the highest 17 bits are made, from the highest 25 of T (a floor of a floor is exact).\n\
         {CYCLES} cycles from start_i to done_o; operands are held."
    );
    let product = multiply(config, Ty::u(56), Ty::u(8), 64)?;
    let mut m = ModuleBuilder::new(module_name(config, "row_scale"), doc);
    let start_i = m.input("start_i", Ty::bit());
    let range_i = plan.measured().then(|| m.input("range_i", Ty::u(RANGE_BITS)));
    let row_mult_i = m.input("row_mult_i", Ty::u(16));
    let row_shift_i = m.input("row_shift_i", Ty::u(8));
    let step_mult_i = m.input("step_mult_i", Ty::u(16));
    let step_shift_i = m.input("step_shift_i", Ty::u(8));
    let asymmetric = plan.both_dynamic().then(|| m.input("asymmetric_i", Ty::bit()));
    let fixed = plan.both_rules().then(|| m.input("fixed_i", Ty::bit()));

    let [idle, row_low, row_high, row_sum, step_low, step_high, step_sum, coarse, medium, fine, divide, pick, round] =
        m.states([
            "Idle", "RowLow", "RowHigh", "RowSum", "StepLow", "StepHigh", "StepSum", "Coarse", "Medium", "Fine",
            "Divide", "Pick", "Round",
        ]);
    let state_q = m.reg("state_q", idle.ty());
    let state_d = m.net("state_d", idle.ty());
    let count_q = m.reg("count_q", Ty::u(3));
    let last = i128::from(QUOTIENT_BITS / BITS_A_CYCLE - 1);
    m.comb("one state after the other; the division takes five cycles", |b| {
        b.set(&state_d, &state_q);
        b.case(&state_q, |c| {
            c.arm(&idle, |b| b.when(&start_i, |b| b.set(&state_d, &row_low)));
            c.arm(&divide, |b| b.when(&count_q.eq_k(last), |b| b.set(&state_d, &pick)));
            c.arm(&round, |b| b.set(&state_d, &idle));
            c.default(|b| b.set(&state_d, &(&state_q + state_q.k(1))));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);
    m.next(&count_q, &state_q.eq(&divide).mux(&(&count_q + count_q.k(1)), &count_q.k(0)));

    m.section("T = d * m1 * m2, eight bits of a mantissa at a time, lowest first");
    let total_q = m.reg("total_q", Ty::u(TOTAL_BITS));
    let factor = m.net("factor", Ty::u(8));
    m.comb("byte of the mantissa that is multiplied", |b| {
        b.set(&factor, &row_mult_i.slice(7, 0));
        b.case(&state_q, |c| {
            c.arm(&row_high, |b| b.set(&factor, &row_mult_i.slice(15, 8)));
            c.arm(&step_low, |b| b.set(&factor, &step_mult_i.slice(7, 0)));
            c.arm(&step_high, |b| b.set(&factor, &step_mult_i.slice(15, 8)));
        });
    });
    let multiplicand = total_q.slice(55, 0);
    let product = m.instance("u_product", &product, &[("a_i", &multiplicand), ("b_i", &factor)]).out("product_o");
    let product_q = m.pipe("product_q", &product);
    let low_q = m.pipe("low_product_q", &product_q);
    let upper = m.wire("upper_sum", &(low_q.slice(63, 8).extend(64) + &product_q));
    let one = Expr::u(TOTAL_BITS, 1);
    let range = range_i.map(|range| range.extend(TOTAL_BITS));
    let start = choose(fixed.as_ref(), plan.fixed.then_some(one), range);
    let total_d = m.net("total_d", Ty::u(TOTAL_BITS));
    m.comb("d, then d * m1, then T", |b| {
        b.set(&total_d, &total_q);
        b.case(&state_q, |c| {
            c.arm(&idle, |b| b.set(&total_d, &start));
            c.arm_of(&[row_sum, step_sum], |b| b.set(&total_d, &Expr::concat(&[upper, low_q.slice(7, 0)])));
        });
    });
    m.next(&total_q, &total_d);

    let (normal_q, zeros_q) = normalise(&mut m, &total_q, &state_q, [&coarse, &medium, &fine]);

    m.section("Quotient of T's highest 25 bits by Q: restoring division, four bits a cycle");
    let quotient_q = plan.measured().then(|| {
        let q = |value| Expr::u(9, value);
        let divisor = choose(asymmetric.as_ref(), plan.asymmetric.then(|| q(255)), plan.symmetric.then(|| q(127)));
        short_quotient(&mut m, &normal_q, &divisor, &state_q.eq(&divide), &count_q.eq_k(0))
    });

    m.section("Its highest 17 bits, and what they are worth");
    let significant = m.net("significant", Ty::u(17));
    let dropped = m.net("dropped", Ty::u(4));
    let direct = normal_q.slice(NORMAL_BITS - 1, NORMAL_BITS - 17);
    m.comb("without a division (static) T itself; else the leading one is bit 16, 17 or 18", |b| {
        b.set(&significant, &direct);
        b.set(&dropped, &dropped.k(8));
        if let Some(quotient) = &quotient_q {
            let divided = |b: &mut crate::rtl::Block| {
                b.set(&significant, &quotient.slice(16, 0));
                b.set(&dropped, &dropped.k(0));
                b.when(&quotient.bit(17), |b| {
                    b.set(&significant, &quotient.slice(17, 1));
                    b.set(&dropped, &dropped.k(1));
                });
                b.when(&quotient.bit(18), |b| {
                    b.set(&significant, &quotient.slice(18, 2));
                    b.set(&dropped, &dropped.k(2));
                });
            };
            match &fixed {
                Some(fixed) => b.when(&!fixed, divided),
                None => divided(b),
            }
        }
    });
    let significant_q = m.pipe("significant_q", &significant);
    let exponent = |e: &Expr| e.extend(10).as_signed();
    let row_shift = m.wire("row_shift", &row_shift_i.as_signed().extend(10));
    let step_shift = m.wire("step_shift", &step_shift_i.as_signed().extend(10));
    // T's highest 25 bits weigh 2^(47 - zeros); the mantissa drops one more bit of the 17.
    let base_q = m.pipe("base_q", &(&row_shift + &step_shift - row_shift.k(48)));
    let moved = m.wire("moved", &(exponent(&zeros_q) - exponent(&dropped)));
    let exponent_q = m.pipe("exponent_q", &(&base_q + &moved));

    m.section("Round half up; a mantissa of 2^16 is 2^15 with the shift one less");
    let rounded = m.wire("rounded", &(significant_q.extend(18) + Expr::u(18, 1)));
    let carry = m.wire("carry", &rounded.bit(17));
    let shift = m.wire("shift", &(&exponent_q - carry.extend(10).as_signed()));
    let clamped = m.net("clamped", Ty::s(10));
    m.comb("shift in -128..127", |b| {
        b.set(&clamped, &shift);
        b.when(&shift.gt(&shift.k(127)), |b| b.set(&clamped, &clamped.k(127)));
        b.when(&shift.lt(&shift.k(-128)), |b| b.set(&clamped, &clamped.k(-128)));
    });
    m.output_is("idle_o", &state_q.eq(&idle));
    m.output_is("done_o", &state_q.eq(&round));
    m.output_is("mult_o", &carry.mux(&Expr::u(16, 1 << 15), &rounded.slice(16, 1)));
    m.output_is("shift_o", &clamped.slice(7, 0));
    m.build()
}

/// T shifted left until its leading one is the top bit, the highest 40 bits of it, and the shift (6 bits).
fn normalise(m: &mut ModuleBuilder, total: &Expr, state: &Expr, states: [&Expr; 3]) -> (Expr, Expr) {
    let [coarse, medium, fine] = states;
    m.section(
        "Leading zeros: sixteen, then four, then one at a time; the highest 40 bits are kept. Mantissas\n\
         are normalised, so T is at least 2^30. Low bits that no later step reads stay as they are",
    );
    let normal_q = m.reg("normal_q", Ty::u(NORMAL_BITS));
    let normal_d = m.net("normal_d", Ty::u(NORMAL_BITS));
    let (sixteens_d, fours_d, ones_d) =
        (m.net("sixteens_d", Ty::u(2)), m.net("fours_d", Ty::u(2)), m.net("ones_d", Ty::u(2)));
    let sixteens_q = m.reg("sixteens_q", Ty::u(2));
    let fours_q = m.reg("fours_q", Ty::u(2));
    let ones_q = m.reg("ones_q", Ty::u(2));
    let highest = |zeros: u32| total.slice(TOTAL_BITS - 1 - zeros, TOTAL_BITS - zeros - NORMAL_BITS);
    let shifted = |zeros: u32, kept: u32| {
        Expr::concat(&[normal_q.slice(NORMAL_BITS - 1 - zeros, kept - zeros), normal_q.slice(kept - 1, 0)])
    };
    m.comb("shift by what is zero at the top", |b| {
        b.set(&normal_d, &normal_q);
        b.set(&sixteens_d, &sixteens_q);
        b.set(&fours_d, &fours_q);
        b.set(&ones_d, &ones_q);
        b.case(state, |c| {
            c.arm(coarse, |b| {
                b.set(&normal_d, &highest(32));
                b.set(&sixteens_d, &sixteens_d.k(2));
                for place in [1, 0] {
                    let top = TOTAL_BITS - 1 - 16 * place;
                    b.when(&total.slice(top, top - 15).any(), |b| {
                        b.set(&normal_d, &highest(16 * place));
                        b.set(&sixteens_d, &sixteens_d.k(place.into()));
                    });
                }
            });
            for (state, step, places, kept) in [(medium, 4, &fours_d, 12), (fine, 1, &ones_d, 15)] {
                c.arm(state, |b| {
                    b.set(&normal_d, &shifted(3 * step, kept));
                    b.set(places, &places.k(3));
                    for place in [2, 1, 0] {
                        let top = NORMAL_BITS - 1 - place * step;
                        b.when(&normal_q.slice(top, top + 1 - step).any(), |b| {
                            b.set(&normal_d, &shifted(place * step, kept));
                            b.set(places, &places.k(place.into()));
                        });
                    }
                });
            }
        });
    });
    m.next(&normal_q, &normal_d);
    m.next(&sixteens_q, &sixteens_d);
    m.next(&fours_q, &fours_d);
    m.next(&ones_q, &ones_d);
    (normal_q, m.wire("zeros", &Expr::concat(&[sixteens_q, fours_q, ones_q])))
}

/// The quotient register: `floor(normal[39:15] / divisor)`, complete after five cycles of `run`, `first` in the first.
fn short_quotient(m: &mut ModuleBuilder, normal: &Expr, divisor: &Expr, run: &Expr, first: &Expr) -> Expr {
    let remainder_q = m.reg("remainder_q", Ty::u(8));
    let rest_q = m.reg("rest_q", Ty::u(QUOTIENT_BITS));
    // The highest 5 bits are below any Q: they are the first remainder.
    let top = normal.slice(NORMAL_BITS - 1, NORMAL_BITS - 5).extend(8);
    let below = normal.slice(NORMAL_BITS - 6, NORMAL_BITS - 5 - QUOTIENT_BITS);
    let mut remainder = m.wire("remainder", &first.mux(&top, &remainder_q));
    let rest = m.wire("rest", &first.mux(&below, &rest_q));
    let divisor = m.wire("divisor", divisor);
    let mut parts = vec![rest.slice(QUOTIENT_BITS - 1 - BITS_A_CYCLE, 0)];
    for i in 0..BITS_A_CYCLE {
        let trial = m.wire(&format!("trial{i}"), &Expr::concat(&[remainder, rest.bit(QUOTIENT_BITS - 1 - i)]));
        let diff = m.wire(&format!("diff{i}"), &(&trial - &divisor));
        let less = m.wire(&format!("less{i}"), &diff.sign());
        remainder = m.wire(&format!("remainder{i}"), &less.mux(&trial.slice(7, 0), &diff.slice(7, 0)));
        parts.push(!&less);
    }
    m.next(&remainder_q, &remainder);
    m.next_if(&rest_q, run, &Expr::concat(&parts));
    rest_q
}
