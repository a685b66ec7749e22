//! The matrix-multiply unit: feeds the array from the buffers and collects its sums in the accumulator banks.

use std::sync::Arc;

use spec::Config;

use super::ram::addr_bits;
use super::run_sizes::RunSizes;
use super::{accumulate, array, foot, module_name};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Flags that accompany a row of activations through the array.
const FLAGS: u32 = 7;

/// `<prefix>_matmul`: computes one chunk a command; a tile takes `max(rows, preload_cycles)` cycles.
///
/// Ports: command `cmd_valid_i`, `cmd_ready_o`, `cmd_bank_i`, `cmd_rows_i`, `cmd_k_tiles_i`, `cmd_n_tiles_i` (counts,
/// each modulo its power of two); weights
/// `tile_ready_i`, `pop_o`, `weight_i` (one cycle after `pop_o`); activations `act_read_o`, `act_bank_o`, `act_addr_o`,
/// `act_i` (one cycle later); `acts_done_o` (the chunk's last activations are being read); accumulator memory as in
/// [`accumulate::accumulate`]; `overrun_o`, where [`overruns`] (the chunk goes on past the end of a buffer); `done_o`,
/// `done_bank_o`; `row_o`, `wait_o` (a row enters; a row waits for weights).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn matmul(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Matrix multiply unit: a command computes one chunk of rows, N tiles outermost, K tiles next,\n\
         rows innermost; one row of a tile a cycle. The weights of the next tile enter the array while\n\
         the current one computes, so that a tile takes max(rows, {}) cycles.",
        config.preload_cycles()
    );
    let array_module = array::array(config)?;
    let accumulate = accumulate::accumulate(config)?;
    let mut m = ModuleBuilder::new(module_name(config, "matmul"), doc);
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let cmd_bank_i = m.input("cmd_bank_i", Ty::bit());
    let sizes = RunSizes::new(config);
    let cmd_rows_i = m.input("cmd_rows_i", Ty::u(sizes.row));
    let cmd_k_tiles_i = m.input("cmd_k_tiles_i", Ty::u(sizes.k_tiles));
    let cmd_n_tiles_i = m.input("cmd_n_tiles_i", Ty::u(sizes.n_tiles));
    let tile_ready_i = m.input("tile_ready_i", Ty::bit());
    let weight_i = m.input("weight_i", Ty::u(config.weight_word_bits()));
    let act_i = m.input("act_i", Ty::u(config.act_word_bits()));
    let rdata_i = m.input("rdata_i", Ty::u(config.acc_word_bits()));

    let rows = Rows::describe(&mut m, config, [&cmd_bank_i, &cmd_rows_i, &cmd_k_tiles_i, &cmd_n_tiles_i], &cmd_valid_i);
    let load_q = preload(&mut m, config, &rows, &tile_ready_i);

    m.section("The array; swap and flags wait one cycle for the activations read");
    let swap_q = m.pipe_reset("swap_q", 0, &rows.tile_start);
    let inputs = [("act_i", &act_i), ("swap_i", &swap_q), ("weight_i", &weight_i), ("load_i", &load_q)];
    let sum = m.instance("u_array", &array_module, &inputs).out("sum_o");
    let stages = 1 + array::latency_cycles(config);
    let line_q = m.reg("flags_q", Ty::u(stages * FLAGS));
    m.next_reset(&line_q, 0, None, &Expr::concat(&[line_q.part(0, (stages - 1) * FLAGS), rows.flags.clone()]));
    let flag = |i: u32| line_q.bit((stages - 1) * FLAGS + i);

    m.section("Accumulators");
    let inputs = [
        ("valid_i", &flag(0)),
        ("start_i", &flag(1)),
        ("first_i", &flag(2)),
        ("tile_last_i", &flag(3)),
        ("k_last_i", &flag(4)),
        ("chunk_last_i", &flag(5)),
        ("bank_i", &flag(6)),
        ("sum_i", &sum),
        ("rdata_i", &rdata_i),
    ];
    let out = m.instance("u_accumulate", &accumulate, &inputs);
    for port in ["read_o", "rbank_o", "raddr_o", "write_o", "wbank_o", "waddr_o", "wdata_o", "done_o", "done_bank_o"] {
        m.output_is(port, &out.out(port));
    }
    let acc_overrun = accumulate::overruns(config).then(|| out.out("overrun_o"));
    if let Some(overrun) = rows.overrun.into_iter().chain(acc_overrun).reduce(|a, b| a | b) {
        m.output_is("overrun_o", &overrun);
    }
    m.build()
}

/// Whether counts that are possible each may be too large together for a buffer.
pub fn overruns(config: &Config) -> bool {
    acts_overrun(config) || accumulate::overruns(config)
}

fn acts_overrun(config: &Config) -> bool {
    u64::from(config.max_rows()) * u64::from(config.max_k_tiles()) > u64::from(config.act_words())
}

/// The counters that walk through a chunk, and what they say in this cycle.
struct Rows {
    /// The first row of a tile enters.
    tile_start: Expr,
    /// A preload has begun for a tile that has not; a wire to be driven by the preload.
    next_loaded: Expr,
    /// `FLAGS` bits for the accumulators.
    flags: Expr,
    /// The chunk goes on past the last word of activations.
    overrun: Option<Expr>,
}

