//! The counters that walk through a chunk: which row of which tile enters the array.

use std::sync::Arc;

use spec::Config;

use super::mm_plan::MmPlan;
use super::ram::addr_bits;
use super::{foot, matmul, module_name};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Flags that accompany a row of activations through the array.
pub(super) struct Flags;

impl Flags {
    pub const VALID: u32 = 0;
    pub const START: u32 = 1;
    pub const FIRST: u32 = 2;
    pub const TILE_LAST: u32 = 3;
    pub const K_LAST: u32 = 4;
    pub const CHUNK_LAST: u32 = 5;
    pub const BANK: u32 = 6;
    /// Last row of a block with scales; only where there are scales.
    pub const BLOCK_LAST: u32 = 7;

    /// How many there are.
    pub fn count(plan: &MmPlan) -> u32 {
        if plan.scales.any() { 8 } else { 7 }
    }
}

/// A command that waits to be taken.
pub(super) struct Chunk {
    pub valid: Expr,
    pub bank: Expr,
    pub last_row: Expr,
    pub last_k: Expr,
    pub last_n: Expr,
    pub whole: Option<Whole>,
}

/// What the accelerator's commands say beside.
pub(super) struct Whole {
    /// Half of the activation buffer; `Chunk::bank` is the accumulators'.
    pub half: Expr,
    /// First activation word.
    pub act: Expr,
    /// The first K tile adds to what is stored.
    pub add: Expr,
    /// K tiles of a block less one, and whether there are blocks; where there are scales.
    pub block: Option<(Expr, Expr)>,
}

/// What the counters say in this cycle.
pub(super) struct Rows {
    /// The unit can take a chunk.
    pub ready: Expr,
    /// The first row of a tile enters.
    pub tile_start: Expr,
    /// A preload has begun for a tile that has not started; a wire to be driven by the preload.
    pub next_loaded: Expr,
    /// [`Flags::count`] bits for the accumulators.
    pub flags: Expr,
    /// The chunk goes on past the last word of activations.
    pub overrun: Option<Expr>,
}

impl Rows {
    /// An instance of [`matmul_rows`], whose outputs to the buffers become the module's.
    pub fn describe(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan, chunk: &Chunk) -> Result<Self, Error> {
        m.section("Rows of activations");
        let next_loaded = m.net("next_loaded", Ty::bit());
        let mut ports = vec![
            ("valid_i", &chunk.valid),
            ("bank_i", &chunk.bank),
            ("last_row_i", &chunk.last_row),
            ("last_k_i", &chunk.last_k),
            ("last_n_i", &chunk.last_n),
            ("next_loaded_i", &next_loaded),
        ];
        if let Some(whole) = &chunk.whole {
            ports.extend([("half_i", &whole.half), ("act_i", &whole.act), ("add_i", &whole.add)]);
            if let Some((last_tile, some)) = &whole.block {
                ports.extend([("last_tile_i", last_tile), ("blocks_i", some)]);
            }
        }
        let out = m.instance("u_rows", &matmul_rows(config, plan, chunk)?, &ports);
        for port in ["act_read_o", "act_bank_o", "act_addr_o", "row_o", "wait_o"] {
            m.output_is(port, &out.out(port));
        }
        if !plan.whole {
            m.output_is("cmd_ready_o", &out.out("ready_o"));
            m.output_is("acts_done_o", &out.out("acts_done_o"));
        }
        Ok(Self {
            ready: out.out("ready_o"),
            tile_start: out.out("tile_start_o"),
            next_loaded,
            flags: out.out("flags_o"),
            overrun: overruns(config, plan).then(|| out.out("overrun_o")),
        })
    }
}

/// Whether the unit watches for chunks that go on past the last word of activations.
fn overruns(config: &Config, plan: &MmPlan) -> bool {
    !plan.whole && matmul::acts_overrun(config)
}

