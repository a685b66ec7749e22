//! The matrix-multiply unit: feeds the array from the buffers and collects its sums in the accumulator banks.

use std::sync::Arc;

use spec::Config;

use super::matmul_feed::preload;
use super::matmul_rows::{Chunk, Flags, Rows};
use super::mm_plan::MmPlan;
use super::{accumulate, array, module_name};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

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
/// For a format with block scales; if the description is inconsistent (a bug, not bad input).
pub fn matmul(config: &Config) -> Result<Arc<Module>, Error> {
    config.check_engine().map_err(Error::Invalid)?;
    let doc = format!(
        "Matrix multiply unit: a command computes one chunk of rows, N tiles outermost, K tiles next,\n\
         rows innermost; one row of a tile a cycle. The weights of the next tile enter the array while\n\
         the current one computes, so that a tile takes max(rows, {}) cycles.",
        config.preload_cycles()
    );
    let plan = MmPlan::engine(config);
    let mut m = ModuleBuilder::new(module_name(config, "matmul"), doc);
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let cmd_bank_i = m.input("cmd_bank_i", Ty::bit());
    let cmd_rows_i = m.input("cmd_rows_i", Ty::u(plan.row));
    let cmd_k_tiles_i = m.input("cmd_k_tiles_i", Ty::u(plan.k_tiles));
    let cmd_n_tiles_i = m.input("cmd_n_tiles_i", Ty::u(plan.n_tiles));
    let tile_ready_i = m.input("tile_ready_i", Ty::bit());
    let weight_i = m.input("weight_i", Ty::u(config.weight_word_bits()));
    let act_i = m.input("act_i", Ty::u(config.act_word_bits()));
    let rdata_i = m.input("rdata_i", Ty::u(config.acc_word_bits()));

    let last = |count: &Expr| count - count.k(1);
    let chunk = Chunk {
        valid: cmd_valid_i,
        bank: cmd_bank_i,
        last_row: last(&cmd_rows_i),
        last_k: last(&cmd_k_tiles_i),
        last_n: last(&cmd_n_tiles_i),
        whole: None,
    };
    let rows = Rows::describe(&mut m, config, &plan, &chunk)?;
    let preload = preload(&mut m, config, &rows.tile_start, &tile_ready_i);
    m.assign(&rows.next_loaded, &preload.next_loaded_q);
    m.output_is("pop_o", &(&preload.start | &preload.busy));

    m.section("The array; swap and flags wait one cycle for the activations read");
    let swap_q = m.pipe_reset("swap_q", 0, &rows.tile_start);
    let ports = [("act_i", &act_i), ("swap_i", &swap_q), ("weight_i", &weight_i), ("load_i", &preload.load_q)];
    let (sum, line) = compute(&mut m, config, &plan, &rows.flags, &ports)?;
    m.section("Accumulators");
    let flags = line.at(line.stages - 1);
    let mut inputs = flags.ports();
    inputs.extend([("sum_i", &sum), ("rdata_i", &rdata_i)]);
    let out = m.instance("u_accumulate", &accumulate::accumulate(config)?, &inputs);
    for port in MEMORY_PORTS.into_iter().chain(["done_o", "done_bank_o"]) {
        m.output_is(port, &out.out(port));
    }
    let acc_overrun = accumulate::overruns(config).then(|| out.out("overrun_o"));
    if let Some(overrun) = rows.overrun.into_iter().chain(acc_overrun).reduce(|a, b| a | b) {
        m.output_is("overrun_o", &overrun);
    }
    m.build()
}

/// Outputs to the accumulator memory.
pub(super) const MEMORY_PORTS: [&str; 7] = ["read_o", "rbank_o", "raddr_o", "write_o", "wbank_o", "waddr_o", "wdata_o"];

/// Whether counts that are possible each may be too large together for a buffer.
pub fn overruns(config: &Config) -> bool {
    acts_overrun(config) || accumulate::overruns(config)
}

pub(super) fn acts_overrun(config: &Config) -> bool {
    u64::from(config.max_rows()) * u64::from(config.max_k_tiles()) > u64::from(config.act_words())
}

/// The flags of the rows that are in the array: stage 0 with the activations that have been read, the last one with
/// their sums.
pub(super) struct Line {
    line_q: Expr,
    flags: u32,
    /// How many stages.
    pub stages: u32,
}

impl Line {
    /// The flags in a stage.
    pub fn at(&self, stage: u32) -> Stage {
        Stage((0..self.flags).map(|i| self.line_q.bit(stage * self.flags + i)).collect())
    }
}

/// The flags of one stage.
pub(super) struct Stage(Vec<Expr>);

impl Stage {
    /// One of [`Flags`].
    pub fn flag(&self, flag: u32) -> &Expr {
        &self.0[flag as usize]
    }

    /// To the accumulators.
    pub fn ports(&self) -> Vec<(&'static str, &Expr)> {
        let names = ["valid_i", "start_i", "first_i", "tile_last_i", "k_last_i", "chunk_last_i", "bank_i"];
        let places =
            [Flags::VALID, Flags::START, Flags::FIRST, Flags::TILE_LAST, Flags::K_LAST, Flags::CHUNK_LAST, Flags::BANK];
        names.into_iter().zip(places).map(|(name, place)| (name, self.flag(place))).collect()
    }
}

/// The array and the flags beside it.
pub(super) fn compute(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &MmPlan,
    flags_in: &Expr,
    ports: &[(&str, &Expr)],
) -> Result<(Expr, Line), Error> {
    let sum = m.instance("u_array", &array::array(config)?, ports).out("sum_o");
    let (stages, flags) = (plan.array_stages(config), Flags::count(plan));
    let line_q = m.reg("flags_q", Ty::u(stages * flags));
    m.next_reset(&line_q, 0, None, &Expr::concat(&[line_q.part(0, (stages - 1) * flags), flags_in.clone()]));
    Ok((sum, Line { line_q, flags, stages }))
}
