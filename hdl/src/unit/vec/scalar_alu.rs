//! Results of the scalar operations.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::normalise::ZEROS_BITS;
use super::plan::{PARAM_BITS, VALUE_BITS};
use super::root::ROOT_BITS;
use crate::error::Error;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty};

/// Low bits of an opcode that tell the scalar operations apart.
pub const OP_BITS: u32 = 4;
/// Entries that an operation writes at most.
pub const MOST_RESULTS: u32 = 4;
const SMALL: Ty = Ty::s(20);
const DEEPEST: i128 = 63;

/// The low bits of a scalar operation's opcode.
pub fn nibble(op: Op) -> i128 {
    i128::from(op.spec().code & 15)
}

/// `<prefix>_vec_scalar_alu`: what a scalar operation writes into `S[d]..`.
///
/// Ports: `op_i` (low bits of the opcode), `x_i` = S[a], `y_i` = S[b], `value_i`, `param_i`; of the long arithmetic `bits_i`,
/// `step_i`, `quotient_i`, `root_i`; `result0_o` to `result3_o`, `last_o` (place of the last one), `writes_o` (not `SIDX`).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn scalar_alu(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Results of the scalar operations: sums saturate, exponents and shifts are held in their range.\n\
               Combinational.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_scalar_alu"), doc);
    let value = Ty::s(VALUE_BITS);
    let op_i = m.input("op_i", Ty::u(OP_BITS));
    let [x_i, y_i, value_i] = ["x_i", "y_i", "value_i"].map(|name| m.input(name, value));
    let param_i = m.input("param_i", Ty::s(PARAM_BITS));
    let bits_i = m.input("bits_i", Ty::u(ZEROS_BITS));
    let step_i = m.input("step_i", Ty::u(32));
    let quotient_i = m.input("quotient_i", value);
    let root_i = m.input("root_i", Ty::u(ROOT_BITS));

    m.section("Sum and difference, saturated");
    let is_sub = m.wire("is_sub", &op_i.eq_k(nibble(Op::Ssub)));
    let wide = VALUE_BITS + 1;
    let turned = m.wire("turned", &(y_i.extend(wide) ^ is_sub.repeat(wide).as_signed()));
    let sum = m.wire("sum", &(x_i.extend(wide) + &turned + is_sub.extend(wide).as_signed()));
    let fits = m.wire("fits", &sum.bit(wide - 1).eq(&sum.bit(wide - 2)));
    let bound = Expr::concat(&[sum.bit(wide - 1), (!sum.bit(wide - 1)).repeat(VALUE_BITS - 1)]);
    let held = m.wire("held_sum", &fits.mux(&sum.slice(VALUE_BITS - 1, 0), &bound).as_signed());
    let less = m.wire("less", &x_i.lt(&y_i));

    m.section("Shifts, and exponents of a residual sum");
    let bits = m.wire("bits", &bits_i.extend(SMALL.width).as_signed());
    let y_shift = m.wire("y_shift", &y_i.slice(31, 16).as_signed().extend(SMALL.width));
    let places = m.wire("x_places", &x_i.slice(15, 0).as_signed().extend(SMALL.width));
    let over = m.wire("over", &bits.gt(&bits.k(15)));
    let narrow = m.wire("narrow", &over.mux(&(&bits - bits.k(15)), &bits.k(0)));
    let finer = m.wire("finer", &y_shift.gt(&places).mux(&y_shift, &places));
    let lower = |a: &Expr, b: &Expr| a.lt(b).mux(a, b);
    let exact = m.wire("exact", &lower(&(&places + places.k(31)), &(&y_shift + y_shift.k(16))));
    let exponent = m.wire("exponent", &lower(&finer, &exact));
    let deepest = bits.k(DEEPEST);
    let x_amount = m.wire("x_amount", &(&places - &exponent));
    let y_amount = m.wire("y_amount", &(&y_shift - &exponent));
    let clamp = |m: &mut ModuleBuilder, name: &str, shift: &Expr| {
        let above = shift.gt(&shift.k(127)).mux(&shift.k(127), shift);
        m.wire(name, &shift.lt(&shift.k(-128)).mux(&shift.k(-128), &above))
    };
    let narrowed = m.wire("narrowed", &(&y_shift - &narrow));
    let narrowed = clamp(&mut m, "narrow_shift", &narrowed);
    let power = m.wire("power", &(&places + places.k(15)));
    let power = clamp(&mut m, "power_shift", &power);
    let dyadic =
        |shift: &Expr, mult: &Expr| Expr::concat(&[shift.slice(15, 0), mult.clone()]).extend(VALUE_BITS).as_signed();

    let results: Vec<_> = (0..MOST_RESULTS).map(|i| m.output(&format!("result{i}_o"), value)).collect();
    let last = m.output("last_o", Ty::u(2));
    let unsigned = |e: &Expr| e.extend(VALUE_BITS).as_signed();
    m.comb("by operation", |b: &mut Block| {
        b.set(&results[0], &held);
        b.set(&results[1], &dyadic(&narrowed, &y_i.slice(15, 0)));
        b.set(&last, &last.k(0));
        b.case(&op_i, |c| {
            let mut one = |op: Op, result: Expr| c.arm(&op_i.k(nibble(op)), |b| b.set(&results[0], &result));
            one(Op::Simm, value_i.clone());
            one(Op::Spar, param_i.extend(VALUE_BITS));
            one(Op::Smax, less.mux(&y_i, &x_i));
            one(Op::Smin, less.mux(&x_i, &y_i));
            one(Op::Sbit, unsigned(&bits_i));
            one(Op::Sprd, unsigned(&step_i));
            one(Op::Sscl, unsigned(&step_i));
            one(Op::Slft, (bits_i.any().mux(&(&bits - bits.k(25)), &bits.k(0))).extend(VALUE_BITS));
            one(Op::Srms, unsigned(&root_i));
            one(Op::Sdiv, quotient_i.clone());
            one(Op::Sdya, dyadic(&power, &Expr::u(16, 1 << 15)));
            c.arm(&op_i.k(nibble(Op::Snar)), |b| {
                b.set(&results[0], &narrow.extend(VALUE_BITS));
                b.set(&last, &last.k(1));
            });
            c.arm(&op_i.k(nibble(Op::Sres)), |b| {
                b.set(&results[0], &lower(&x_amount, &deepest).extend(VALUE_BITS));
                b.set(&results[1], &lower(&y_amount, &deepest).extend(VALUE_BITS));
                b.set(&last, &last.k(3));
            });
        });
    });
    m.assign(&results[2], &exponent.extend(VALUE_BITS));
    m.assign(&results[3], &(&exponent - &finer).extend(VALUE_BITS));
    m.output_is("writes_o", &op_i.ne(&op_i.k(nibble(Op::Sidx))));
    m.build()
}
