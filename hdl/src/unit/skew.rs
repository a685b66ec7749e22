//! Skew and de-skew: delay lines whose length grows along a vector.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Which end of the vector waits longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// Element `i` is delayed by `i` cycles.
    Rising,
    /// Element `i` is delayed by `count - 1 - i` cycles.
    Falling,
}

/// `<prefix>_<name>`: delays the elements of a packed vector of `count` elements of `bits` bits, by `skew`.
///
/// Ports: `data_i`, `data_o`, element 0 lowest. Stage `s` holds the elements that still wait after `s + 1` cycles.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn skew(config: &Config, name: &str, count: u32, bits: u32, skew: Skew) -> Result<Arc<Module>, Error> {
    let rule = match skew {
        Skew::Rising => "element i is delayed by i cycles".to_string(),
        Skew::Falling => format!("element i is delayed by {} - i cycles", count - 1),
    };
    let doc = format!("Delay lines for {count} elements of {bits} bits: {rule}.");
    let mut m = ModuleBuilder::new(module_name(config, name), doc);
    let data_i = m.input("data_i", Ty::u(count * bits));
    let mut outputs = vec![None; count as usize];
    let mut stage = data_i;
    for waiting in (0..count).rev() {
        // The element that leaves here is the lowest of the rising skew, the highest of the falling one.
        let (leaving, place, rest) = match skew {
            Skew::Rising => (count - 1 - waiting, 0, bits),
            Skew::Falling => (waiting, waiting * bits, 0),
        };
        outputs[leaving as usize] = Some(stage.part(place, bits));
        if waiting > 0 {
            let rest = stage.part(rest, waiting * bits);
            stage = m.pipe(&format!("stage{}_q", count - waiting), &rest);
        }
    }
    let highest_first: Vec<Expr> = outputs.into_iter().rev().flatten().collect();
    m.output_is("data_o", &Expr::concat(&highest_first));
    m.build()
}
