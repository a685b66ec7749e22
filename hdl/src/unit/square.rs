//! A square of halves: three products where a multiplication of a number with itself takes four.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::multiply::multiply;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_square_u<bits>`: `square_o = root_i * root_i`, unsigned, combinational; `bits` is even.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn square(config: &Config, bits: u32) -> Result<Arc<Module>, Error> {
    let half = bits / 2;
    let doc = format!(
        "Square of {bits} bits, unsigned, of halves of {half}: (2^{half}*h + l)^2 = 2^{bits}*h*h + l*l + 2^{}*h*l.\n\
         Combinational.",
        half + 1
    );
    let product = multiply(config, Ty::u(half), Ty::u(half), bits)?;
    let mut m = ModuleBuilder::new(module_name(config, &format!("square_u{bits}")), doc);
    let root_i = m.input("root_i", Ty::u(bits));
    let high = m.wire("high", &root_i.slice(bits - 1, half));
    let low = m.wire("low", &root_i.slice(half - 1, 0));
    let mut of =
        |name: &str, a: &Expr, b: &Expr| m.instance(name, &product, &[("a_i", a), ("b_i", b)]).out("product_o");
    let (highs, lows, both) = (of("u_highs", &high, &high), of("u_lows", &low, &low), of("u_both", &high, &low));
    let apart = m.wire("apart", &Expr::concat(&[highs, lows]));
    let twice = m.wire("twice", &Expr::concat(&[Expr::u(half - 1, 0), both, Expr::u(half + 1, 0)]));
    m.output_is("square_o", &(&apart + &twice));
    m.build()
}
