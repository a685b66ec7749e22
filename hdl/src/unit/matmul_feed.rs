//! Weights into the array: the preload of the next tile, and in the accelerator the command it belongs to.

use spec::Config;

use super::matmul_meaning::Meaning;
use super::matmul_rows::{Chunk, Rows, Whole};
use super::mm_plan::MmPlan;
use super::ram::addr_bits;
use crate::rtl::{Expr, ModuleBuilder, Ty};

/// A preload in progress.
pub(super) struct Preload {
    /// One-hot row marker that goes with `weight_i`.
    pub load_q: Expr,
    /// A preload begins.
    pub start: Expr,
    /// Words of weights after the first are being read.
    pub busy: Expr,
}

/// Lets the weights of the next tile into the array while `ready` says that they are there.
pub(super) fn preload(m: &mut ModuleBuilder, config: &Config, rows: &Rows, ready: &Expr) -> Preload {
    let cycles = config.preload_cycles();
    m.section("Preload: may start in the cycle in which the previous tile starts, never waits midway");
    let load_q = m.reg("load_q", Ty::u(cycles));
    let next_loaded_q = m.reg("next_loaded_q", Ty::bit());
    m.assign(&rows.next_loaded, &next_loaded_q);
    let busy = if cycles > 1 { load_q.part(0, cycles - 1).any() } else { Expr::u(1, 0) };
    let busy = m.wire("preload_busy", &busy);
    let free = m.wire("preload_free", &(!&next_loaded_q | &rows.tile_start));
    let start = m.wire("preload_start", &(ready & !&busy & &free));
    m.next_reset(&next_loaded_q, 0, None, &(&start | (&next_loaded_q & !&rows.tile_start)));
    let load_d = if cycles > 1 { Expr::concat(&[load_q.part(0, cycles - 1), start.clone()]) } else { start.clone() };
    m.next_reset(&load_q, 0, None, &load_d);
    Preload { load_q, start, busy }
}

/// The accelerator's command whose weights enter; it is kept until its last tile has begun to enter and its rows are
/// being computed.
pub(super) struct Feed {
    /// For the counters of rows.
    pub chunk: Chunk,
    /// Its rows are taken in this cycle; a wire to be driven.
    pub taken: Expr,
    /// What the column feet need of it, lowest first: tag, first accumulator word, and where built kind of scales, whether
    /// activations have blocks.
    pub at_feet: Expr,
    /// A command is accepted.
    pub accept: Expr,
    /// Place of its weights' code in [`super::mm_plan::weight_codes`].
    code_q: Option<Expr>,
    /// Its activations are E2M1.
    pub e2m1_q: Option<Expr>,
    held: Held,
}

/// Header words of scales that are read from the weight buffer.
pub(super) struct Header {
    /// The last word of a header is being read.
    pub complete: Expr,
    /// Its first word is being read: it takes a place of the scale buffer.
    pub reserve: Expr,
    /// The scale buffer has a free place; a wire to be driven.
    pub room: Expr,
    /// Where headers may take two words: a word that is not the last is being read, and this header has two.
    pub two: Option<(Expr, Expr)>,
}

/// What the walk through the tiles says.
pub(super) struct Walk {
    /// One-hot row marker that goes with `weight_i`.
    pub load_q: Expr,
    /// Place in [`super::mm_plan::weight_codes`] of the code of `weight_i`, where there are several.
    pub code_q: Option<Expr>,
    /// Headers, where there are scales.
    pub header: Option<Header>,
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
    pub fn describe(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan, room: &Expr) -> Self {
        let meaning = Meaning::describe(m, config, plan);
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
        Self { chunk, taken, at_feet, accept, code_q, e2m1_q, held }
    }

    /// Walks through the command's headers and tiles.
    pub fn walk(&self, m: &mut ModuleBuilder, config: &Config, rows: &Rows) -> Walk {
        let tile_ready_i = m.input("tile_ready_i", Ty::bit());
        let held = &self.held;
        let wants_header_q = held.blocks.as_ref().map(|_| m.reg("wants_header_q", Ty::bit()));
        let mut ready = &held.feeds & &tile_ready_i;
        if let Some(wants_header_q) = &wants_header_q {
            ready = ready & !wants_header_q;
        }
        let ready = m.wire("weights_ready", &ready);
        let preload = preload(m, config, rows, &ready);

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

        let header = wants_header_q.zip(held.blocks.as_ref()).map(|(wants_q, blocks)| {
            m.section("Headers: read while no weights are, as soon as the block before has entered");
            let empty_i = m.input("weights_empty_i", Ty::bit());
            let room = m.net("scale_room", Ty::bit());
            let tile_q = m.reg("feed_tile_q", blocks.last_tile_q.ty());
            let block_ends = m.wire("feed_block_ends", &(&anew | tile_q.eq(&blocks.last_tile_q)));
            m.next_if(&tile_q, &step, &block_ends.mux(&tile_q.k(0), &(&tile_q + tile_q.k(1))));
            let can_read = m.wire("header_readable", &(&wants_q & &held.feeds & !&preload.busy & !&empty_i));
            let (pop, header) = match &held.two_headers_q {
                Some(two_q) => {
                    let second_q = m.reg("second_header_q", Ty::bit());
                    let pop = m.wire("header_pop", &(can_read & (&second_q | &room)));
                    let complete = m.wire("header_complete", &(&pop & (&second_q | !two_q)));
                    m.next_reset(&second_q, 0, Some(&pop), &(!&second_q & two_q));
                    let reserve = m.wire("header_reserve", &(&pop & !&second_q));
                    let first = m.wire("header_first", &(&pop & !&complete));
                    (pop, Header { complete, reserve, room, two: Some((first, two_q.clone())) })
                }
                None => {
                    let pop = m.wire("header_pop", &(can_read & &room));
                    (pop.clone(), Header { complete: pop.clone(), reserve: pop, room, two: None })
                }
            };
            let wants_d = m.net("wants_header_d", Ty::bit());
            m.comb("a header comes before the first tile of each block", |b| {
                b.set(&wants_d, &(&wants_q & !&header.complete));
                b.when(&preload.start, |b| b.set(&wants_d, &(&block_ends & &blocks.some)));
                b.when(&held.accept, |b| b.set(&wants_d, &blocks.comes));
            });
            m.next_reset(&wants_q, 0, None, &wants_d);
            (pop, header)
        });
        let mut pop = &preload.start | &preload.busy;
        if let Some((header_pop, _)) = &header {
            pop = pop | header_pop;
        }
        m.output_is("pop_o", &pop);
        // The command may change while its last tile's words are still being read.
        let code_q = self.code_q.as_ref().map(|code| m.pipe_if("code_q", &preload.start, code));
        Walk { load_q: preload.load_q, code_q, header: header.map(|(_, header)| header) }
    }
}
