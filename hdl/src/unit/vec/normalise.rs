//! Leading zeros: a value shifted left until its highest one is on top.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Bits of the value.
pub const NORMAL_BITS: u32 = 96;
/// Bits of the number of leading zeros.
pub const ZEROS_BITS: u32 = 7;

/// `<prefix>_vec_normalise`: `value_i` (held for two cycles) shifted left by `zeros_o` so that bit 95 is its highest one.
///
/// Ports: `value_i`, two cycles later `normal_o`, `zeros_o`; of 0 it is 0 and 127.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn normalise(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "value_i of {NORMAL_BITS} bits shifted left until its highest one is on top, and by how many places:\n\
         64, 32, 16, then 8, 4, 2, 1. Of 0: 0 and 127. Latency 2 cycles."
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_normalise"), doc);
    let value_i = m.input("value_i", Ty::u(NORMAL_BITS));
    let mut value = value_i;
    let mut zeros = Vec::new();
    for level in (0..ZEROS_BITS).rev() {
        if level == 3 {
            m.section("The last eight places, one cycle later");
            value = m.pipe("coarse_q", &value);
            zeros = vec![m.pipe("coarse_zeros_q", &Expr::concat(&zeros))];
        }
        let by = 1 << level;
        let none = m.wire(&format!("none{by}"), &!value.slice(NORMAL_BITS - 1, NORMAL_BITS - by).any());
        let moved = Expr::concat(&[value.slice(NORMAL_BITS - 1 - by, 0), Expr::u(by, 0)]);
        value = m.wire(&format!("by{by}"), &none.mux(&moved, &value));
        zeros.push(none);
    }
    let normal_q = m.pipe("normal_q", &value);
    let zeros_q = m.pipe("zeros_q", &Expr::concat(&zeros));
    m.output_is("normal_o", &normal_q);
    m.output_is("zeros_o", &zeros_q);
    m.build()
}
