//! The accelerator's port to memory: two readers and a writer.

use std::sync::Arc;

use spec::Config;

use super::burst::{Bursts, beat_addr_bits};
use super::dma_read::dma_read;
use super::dma_write::{BYTES_BITS, dma_write};
use super::module_name;
use super::read_arbiter::read_arbiter;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// Bursts of the reader that fetches instructions: a few short ones, since each instruction keeps the units busy for long.
pub const FETCH: Bursts = Bursts { outstanding: 2, beats: 8 };

/// `<prefix>_memory_port`: readers `fetch` and `load`, writer `store`, AXI4 channels `ar`, `r`, `aw`, `w`, `b`.
///
/// Ports: each part's as [`dma_read`] and [`dma_write`] name them, behind `fetch_`, `load_` and `store_`; `flush_i` flushes
/// all, `fetch_flush_i` the reader of instructions; the channels' under their plain names. `fetch` goes before `load`. `read_taken_o`, `write_taken_o`: a beat is
/// transferred.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn memory_port(config: &Config, load: Bursts) -> Result<Arc<Module>, Error> {
    let (data_bits, beat_bits) = (config.bus.data_bits, beat_addr_bits(config));
    let doc = "Memory port: a reader for instructions, one for data, a writer. Every transfer is cut into\n\
               bursts that stay within 4 KiB and wait for no one once they have begun.";
    let mut m = ModuleBuilder::new(module_name(config, "memory_port"), doc);
    let flush_i = m.input("flush_i", Ty::bit());
    let fetch_flush_i = m.input("fetch_flush_i", Ty::bit());
    let r_valid_i = m.input("r_valid_i", Ty::bit());
    let r_data_i = m.input("r_data_i", Ty::u(data_bits));
    let r_resp_i = m.input("r_resp_i", Ty::u(2));
    let r_last_i = m.input("r_last_i", Ty::bit());
    let ar_ready_i = m.input("ar_ready_i", Ty::bit());

    m.section("Readers");
    let r_data = m.net("r_data", Ty::u(data_bits));
    let r_resp = m.net("r_resp", Ty::u(2));
    let r_last = m.net("r_last", Ty::bit());
    let mut readers = Vec::new();
    let fetch_flush = m.wire("fetch_flush", &(&flush_i | &fetch_flush_i));
    for (name, bursts, flush) in [("fetch", FETCH, &fetch_flush), ("load", load, &flush_i)] {
        let cmd_valid = m.input(&format!("{name}_cmd_valid_i"), Ty::bit());
        let cmd_beat = m.input(&format!("{name}_cmd_beat_i"), Ty::u(beat_bits));
        let cmd_count = m.input(&format!("{name}_cmd_count_i"), Ty::u(beat_bits));
        let out_ready = m.input(&format!("{name}_ready_i"), Ty::bit());
        let ar_ready = m.net(&format!("{name}_ar_ready"), Ty::bit());
        let r_valid = m.net(&format!("{name}_r_valid"), Ty::bit());
        let module = dma_read(config, &format!("dma_read_{name}"), bursts)?;
        let ports = [
            ("cmd_valid_i", &cmd_valid),
            ("cmd_beat_i", &cmd_beat),
            ("cmd_count_i", &cmd_count),
            ("flush_i", flush),
            ("ar_ready_i", &ar_ready),
            ("r_valid_i", &r_valid),
            ("r_data_i", &r_data),
            ("r_resp_i", &r_resp),
            ("r_last_i", &r_last),
            ("out_ready_i", &out_ready),
        ];
        let reader = m.instance(&format!("u_{name}_reader"), &module, &ports);
        for (port, from) in [
            ("cmd_ready_o", "cmd_ready_o"),
            ("valid_o", "out_valid_o"),
            ("data_o", "out_data_o"),
            ("last_o", "out_last_o"),
            ("idle_o", "idle_o"),
            ("error_o", "error_o"),
            ("error_resp_o", "error_resp_o"),
            ("error_addr_o", "error_addr_o"),
        ] {
            m.output_is(&format!("{name}_{port}"), &reader.out(from));
        }
        readers.push((reader, ar_ready, r_valid));
    }
    let (a, b) = (&readers[0].0, &readers[1].0);
    let ports = [
        ("a_ar_valid_i", &a.out("ar_valid_o")),
        ("a_ar_addr_i", &a.out("ar_addr_o")),
        ("a_ar_len_i", &a.out("ar_len_o")),
        ("a_r_ready_i", &a.out("r_ready_o")),
        ("b_ar_valid_i", &b.out("ar_valid_o")),
        ("b_ar_addr_i", &b.out("ar_addr_o")),
        ("b_ar_len_i", &b.out("ar_len_o")),
        ("b_r_ready_i", &b.out("r_ready_o")),
        ("ar_ready_i", &ar_ready_i),
        ("r_valid_i", &r_valid_i),
        ("r_data_i", &r_data_i),
        ("r_resp_i", &r_resp_i),
        ("r_last_i", &r_last_i),
    ];
    let arbiter = read_arbiter(config, FETCH.outstanding + load.outstanding)?;
    let arbiter = m.instance("u_arbiter", &arbiter, &ports);
    for ((_, ar_ready, r_valid), name) in readers.iter().zip(["a", "b"]) {
        m.assign(ar_ready, &arbiter.out(&format!("{name}_ar_ready_o")));
        m.assign(r_valid, &arbiter.out(&format!("{name}_r_valid_o")));
    }
    m.assign(&r_data, &arbiter.out("r_data_o"));
    m.assign(&r_resp, &arbiter.out("r_resp_o"));
    m.assign(&r_last, &arbiter.out("r_last_o"));
    for port in ["ar_valid_o", "ar_addr_o", "ar_len_o"] {
        m.output_is(port, &arbiter.out(port));
    }
    let r_ready = arbiter.out("r_ready_o");
    m.output_is("r_ready_o", &r_ready);
    m.output_is("read_taken_o", &(&r_valid_i & &r_ready));

    m.section("Writer");
    let inputs = [
        ("store_cmd_valid_i", "cmd_valid_i", 1),
        ("store_cmd_beat_i", "cmd_beat_i", beat_bits),
        ("store_cmd_bytes_i", "cmd_bytes_i", BYTES_BITS),
        ("store_valid_i", "in_valid_i", 1),
        ("store_data_i", "in_data_i", data_bits),
        ("aw_ready_i", "aw_ready_i", 1),
        ("w_ready_i", "w_ready_i", 1),
        ("b_valid_i", "b_valid_i", 1),
        ("b_resp_i", "b_resp_i", 2),
    ];
    let inputs: Vec<_> = inputs.iter().map(|(port, to, bits)| (*to, m.input(port, Ty::u(*bits)))).collect();
    let mut ports: Vec<_> = inputs.iter().map(|(to, port)| (*to, port)).collect();
    ports.push(("flush_i", &flush_i));
    let writer = m.instance("u_writer", &dma_write(config, load)?, &ports);
    for (port, from) in [
        ("store_cmd_ready_o", "cmd_ready_o"),
        ("store_ready_o", "in_ready_o"),
        ("store_done_o", "done_o"),
        ("store_idle_o", "idle_o"),
        ("store_error_o", "error_o"),
        ("store_error_resp_o", "error_resp_o"),
        ("store_error_addr_o", "error_addr_o"),
        ("aw_valid_o", "aw_valid_o"),
        ("aw_addr_o", "aw_addr_o"),
        ("aw_len_o", "aw_len_o"),
        ("w_data_o", "w_data_o"),
        ("w_strb_o", "w_strb_o"),
        ("w_last_o", "w_last_o"),
        ("b_ready_o", "b_ready_o"),
    ] {
        m.output_is(port, &writer.out(from));
    }
    let w_valid = writer.out("w_valid_o");
    m.output_is("w_valid_o", &w_valid);
    let w_ready = &inputs[6].1;
    m.output_is("write_taken_o", &(&w_valid & w_ready));
    m.build()
}
