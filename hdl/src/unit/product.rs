//! The exact product of a weight and an activation, one circuit for each pair of codes.

use std::sync::Arc;

use spec::{Config, Operand};

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_product`: `product_o = act_i * weight_i` in the integers of [`Operand`]; combinational.
///
/// Ports: `act_i`, `weight_i` (codes), `product_o` (signed, `Config::product_bits`). It stands in a module of its own,
/// apart from the adder, because synthesis would merge both into one wide multiply-accumulate.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn product(config: &Config) -> Result<Arc<Module>, Error> {
    let (weight, act) = (config.weight_operand(), config.act_operand());
    let bits = config.product_bits();
    let doc = format!(
        "Exact product of one {} activation and one {} weight, as a {bits}-bit integer. Combinational.",
        act.name(),
        weight.name()
    );
    let mut m = ModuleBuilder::new(module_name(config, "product"), doc);
    let act_i = m.input("act_i", Ty::u(act.bits()));
    let weight_i = m.input("weight_i", Ty::u(weight.bits()));
    let product = match (weight, act) {
        (Operand::E2m1, Operand::E2m1) => e2m1_by_e2m1(&mut m, &act_i, &weight_i, bits),
        (Operand::E2m1, _) => e2m1_by_int(&mut m, &act_i, &weight_i, bits),
        (Operand::Pot4, _) => pot4_by_int(&mut m, &act_i, &weight_i, bits),
        (Operand::Pot8, _) => pot8_by_int(&mut m, &act_i, &weight_i, bits),
        (Operand::Int8 | Operand::Int4, _) => int_by_int(&mut m, &act_i, &weight_i, bits),
    };
    m.output_is("product_o", &product);
    m.build()
}

/// Two's complement by two's complement, both widened to the product first.
fn int_by_int(m: &mut ModuleBuilder, act: &Expr, weight: &Expr, bits: u32) -> Expr {
    let act = m.wire("act", &act.as_signed().extend(bits));
    let weight = m.wire("weight", &weight.as_signed().extend(bits));
    &act * &weight
}

/// The E2M1 code's magnitude, times 2, is 0, or 1 or 3 shifted left by 0 to 3: whether it is 3, and the shift.
fn e2m1_parts(m: &mut ModuleBuilder, stem: &str, code: &Expr) -> (Expr, Expr) {
    let three = m.wire(&format!("{stem}_three"), &(code.bit(0) & (code.bit(1) | code.bit(2))));
    let shift = m.net(&format!("{stem}_shift"), Ty::u(2));
    let magnitude = m.wire(&format!("{stem}_magnitude"), &code.slice(2, 0));
    m.comb(&format!("{stem}: 0 1 2 3 4 6 8 12 are 0 or {{1, 3}} shifted left"), |b| {
        b.set(&shift, &shift.k(0));
        b.case(&magnitude, |c| {
            c.arm_of(&[magnitude.k(2), magnitude.k(5)], |b| b.set(&shift, &shift.k(1)));
            c.arm_of(&[magnitude.k(4), magnitude.k(7)], |b| b.set(&shift, &shift.k(2)));
            c.arm(&magnitude.k(6), |b| b.set(&shift, &shift.k(3)));
        });
    });
    (three, shift)
}

/// Minus zero computes as zero: the magnitude is zero before the sign is applied.
fn with_sign(m: &mut ModuleBuilder, magnitude: &Expr, negative: &Expr) -> Expr {
    let magnitude = m.wire("magnitude", magnitude);
    negative.mux(&-&magnitude, &magnitude)
}

fn e2m1_by_int(m: &mut ModuleBuilder, act: &Expr, weight: &Expr, bits: u32) -> Expr {
    let (three, shift) = e2m1_parts(m, "weight", weight);
    let nonzero = m.wire("weight_nonzero", &weight.slice(2, 0).any());
    let act = m.wire("act", &act.as_signed().extend(bits));
    let triple = m.wire("act_triple", &(&act + act.shl_k(1)));
    let odd = m.wire("odd_multiple", &three.mux(&triple, &act));
    let shifted = m.wire("shifted", &odd.shl(&shift));
    with_sign(m, &nonzero.mux(&shifted, &shifted.k(0)), &weight.bit(3))
}

fn e2m1_by_e2m1(m: &mut ModuleBuilder, act: &Expr, weight: &Expr, bits: u32) -> Expr {
    let (act_three, act_shift) = e2m1_parts(m, "act", act);
    let (weight_three, weight_shift) = e2m1_parts(m, "weight", weight);
    let nonzero = m.wire("nonzero", &(act.slice(2, 0).any() & weight.slice(2, 0).any()));
    let odd = m.net("odd", Ty::u(4));
    let threes = m.wire("threes", &Expr::concat(&[act_three, weight_three]));
    m.comb("product of the odd parts: 1, 3 or 9, and 0 for a zero operand", |b| {
        b.set(&odd, &odd.k(0));
        b.when(&nonzero, |b| {
            b.case(&threes, |c| {
                c.arm(&threes.k(0), |b| b.set(&odd, &odd.k(1)));
                c.arm(&threes.k(3), |b| b.set(&odd, &odd.k(9)));
                c.default(|b| b.set(&odd, &odd.k(3)));
            });
        });
    });
    let shift = m.wire("shift", &(act_shift.extend(3) + weight_shift.extend(3)));
    let shifted = m.wire("shifted", &odd.extend(bits).as_signed().shl(&shift));
    let negative = m.wire("negative", &(act.bit(3) ^ weight.bit(3)));
    with_sign(m, &shifted, &negative)
}

/// Weight 2^-(code-1) times 64 is 1 << (7 - code): the activation is only shifted.
fn pot4_by_int(m: &mut ModuleBuilder, act: &Expr, weight: &Expr, bits: u32) -> Expr {
    let act = m.wire("act", &act.as_signed().extend(bits));
    let code = m.wire("weight_code", &weight.slice(2, 0));
    let shift = m.wire("shift", &!&code);
    let nonzero = m.wire("weight_nonzero", &code.any());
    let shifted = m.wire("shifted", &act.shl(&shift));
    with_sign(m, &nonzero.mux(&shifted, &shifted.k(0)), &weight.bit(3))
}

/// Both terms of the weight shift the activation by themselves; a term of zero adds nothing.
fn pot8_by_int(m: &mut ModuleBuilder, act: &Expr, weight: &Expr, bits: u32) -> Expr {
    let act = m.wire("act", &act.as_signed().extend(bits));
    let mut term = |name: &str, low: u32| {
        let code = m.wire(&format!("{name}_code"), &weight.slice(low + 2, low));
        let shift = m.wire(&format!("{name}_shift"), &!&code);
        let nonzero = m.wire(&format!("{name}_nonzero"), &code.any());
        let shifted = m.wire(&format!("{name}_shifted"), &act.shl(&shift));
        let magnitude = m.wire(&format!("{name}_magnitude"), &nonzero.mux(&shifted, &shifted.k(0)));
        m.wire(name, &weight.bit(low + 3).mux(&-&magnitude, &magnitude))
    };
    let (low, high) = (term("low", 0), term("high", 4));
    &low + &high
}
