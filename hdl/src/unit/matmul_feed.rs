//! Weights into the array: the preload of the next tile, and in the accelerator the command it belongs to.

use std::sync::Arc;

use spec::Config;

use super::matmul_meaning::Meaning;
use super::matmul_rows::{Chunk, Whole};
#[cfg(doc)]
use super::mm::command_ports;
use super::mm_plan::MmPlan;
use super::module_name;
use super::ram::addr_bits;
use super::requant_plan::count_of;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// A preload in progress.
pub(super) struct Preload {
    /// One-hot row marker that goes with `weight_i`.
    pub load_q: Expr,
    /// A preload begins.
    pub start: Expr,
    /// Words of weights after the first are being read.
    pub busy: Expr,
    /// A preload has begun for a tile that has not started.
    pub next_loaded_q: Expr,
}

/// Lets the weights of the next tile into the array while `ready` says that they are there.
pub(super) fn preload(m: &mut ModuleBuilder, config: &Config, tile_start: &Expr, ready: &Expr) -> Preload {
    let cycles = config.preload_cycles();
    m.section("Preload: may start in the cycle in which the previous tile starts, never waits midway");
    let load_q = m.reg("load_q", Ty::u(cycles));
    let next_loaded_q = m.reg("next_loaded_q", Ty::bit());
    let busy = if cycles > 1 { load_q.part(0, cycles - 1).any() } else { Expr::u(1, 0) };
    let busy = m.wire("preload_busy", &busy);
    let free = m.wire("preload_free", &(!&next_loaded_q | tile_start));
    let start = m.wire("preload_start", &(ready & !&busy & &free));
    m.next_reset(&next_loaded_q, 0, None, &(&start | (&next_loaded_q & !tile_start)));
    let load_d = if cycles > 1 { Expr::concat(&[load_q.part(0, cycles - 1), start.clone()]) } else { start.clone() };
    m.next_reset(&load_q, 0, None, &load_d);
    Preload { load_q, start, busy, next_loaded_q }
}

/// `<prefix>_matmul_feed`: the command whose weights enter the array; it is kept until its last tile has begun to enter
/// and its rows are being computed.
///
/// Ports: `cmd_valid_i`, `cmd_ready_o`, [`command_ports`], `accept_o` (a command comes); its chunk for the rows
/// ([`Chunk`]): `valid_o`, `rows_ready_i`, `taken_o` (both), `bank_o`, `last_row_o`, `last_k_o`, `last_n_o`, `half_o`, `act_o`,
/// `add_o`, with scales `last_tile_o`, `blocks_o`; `room_i` (the feet can take one more command), `to_feet_o` (what they need
/// of it: lowest first tag, first accumulator word, and where built kind of scales, whether activations have blocks);
/// weights `tile_ready_i`, `pop_o`, `load_o` (one-hot, with the weights popped), `tile_start_i`, `next_loaded_o`; where formats
/// differ `code_o` (place of their code in [`super::mm_plan::weight_codes`], with `load_o`), `e2m1_o` (its activations are
/// E2M1). With scales `weights_empty_i`, `scale_room_i` (the scale buffer has a free place), `header_reserve_o` (a header's
/// first word is read), `header_complete_o` (its last one), and where headers may take two words `header_first_o` (a word
/// that is not the last), `two_headers_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub(super) fn matmul_feed(config: &Config, plan: &MmPlan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Commands and weights of the matrix multiply unit. The weights of the next tile enter the array\n\
         while the current one computes, {} of each tile, also across commands.{}",
        count_of(config.preload_cycles(), "word"),
        if plan.scales.any() {
            " Headers of block scales\nare read while the weight buffer has no weights to give."
        } else {
            ""
        }
    );
    let mut m = ModuleBuilder::new(module_name(config, "matmul_feed"), doc);
    let room_i = m.input("room_i", Ty::bit());
    let rows_ready_i = m.input("rows_ready_i", Ty::bit());
    let tile_start_i = m.input("tile_start_i", Ty::bit());
    let feed = Feed::describe(&mut m, config, plan, &room_i)?;
    m.assign(&feed.taken, &(&feed.chunk.valid & &rows_ready_i));
    feed.walk(&mut m, config, &tile_start_i);
    let Feed { chunk, taken, at_feet, accept, e2m1_q, .. } = feed;
    let mut out = |name: &str, value: &Expr| m.output_is(name, value);
    out("accept_o", &accept);
    out("taken_o", &taken);
    out("to_feet_o", &at_feet);
    out("valid_o", &chunk.valid);
    out("bank_o", &chunk.bank);
    out("last_row_o", &chunk.last_row);
    out("last_k_o", &chunk.last_k);
    out("last_n_o", &chunk.last_n);
    if let Some(whole) = &chunk.whole {
        out("half_o", &whole.half);
        out("act_o", &whole.act);
        out("add_o", &whole.add);
        if let Some((last_tile, some)) = &whole.block {
            out("last_tile_o", last_tile);
            out("blocks_o", some);
        }
    }
    if let Some(e2m1_q) = &e2m1_q {
        out("e2m1_o", e2m1_q);
    }
    m.build()
}

