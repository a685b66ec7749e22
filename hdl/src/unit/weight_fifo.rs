//! The weight buffer: a FIFO that gives out whole tiles.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::ram::{addr_bits, ram};
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty, bits_for};

/// Words the buffer holds: `buffer.weight_tiles` tiles of `preload_cycles` words.
pub fn depth(config: &Config) -> u32 {
    config.buffer.weight_tiles * config.preload_cycles()
}

/// `<prefix>_weight_fifo`: words of weights in, tiles out.
///
/// Ports: `valid_i`, `ready_o`, `data_i`; `tile_ready_o`: all words of the next tile are here; `pop_i`: read a word,
/// `data_o` one cycle later; `empty_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn weight_fifo(config: &Config) -> Result<Arc<Module>, Error> {
    let (depth, tile, width) = (depth(config), config.preload_cycles(), config.weight_word_bits());
    let doc = format!(
        "Weight buffer: FIFO of {depth} words of {width} bits. tile_ready_o says that a whole tile\n\
         ({tile} words) is here, so that its preload never waits midway. Read latency 1 cycle."
    );
    let memory = ram(config, width, depth)?;
    let mut m = ModuleBuilder::new(module_name(config, "weight_fifo"), doc);
    let valid_i = m.input("valid_i", Ty::bit());
    let data_i = m.input("data_i", Ty::u(width));
    let pop_i = m.input("pop_i", Ty::bit());

    let level_ty = Ty::u(bits_for(depth.into()));
    let level_q = m.reg("level_q", level_ty);
    let not_full = m.wire("not_full", &level_q.ne(&level_q.k(depth.into())));
    let push = m.wire("push", &(&valid_i & &not_full));
    let level_d = m.net("level_d", level_ty);
    let change = m.wire("change", &crate::rtl::Expr::concat(&[push.clone(), pop_i.clone()]));
    m.comb("words held", |b| {
        b.set(&level_d, &level_q);
        b.case(&change, |c| {
            c.arm(&change.k(0b10), |b| b.set(&level_d, &(&level_q + level_q.k(1))));
            c.arm(&change.k(0b01), |b| b.set(&level_d, &(&level_q - level_q.k(1))));
        });
    });
    m.next_reset(&level_q, 0, None, &level_d);

    let addr_ty = Ty::u(addr_bits(depth));
    let mut pointer = |name: &str, step: &crate::rtl::Expr| {
        let q = m.reg(name, addr_ty);
        let wrap = q.eq_k(i128::from(depth) - 1);
        m.next_reset(&q, 0, Some(step), &wrap.mux(&q.k(0), &(&q + q.k(1))));
        q
    };
    let waddr_q = pointer("waddr_q", &push);
    let raddr_q = pointer("raddr_q", &pop_i);
    let ports =
        [("write_i", &push), ("waddr_i", &waddr_q), ("wdata_i", &data_i), ("read_i", &pop_i), ("raddr_i", &raddr_q)];
    let data = m.instance("u_ram", &memory, &ports).out("rdata_o");
    m.output_is("ready_o", &not_full);
    m.output_is("tile_ready_o", &level_q.ge(&level_q.k(tile.into())));
    m.output_is("data_o", &data);
    m.output_is("empty_o", &level_q.eq_k(0));
    m.build()
}
