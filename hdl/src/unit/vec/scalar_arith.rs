//! Arithmetic of the scalar unit that takes several cycles: steps of rows, quotients, roots.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::multiply::multiply;
use super::long_divide::{BITS_A_CYCLE, CYCLES_BITS, SHORT_BITS, long_divide};
use super::normalise::{NORMAL_BITS, ZEROS_BITS, normalise};
use super::plan::{DEN_BITS, VALUE_BITS};
use super::root::{ROOT_BITS, root};
use crate::error::Error;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty};

/// What is computed: `op_i`.
pub mod arith {
    /// Place of the highest one of x: `bits_o`.
    pub const BITS: i128 = 0;
    /// `x·mult(y)·mult(z) / small / 2^(shifts + places)`, normalised: `step_o`.
    pub const SCALE: i128 = 1;
    /// The product of two dyadics y and z, normalised: `step_o`.
    pub const PRODUCT: i128 = 2;
    /// `round(x / small)`: `quotient_o`.
    pub const ROUND: i128 = 3;
    /// `max(1, isqrt(floor(x / small) + e))`: `root_o`.
    pub const RMS: i128 = 4;
    /// `round(mult(y)·47274 / 2^15)`: `octaves_o`.
    pub const POLY: i128 = 5;
    /// DI-Exp's octave for the step y: `den_o`, and `places_o` more binary places.
    pub const CHORD: i128 = 6;
    /// `x·small`: `den_o`.
    pub const TIMES: i128 = 7;
}

/// Bits of the highest part of a product that is divided: a quotient by 16 bits has 18 or more.
const TOP_BITS: u32 = 34;
/// log2(e) in 1/32768.
const LOG2_E: i128 = 47274;
/// From this exponent on an octave of the chord counts as if it were this one: 2^71 LSBs.
const LAST_OCTAVE: i128 = 87;
/// Most further places of the chord: any argument but 0 is then beyond the last octave.
const MOST_PLACES: i128 = 24;
/// Epsilon saturates at 2^62.
const EPSILON_LOG: u32 = 62;
const SHIFT: Ty = Ty::s(20);

