//! A multiplier in a module of its own, so that synthesis maps it apart from the adder behind it.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_multiply_<a>_<b>`: `product_o = a_i * b_i`, combinational; the product has `bits` bits, into which it must
/// fit, and the operands' sign.
///
/// # Errors
/// If the operands differ in sign.
pub fn multiply(config: &Config, a: Ty, b: Ty, bits: u32) -> Result<Arc<Module>, Error> {
    let name = module_name(config, &format!("multiply_{a}_{b}"));
    let kind = if a.signed { "two's complement" } else { "unsigned" };
    let doc = format!("Product of {} by {} bits, {kind}, which fits {bits} bits. Combinational.", a.width, b.width);
    let mut m = ModuleBuilder::new(name, doc);
    let a_i = m.input("a_i", a);
    let b_i = m.input("b_i", b);
    let wide_a = m.wire("wide_a", &a_i.extend(bits));
    let wide_b = m.wire("wide_b", &b_i.extend(bits));
    m.output_is("product_o", &(&wide_a * &wide_b));
    m.build()
}
