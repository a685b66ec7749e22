//! Counters of a run: elapsed cycles, why each was spent, what moved.

use std::sync::Arc;

use spec::{Config, regs};

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Bits of `retired_i`.
pub const RETIRED_BITS: u32 = 3;

/// `<prefix>_counters`: the counters of [`spec::regs`], by number.
///
/// Ports: `clear_i`; `run_i` counts this cycle, under `cause_i` (place in [`regs::STALLS`]); `read_i`, `write_i`: a beat is
/// transferred; `retired_i`: instructions that retire in this cycle; `index_i`, `value_o`: counter `index_i`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn counters(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Counters of a run. Every counted cycle has one cause, so that the causes add up to the cycles.";
    let mut m = ModuleBuilder::new(module_name(config, "counters"), doc);
    let bits = regs::COUNTER_BITS;
    let clear_i = m.input("clear_i", Ty::bit());
    let run_i = m.input("run_i", Ty::bit());
    let cause_i = m.input("cause_i", Ty::u(index_bits(regs::STALLS.len() as u32)));
    let read_i = m.input("read_i", Ty::bit());
    let write_i = m.input("write_i", Ty::bit());
    let retired_i = m.input("retired_i", Ty::u(RETIRED_BITS));
    let index_i = m.input("index_i", Ty::u(index_bits(regs::COUNTER_COUNT as u32)));

    m.section("Cleared at a start, and in the first cycle out of reset");
    let fresh_q = m.pipe_reset("fresh_q", 1, &Expr::u(1, 0));
    let clear = m.wire("clear", &(&clear_i | &fresh_q));
    let mut values = Vec::new();
    for index in 0..regs::COUNTER_COUNT {
        let (name, _) = regs::counter(index).unwrap_or_default();
        let q = m.reg(&format!("{name}_q"), Ty::u(bits));
        let (event, by) = match (index, name) {
            (0, _) => (run_i.clone(), q.k(1)),
            (_, "read_beats") => (read_i.clone(), q.k(1)),
            (_, "write_beats") => (write_i.clone(), q.k(1)),
            (_, "instructions") => (retired_i.any(), retired_i.extend(bits)),
            _ => (&run_i & cause_i.eq_k(index as i128 - 1), q.k(1)),
        };
        // Without the register's reset, the clear is the flip-flops' own.
        let step = m.wire(&format!("{name}_step"), &event);
        m.next(&q, &clear.mux(&q.k(0), &step.mux(&(&q + by), &q)));
        values.push(q);
    }
    let value = m.net("value", Ty::u(bits));
    m.comb("the counter that is asked for", |b| {
        b.set(&value, &values[0]);
        b.case(&index_i, |c| {
            for (index, q) in values.iter().enumerate().skip(1) {
                c.arm(&index_i.k(index as i128), |b| b.set(&value, q));
            }
        });
    });
    m.output_is("value_o", &value);
    m.build()
}
