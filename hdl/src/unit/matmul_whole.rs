//! The accelerator's matrix-multiply unit without its memories: formats, block scales, commands with addresses.

use std::sync::Arc;

use spec::{Config, Dataflow};

use super::matmul::{Line, MEMORY_PORTS, compute};
use super::matmul_feed::matmul_feed;
use super::matmul_feet::matmul_feet;
use super::matmul_os::matmul_walk_os;
use super::matmul_rows::{Chunk, Flags, Rows, Whole};
use super::mm::command_ports;
use super::mm_plan::{MmPlan, decodes_acts, two_headers, weight_codes};
use super::{decode, decode_acts, module_name};
use crate::error::Error;
use crate::rtl::connect::Outputs;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_matmul`: one `MM` instruction a command; a tile takes `max(rows, preload_cycles)` cycles.
///
/// Ports: command `cmd_valid_i`, `cmd_ready_o`, the fields of `MM` as `cmd_<field>_i`, `cmd_tag_i`; weights
/// `tile_ready_i`, `weights_empty_i` (where there are scales), `pop_o`, `weight_i` (codes or header words, as loaded, one
/// cycle after `pop_o`); activations `act_read_o`, `act_bank_o`, `act_addr_o`, `act_i` (`[rows]` codes of 8 bits and a
/// scale byte, one cycle later); accumulator memory as in [`super::accumulate::accumulate`]; `done_o` with `done_tag_o`: a
/// command's last word is being written; `idle_o`: no command is held; `row_o`, `wait_o` (a row enters; a row waits for
/// weights).
///
/// # Errors
/// Those of [`Config::check_accelerator`]; if the description is inconsistent (a bug, not bad input).
pub fn matmul_whole(config: &Config) -> Result<Arc<Module>, Error> {
    config.check_accelerator().map_err(Error::Invalid)?;
    let plan = MmPlan::accelerator(config);
    let tiles = match config.array.dataflow {
        Dataflow::Ws => format!(
            "rows innermost; one row of a tile a cycle. The weights of the next tile enter the array while\n\
             the current one computes, so that a tile takes max(rows, {}) cycles. Headers of block scales\n\
             are read while the weight buffer has no weights to give.",
            config.preload_cycles()
        ),
        Dataflow::Os => format!(
            "a weight word a cycle, {} cycles a tile; a chunk has at most as many rows. Sums stay in the\n\
             PEs until their N tile is complete and leave while the next one is computed.",
            config.array.rows
        ),
    };
    let doc = format!(
        "Matrix multiply unit: a command computes one chunk of rows, N tiles outermost, K tiles next,\n\
         {tiles} From sums to the cycle in which their accumulators are read: {}; they\n\
         are written in the next one.",
        plan.scale_stages()
    );
    let mut m = ModuleBuilder::new(module_name(config, "matmul"), doc);
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let command: Vec<(&str, Expr)> =
        command_ports(config).into_iter().map(|(name, bits)| (name, m.input(name, Ty::u(bits)))).collect();
    let tile_ready_i = m.input("tile_ready_i", Ty::bit());
    let weights_empty_i = plan.scales.any().then(|| m.input("weights_empty_i", Ty::bit()));
    let weight_i = m.input("weight_i", Ty::u(config.weight_word_bits()));
    let act_i = m.input("act_i", Ty::u(plan.act_word_bits(config)));
    let rdata_i = m.input("rdata_i", Ty::u(plan.acc_word_bits(config)));

    let room = m.net("room", Ty::bit());
    let scale_room = plan.scales.any().then(|| m.net("scale_room", Ty::bit()));
    let mut ports = vec![("cmd_valid_i", &cmd_valid_i), ("tile_ready_i", &tile_ready_i), ("room_i", &room)];
    ports.extend(command.iter().map(|(name, value)| (*name, value)));
    ports.extend(weights_empty_i.iter().map(|empty| ("weights_empty_i", empty)));
    ports.extend(scale_room.iter().map(|room| ("scale_room_i", room)));
    let walk = match config.array.dataflow {
        Dataflow::Ws => walk_ws(&mut m, config, &plan, ports)?,
        Dataflow::Os => walk_os(&mut m, config, &plan, &ports)?,
    };

    m.section("Codes to the operands of the PEs");
    let codes = weight_codes(config);
    let count = config.preload_rows() * config.array.cols;
    let widest = codes.iter().map(|code| code.bits()).max().unwrap_or(8);
    let word = weight_i.part(0, count * widest);
    let weight = if codes.len() > 1 {
        let decode = decode::decode(config, "decode_weights", &codes, config.weight_operand(), count)?;
        let code = walk.out.out("code_o");
        m.instance("u_decode_weights", &decode, &[("word_i", &word), ("format_i", &code)]).out("word_o")
    } else {
        word
    };
    let act = operands(&mut m, config, walk.e2m1.as_ref(), &act_i)?;

    m.section("The array; what goes with words read waits a cycle for them");
    let mut ports = vec![("act_i", &act), ("weight_i", &weight)];
    ports.extend(walk.to_array.iter().map(|(name, value)| (*name, value)));
    let (sum, line) = compute(&mut m, config, &plan, &walk.flags, &ports)?;
    let scale_word = plan.scales.any().then(|| gather(&mut m, config, &plan, &walk.out, &weight_i));

    m.section("Column feet");
    let (early, feet) = (line.at(line.stages - 2), line.at(line.stages - 1));
    let leaves = m.wire("chunk_leaves", &(early.flag(Flags::VALID) & early.flag(Flags::CHUNK_LAST)));
    let mut ports = feet.ports();
    ports.extend([
        ("push_i", &walk.taken),
        ("command_i", &walk.to_feet),
        ("leaves_i", &leaves),
        ("sum_i", &sum),
        ("rdata_i", &rdata_i),
    ]);
    let byte = (plan.scales.act_factor > 0).then(|| bytes(&mut m, config, &line, &act_i));
    ports.extend(byte.iter().map(|byte| ("byte_i", byte)));
    let reserve = walk.out.out("header_reserve_o");
    if let Some((come, word)) = &scale_word {
        ports.extend([
            ("block_last_i", feet.flag(Flags::BLOCK_LAST)),
            ("reserve_i", &reserve),
            ("word_come_i", come),
            ("word_i", word),
        ]);
    }
    let out = m.instance("u_feet", &matmul_feet(config, &plan, walk.to_feet.width())?, &ports);
    m.assign(&room, &out.out("room_o"));
    if let Some(scale_room) = &scale_room {
        m.assign(scale_room, &out.out("scale_room_o"));
    }
    for port in MEMORY_PORTS {
        m.output_is(port, &out.out(port));
    }
    let done = out.out("done_o");
    m.output_is("done_o", &done);
    m.output_is("done_tag_o", &out.out("done_tag_o"));

    m.section("Commands held");
    let held_q = m.reg("held_q", Ty::u(plan.held_bits(config)));
    let held_d = m.net("held_d", held_q.ty());
    let change = m.wire("held_change", &Expr::concat(&[walk.accept, done]));
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

/// What the walk through the commands' tiles says in this cycle.
struct Walk {
    /// A command comes; its place at the feet is taken.
    accept: Expr,
    taken: Expr,
    to_feet: Expr,
    /// [`Flags`], the first stage of their line.
    flags: Expr,
    /// The activations that have been read are E2M1, where they may have to be decoded.
    e2m1: Option<Expr>,
    /// Ports of the array beside its words.
    to_array: Vec<(&'static str, Expr)>,
    /// Code of the weights, and headers where there are scales.
    out: Outputs,
}

fn walk_ws<'a>(
    m: &mut ModuleBuilder,
    config: &Config,
    plan: &MmPlan,
    ports: Vec<(&'a str, &'a Expr)>,
) -> Result<Walk, Error> {
    let mut ports: Vec<(&str, &Expr)> = ports;
    m.section("Commands and weights");
    let [rows_free, tile_start] = ["rows_free", "tile_start"].map(|name| m.net(name, Ty::bit()));
    ports.extend([("rows_ready_i", &rows_free), ("tile_start_i", &tile_start)]);
    let feed = m.instance("u_feed", &matmul_feed(config, plan)?, &ports);
    m.output_is("cmd_ready_o", &feed.out("cmd_ready_o"));
    m.output_is("pop_o", &feed.out("pop_o"));
    let chunk = Chunk {
        valid: feed.out("valid_o"),
        bank: feed.out("bank_o"),
        last_row: feed.out("last_row_o"),
        last_k: feed.out("last_k_o"),
        last_n: feed.out("last_n_o"),
        whole: Some(Whole {
            half: feed.out("half_o"),
            act: feed.out("act_o"),
            add: feed.out("add_o"),
            block: plan.scales.any().then(|| (feed.out("last_tile_o"), feed.out("blocks_o"))),
        }),
    };
    let rows = Rows::describe(m, config, plan, &chunk)?;
    m.assign(&rows.next_loaded, &feed.out("next_loaded_o"));
    m.assign(&rows_free, &rows.ready);
    m.assign(&tile_start, &rows.tile_start);
    let swap_q = m.pipe_reset("swap_q", 0, &rows.tile_start);
    let e2m1 = decodes_acts(config).then(|| {
        let reads_q = m.pipe_if("reads_e2m1_q", &feed.out("taken_o"), &feed.out("e2m1_o"));
        m.pipe("act_e2m1_q", &reads_q)
    });
    Ok(Walk {
        accept: feed.out("accept_o"),
        taken: feed.out("taken_o"),
        to_feet: feed.out("to_feet_o"),
        flags: rows.flags,
        e2m1,
        to_array: vec![("swap_i", swap_q), ("load_i", feed.out("load_o"))],
        out: feed,
    })
}

fn walk_os(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan, ports: &[(&str, &Expr)]) -> Result<Walk, Error> {
    m.section("Commands, weights and activations");
    let out = m.instance("u_walk", &matmul_walk_os(config, plan)?, ports);
    for port in ["cmd_ready_o", "pop_o", "act_read_o", "act_bank_o", "act_addr_o", "wait_o"] {
        m.output_is(port, &out.out(port));
    }
    m.output_is("row_o", &out.out("step_o"));
    Ok(Walk {
        accept: out.out("taken_o"),
        taken: out.out("taken_o"),
        to_feet: out.out("to_feet_o"),
        flags: out.out("flags_o"),
        e2m1: decodes_acts(config).then(|| out.out("e2m1_o")),
        to_array: ["row_i", "first_i", "take_i"].map(|port| (port, out.out(&port.replace("_i", "_o")))).to_vec(),
        out,
    })
}

/// The activation codes of a word as operands of the PEs.
fn operands(m: &mut ModuleBuilder, config: &Config, e2m1: Option<&Expr>, act_i: &Expr) -> Result<Expr, Error> {
    let rows = config.array.rows;
    let codes = m.wire("act_codes", &act_i.part(0, 8 * rows));
    let from = m.nets("act_code", Ty::u(8), rows);
    let to = m.nets("act_operand", Ty::u(config.act_operand().bits()), rows);
    m.split(&codes, &from, 0, 1, rows);
    let mut conns = vec![("code_i", from.step(0, 1, 0)), ("operand_o", to.step(0, 1, 0))];
    conns.extend(e2m1.map(|e2m1| ("e2m1_i", Conn::In(e2m1.clone()))));
    m.grid("u_decode_act", &decode_acts::decode_act(config)?, 1, rows, &conns);
    Ok(m.join("act", &to, 0, 1, rows))
}

/// The scale word of a block from one or two header words: whether it has come, and the word.
fn gather(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan, feed: &Outputs, weight_i: &Expr) -> (Expr, Expr) {
    m.section("Scale words from headers, one byte a column");
    let cols = config.array.cols;
    let come_q = m.pipe_reset("scale_word_come_q", 0, &feed.out("header_complete_o"));
    let whole = |word: &Expr| word.part(0, 8 * cols);
    let word = if two_headers(config, plan.scales) {
        let half_come_q = m.pipe_reset("half_come_q", 0, &feed.out("header_first_o"));
        let low = weight_i.part(0, 4 * cols);
        let half_q = m.pipe_if("half_q_of_scales", &half_come_q, &low);
        let both = Expr::concat(&[low, half_q]);
        if weight_i.width() < 8 * cols { both } else { feed.out("two_headers_o").mux(&both, &whole(weight_i)) }
    } else {
        whole(weight_i)
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
