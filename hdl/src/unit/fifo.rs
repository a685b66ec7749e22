//! A FIFO whose places are reserved in advance, for pipelines that cannot stall.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for, index_bits};

/// `<prefix>_fifo_<width>x<depth>`: `depth` words (a power of two) of `width` bits.
///
/// Ports: `reserve_i` takes a place, allowed while `room_o`; `push_i`, `data_i` fill a reserved place, any time later;
/// `valid_o`, `ready_i`, `data_o` give the words in order; `empty_o`: no place is taken. A word can leave 2 cycles after
/// its push.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn fifo(config: &Config, width: u32, depth: u32) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "FIFO of {depth} words of {width} bits with reservation: a place is taken by reserve_i when\n\
         the work that will fill it begins, so that push_i never has to wait. A word can leave\n\
         2 cycles after its push."
    );
    let mut m = ModuleBuilder::new(module_name(config, &format!("fifo_{width}x{depth}")), doc);
    let reserve_i = m.input("reserve_i", Ty::bit());
    let push_i = m.input("push_i", Ty::bit());
    let data_i = m.input("data_i", Ty::u(width));
    let ready_i = m.input("ready_i", Ty::bit());
    let valid_q = m.reg("valid_q", Ty::bit());
    let pop = m.wire("pop", &(&valid_q & &ready_i));

    m.section("Free places");
    let free_ty = Ty::u(bits_for(depth.into()));
    let free_q = m.reg("free_q", free_ty);
    let free_d = m.net("free_d", free_ty);
    let change = m.wire("change", &Expr::concat(&[reserve_i, pop.clone()]));
    m.comb("a place is taken, or given back", |b| {
        b.set(&free_d, &free_q);
        b.case(&change, |c| {
            c.arm(&change.k(0b10), |b| b.set(&free_d, &(&free_q - free_q.k(1))));
            c.arm(&change.k(0b01), |b| b.set(&free_d, &(&free_q + free_q.k(1))));
        });
    });
    m.next_reset(&free_q, depth.into(), None, &free_d);
    m.output_is("room_o", &free_q.any());
    m.output_is("empty_o", &free_q.eq_k(depth.into()));

    m.section("Words; the read register holds the one that is offered");
    let addr_bits = index_bits(depth);
    let pointer = |m: &mut ModuleBuilder, name: &str, step: &Expr| {
        let q = m.reg(name, Ty::u(addr_bits + 1));
        m.next_reset(&q, 0, Some(step), &(&q + q.k(1)));
        q
    };
    let read = m.net("read", Ty::bit());
    let write_q = pointer(&mut m, "write_q", &push_i);
    let read_q = pointer(&mut m, "read_q", &read);
    let stored = m.wire("stored", &write_q.ne(&read_q));
    m.assign(&read, &(&stored & (&ready_i | !&valid_q)));
    m.next_reset(&valid_q, 0, None, &(&read | (&valid_q & !&ready_i)));
    let mem = m.memory("mem", width, depth);
    let write_addr = write_q.slice(addr_bits - 1, 0);
    let read_addr = read_q.slice(addr_bits - 1, 0);
    let data_q = m.memory_ports(mem, (&push_i, &write_addr, &data_i), None, (&read, &read_addr), "data_q");
    m.output_is("valid_o", &valid_q);
    m.output_is("data_o", &data_q);
    m.build()
}
