//! The mm queue's unit of the accelerator: matrix products with their memories.

use std::sync::Arc;

use spec::Config;

use super::mm_plan::{MmPlan, reads_format};
use super::ram::addr_bits;
use super::{acc_banks, double_ram, matmul_whole, module_name, weight_fifo};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// The command's ports beside `cmd_valid_i`, with their bits: the fields of `MM`, and the tag that comes back with
/// `done_o`. Hardware that has no block scales has no `cmd_scaling_i`, and that of one format may have no `cmd_format_i`.
pub fn command_ports(config: &Config) -> Vec<(&'static str, u32)> {
    let scales = MmPlan::accelerator(config).scales;
    let is_read = |name: &str| match name {
        "cmd_format_i" => reads_format(config, scales),
        "cmd_scaling_i" => scales.any(),
        _ => true,
    };
    COMMAND.into_iter().filter(|(name, _)| is_read(name)).collect()
}

const COMMAND: [(&str, u32); 11] = [
    ("cmd_rows_i", 11),
    ("cmd_k_tiles_i", 12),
    ("cmd_n_tiles_i", 16),
    ("cmd_half_i", 1),
    ("cmd_bank_i", 1),
    ("cmd_act_i", 14),
    ("cmd_acc_i", 14),
    ("cmd_add_i", 1),
    ("cmd_format_i", 4),
    ("cmd_scaling_i", 3),
    ("cmd_tag_i", 4),
];

