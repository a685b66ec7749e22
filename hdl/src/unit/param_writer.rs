//! Numbers of memory into the parameter memory.

use std::sync::Arc;

use spec::Config;

use super::burst::beat_bytes;
use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Bits of a count of parameters and of an address of one.
pub const PARAM_ADDR_BITS: u32 = 16;
/// Bits of a parameter.
pub const PARAM_BITS: u32 = 32;
/// Types by number: bytes and sign, in the order of [`spec::isa::TYPES`].
pub const TYPES: [(u32, bool); 5] = [(1, true), (1, false), (2, true), (2, false), (4, true)];
/// Bits of a type's number.
pub const TYPE_BITS: u32 = 3;

/// `<prefix>_param_writer`: beats of numbers of one type to words of L parameters.
///
/// Ports: `start_i` with `count_i` (1 or more), `dst_i`, `type_i`; `valid_i`, `ready_o`, `data_i`; `write_o` (a bit a
/// lane), `addr_o`, `data_o`: lane `i` is parameter `addr_o + i`; `done_o`: the last is written. A beat takes a cycle for
/// every L numbers.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn param_writer(config: &Config) -> Result<Arc<Module>, Error> {
    let (bytes, lanes) = (beat_bytes(config), config.vec_lanes());
    let doc = format!(
        "Parameters from memory: numbers of 1, 2 or 4 bytes, widened to {PARAM_BITS} bits, up to {lanes} a cycle.\n\
         No latency."
    );
    let mut m = ModuleBuilder::new(module_name(config, "param_writer"), doc);
    let start_i = m.input("start_i", Ty::bit());
    let count_i = m.input("count_i", Ty::u(PARAM_ADDR_BITS));
    let dst_i = m.input("dst_i", Ty::u(PARAM_ADDR_BITS));
    let type_i = m.input("type_i", Ty::u(TYPE_BITS));
    let valid_i = m.input("valid_i", Ty::bit());
    let data_i = m.input("data_i", Ty::u(8 * bytes));

    m.section("What is left, and which group of the beat comes next");
    let left_q = m.reg("left_q", Ty::u(PARAM_ADDR_BITS));
    let addr_q = m.reg("addr_q", Ty::u(PARAM_ADDR_BITS));
    let type_q = m.pipe_if("type_q", &start_i, &type_i);
    // Numbers that go at once, and groups of them in a beat, by their bytes.
    let group = |width: u32| lanes.min(bytes / width);
    let groups = |width: u32| bytes / width / group(width);
    let most_groups = groups(1).max(groups(2)).max(groups(4));
    let group_q = (most_groups > 1).then(|| m.reg("group_q", Ty::u(index_bits(most_groups))));
    let mut words = Vec::new();
    for width in [1, 2, 4] {
        let bits = 8 * width * group(width);
        let word = match &group_q {
            Some(q) if groups(width) > 1 => {
                let index = m.wire(&format!("index_of_{width}"), &q.part(0, index_bits(groups(width))));
                data_i.word(&index, bits)
            }
            _ => data_i.part(0, bits),
        };
        words.push((width, m.wire(&format!("group_of_{width}"), &word)));
    }
    let number_ty = Ty::u(PARAM_BITS * lanes);
    let data = m.net("numbers", number_ty);
    let size = m.net("size", Ty::u(PARAM_ADDR_BITS));
    let ends = m.net("beat_ends", Ty::bit());
    m.comb("the numbers of the group, how many there are, whether the beat ends with them", |b| {
        b.set(&data, &Expr::u(1, 0).repeat(number_ty.width));
        b.set(&size, &size.k(1));
        b.set(&ends, &ends.k(1));
        b.case(&type_q, |c| {
            for (number, (width, signed)) in TYPES.into_iter().enumerate() {
                let Some((_, word)) = words.iter().find(|(w, _)| *w == width) else { continue };
                let numbers: Vec<Expr> = (0..group(width))
                    .rev()
                    .map(|i| {
                        let raw = word.part(8 * width * i, 8 * width);
                        let raw = if signed { raw.as_signed() } else { raw };
                        raw.extend(PARAM_BITS).as_unsigned()
                    })
                    .collect();
                let numbers = Expr::concat(&numbers).extend(number_ty.width);
                c.arm(&type_q.k(number as i128), |b| {
                    b.set(&data, &numbers);
                    b.set(&size, &size.k(group(width).into()));
                    if let Some(q) = group_q.as_ref().filter(|_| groups(width) > 1) {
                        b.set(&ends, &q.eq_k(i128::from(groups(width)) - 1));
                    }
                });
            }
        });
    });
    let busy = m.wire("busy", &left_q.any());
    let is_last = m.wire("is_last", &left_q.le(&size));
    let writes = m.wire("writes", &(&valid_i & &busy));
    let beat_done = m.wire("beat_done", &(&ends | &is_last));
    let step = m.wire("step", &(&start_i | &writes));
    let left_d = start_i.mux(&count_i, &is_last.mux(&left_q.k(0), &(&left_q - &size)));
    m.next_reset(&left_q, 0, Some(&step), &left_d);
    m.next_if(&addr_q, &step, &start_i.mux(&dst_i, &(&addr_q + &size)));
    if let Some(q) = &group_q {
        m.next_reset(q, 0, Some(&writes), &beat_done.mux(&q.k(0), &(q + q.k(1))));
    }
    let enables: Vec<Expr> = (0..lanes)
        .rev()
        .map(|i| {
            let here = left_q.gt(&left_q.k(i.into()));
            &writes & here & size.gt(&size.k(i.into()))
        })
        .collect();
    m.output_is("ready_o", &(&busy & &beat_done));
    m.output_is("write_o", &Expr::concat(&enables));
    m.output_is("addr_o", &addr_q);
    m.output_is("data_o", &data);
    m.output_is("done_o", &(&writes & &is_last));
    m.build()
}