/// `<prefix>_matmul_rows`: takes a chunk and says, cycle by cycle, which row of activations enters the array.
///
/// Ports: the chunk as in [`Chunk`]: `valid_i`, `ready_o`, `bank_i`, `last_row_i`, `last_k_i`, `last_n_i` (counts less
/// one), in the accelerator `half_i`, `act_i`, `add_i` and, with scales, `last_tile_i`, `blocks_i`; `next_loaded_i` (the next tile's
/// weights have begun to enter); `tile_start_o` (a tile's first row enters); reads of the activation buffer `act_read_o`,
/// `act_bank_o`, `act_addr_o`; `flags_o` ([`Flags`]); `row_o`, `wait_o` (a row enters; one waits for weights). In the tile engine
/// `acts_done_o` (the chunk's last activations are being read) and, where that can be, `overrun_o` (it goes on past the
/// buffer's last word).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
fn matmul_rows(config: &Config, plan: &MmPlan, like: &Chunk) -> Result<Arc<Module>, Error> {
    let doc = "Rows of the matrix multiply unit: one row of activations a cycle, rows innermost, K tiles next,\n\
               N tiles outermost. A tile starts when its weights have begun to enter the array; from then on\n\
               it does not wait. A chunk follows the one before without a gap.";
    let mut m = ModuleBuilder::new(module_name(config, "matmul_rows"), doc);
    let mut input = |name: &str, like: &Expr| m.input(name, like.ty());
    let chunk = Chunk {
        valid: input("valid_i", &like.valid),
        bank: input("bank_i", &like.bank),
        last_row: input("last_row_i", &like.last_row),
        last_k: input("last_k_i", &like.last_k),
        last_n: input("last_n_i", &like.last_n),
        whole: like.whole.as_ref().map(|whole| Whole {
            half: input("half_i", &whole.half),
            act: input("act_i", &whole.act),
            add: input("add_i", &whole.add),
            block: whole.block.as_ref().map(|(last, some)| (input("last_tile_i", last), input("blocks_i", some))),
        }),
    };
    let next_loaded = m.input("next_loaded_i", Ty::bit());
    counters(&mut m, config, plan, &chunk, &next_loaded);
    m.build()
}