/// `<prefix>_mm`: `MM` instructions, with weight buffer, activation buffer and accumulator banks.
///
/// Ports: command `cmd_valid_i`, `cmd_ready_o` and [`command_ports`]; weights `weight_valid_i`, `weight_ready_o`,
/// `weight_data_i`: weight words and header words as they come, codes packed in the low bits; writes to the activation
/// buffer `act_write_i`, `act_half_i`, `act_addr_i`, `act_lanes_i` `[rows]` (which codes), `act_codes_i` `[rows]` of 8 bits,
/// `act_scale_i` (written with every word); reads of the accumulators `acc_read_i`, `acc_bank_i`, `acc_addr_i`,
/// `acc_data_o` `[cols]` one cycle later; `done_o`, `done_tag_o`, `idle_o`, `row_o`, `wait_o` as in
/// [`matmul_whole::matmul_whole`]. An accumulator bank has one reader at a time: while commands use it, others do not read it.
///
/// # Errors
/// Those of [`Config::check_accelerator`]; if the description is inconsistent (a bug, not bad input).
pub fn mm(config: &Config) -> Result<Arc<Module>, Error> {
    config.check_accelerator().map_err(Error::Invalid)?;
    let plan = MmPlan::accelerator(config);
    let rows = config.array.rows;
    let doc = format!(
        "Matrix products of the accelerator: a {rows} x {} systolic array with its weight buffer,\n\
         activation buffer ({} words a half) and accumulator banks ({} words of {}-bit sums each).\n\
         A command is done, done_o, when its last accumulator word is being written.",
        config.array.cols, plan.act_words, plan.acc_words, plan.acc_bits
    );
    let mut m = ModuleBuilder::new(module_name(config, "mm"), doc);
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let command: Vec<(&str, Expr)> =
        command_ports(config).into_iter().map(|(name, bits)| (name, m.input(name, Ty::u(bits)))).collect();
    let weight_valid_i = m.input("weight_valid_i", Ty::bit());
    let weight_data_i = m.input("weight_data_i", Ty::u(config.weight_word_bits()));
    let act_write_i = m.input("act_write_i", Ty::bit());
    let act_half_i = m.input("act_half_i", Ty::bit());
    let act_addr_i = m.input("act_addr_i", Ty::u(addr_bits(plan.act_words)));
    let act_lanes_i = m.input("act_lanes_i", Ty::u(rows));
    let act_codes_i = m.input("act_codes_i", Ty::u(8 * rows));
    let act_scale_i = m.input("act_scale_i", Ty::u(8));
    let acc_read_i = m.input("acc_read_i", Ty::bit());
    let acc_bank_i = m.input("acc_bank_i", Ty::bit());
    let acc_addr_i = m.input("acc_addr_i", Ty::u(addr_bits(plan.acc_words)));

    m.section("Weight buffer");
    let pop = m.net("weight_pop", Ty::bit());
    let ports = [("valid_i", &weight_valid_i), ("data_i", &weight_data_i), ("pop_i", &pop)];
    let weights = m.instance("u_weight_fifo", &weight_fifo::weight_fifo(config)?, &ports);
    m.output_is("weight_ready_o", &weights.out("ready_o"));

    m.section("Activation buffer");
    let [act_read, act_bank] = ["act_read", "act_bank"].map(|name| m.net(name, Ty::bit()));
    let act_addr = m.net("act_addr", Ty::u(addr_bits(plan.act_words)));
    let word = m.wire("act_word", &Expr::concat(&[act_scale_i, act_codes_i]));
    let lanes = m.wire("act_word_lanes", &Expr::concat(&[Expr::u(1, 1), act_lanes_i]));
    let ports = [
        ("write_i", &act_write_i),
        ("wbank_i", &act_half_i),
        ("waddr_i", &act_addr_i),
        ("wdata_i", &word),
        ("lanes_i", &lanes),
        ("read_i", &act_read),
        ("rbank_i", &act_bank),
        ("raddr_i", &act_addr),
    ];
    let (bits, words) = (plan.act_word_bits(config), plan.act_words);
    let buffer = double_ram::double_lane_ram(config, "act_buffer", bits, words, rows + 1)?;
    let acts = m.instance("u_act_buffer", &buffer, &ports).out("rdata_o");

    m.section("Matrix products");
    let acc_data = m.net("acc_data", Ty::u(plan.acc_word_bits(config)));
    let mut ports = vec![
        ("cmd_valid_i", cmd_valid_i),
        ("tile_ready_i", weights.out("tile_ready_o")),
        ("weight_i", weights.out("data_o")),
        ("act_i", acts),
        ("rdata_i", acc_data.clone()),
    ];
    if plan.scales.any() {
        ports.push(("weights_empty_i", weights.out("empty_o")));
    }
    ports.extend(command);
    let ports: Vec<(&str, &Expr)> = ports.iter().map(|(name, value)| (*name, value)).collect();
    let matmul = m.instance("u_matmul", &matmul_whole::matmul_whole(config)?, &ports);
    for (net, port) in
        [(&pop, "pop_o"), (&act_read, "act_read_o"), (&act_bank, "act_bank_o"), (&act_addr, "act_addr_o")]
    {
        m.assign(net, &matmul.out(port));
    }
    for port in ["cmd_ready_o", "done_o", "done_tag_o", "idle_o", "row_o", "wait_o"] {
        m.output_is(port, &matmul.out(port));
    }

    m.section("Accumulators");
    let ports = [
        ("write_i", &matmul.out("write_o")),
        ("wbank_i", &matmul.out("wbank_o")),
        ("waddr_i", &matmul.out("waddr_o")),
        ("wdata_i", &matmul.out("wdata_o")),
        ("mm_read_i", &matmul.out("read_o")),
        ("mm_bank_i", &matmul.out("rbank_o")),
        ("mm_addr_i", &matmul.out("raddr_o")),
        ("rq_read_i", &acc_read_i),
        ("rq_bank_i", &acc_bank_i),
        ("rq_addr_i", &acc_addr_i),
    ];
    let banks = m.instance("u_acc", &acc_banks::banks(config, &plan)?, &ports);
    m.assign(&acc_data, &banks.out("mm_data_o"));
    m.output_is("acc_data_o", &banks.out("rq_data_o"));
    m.build()
}
