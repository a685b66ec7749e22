//! The processing element of an output-stationary array: it keeps a sum until its N tile is complete.

use std::sync::Arc;

use spec::Config;

use super::{module_name, product};
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_pe`: adds the products of activations that pass to the right and weights that pass down.
///
/// Ports: `act_i`, `weight_i`; `first_i` (with a sum's first product: begin anew; with `pe.product_register` a cycle
/// later), `take_i` (one cycle behind a sum's last product: keep the sum in the drain), `hold_i` (the drain waits;
/// otherwise it takes `drain_i`, the drain of the PE above); `act_o`, `first_o`, `take_o`, `hold_o`, `weight_o` one cycle
/// later; `drain_o`. No register has a reset: the first sum begins anew, and no drain before it is read.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn pe_os(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Processing element, output-stationary: sum = sum + act_i * weight_i. A complete sum moves to\n\
               the drain, which goes down the column while the next sum is made. act, first, take and hold\n\
               go on to the right neighbour, weights to the one below.";
    let product = product::product(config)?;
    let sum = Ty::s(config.sum_bits());
    let mut m = ModuleBuilder::new(module_name(config, "pe"), doc);
    let act_i = m.input("act_i", Ty::u(config.act_operand().bits()));
    let weight_i = m.input("weight_i", Ty::u(config.weight_operand().bits()));
    let [first_i, take_i, hold_i] = ["first_i", "take_i", "hold_i"].map(|name| m.input(name, Ty::bit()));
    let drain_i = m.input("drain_i", sum);

    m.section("To the neighbours");
    let act_q = m.pipe("act_q", &act_i);
    let weight_q = m.pipe("weight_q", &weight_i);
    let first_q = m.pipe("first_q", &first_i);
    let take_q = m.pipe("take_q", &take_i);
    let hold_q = m.pipe("hold_q", &hold_i);

    m.section("Multiply and accumulate");
    let product = m.instance("u_product", &product, &[("act_i", &act_q), ("weight_i", &weight_q)]).out("product_o");
    let addend = if config.pe.product_register { m.pipe("product_q", &product) } else { product };
    let addend = m.wire("addend", &addend.extend(sum.width));
    let sum_q = m.reg("sum_q", sum);
    let so_far = m.wire("so_far", &first_q.mux(&sum_q.k(0), &sum_q));
    m.next(&sum_q, &(&so_far + &addend));

    m.section("Complete sums on their way down");
    let drain_q = m.reg("drain_q", sum);
    m.next_if(&drain_q, &(&take_q | !&hold_q), &take_q.mux(&sum_q, &drain_i));

    for (port, value) in
        [("act_o", &act_q), ("weight_o", &weight_q), ("first_o", &first_q), ("take_o", &take_q), ("hold_o", &hold_q)]
    {
        m.output_is(port, value);
    }
    m.output_is("drain_o", &drain_q);
    m.build()
}
