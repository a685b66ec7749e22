//! The processing element: a weight-stationary cell with double-buffered weights.

use std::sync::Arc;

use spec::{Config, Dataflow};

use super::pe_os::pe_os;
use super::{module_name, product};
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// Cycles from an activation at a PE's input to the sum it enters at the PE's output.
pub fn latency_cycles(config: &Config) -> u32 {
    2 + u32::from(config.pe.product_register)
}

/// `<prefix>_pe`, [`pe_os`] or weight-stationary: multiplies activations that pass to the right by its weight and adds to the sum that passes down.
///
/// Ports: `act_i`, `swap_i` (this activation is the first of a tile: the next weight becomes current), `load_i` (take
/// `weight_i` as next weight), `weight_i` (the column's bus), `sum_i`; `act_o`, `swap_o`, `load_o` one cycle later,
/// `sum_o`. No register has a reset: whatever is in flight after reset stays ahead of the first tile's wave.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn pe(config: &Config) -> Result<Arc<Module>, Error> {
    pe_of(config, config.sum_bits())
}

/// [`pe`] with sums of `sum_bits` bits, `<prefix>_pe_<bits>` where they are narrower than the last row's.
pub(super) fn pe_of(config: &Config, sum_bits: u32) -> Result<Arc<Module>, Error> {
    if config.array.dataflow == Dataflow::Os {
        return pe_os(config);
    }
    let name = if sum_bits == config.sum_bits() { "pe".to_string() } else { format!("pe_{sum_bits}") };
    let doc = format!(
        "Processing element: sum_o = sum_i + act_i * weight, {} cycles from act_i to sum_o.\n\
         The weight is double-buffered: load_i fills the next weight, swap_i (with a tile's first\n\
         activation) makes it current. act, swap and load go on to the right neighbour.",
        latency_cycles(config)
    );
    let product = product::product(config)?;
    let mut m = ModuleBuilder::new(module_name(config, &name), doc);
    let act_i = m.input("act_i", Ty::u(config.act_operand().bits()));
    let swap_i = m.input("swap_i", Ty::bit());
    let load_i = m.input("load_i", Ty::bit());
    let weight_i = m.input("weight_i", Ty::u(config.weight_operand().bits()));
    let sum_i = m.input("sum_i", Ty::s(sum_bits));

    m.section("To the right neighbour");
    let act_q = m.pipe("act_q", &act_i);
    let swap_q = m.pipe("swap_q", &swap_i);
    let load_q = m.pipe("load_q", &load_i);

    m.section("Next and current weight; the current one changes together with act_q");
    let next_weight_q = m.pipe_if("next_weight_q", &load_i, &weight_i);
    let weight_q = m.pipe_if("weight_q", &swap_i, &next_weight_q);

    m.section("Multiply and accumulate");
    let product = m.instance("u_product", &product, &[("act_i", &act_q), ("weight_i", &weight_q)]).out("product_o");
    let addend = if config.pe.product_register { m.pipe("product_q", &product) } else { product };
    let addend = m.wire("addend", &addend.extend(sum_bits));
    let sum_q = m.pipe("sum_q", &(&sum_i + &addend));

    m.output_is("act_o", &act_q);
    m.output_is("swap_o", &swap_q);
    m.output_is("load_o", &load_q);
    m.output_is("sum_o", &sum_q);
    m.build()
}