fn counters(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan, chunk: &Chunk, next_loaded: &Expr) {
    m.section("The chunk being computed");
    let active_q = m.reg("active_q", Ty::bit());
    let chunk_last = m.net("chunk_last", Ty::bit());
    let ready = m.wire("cmd_ready", &(!&active_q | &chunk_last));
    let accept = m.wire("accept", &(&chunk.valid & &ready));
    m.output_is("ready_o", &ready);
    m.next_reset(&active_q, 0, Some(&ready), &chunk.valid);
    let bank_q = m.pipe_if("bank_q", &accept, &chunk.bank);
    let mut keep = |name: &str, value: &Expr| m.pipe_if(name, &accept, value);
    let last_row_q = keep("last_row_q", &chunk.last_row);
    let last_k_q = keep("last_k_q", &chunk.last_k);
    let last_n_q = keep("last_n_q", &chunk.last_n);
    let half_q = chunk.whole.as_ref().map(|w| keep("half_q", &w.half));
    let first_act_q = chunk.whole.as_ref().map(|w| keep("first_act_q", &w.act));
    let add_q = chunk.whole.as_ref().map(|w| keep("add_q", &w.add));
    let block = chunk.whole.as_ref().and_then(|w| w.block.as_ref());
    let block = block.map(|(last, some)| (keep("last_tile_q", last), keep("has_blocks_q", some)));

    m.section("Row, K tile, N tile; activations are read in the same order for every N tile");
    let row_q = m.reg("row_q", chunk.last_row.ty());
    let k_q = m.reg("k_q", chunk.last_k.ty());
    let n_q = m.reg("n_q", chunk.last_n.ty());
    let act_addr_q = m.reg("act_addr_q", Ty::u(addr_bits(plan.act_words)));
    let first_row = m.wire("first_row", &row_q.eq_k(0));
    let tile_start = m.net("tile_start", Ty::bit());
    let go = m.net("go", Ty::bit());
    let may_start = if foot::forwards(config) {
        next_loaded.clone()
    } else {
        // Tiles whose weights came early could start in a row; a word of the accumulators takes two cycles.
        let started_q = m.pipe_reset("tile_started_q", 0, &tile_start);
        let mut may_start = next_loaded & !&started_q;
        if let Some(add_q) = &add_q {
            // The word to add to may be the one that the previous chunk's last row is still being added to.
            let went_q = m.pipe_reset("went_q", 0, &go);
            let opens = m.wire("opens", &(k_q.eq_k(0) & n_q.eq_k(0)));
            may_start = may_start & !(&went_q & add_q & opens);
        }
        m.wire("may_start", &may_start)
    };
    m.assign(&go, &(&active_q & (!&first_row | &may_start)));
    m.assign(&tile_start, &(&go & &first_row));
    let row_last = m.wire("row_last", &row_q.eq(&last_row_q));
    let k_last = m.wire("k_last", &k_q.eq(&last_k_q));
    let n_last = m.wire("n_last", &n_q.eq(&last_n_q));
    m.assign(&chunk_last, &(&go & &row_last & &k_last & &n_last));
    let [row_d, k_d, n_d, act_addr_d] = [("row_d", &row_q), ("k_d", &k_q), ("n_d", &n_q), ("act_addr_d", &act_addr_q)]
        .map(|(name, q)| m.net(name, q.ty()));
    let (again, anew) = match (&first_act_q, &chunk.whole) {
        (Some(first), Some(whole)) => (first.clone(), whole.act.clone()),
        _ => (act_addr_q.k(0), act_addr_q.k(0)),
    };
    m.comb("next row", |b| {
        b.set(&row_d, &(&row_q + row_q.k(1)));
        b.set(&k_d, &k_q);
        b.set(&n_d, &n_q);
        b.set(&act_addr_d, &(&act_addr_q + act_addr_q.k(1)));
        b.when(&row_last, |b| {
            b.set(&row_d, &row_q.k(0));
            b.set(&k_d, &(&k_q + k_q.k(1)));
            b.when(&k_last, |b| {
                b.set(&k_d, &k_q.k(0));
                b.set(&n_d, &(&n_q + n_q.k(1)));
                b.set(&act_addr_d, &again);
            });
        });
        b.when(&accept, |b| {
            b.set(&row_d, &row_q.k(0));
            b.set(&k_d, &k_q.k(0));
            b.set(&n_d, &n_q.k(0));
            b.set(&act_addr_d, &anew);
        });
    });
    let advance = m.wire("advance", &(&go | &accept));
    for (q, d) in [(&row_q, &row_d), (&k_q, &k_d), (&n_q, &n_d), (&act_addr_q, &act_addr_d)] {
        m.next_if(q, &advance, d);
    }
    if overruns(config, plan) {
        let at_end = m.wire("acts_at_end", &act_addr_q.eq_k(i128::from(plan.act_words) - 1));
        m.output_is("overrun_o", &(&go & &at_end & !(&row_last & &k_last)));
    }
    m.output_is("act_read_o", &go);
    m.output_is("act_bank_o", half_q.as_ref().unwrap_or(&bank_q));
    m.output_is("act_addr_o", &act_addr_q);
    if !plan.whole {
        m.output_is("acts_done_o", &chunk_last);
    }
    m.output_is("row_o", &go);
    m.output_is("wait_o", &(&active_q & !&go));

    let block_last = block.map(|(last_tile_q, has_blocks_q)| {
        m.section("K tiles of a block; the last block of a row may have fewer");
        let tile_q = m.reg("tile_q", last_tile_q.ty());
        let block_ends = m.wire("block_ends", &(&k_last | tile_q.eq(&last_tile_q)));
        let step = m.wire("tile_step", &(&accept | (&go & &row_last)));
        let anew = &accept | &block_ends;
        m.next_if(&tile_q, &step, &anew.mux(&tile_q.k(0), &(&tile_q + tile_q.k(1))));
        m.wire("block_last", &(&row_last & &block_ends & &has_blocks_q))
    });
    let first_k = m.wire("first_k", &k_q.eq_k(0));
    let start = m.wire("chunk_start", &(&tile_start & &first_k & n_q.eq_k(0)));
    let first = match &add_q {
        Some(add_q) => m.wire("fresh", &(&first_k & !add_q)),
        None => first_k,
    };
    let mut flags = vec![bank_q, chunk_last, k_last, row_last, first, start, go];
    if let Some(block_last) = block_last {
        flags.insert(0, block_last);
    }
    m.output_is("tile_start_o", &tile_start);
    m.output_is("flags_o", &Expr::concat(&flags));
}