/// `<prefix>_vec_scalar_arith`: one operation at a time.
///
/// Ports: `start_i`, then held: `op_i` (see [`arith`]), `x_i` (unsigned but for `ROUND`), `y_i`, `z_i` (dyadics; for `RMS`
/// epsilon and the binary places), `small_i`, `places_i`; `done_o` in a cycle in which the results hold.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn scalar_arith(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Scalar arithmetic of several cycles, one operation at a time: a product of up to {NORMAL_BITS} bits, its\n\
         leading zeros, its quotient by a short divisor (of a product only the highest {TOP_BITS} bits are\n\
         divided: a floor of a floor is exact), and the root. Mantissas are rounded half up."
    );
    let product = multiply(config, Ty::u(VALUE_BITS), Ty::u(16), VALUE_BITS + 16)?;
    let (normaliser, divider, rooter) = (normalise(config)?, long_divide(config)?, root(config)?);
    let mut m = ModuleBuilder::new(module_name(config, "vec_scalar_arith"), doc);
    let start_i = m.input("start_i", Ty::bit());
    let op_i = m.input("op_i", Ty::u(3));
    let [x_i, y_i, z_i] = ["x_i", "y_i", "z_i"].map(|name| m.input(name, Ty::u(VALUE_BITS)));
    let small_i = m.input("small_i", Ty::u(16));
    let places_i = m.input("places_i", Ty::s(8));
    let is = |op: i128| op_i.eq_k(op);
    let (y_mult, y_shift) = (y_i.slice(15, 0), m.wire("y_shift", &y_i.slice(31, 16).as_signed()));
    let (z_mult, z_shift) = (z_i.slice(15, 0), m.wire("z_shift", &z_i.slice(31, 16).as_signed()));

    let [idle, first, low, high, sum, norm, _, normed, load, divide, epsilon, take_root, done] = m.states([
        "Idle", "First", "Low", "High", "Sum", "Norm", "NormMore", "Normed", "Load", "Divide", "Epsilon", "TakeRoot",
        "Done",
    ]);
    let state_q = m.reg("state_q", idle.ty());
    let state_d = m.net("state_d", idle.ty());
    let again_q = m.reg("again_q", Ty::bit());
    let divided = m.net("divided", Ty::bit());
    let rooted = m.net("rooted", Ty::bit());
    let [bits, round, rms, chord] = [arith::BITS, arith::ROUND, arith::RMS, arith::CHORD].map(|op| op_i.k(op));
    m.comb("next state", |b| {
        b.set(&state_d, &(&state_q + state_q.k(1)));
        b.case(&state_q, |c| {
            c.arm(&idle, |b| {
                b.set(&state_d, &idle);
                b.when(&start_i, |b| {
                    b.set(&state_d, &first);
                    b.case(&op_i, |c| {
                        c.arm_of(&[bits.clone(), chord.clone()], |b| b.set(&state_d, &norm));
                        c.arm_of(&[round.clone(), rms.clone()], |b| b.set(&state_d, &load));
                    });
                });
            });
            c.arm(&first, |b| b.when(&(is(arith::POLY) | is(arith::TIMES)), |b| b.set(&state_d, &done)));
            c.arm(&normed, |b| {
                b.when(&(is(arith::BITS) | is(arith::PRODUCT) | &again_q), |b| b.set(&state_d, &done));
            });
            c.arm(&divide, |b| {
                b.set(&state_d, &divide);
                b.when(&divided, |b| {
                    b.set(&state_d, &done);
                    b.when(&is(arith::SCALE), |b| b.set(&state_d, &norm));
                    b.when(&is(arith::RMS), |b| b.set(&state_d, &epsilon));
                });
            });
            c.arm(&take_root, |b| b.when(&!&rooted, |b| b.set(&state_d, &take_root)));
            c.arm(&done, |b| b.set(&state_d, &idle));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);

    m.section("Product of the mantissas, then of x by its low and its high half; or one product");
    let product_q = m.reg("product_q", Ty::u(VALUE_BITS + 16));
    let mantissas_q = m.pipe_if("mantissas_q", &state_q.eq(&low), &product_q.slice(31, 0));
    let low_q = m.pipe_if("low_q", &state_q.eq(&high), &product_q);
    let a = m.net("a", Ty::u(VALUE_BITS));
    let b_factor = m.net("b", Ty::u(16));
    let unit = is(arith::PRODUCT).mux(&x_i.k(1), &x_i);
    m.comb("factors", |b: &mut Block| {
        b.set(&a, &unit);
        b.set(&b_factor, &small_i);
        b.case(&state_q, |c| {
            c.arm(&low, |b| b.set(&b_factor, &product_q.slice(15, 0)));
            c.arm(&high, |b| b.set(&b_factor, &mantissas_q.slice(31, 16)));
            c.default(|b| {
                b.case(&op_i, |c| {
                    c.arm_of(&[op_i.k(arith::SCALE), op_i.k(arith::PRODUCT)], |b| {
                        b.set(&a, &y_mult.extend(VALUE_BITS));
                        b.set(&b_factor, &z_mult);
                    });
                    c.arm(&op_i.k(arith::POLY), |b| {
                        b.set(&a, &y_mult.extend(VALUE_BITS));
                        b.set(&b_factor, &b_factor.k(LOG2_E));
                    });
                });
            });
        });
    });
    let product = m.instance("u_product", &product, &[("a_i", &a), ("b_i", &b_factor)]).out("product_o");
    m.next(&product_q, &product);

    m.section("DI-Exp's mantissa: mult + mult / 2 - mult / 16; 31 of it are an octave of 16 LSBs");
    let wide_mult = m.wire("wide_mult", &y_mult.extend(SHORT_BITS));
    let chord_mult = m.wire("chord_mult", &(&wide_mult + &wide_mult.shr_k(1) - &wide_mult.shr_k(4)));
    let chord_wide = m.wire("chord_wide", &chord_mult.extend(NORMAL_BITS));
    let threshold = m.wire("threshold", &(&chord_wide.shl_k(5) - &chord_wide - chord_wide.k(1)));

    m.section("Leading zeros");
    let total_q = m.reg("total_q", Ty::u(NORMAL_BITS));
    let total_d = m.net("total_d", total_q.ty());
    let quotient = m.net("long_quotient", Ty::u(DEN_BITS));
    let whole = &low_q.extend(NORMAL_BITS) + &Expr::concat(&[product_q.clone(), Expr::u(16, 0)]);
    m.comb("what is normalised", |b| {
        b.set(&total_d, &total_q);
        b.case(&state_q, |c| {
            c.arm(&idle, |b| b.set(&total_d, &is(arith::CHORD).mux(&threshold, &x_i.extend(NORMAL_BITS))));
            c.arm(&sum, |b| b.set(&total_d, &whole));
            c.arm(&divide, |b| b.when(&is(arith::SCALE), |b| b.set(&total_d, &quotient.extend(NORMAL_BITS))));
        });
    });
    m.next(&total_q, &total_d);
    let normal = m.instance("u_normalise", &normaliser, &[("value_i", &total_q)]);
    let (value, zeros) = (normal.out("normal_o"), normal.out("zeros_o"));
    let first_zeros_q = m.pipe_if("first_zeros_q", &(state_q.eq(&normed) & !&again_q), &zeros);
    m.next_reset(&again_q, 0, None, &(!state_q.eq(&idle) & (&again_q | state_q.eq(&divide))));

    m.section("An octave of 2^n / m LSBs, n at least the step's shift");
    let wide_zeros = m.wire("wide_zeros", &zeros.extend(SHIFT.width).as_signed());
    let step_shift = m.wire("step_shift", &y_shift.extend(SHIFT.width));
    let least = m.wire("least", &(step_shift.k(95) - &wide_zeros));
    let wanted = m.wire("wanted", &step_shift.gt(&least).mux(&step_shift, &least));
    let capped = wanted.gt(&wanted.k(LAST_OCTAVE)).mux(&wanted.k(LAST_OCTAVE), &wanted);
    let octave = m.wire("octave", &capped);
    let more = m.wire("more", &(&wanted - &step_shift));
    let more = more.gt(&more.k(MOST_PLACES)).mux(&more.k(MOST_PLACES), &more);
    let more_q = m.pipe_if("more_q", &state_q.eq(&load), &more);

    m.section("Division");
    let x_signed = m.wire("x_signed", &total_q.slice(VALUE_BITS - 1, 0));
    let negative = m.wire("negative", &(is(arith::ROUND) & x_signed.sign()));
    let bias = m.wire("bias", &((&small_i - negative.extend(16)).shr_k(1) & is(arith::ROUND).repeat(16)));
    let magnitude = m.wire("magnitude", &(negative.mux(&-&x_signed, &x_signed) + bias.extend(VALUE_BITS)));
    let num = m.net("num", Ty::u(DEN_BITS));
    let cycles = m.net("cycles", Ty::u(CYCLES_BITS));
    let remainder = m.net("first_remainder", Ty::u(SHORT_BITS));
    m.comb("dividend and its length", |b| {
        b.set(&num, &Expr::concat(&[magnitude.clone(), Expr::u(DEN_BITS - VALUE_BITS, 0)]));
        b.set(&cycles, &cycles.k((VALUE_BITS / BITS_A_CYCLE).into()));
        b.set(&remainder, &remainder.k(0));
        b.case(&op_i, |c| {
            c.arm(&op_i.k(arith::SCALE), |b| {
                let top = value.slice(NORMAL_BITS - 1, NORMAL_BITS - TOP_BITS);
                b.set(&num, &Expr::concat(&[top, Expr::u(DEN_BITS - TOP_BITS, 0)]));
                b.set(&cycles, &cycles.k((TOP_BITS / BITS_A_CYCLE).into()));
            });
            c.arm(&op_i.k(arith::CHORD), |b| {
                b.set(&num, &num.k(0));
                b.set(&cycles, &octave.slice(CYCLES_BITS, 1));
                b.set(&remainder, &octave.bit(0).mux(&remainder.k(2), &remainder.k(1)));
            });
        });
    });
    let den = m.wire("den", &is(arith::CHORD).mux(&chord_mult, &small_i.extend(SHORT_BITS)));
    let loads = m.wire("loads", &state_q.eq(&load));
    let ports = [("load_i", &loads), ("num_i", &num), ("first_i", &remainder), ("den_i", &den), ("cycles_i", &cycles)];
    let divider = m.instance("u_divide", &divider, &ports);
    m.assign(&divided, &divider.out("done_o"));
    m.assign(&quotient, &divider.out("quotient_o"));
    let unsigned = m.wire("unsigned_quotient", &quotient.slice(VALUE_BITS - 1, 0));
    m.output_is("quotient_o", &negative.mux(&-&unsigned, &unsigned).as_signed());

    m.section("Root of the mean square and epsilon = round(mult * 2^(2 * places - shift)), at most 2^62");
    let twice = m.wire("twice", &Expr::concat(&[z_i.slice(15, 0), Expr::u(1, 0)]).as_signed().extend(SHIFT.width));
    let exponent = m.wire("exponent", &(&twice - &step_shift));
    let (lowest, highest) = (-18, i128::from(EPSILON_LOG) + 1);
    let high_exponent = exponent.gt(&exponent.k(highest)).mux(&exponent.k(highest), &exponent);
    let held = m.wire("held_exponent", &exponent.lt(&exponent.k(lowest)).mux(&exponent.k(lowest), &high_exponent));
    let moved = m.wire("moved_exponent", &(&held - held.k(lowest)));
    let placed = m.wire("epsilon_placed", &y_mult.extend(98).shl(&moved.slice(6, 0)));
    let halves = m.wire("epsilon_halves", &placed.slice(97, 17));
    let rounded = m.wire("epsilon_rounded", &(&halves + halves.k(1)));
    let large = m.wire("epsilon_large", &rounded.slice(80, EPSILON_LOG + 1).any());
    let most = Expr::u(VALUE_BITS, 1 << EPSILON_LOG);
    let epsilon_q = m.pipe("epsilon_q", &large.mux(&most, &rounded.slice(VALUE_BITS, 1)));
    let mean = m.wire("mean", &(&unsigned + &epsilon_q));
    let mean_q = m.pipe("mean_q", &mean);
    let root_loads = m.pipe_reset("root_loads_q", 0, &state_q.eq(&epsilon));
    let rooter = m.instance("u_root", &rooter, &[("load_i", &root_loads), ("value_i", &mean_q)]);
    m.assign(&rooted, &rooter.out("done_o"));
    let root = rooter.out("root_o");
    m.output_is("root_o", &root.any().mux(&root, &Expr::u(ROOT_BITS, 1)));

    m.section("A step: the highest 17 bits rounded to 16; a mantissa of 2^16 is 2^15 with the shift one less");
    let rounded = m.wire("rounded", &(value.slice(NORMAL_BITS - 1, NORMAL_BITS - 17).extend(18) + Expr::u(18, 1)));
    let carry = m.wire("carry", &rounded.bit(17));
    let mult = carry.mux(&Expr::u(16, 1 << 15), &rounded.slice(16, 1));
    let z_wide = m.wire("z_wide", &z_shift.extend(SHIFT.width));
    let shifts = m.wire("shifts", &(&step_shift + &z_wide + places_i.extend(SHIFT.width)));
    let one_zeros = m.wire("first_zeros_wide", &first_zeros_q.extend(SHIFT.width).as_signed());
    let twice_zeros = &wide_zeros + &one_zeros - one_zeros.k(142);
    let position = m.wire("position", &is(arith::SCALE).mux(&twice_zeros, &(&wide_zeros - wide_zeros.k(80))));
    let shift = m.wire("shift", &(&shifts + &position - carry.extend(SHIFT.width).as_signed()));
    let clamped = m.net("clamped", SHIFT);
    m.comb("shift in -128..127", |b| {
        b.set(&clamped, &shift);
        b.when(&shift.gt(&shift.k(127)), |b| b.set(&clamped, &clamped.k(127)));
        b.when(&shift.lt(&shift.k(-128)), |b| b.set(&clamped, &clamped.k(-128)));
    });
    m.output_is("step_o", &Expr::concat(&[clamped.slice(15, 0), mult]));

    m.section("Other results");
    m.output_is("done_o", &state_q.eq(&done));
    let some = m.wire("some", &value.slice(NORMAL_BITS - 1, NORMAL_BITS - 1));
    let count = m.wire("count", &(zeros.k(NORMAL_BITS.into()) - &zeros));
    m.output_is("bits_o", &(count & some.repeat(ZEROS_BITS)));
    let octaves = m.wire("octaves_halves", &product_q.slice(32, 14));
    let octaves = m.wire("octaves", &(&octaves + octaves.k(1)));
    m.output_is("octaves_o", &octaves.slice(17, 1));
    let twice_rest = m.wire("twice_rest", &Expr::concat(&[divider.out("remainder_o"), Expr::u(1, 0)]));
    let up = m.wire("up", &twice_rest.ge(&den.extend(SHORT_BITS + 1)));
    let octave_den = m.wire("octave_den", &(&quotient + up.extend(DEN_BITS)));
    m.output_is("den_o", &is(arith::CHORD).mux(&octave_den, &product_q.slice(DEN_BITS - 1, 0)));
    m.output_is("places_o", &more_q.slice(4, 0));
    m.build()
}