struct Feed {
    /// For the counters of rows.
    chunk: Chunk,
    /// Its rows are taken in this cycle; a wire to be driven.
    taken: Expr,
    at_feet: Expr,
    /// A command is accepted.
    accept: Expr,
    /// Place of its weights' code in [`super::mm_plan::weight_codes`].
    code_q: Option<Expr>,
    /// Its activations are E2M1.
    e2m1_q: Option<Expr>,
    held: Held,
}

struct Blocks {
    /// The command whose weights enter has blocks; the one that is accepted has.
    some: Expr,
    comes: Expr,
    last_tile_q: Expr,
}

struct Held {
    feeds: Expr,
    accept: Expr,
    last_k_q: Expr,
    last_n_q: Expr,
    last_fed: Expr,
    two_headers_q: Option<Expr>,
    blocks: Option<Blocks>,
}

impl Feed {
    /// Takes commands; `room` says that the feet can take one more.
    fn describe(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan, room: &Expr) -> Result<Self, Error> {
        let meaning = Meaning::describe(m, config, plan)?;
        m.section("The command whose weights enter; its rows may begin as soon as the previous command's are done");
        let valid_i = m.input("cmd_valid_i", Ty::bit());
        let count = |m: &mut ModuleBuilder, name: &str, port_bits: u32, bits: u32| {
            let count = m.input(&format!("cmd_{name}_i"), Ty::u(port_bits));
            let low = m.wire(&format!("{name}_count"), &count.part(0, bits.min(port_bits)).extend(bits));
            &low - low.k(1)
        };
        let last_row = count(m, "rows", 11, plan.row);
        let last_k = count(m, "k_tiles", 12, plan.k_tiles);
        let last_n = count(m, "n_tiles", 16, plan.n_tiles);
        let half_i = m.input("cmd_half_i", Ty::bit());
        let bank_i = m.input("cmd_bank_i", Ty::bit());
        let act_i = m.input("cmd_act_i", Ty::u(14));
        let acc_i = m.input("cmd_acc_i", Ty::u(14));
        let add_i = m.input("cmd_add_i", Ty::bit());
        let tag_i = m.input("cmd_tag_i", Ty::u(4));

        let valid_q = m.reg("feed_valid_q", Ty::bit());
        let fed_q = m.reg("fed_q", Ty::bit());
        let taken_q = m.reg("taken_q", Ty::bit());
        let last_fed = m.net("last_fed", Ty::bit());
        let taken = m.net("taken", Ty::bit());
        let is_done = (&fed_q | &last_fed) & (&taken_q | &taken);
        let ready = m.wire("feed_ready", &(!&valid_q | is_done));
        m.output_is("cmd_ready_o", &ready);
        let accept = m.wire("feed_accept", &(&valid_i & &ready));
        m.next_reset(&valid_q, 0, Some(&ready), &valid_i);
        m.next(&taken_q, &(!&accept & (&taken_q | &taken)));
        m.next(&fed_q, &(!&accept & (&fed_q | &last_fed)));
        let mut keep = |name: &str, value: &Expr| m.pipe_if(name, &accept, value);
        let last_row_q = keep("feed_last_row_q", &last_row);
        let last_k_q = keep("feed_last_k_q", &last_k);
        let last_n_q = keep("feed_last_n_q", &last_n);
        let half_q = keep("feed_half_q", &half_i);
        let bank_q = keep("feed_bank_q", &bank_i);
        let act_q = keep("feed_act_q", &act_i.part(0, addr_bits(plan.act_words)));
        let acc_q = keep("feed_acc_q", &acc_i.part(0, addr_bits(plan.acc_words)));
        let add_q = keep("feed_add_q", &add_i);
        let tag_q = keep("feed_tag_q", &tag_i);
        let code_q = meaning.code.map(|code| keep("feed_code_q", &code));
        let e2m1_q = meaning.e2m1.map(|e2m1| keep("feed_e2m1_q", &e2m1));
        let two_headers_q = meaning.two_headers.map(|two| keep("two_headers_q", &two));
        let act_blocks_q = meaning.act_blocks.map(|blocks| keep("feed_act_blocks_q", &blocks));
        let blocks = meaning
            .blocks
            .map(|(kind, last_tile)| (kind.any(), keep("feed_kind_q", &kind), keep("feed_last_tile_q", &last_tile)));
        let kind_q = blocks.as_ref().map(|(_, kind_q, _)| kind_q.clone());
        let blocks = blocks.map(|(comes, kind_q, last_tile_q)| {
            let some = m.wire("feed_blocks", &kind_q.any());
            Blocks { some, comes, last_tile_q }
        });

        let block = blocks.as_ref().map(|b| (b.last_tile_q.clone(), b.some.clone()));
        let whole = Whole { half: half_q, act: act_q, add: add_q, block };
        let waits = m.wire("feed_waits", &(&valid_q & !&taken_q & room));
        let chunk = Chunk {
            valid: waits,
            bank: bank_q,
            last_row: last_row_q,
            last_k: last_k_q.clone(),
            last_n: last_n_q.clone(),
            whole: Some(whole),
        };
        let at_feet: Vec<Expr> = act_blocks_q.into_iter().chain(kind_q).chain([acc_q, tag_q]).collect();
        let at_feet = m.wire("to_feet", &Expr::concat(&at_feet));
        let feeds = m.wire("feeds", &(&valid_q & !&fed_q));
        let held = Held { feeds, accept: accept.clone(), last_k_q, last_n_q, last_fed, two_headers_q, blocks };
        Ok(Self { chunk, taken, at_feet, accept, code_q, e2m1_q, held })
    }