impl Rows {
    fn describe(m: &mut ModuleBuilder, config: &Config, cmd: [&Expr; 4], cmd_valid_i: &Expr) -> Self {
        let [bank_i, rows_i, k_tiles_i, n_tiles_i] = cmd;
        m.section("The chunk being computed");
        let active_q = m.reg("active_q", Ty::bit());
        let chunk_last = m.net("chunk_last", Ty::bit());
        let cmd_ready = m.wire("cmd_ready", &(!&active_q | &chunk_last));
        let accept = m.wire("accept", &(cmd_valid_i & &cmd_ready));
        m.output_is("cmd_ready_o", &cmd_ready);
        m.next_reset(&active_q, 0, Some(&cmd_ready), cmd_valid_i);
        let bank_q = m.pipe_if("bank_q", &accept, bank_i);
        let mut last = |name: &str, count: &Expr| m.pipe_if(name, &accept, &(count - count.k(1)));
        let last_row_q = last("last_row_q", rows_i);
        let last_k_q = last("last_k_q", k_tiles_i);
        let last_n_q = last("last_n_q", n_tiles_i);

        m.section("Row, K tile, N tile; activations are read in the same order for every N tile");
        let row_q = m.reg("row_q", rows_i.ty());
        let k_q = m.reg("k_q", k_tiles_i.ty());
        let n_q = m.reg("n_q", n_tiles_i.ty());
        let act_addr_q = m.reg("act_addr_q", Ty::u(addr_bits(config.act_words())));
        let next_loaded = m.net("next_loaded", Ty::bit());
        let first_row = m.wire("first_row", &row_q.eq_k(0));
        let tile_start = m.net("tile_start", Ty::bit());
        let may_start = if foot::forwards(config) {
            next_loaded.clone()
        } else {
            // Tiles whose weights came early could start in a row; a word of the accumulators takes two cycles.
            let started_q = m.pipe_reset("tile_started_q", 0, &tile_start);
            m.wire("may_start", &(&next_loaded & !&started_q))
        };
        let go = m.wire("go", &(&active_q & (!&first_row | &may_start)));
        m.assign(&tile_start, &(&go & &first_row));
        let row_last = m.wire("row_last", &row_q.eq(&last_row_q));
        let k_last = m.wire("k_last", &k_q.eq(&last_k_q));
        let n_last = m.wire("n_last", &n_q.eq(&last_n_q));
        m.assign(&chunk_last, &(&go & &row_last & &k_last & &n_last));
        let [row_d, k_d, n_d, act_addr_d] =
            [("row_d", &row_q), ("k_d", &k_q), ("n_d", &n_q), ("act_addr_d", &act_addr_q)]
                .map(|(name, q)| m.net(name, q.ty()));
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
                    b.set(&act_addr_d, &act_addr_q.k(0));
                });
            });
            b.when(&accept, |b| {
                b.set(&row_d, &row_q.k(0));
                b.set(&k_d, &k_q.k(0));
                b.set(&n_d, &n_q.k(0));
                b.set(&act_addr_d, &act_addr_q.k(0));
            });
        });
        let advance = m.wire("advance", &(&go | &accept));
        for (q, d) in [(&row_q, &row_d), (&k_q, &k_d), (&n_q, &n_d), (&act_addr_q, &act_addr_d)] {
            m.next_if(q, &advance, d);
        }
        let overrun = acts_overrun(config).then(|| {
            let at_end = m.wire("acts_at_end", &act_addr_q.eq_k(i128::from(config.act_words()) - 1));
            m.wire("acts_overrun", &(&go & &at_end & !(&row_last & &k_last)))
        });
        m.output_is("act_read_o", &go);
        m.output_is("act_bank_o", &bank_q);
        m.output_is("act_addr_o", &act_addr_q);
        m.output_is("acts_done_o", &chunk_last);
        m.output_is("row_o", &go);
        m.output_is("wait_o", &(&active_q & !&go));

        let first_k = m.wire("first_k", &k_q.eq_k(0));
        let start = m.wire("chunk_start", &(&tile_start & &first_k & n_q.eq_k(0)));
        let flags = [bank_q, chunk_last, k_last, row_last, first_k, start, go];
        let flags = m.wire("flags", &Expr::concat(&flags));
        Self { tile_start, next_loaded, flags, overrun }
    }
}

/// Lets the weights of the next tile into the array; returns the one-hot row marker that goes with `weight_i`.
fn preload(m: &mut ModuleBuilder, config: &Config, rows: &Rows, tile_ready_i: &Expr) -> Expr {
    let cycles = config.preload_cycles();
    m.section("Preload: may start in the cycle in which the previous tile starts, never waits midway");
    let load_q = m.reg("load_q", Ty::u(cycles));
    let next_loaded_q = m.reg("next_loaded_q", Ty::bit());
    m.assign(&rows.next_loaded, &next_loaded_q);
    let busy = if cycles > 1 { load_q.part(0, cycles - 1).any() } else { Expr::u(1, 0) };
    let busy = m.wire("preload_busy", &busy);
    let free = m.wire("preload_free", &(!&next_loaded_q | &rows.tile_start));
    let start = m.wire("preload_start", &(tile_ready_i & !&busy & &free));
    m.next_reset(&next_loaded_q, 0, None, &(&start | (&next_loaded_q & !&rows.tile_start)));
    let load_d = if cycles > 1 { Expr::concat(&[load_q.part(0, cycles - 1), start.clone()]) } else { start.clone() };
    m.next_reset(&load_q, 0, None, &load_d);
    m.output_is("pop_o", &(&start | &busy));
    load_q
}
