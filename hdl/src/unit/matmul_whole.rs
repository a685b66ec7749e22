//! The accelerator's matrix-multiply unit without its memories: formats, block scales, commands with addresses.

use std::sync::Arc;

use spec::Config;

use super::fifo::fifo;
use super::matmul::{Line, MEMORY_PORTS, compute};
use super::matmul_feed::{Feed, Header};
use super::matmul_rows::{Flags, Rows};
use super::mm_plan::{MmPlan, weight_codes};
use super::ram::addr_bits;
use super::scale::{KIND_BITS, RowScale, scale};
use super::{accumulate, decode, decode_acts, module_name};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_matmul`: one `MM` instruction a command; a tile takes `max(rows, preload_cycles)` cycles.
///
/// Ports: command `cmd_valid_i`, `cmd_ready_o`, the fields of `MM` as `cmd_<field>_i`, `cmd_tag_i`; weights
/// `tile_ready_i`, `weights_empty_i` (where there are scales), `pop_o`, `weight_i` (codes or header words, as loaded, one
/// cycle after `pop_o`); activations `act_read_o`, `act_bank_o`, `act_addr_o`, `act_i` (`[rows]` codes of 8 bits and a
/// scale byte, one cycle later); accumulator memory as in [`accumulate::accumulate`]; `done_o` with `done_tag_o`: a
/// command's last word is being written; `idle_o`: no command is held; `row_o`, `wait_o` (a row enters; a row waits for
/// weights).
///
/// # Errors
/// Those of [`Config::check_accelerator`]; if the description is inconsistent (a bug, not bad input).
pub fn matmul_whole(config: &Config) -> Result<Arc<Module>, Error> {
    config.check_accelerator().map_err(Error::Invalid)?;
    let plan = MmPlan::accelerator(config);
    let doc = format!(
        "Matrix multiply unit: a command computes one chunk of rows, N tiles outermost, K tiles next,\n\
         rows innermost; one row of a tile a cycle. The weights of the next tile enter the array while\n\
         the current one computes, so that a tile takes max(rows, {}) cycles. Headers of block scales\n\
         are read while the weight buffer has no weights to give. From sums to the cycle in which their\n\
         accumulators are read: {}; they are written in the next one.",
        config.preload_cycles(),
        plan.scale_stages()
    );
    let mut m = ModuleBuilder::new(module_name(config, "matmul"), doc);
    let room = m.net("may_take", Ty::bit());
    let feed = Feed::describe(&mut m, config, &plan, &room);
    let rows = Rows::describe(&mut m, config, &plan, &feed.chunk);
    m.assign(&feed.taken, &(&feed.chunk.valid & &rows.ready));
    let weight_i = m.input("weight_i", Ty::u(config.weight_word_bits()));
    let act_i = m.input("act_i", Ty::u(plan.act_word_bits(config)));
    let rdata_i = m.input("rdata_i", Ty::u(plan.acc_word_bits(config)));
    let walk = feed.walk(&mut m, config, &rows);
    let scale_word = walk.header.as_ref().map(|header| gather(&mut m, config, header, &weight_i));

    m.section("Codes to the operands of the PEs");
    let codes = weight_codes(config);
    let count = config.preload_rows() * config.array.cols;
    let widest = codes.iter().map(|code| code.bits()).max().unwrap_or(8);
    let word = weight_i.part(0, count * widest);
    let weight = match &walk.code_q {
        Some(code_q) => {
            let decode = decode::decode(config, "decode_weights", &codes, config.weight_operand(), count)?;
            m.instance("u_decode_weights", &decode, &[("word_i", &word), ("format_i", code_q)]).out("word_o")
        }
        None => word,
    };
    let act = operands(&mut m, config, &feed, &act_i)?;
    let (sum, line) = compute(&mut m, config, &plan, &rows, [&act, &weight, &walk.load_q])?;

    m.section("What the column feet need of the commands whose rows are in the array");
    let early = line.at(line.stages - 2);
    let leaves = m.wire("chunk_leaves", &(early.flag(Flags::VALID) & early.flag(Flags::CHUNK_LAST)));
    let buffer = fifo(config, feed.at_feet.width(), plan.flight_depth(config))?;
    let ports = [("reserve_i", &feed.taken), ("push_i", &feed.taken), ("data_i", &feed.at_feet), ("ready_i", &leaves)];
    let flight = m.instance("u_flight", &buffer, &ports);
    m.assign(&room, &flight.out("room_o"));
    let at_feet = flight.out("data_o");
    let base_bits = addr_bits(plan.acc_words);
    let tag = m.pipe("tag_q", &at_feet.part(0, 4));
    let base = m.pipe("base_q", &at_feet.part(4, base_bits));

    let scaled = match (&walk.header, scale_word) {
        (Some(header), Some(word)) => {
            let byte = (plan.scales.act_factor > 0).then(|| bytes(&mut m, config, &line, &act_i));
            let kind = m.wire("kind_at_feet", &at_feet.part(4 + base_bits, KIND_BITS));
            let byte = byte.map(|byte| (at_feet.bit(4 + base_bits + KIND_BITS), byte));
            let row = RowScale::describe(&mut m, plan.scales, &kind, byte.as_ref());
            scales(&mut m, config, &plan, &line, header, (&word, &sum, &kind, &row))?
        }
        _ => sum,
    };
    let feet = line.at(line.stages - 1);
    let mut flags =
        m.wire("feet_flags", &Expr::concat(&feet.ports().iter().rev().map(|(_, f)| (*f).clone()).collect::<Vec<_>>()));
    let (mut tag, mut base) = (tag, base);
    for stage in 1..=plan.scale_stages() {
        flags = m.pipe_reset(&format!("feet_flags{stage}_q"), 0, &flags);
        tag = m.pipe(&format!("tag{stage}_q"), &tag);
        base = m.pipe(&format!("base{stage}_q"), &base);
    }

    m.section("Accumulators");
    let flag: Vec<Expr> = (0..flags.width()).map(|i| flags.bit(i)).collect();
    let mut inputs: Vec<(&str, &Expr)> = feet.ports().iter().zip(&flag).map(|((name, _), f)| (*name, f)).collect();
    inputs.extend([("base_i", &base), ("sum_i", &scaled), ("rdata_i", &rdata_i)]);
    let out = m.instance("u_accumulate", &accumulate::adder(config, &plan)?, &inputs);
    for port in MEMORY_PORTS {
        m.output_is(port, &out.out(port));
    }
    let done = out.out("done_o");
    m.output_is("done_o", &done);
    let done_tag_q = m.pipe("done_tag_q", &tag);
    m.output_is("done_tag_o", &done_tag_q);

    m.section("Commands held");
    let held_q = m.reg("held_q", Ty::u(plan.held_bits(config)));
    let held_d = m.net("held_d", held_q.ty());
    let change = m.wire("held_change", &Expr::concat(&[feed.accept.clone(), done]));
    m.comb("a command comes, or is done", |b| {
        b.set(&held_d, &held_q);
        b.case(&change, |c| {
            c.arm(&change.k(0b10), |b| b.set(&held_d, &(&held_q + held_q.k(1))));
            c.arm(&change.k(0b01), |b| b.set(&held_d, &(&held_q - held_q.k(1))));
        });
    });
    m.next_reset(&held_q, 0, None, &held_d);
    m.output_is("idle_o", &held_q.eq_k(0));
    m.build()
}

/// The activation codes of a word as operands of the PEs.
fn operands(m: &mut ModuleBuilder, config: &Config, feed: &Feed, act_i: &Expr) -> Result<Expr, Error> {
    let rows = config.array.rows;
    let codes = m.wire("act_codes", &act_i.part(0, 8 * rows));
    let from = m.nets("act_code", Ty::u(8), rows);
    let to = m.nets("act_operand", Ty::u(config.act_operand().bits()), rows);
    m.split(&codes, &from, 0, 1, rows);
    let mut conns = vec![("code_i", from.step(0, 1, 0)), ("operand_o", to.step(0, 1, 0))];
    if let Some(e2m1_q) = &feed.e2m1_q {
        let reads_q = m.pipe_if("reads_e2m1_q", &feed.taken, e2m1_q);
        let e2m1_q = m.pipe("act_e2m1_q", &reads_q);
        conns.push(("e2m1_i", Conn::In(e2m1_q)));
    }
    m.grid("u_decode_act", &decode_acts::decode_act(config)?, 1, rows, &conns);
    Ok(m.join("act", &to, 0, 1, rows))
}

/// The scale word of a block from one or two header words: whether it has come, and the word.
fn gather(m: &mut ModuleBuilder, config: &Config, header: &Header, weight_i: &Expr) -> (Expr, Expr) {
    m.section("Scale words from headers, one byte a column");
    let cols = config.array.cols;
    let come_q = m.pipe_reset("scale_word_come_q", 0, &header.complete);
    let whole = |word: &Expr| word.part(0, 8 * cols);
    let word = match &header.two {
        Some((first, two)) => {
            let half_come_q = m.pipe_reset("half_come_q", 0, first);
            let low = weight_i.part(0, 4 * cols);
            let half_q = m.pipe_if("half_q_of_scales", &half_come_q, &low);
            let both = Expr::concat(&[low, half_q]);
            if weight_i.width() < 8 * cols { both } else { two.mux(&both, &whole(weight_i)) }
        }
        None => whole(weight_i),
    };
    (come_q, m.wire("scale_word", &word))
}

/// The rows' scale bytes, with the flags of the stage before the feet.
fn bytes(m: &mut ModuleBuilder, config: &Config, line: &Line, act_i: &Expr) -> Expr {
    let byte = act_i.part(8 * config.array.rows, 8);
    let stages = line.stages - 2;
    let bytes_q = m.reg("scale_bytes_q", Ty::u(8 * stages));
    let next = if stages > 1 { Expr::concat(&[bytes_q.part(0, 8 * (stages - 1)), byte]) } else { byte };
    m.next(&bytes_q, &next);
    bytes_q.part(8 * (stages - 1), 8)
}

/// Sums scaled by their block's word and their row's byte.
fn scales(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &MmPlan,
    line: &Line,
    header: &Header,
    (word, sum, kind, row): (&(Expr, Expr), &Expr, &Expr, &RowScale),
) -> Result<Expr, Error> {
    m.section("Scales of the blocks whose sums are still to come");
    let cols = config.array.cols;
    let feet = line.at(line.stages - 1);
    let leaves = m.wire("block_leaves", &(feet.flag(Flags::VALID) & feet.flag(Flags::BLOCK_LAST)));
    let buffer = fifo(config, 8 * cols, plan.scale_depth(config))?;
    let ports = [("reserve_i", &header.reserve), ("push_i", &word.0), ("data_i", &word.1), ("ready_i", &leaves)];
    let buffer = m.instance("u_scales", &buffer, &ports);
    m.assign(&header.room, &buffer.out("room_o"));

    m.section("Sums times scales");
    let kind_q = m.pipe("kind_q", kind);
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