    /// Walks through the command's headers and tiles.
    fn walk(&self, m: &mut ModuleBuilder, config: &Config, tile_start: &Expr) {
        let tile_ready_i = m.input("tile_ready_i", Ty::bit());
        let held = &self.held;
        let wants_header_q = held.blocks.as_ref().map(|_| m.reg("wants_header_q", Ty::bit()));
        let mut ready = &held.feeds & &tile_ready_i;
        if let Some(wants_header_q) = &wants_header_q {
            ready = ready & !wants_header_q;
        }
        let ready = m.wire("weights_ready", &ready);
        let preload = preload(m, config, tile_start, &ready);

        m.section("K tile and N tile whose weights enter next");
        let k_q = m.reg("feed_k_q", held.last_k_q.ty());
        let n_q = m.reg("feed_n_q", held.last_n_q.ty());
        let k_last = m.wire("feed_k_last", &k_q.eq(&held.last_k_q));
        let n_last = m.wire("feed_n_last", &n_q.eq(&held.last_n_q));
        m.assign(&held.last_fed, &(&preload.start & &k_last & &n_last));
        let step = m.wire("feed_step", &(&held.accept | &preload.start));
        let anew = m.wire("feed_k_anew", &(&held.accept | &k_last));
        m.next_if(&k_q, &step, &anew.mux(&k_q.k(0), &(&k_q + k_q.k(1))));
        let n_step = m.wire("feed_n_step", &(&held.accept | (&preload.start & &k_last)));
        m.next_if(&n_q, &n_step, &held.accept.mux(&n_q.k(0), &(&n_q + n_q.k(1))));

        let header_pop = wants_header_q.zip(held.blocks.as_ref()).map(|(wants_q, blocks)| {
            m.section("Headers: read while no weights are, as soon as the block before has entered");
            let empty_i = m.input("weights_empty_i", Ty::bit());
            let room_i = m.input("scale_room_i", Ty::bit());
            let tile_q = m.reg("feed_tile_q", blocks.last_tile_q.ty());
            let block_ends = m.wire("feed_block_ends", &(&anew | tile_q.eq(&blocks.last_tile_q)));
            m.next_if(&tile_q, &step, &block_ends.mux(&tile_q.k(0), &(&tile_q + tile_q.k(1))));
            let can_read = m.wire("header_readable", &(&wants_q & &held.feeds & !&preload.busy & !&empty_i));
            let (pop, complete, reserve) = match &held.two_headers_q {
                Some(two_q) => {
                    let second_q = m.reg("second_header_q", Ty::bit());
                    let pop = m.wire("header_pop", &(can_read & (&second_q | &room_i)));
                    let complete = m.wire("header_complete", &(&pop & (&second_q | !two_q)));
                    m.next_reset(&second_q, 0, Some(&pop), &(!&second_q & two_q));
                    m.output_is("header_first_o", &(&pop & !&complete));
                    m.output_is("two_headers_o", two_q);
                    let reserve = &pop & !&second_q;
                    (pop, complete, reserve)
                }
                None => {
                    let pop = m.wire("header_pop", &(can_read & &room_i));
                    (pop.clone(), pop.clone(), pop)
                }
            };
            m.output_is("header_reserve_o", &reserve);
            m.output_is("header_complete_o", &complete);
            let wants_d = m.net("wants_header_d", Ty::bit());
            m.comb("a header comes before the first tile of each block", |b| {
                b.set(&wants_d, &(&wants_q & !&complete));
                b.when(&preload.start, |b| b.set(&wants_d, &(&block_ends & &blocks.some)));
                b.when(&held.accept, |b| b.set(&wants_d, &blocks.comes));
            });
            m.next_reset(&wants_q, 0, None, &wants_d);
            pop
        });
        let mut pop = &preload.start | &preload.busy;
        if let Some(header_pop) = &header_pop {
            pop = pop | header_pop;
        }
        m.output_is("pop_o", &pop);
        m.output_is("load_o", &preload.load_q);
        m.output_is("next_loaded_o", &preload.next_loaded_q);
        if let Some(code) = &self.code_q {
            // The command may change while its last tile's words are still being read.
            let code_q = m.pipe_if("code_q", &preload.start, code);
            m.output_is("code_o", &code_q);
        }
    }
}
