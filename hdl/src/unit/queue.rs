//! A plain queue: valid and ready on both sides.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for, index_bits};

/// `<prefix>_queue_<width>x<depth>`: holds `depth` words of `width` bits, at least one.
///
/// Ports: `in_valid_i`, `in_ready_o`, `in_data_i`; `out_valid_o`, `out_ready_i`, `out_data_o`; `empty_o`. A word can leave
/// 2 cycles after it came; one word a cycle from a depth of 3 on. No path leads from one side's handshake to the other's.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn queue(config: &Config, width: u32, depth: u32) -> Result<Arc<Module>, Error> {
    let depth = depth.max(1);
    let doc = format!(
        "Queue of {depth} words of {width} bits. A word can leave 2 cycles after it came; no path leads\n\
         from one side's handshake to the other's."
    );
    let mut m = ModuleBuilder::new(module_name(config, &format!("queue_{width}x{depth}")), doc);
    let in_valid_i = m.input("in_valid_i", Ty::bit());
    let in_data_i = m.input("in_data_i", Ty::u(width));
    let out_ready_i = m.input("out_ready_i", Ty::bit());

    m.section("Words held, the offered one included");
    let count_ty = Ty::u(bits_for(depth.into()));
    let count_q = m.reg("count_q", count_ty);
    let count_d = m.net("count_d", count_ty);
    let valid_q = m.reg("valid_q", Ty::bit());
    let not_full = m.wire("not_full", &count_q.ne(&count_q.k(depth.into())));
    let push = m.wire("push", &(&in_valid_i & &not_full));
    let pop = m.wire("pop", &(&valid_q & &out_ready_i));
    let change = m.wire("change", &Expr::concat(&[push.clone(), pop]));
    m.comb("a word comes, or leaves", |b| {
        b.set(&count_d, &count_q);
        b.case(&change, |c| {
            c.arm(&change.k(0b10), |b| b.set(&count_d, &(&count_q + count_q.k(1))));
            c.arm(&change.k(0b01), |b| b.set(&count_d, &(&count_q - count_q.k(1))));
        });
    });
    m.next_reset(&count_q, 0, None, &count_d);

    m.section("The read register holds the word that is offered");
    let stored = m.wire("stored", &count_q.ne(&valid_q.extend(count_ty.width)));
    let read = m.wire("read", &(&stored & (&out_ready_i | !&valid_q)));
    m.next_reset(&valid_q, 0, None, &(&read | (&valid_q & !&out_ready_i)));
    let addr_ty = Ty::u(index_bits(depth));
    let mut pointer = |name: &str, step: &Expr| {
        let q = m.reg(name, addr_ty);
        let next = q.eq_k(i128::from(depth) - 1).mux(&q.k(0), &(&q + q.k(1)));
        m.next_reset(&q, 0, Some(step), &next);
        q
    };
    let write_q = pointer("write_q", &push);
    let read_q = pointer("read_q", &read);
    let mem = m.memory("mem", width, depth.max(2));
    let data_q = m.memory_ports(mem, (&push, &write_q, &in_data_i), None, (&read, &read_q), "data_q");
    m.output_is("in_ready_o", &not_full);
    m.output_is("out_valid_o", &valid_q);
    m.output_is("out_data_o", &data_q);
    m.output_is("empty_o", &count_q.eq_k(0));
    m.build()
}
