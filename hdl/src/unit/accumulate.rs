//! Read-modify-write of the accumulator banks, so that K may have any number of tiles.

use std::sync::Arc;

use spec::Config;

use super::mm_plan::MmPlan;
use super::ram::addr_bits;
use super::{foot, module_name};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_accumulate`: one row of column sums a cycle into the accumulator word of its row and N tile.
///
/// Ports: `valid_i`, `start_i` (first row of a chunk), `first_i` (first K tile), `tile_last_i` (last row of a tile),
/// `k_last_i` (last K tile), `chunk_last_i`, `bank_i`, `sum_i` `[cols]`; memory: `read_o`, `raddr_o`, `rbank_o`,
/// `rdata_i` (one cycle later), `write_o`, `wbank_o`, `waddr_o`, `wdata_o`; `done_o`, `done_bank_o`: the chunk is
/// complete (one cycle). Words stand in the order N tile, row; a word is written in the cycle after its sum arrived.
///
/// In the accelerator `base_i` is the chunk's first word and a sum may have been scaled.
/// `overrun_o`, in the tile engine where [`overruns`]: the chunk goes on past the bank's last word.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn accumulate(config: &Config) -> Result<Arc<Module>, Error> {
    adder(config, &MmPlan::engine(config))
}

/// [`accumulate`] of a plan's widths.
pub(super) fn adder(config: &Config, plan: &MmPlan) -> Result<Arc<Module>, Error> {
    let cols = config.array.cols;
    let doc = "Accumulators: adds each row of column sums to its word, which is read in the cycle the\n\
               sums arrive and written in the next one. Rows of one K tile follow each other, then the\n\
               same words again for the next K tile, then the words of the next N tile.";
    let foot = foot::adder(config, plan)?;
    let mut m = ModuleBuilder::new(module_name(config, "accumulate"), doc);
    let flag = |m: &mut ModuleBuilder, name: &str| m.input(name, Ty::bit());
    let valid_i = flag(&mut m, "valid_i");
    let start_i = flag(&mut m, "start_i");
    let first_i = flag(&mut m, "first_i");
    let tile_last_i = flag(&mut m, "tile_last_i");
    let k_last_i = flag(&mut m, "k_last_i");
    let chunk_last_i = flag(&mut m, "chunk_last_i");
    let bank_i = flag(&mut m, "bank_i");
    let base_i = plan.whole.then(|| m.input("base_i", Ty::u(addr_bits(plan.acc_words))));
    let sum_i = m.input("sum_i", Ty::u(cols * plan.addend_bits));
    let rdata_i = m.input("rdata_i", Ty::u(plan.acc_word_bits(config)));

    m.section("Address: back to the N tile's first word after each K tile, on to the next N tile after the last");
    let addr_ty = Ty::u(addr_bits(plan.acc_words));
    let addr_q = m.reg("addr_q", addr_ty);
    let base_q = m.reg("base_q", addr_ty);
    let first = base_i.unwrap_or_else(|| addr_q.k(0));
    let addr = m.wire("addr", &start_i.mux(&first, &addr_q));
    let base = m.wire("base", &start_i.mux(&first, &base_q));
    let next_addr = m.wire("next_addr", &(&addr + addr.k(1)));
    let addr_d = m.net("addr_d", addr_ty);
    let base_d = m.net("base_d", addr_ty);
    m.comb("next word", |b| {
        b.set(&addr_d, &next_addr);
        b.set(&base_d, &base);
        b.when(&tile_last_i, |b| {
            b.when_else(&k_last_i, |b| b.set(&base_d, &next_addr), |b| b.set(&addr_d, &base));
        });
    });
    m.next_if(&addr_q, &valid_i, &addr_d);
    m.next_if(&base_q, &valid_i, &base_d);
    if !plan.whole && overruns(config) {
        m.section("Past the end: the tile goes on, or another N tile follows, behind the last word");
        let at_end = m.wire("at_end", &addr.eq_k(i128::from(config.acc_words()) - 1));
        let goes_on = !&tile_last_i | (&k_last_i & !&chunk_last_i);
        m.output_is("overrun_o", &(&valid_i & &at_end & goes_on));
    }
    m.output_is("read_o", &(&valid_i & !&first_i));
    m.output_is("rbank_o", &bank_i);
    m.output_is("raddr_o", &addr);

    m.section("The sums wait for the word read");
    let write_q = m.pipe_reset("write_q", 0, &valid_i);
    let sum_q = m.pipe("sum_q", &sum_i);
    let first_q = m.pipe("first_q", &first_i);
    let bank_q = m.pipe("bank_q", &bank_i);
    let waddr_q = m.pipe("waddr_q", &addr);
    let done_q = m.pipe_reset("done_q", 0, &(&valid_i & &chunk_last_i));

    // With fewer cycles between tiles than two, the next K tile's only row can come in the next cycle.
    let forward = foot::forwards(config).then(|| {
        m.section("A word written in the previous cycle was read too early: take it from here");
        let last_write_q = m.pipe_reset("last_write_q", 0, &write_q);
        let last_bank_q = m.pipe("last_bank_q", &bank_q);
        let last_addr_q = m.pipe("last_addr_q", &waddr_q);
        let same_word = m.wire("same_word", &(bank_q.eq(&last_bank_q) & waddr_q.eq(&last_addr_q)));
        let forward = m.wire("forward", &(&last_write_q & &same_word));
        (forward, m.reg("last_word_q", Ty::u(plan.acc_word_bits(config))))
    });

    m.section("Column feet");
    let acc = Ty::s(plan.acc_bits);
    let sums = m.nets("sum", Ty::s(plan.addend_bits), cols);
    let stored = m.nets("stored", acc, cols);
    let accs = m.nets("acc", acc, cols);
    m.split(&sum_q, &sums, 0, 1, cols);
    m.split(&rdata_i, &stored, 0, 1, cols);
    let mut conns = vec![
        ("sum_i", sums.step(0, 1, 0)),
        ("first_i", Conn::In(first_q)),
        ("stored_i", stored.step(0, 1, 0)),
        ("acc_o", accs.step(0, 1, 0)),
    ];
    if let Some((forward, last_word_q)) = &forward {
        let last = m.nets("last", acc, cols);
        m.split(last_word_q, &last, 0, 1, cols);
        conns.push(("forward_i", Conn::In(forward.clone())));
        conns.push(("last_i", last.step(0, 1, 0)));
    }
    m.grid("u_foot", &foot, 1, cols, &conns);
    let word = m.join("word", &accs, 0, 1, cols);
    if let Some((_, last_word_q)) = &forward {
        m.next(last_word_q, &word);
    }
    m.output_is("write_o", &write_q);
    m.output_is("wbank_o", &bank_q);
    m.output_is("waddr_o", &waddr_q);
    m.output_is("wdata_o", &word);
    m.output_is("done_o", &done_q);
    m.output_is("done_bank_o", &bank_q);
    m.build()
}

/// Whether rows and N tiles that are possible each may be too many together.
pub fn overruns(config: &Config) -> bool {
    u64::from(config.max_rows()) * u64::from(config.max_n_tiles()) > u64::from(config.acc_words())
}
