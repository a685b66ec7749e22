//! The feet of the array's columns: block scales, then the accumulators.

use std::sync::Arc;

use spec::Config;

use super::fifo::fifo;
use super::matmul::MEMORY_PORTS;
use super::mm_plan::MmPlan;
use super::ram::addr_bits;
use super::scale::{KIND_BITS, RowScale, scale};
use super::{accumulate, module_name};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Flags of a row of sums, as the accumulators take them.
const FLAGS: [&str; 7] = ["valid_i", "start_i", "first_i", "tile_last_i", "k_last_i", "chunk_last_i", "bank_i"];

/// `<prefix>_matmul_feet`: sums of the array, scaled, into the accumulators.
///
/// Ports: `push_i`, `command_i` (a command's tag, first accumulator word, kind of scales, whether its activations have
/// blocks), `room_o`; `leaves_i` (a command's last row is a cycle before the feet); the flags of [`accumulate::accumulate`]
/// with `sum_i`; with scales `byte_i` (the scale byte of the row that is a cycle before the feet), `block_last_i`,
/// `reserve_i`, `scale_room_o`, `word_come_i`, `word_i` (scale words, one byte a column); accumulator memory; `done_o`,
/// `done_tag_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub(super) fn matmul_feet(config: &Config, plan: &MmPlan, command_bits: u32) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Column feet: the sums of a row, scaled where their command has blocks, are added to their\n\
         accumulator word. From sums to the read of that word: {} cycles; it is written in the next.",
        plan.scale_stages()
    );
    let mut m = ModuleBuilder::new(module_name(config, "matmul_feet"), doc);
    let push_i = m.input("push_i", Ty::bit());
    let command_i = m.input("command_i", Ty::u(command_bits));
    let leaves_i = m.input("leaves_i", Ty::bit());
    let flags_i = FLAGS.map(|name| m.input(name, Ty::bit()));
    let sum_i = m.input("sum_i", Ty::u(config.array.cols * config.sum_bits()));
    let rdata_i = m.input("rdata_i", Ty::u(plan.acc_word_bits(config)));

    m.section("Commands whose rows are in the array");
    let buffer = fifo(config, command_bits, plan.flight_depth(config))?;
    let ports = [("reserve_i", &push_i), ("push_i", &push_i), ("data_i", &command_i), ("ready_i", &leaves_i)];
    let flight = m.instance("u_flight", &buffer, &ports);
    m.output_is("room_o", &flight.out("room_o"));
    let command = flight.out("data_o");
    let base_bits = addr_bits(plan.acc_words);
    let mut tag = m.pipe("tag_q", &command.part(0, 4));
    let mut base = m.pipe("base_q", &command.part(4, base_bits));
    let scaled = if plan.scales.any() { scales(&mut m, config, plan, &command, (&flags_i[0], &sum_i))? } else { sum_i };
    let mut flags = m.wire("flags", &Expr::concat(&flags_i.iter().rev().cloned().collect::<Vec<_>>()));
    for stage in 1..=plan.scale_stages() {
        flags = m.pipe_reset(&format!("flags{stage}_q"), 0, &flags);
        tag = m.pipe(&format!("tag{stage}_q"), &tag);
        base = m.pipe(&format!("base{stage}_q"), &base);
    }

    m.section("Accumulators");
    let flag: Vec<Expr> = (0..flags.width()).map(|i| flags.bit(i)).collect();
    let mut inputs: Vec<(&str, &Expr)> = FLAGS.into_iter().zip(&flag).collect();
    inputs.extend([("base_i", &base), ("sum_i", &scaled), ("rdata_i", &rdata_i)]);
    let out = m.instance("u_accumulate", &accumulate::adder(config, plan)?, &inputs);
    for port in MEMORY_PORTS.into_iter().chain(["done_o"]) {
        m.output_is(port, &out.out(port));
    }
    let done_tag_q = m.pipe("done_tag_q", &tag);
    m.output_is("done_tag_o", &done_tag_q);
    m.build()
}

/// Sums scaled by their block's word and their row's byte.
fn scales(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &MmPlan,
    command: &Expr,
    (valid, sum): (&Expr, &Expr),
) -> Result<Expr, Error> {
    m.section("What the row's scale byte stands for, a cycle before its sums are here");
    let byte_i = (plan.scales.act_factor > 0).then(|| m.input("byte_i", Ty::u(8)));
    let kind_at = 4 + addr_bits(plan.acc_words);
    let kind = m.wire("kind", &command.part(kind_at, KIND_BITS));
    let byte = byte_i.map(|byte| (command.bit(kind_at + KIND_BITS), byte));
    let row = RowScale::describe(m, plan.scales, &kind, byte.as_ref());

    m.section("Scales of the blocks whose sums are still to come");
    let cols = config.array.cols;
    let block_last_i = m.input("block_last_i", Ty::bit());
    let reserve_i = m.input("reserve_i", Ty::bit());
    let word_come_i = m.input("word_come_i", Ty::bit());
    let word_i = m.input("word_i", Ty::u(8 * cols));
    let leaves = m.wire("block_leaves", &(valid & &block_last_i));
    let buffer = fifo(config, 8 * cols, plan.scale_depth(config))?;
    let ports = [("reserve_i", &reserve_i), ("push_i", &word_come_i), ("data_i", &word_i), ("ready_i", &leaves)];
    let buffer = m.instance("u_scales", &buffer, &ports);
    m.output_is("scale_room_o", &buffer.out("room_o"));

    m.section("Sums times scales");
    let kind_q = m.pipe("kind_q", &kind);
    let sums = m.nets("tile_sum", Ty::s(config.sum_bits()), cols);
    let weights = m.nets("column_scale", Ty::u(8), cols);
    let scaled = m.nets("scaled_sum", Ty::s(plan.addend_bits), cols);
    m.split(sum, &sums, 0, 1, cols);
    m.split(&buffer.out("data_o"), &weights, 0, 1, cols);
    let mut conns = vec![
        ("sum_i", sums.step(0, 1, 0)),
        ("kind_i", Conn::In(kind_q)),
        ("weight_i", weights.step(0, 1, 0)),
        ("scaled_o", scaled.step(0, 1, 0)),
    ];
    if let Some(factor) = &row.factor {
        conns.push(("row_factor_i", Conn::In(m.pipe("row_factor_q", factor))));
    }
    if let Some(shift) = &row.shift {
        conns.push(("row_shift_i", Conn::In(m.pipe("row_shift_q", shift))));
    }
    m.grid("u_scale", &scale(config, plan)?, 1, cols, &conns);
    Ok(m.join("scaled", &scaled, 0, 1, cols))
}
