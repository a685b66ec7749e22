//! The tile engine: array, requantizer and buffers behind two AXI-Stream ports.

use std::sync::Arc;

use spec::{Config, stream};

use super::engine_input::engine_input;
use super::ram::{addr_bits, ram};
use super::requant_plan::Plan;
use super::{acc_banks, chunk_queue, double_ram, matmul, module_name, requant, weight_fifo};
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_engine`: linear layers, usable alone; see [`spec::stream`] for what travels on its streams.
///
/// Ports: `s_axis_*` in, `m_axis_*` out; `idle_o` (no chunk in flight), `error_o` (sticky), `stall_o`: 0 a row enters
/// the array, 1 no command, 2 waiting for weights, 3 waiting for an accumulator bank or buffer half.
///
/// # Errors
/// For a format with block scales; if the description is inconsistent (a bug, not bad input).
pub fn engine(config: &Config) -> Result<Arc<Module>, Error> {
    config.check_engine().map_err(Error::Invalid)?;
    let doc = format!(
        "Tile engine: a {} x {} systolic array, its buffers and its requantizer between two AXI4-Streams.\n\
         Commands and operands enter at s_axis, requantised rows leave at m_axis, one packet a row.\n\
         stall_o: 0 a row enters the array, 1 no command, 2 waiting for weights, 3 waiting for a\n\
         half of the double buffers. error_o stays set after a command it cannot obey.",
        config.array.rows, config.array.cols
    );
    let mut m = ModuleBuilder::new(module_name(config, "engine"), doc);
    let beat = Ty::u(config.bus.data_bits);
    let s_valid = m.input("s_axis_tvalid", Ty::bit());
    let s_ready = m.output("s_axis_tready", Ty::bit());
    let s_data = m.input("s_axis_tdata", beat);
    let m_valid = m.output("m_axis_tvalid", Ty::bit());
    let m_ready = m.input("m_axis_tready", Ty::bit());
    let m_data = m.output("m_axis_tdata", beat);
    let m_last = m.output("m_axis_tlast", Ty::bit());
    let bit = |m: &mut ModuleBuilder, name: &str| m.net(name, Ty::bit());

    m.section("Input: beats to words, words to their targets");
    let weight_ready = bit(&mut m, "weight_ready");
    let acts_busy = m.net("acts_busy", Ty::u(2));
    let busy = m.net("busy", Ty::u(2));
    let requant_busy = bit(&mut m, "rq_busy");
    let overrun = matmul::overruns(config).then(|| bit(&mut m, "overrun"));
    let mut inputs = vec![
        ("s_valid_i", &s_valid),
        ("s_data_i", &s_data),
        ("weight_ready_i", &weight_ready),
        ("acts_busy_i", &acts_busy),
        ("busy_i", &busy),
        ("requant_busy_i", &requant_busy),
    ];
    inputs.extend(overrun.iter().map(|overrun| ("overrun_i", overrun)));
    let input = m.instance("u_input", &engine_input(config)?, &inputs);
    m.assign(&s_ready, &input.out("s_ready_o"));
    let addr = input.out("addr_o");
    let half = input.out("half_o");

    m.section("Buffers");
    let act_read = bit(&mut m, "act_read");
    let act_bank = bit(&mut m, "act_bank");
    let act_addr = m.net("act_addr", Ty::u(addr_bits(config.act_words())));
    let act_ports = [
        ("write_i", &input.out("acts_o")),
        ("wbank_i", &half),
        ("waddr_i", &addr.part(0, act_addr.width())),
        ("wdata_i", &input.out("act_word_o")),
        ("read_i", &act_read),
        ("rbank_i", &act_bank),
        ("raddr_i", &act_addr),
    ];
    let act_buffer = double_ram::double_ram(config, "act_buffer", config.act_word_bits(), config.act_words())?;
    let act_data = m.instance("u_act_buffer", &act_buffer, &act_ports).out("rdata_o");

    let weight_pop = bit(&mut m, "weight_pop");
    let fifo_ports =
        [("valid_i", &input.out("weights_o")), ("data_i", &input.out("weight_word_o")), ("pop_i", &weight_pop)];
    let fifo = m.instance("u_weight_fifo", &weight_fifo::weight_fifo(config)?, &fifo_ports);
    m.assign(&weight_ready, &fifo.out("ready_o"));

    let row_read = bit(&mut m, "row_read");
    let row_bank = bit(&mut m, "row_bank");
    let row_addr = m.net("row_addr", Ty::u(addr_bits(config.array.chunk_rows)));
    let row_ports = [
        ("write_i", &input.out("rows_o")),
        ("wbank_i", &half),
        ("waddr_i", &addr.part(0, row_addr.width())),
        ("wdata_i", &input.out("row_word_o")),
        ("read_i", &row_read),
        ("rbank_i", &row_bank),
        ("raddr_i", &row_addr),
    ];
    let row_buffer = double_ram::double_ram(config, "row_buffer", stream::ROW_BITS, config.array.chunk_rows)?;
    let row_data = m.instance("u_row_buffer", &row_buffer, &row_ports).out("rdata_o");

    let chan_read = bit(&mut m, "chan_read");
    let chan_addr = m.net("chan_addr", Ty::u(addr_bits(config.channel_words())));
    let chan_bits = config.lanes() * stream::CHANNEL_BITS;
    let chan_ports = [
        ("write_i", &input.out("channels_o")),
        ("waddr_i", &addr.part(0, chan_addr.width())),
        ("wdata_i", &input.out("channel_word_o")),
        ("read_i", &chan_read),
        ("raddr_i", &chan_addr),
    ];
    let chan_data =
        m.instance("u_channels", &ram(config, chan_bits, config.channel_words())?, &chan_ports).out("rdata_o");

    m.section("Chunks in flight");
    let mm_ready = bit(&mut m, "mm_ready");
    let mm_done = bit(&mut m, "mm_done");
    let mm_done_bank = bit(&mut m, "mm_done_bank");
    let rq_ready = bit(&mut m, "rq_ready");
    let rq_read_done = bit(&mut m, "rq_read_done");
    let acts_done = bit(&mut m, "acts_done");
    let queue_ports = [
        ("run_i", &input.out("run_o")),
        ("half_i", &half),
        ("mode_i", &input.out("mode_o")),
        ("rows_i", &input.out("run_rows_o")),
        ("last_cols_i", &input.out("last_cols_o")),
        ("k_tiles_i", &input.out("k_tiles_o")),
        ("n_tiles_i", &input.out("n_tiles_o")),
        ("mult_i", &input.out("mult_o")),
        ("shift_i", &input.out("shift_o")),
        ("mm_ready_i", &mm_ready),
        ("mm_done_i", &mm_done),
        ("mm_done_bank_i", &mm_done_bank),
        ("rq_ready_i", &rq_ready),
        ("rq_read_done_i", &rq_read_done),
        ("acts_done_i", &acts_done),
        ("acts_done_bank_i", &act_bank),
    ];
    let queue = m.instance("u_queue", &chunk_queue::chunk_queue(config)?, &queue_ports);
    m.assign(&acts_busy, &queue.out("acts_busy_o"));
    m.assign(&busy, &queue.out("busy_o"));

    m.section("Matrix multiply");
    let mm_acc_data = m.net("mm_acc_data", Ty::u(config.acc_word_bits()));
    let rq_acc_data = m.net("rq_acc_data", Ty::u(config.acc_word_bits()));
    let mm_ports = [
        ("cmd_valid_i", &queue.out("mm_valid_o")),
        ("cmd_bank_i", &queue.out("mm_bank_o")),
        ("cmd_rows_i", &queue.out("mm_rows_o")),
        ("cmd_k_tiles_i", &queue.out("mm_k_tiles_o")),
        ("cmd_n_tiles_i", &queue.out("mm_n_tiles_o")),
        ("tile_ready_i", &fifo.out("tile_ready_o")),
        ("weight_i", &fifo.out("data_o")),
        ("act_i", &act_data),
        ("rdata_i", &mm_acc_data),
    ];
    let mm = m.instance("u_matmul", &matmul::matmul(config)?, &mm_ports);
    for (net, port) in [
        (&mm_ready, "cmd_ready_o"),
        (&mm_done, "done_o"),
        (&mm_done_bank, "done_bank_o"),
        (&weight_pop, "pop_o"),
        (&act_read, "act_read_o"),
        (&act_bank, "act_bank_o"),
        (&act_addr, "act_addr_o"),
        (&acts_done, "acts_done_o"),
    ] {
        m.assign(net, &mm.out(port));
    }
    if let Some(overrun) = &overrun {
        m.assign(overrun, &mm.out("overrun_o"));
    }

    m.section("Requantizer");
    let rq_ports = [
        ("cmd_valid_i", &queue.out("rq_valid_o")),
        ("cmd_bank_i", &queue.out("rq_bank_o")),
        ("cmd_mode_i", &queue.out("rq_mode_o")),
        ("cmd_rows_i", &queue.out("rq_rows_o")),
        ("cmd_last_cols_i", &queue.out("rq_last_cols_o")),
        ("cmd_n_tiles_i", &queue.out("rq_n_tiles_o")),
        ("cmd_mult_i", &queue.out("rq_mult_o")),
        ("cmd_shift_i", &queue.out("rq_shift_o")),
        ("acc_data_i", &rq_acc_data),
        ("row_data_i", &row_data),
        ("chan_data_i", &chan_data),
        ("out_ready_i", &m_ready),
    ];
    // A requantizer of one mode has no port for it.
    let names_mode = Plan::new(config).chooses_mode();
    let rq_ports: Vec<_> = rq_ports.into_iter().filter(|(port, _)| names_mode || *port != "cmd_mode_i").collect();
    let rq = m.instance("u_requant", &requant::requant(config)?, &rq_ports);
    for (net, port) in [
        (&rq_ready, "cmd_ready_o"),
        (&rq_read_done, "read_done_o"),
        (&requant_busy, "busy_o"),
        (&row_read, "row_en_o"),
        (&row_bank, "row_bank_o"),
        (&row_addr, "row_addr_o"),
        (&chan_read, "chan_en_o"),
        (&chan_addr, "chan_addr_o"),
        (&m_valid, "out_valid_o"),
        (&m_data, "out_data_o"),
        (&m_last, "out_last_o"),
    ] {
        m.assign(net, &rq.out(port));
    }
    let acc_ports = [
        ("write_i", &mm.out("write_o")),
        ("wbank_i", &mm.out("wbank_o")),
        ("waddr_i", &mm.out("waddr_o")),
        ("wdata_i", &mm.out("wdata_o")),
        ("mm_read_i", &mm.out("read_o")),
        ("mm_bank_i", &mm.out("rbank_o")),
        ("mm_addr_i", &mm.out("raddr_o")),
        ("rq_read_i", &rq.out("acc_en_o")),
        ("rq_bank_i", &rq.out("acc_bank_o")),
        ("rq_addr_i", &rq.out("acc_addr_o")),
    ];
    let acc = m.instance("u_acc", &acc_banks::acc_banks(config)?, &acc_ports);
    m.assign(&mm_acc_data, &acc.out("mm_data_o"));
    m.assign(&rq_acc_data, &acc.out("rq_data_o"));

    m.section("Status");
    let stall = m.output("stall_o", Ty::u(3));
    m.comb("why no row enters the array", |b| {
        b.set(&stall, &stall.k(1));
        b.when_else(
            &mm.out("row_o"),
            |b| b.set(&stall, &stall.k(0)),
            |b| {
                b.when_else(
                    &mm.out("wait_o"),
                    |b| b.set(&stall, &stall.k(2)),
                    |b| b.when(&input.out("waiting_o"), |b| b.set(&stall, &stall.k(3))),
                );
            },
        );
    });
    m.output_is("idle_o", &(input.out("idle_o") & fifo.out("empty_o")));
    m.output_is("error_o", &input.out("error_o"));
    m.build()
}
