//! The accelerator's front: all that stands between memory and the units that compute.

use std::sync::Arc;

use spec::Config;
use spec::isa::Queue;

use super::burst::Bursts;
use super::load_unit::load_unit;
use super::memory_port::memory_port;
use super::module_name;
use super::sequencer::sequencer;
use super::store_unit::store_unit;
use crate::error::Error;
use crate::rtl::connect::Outputs;
use crate::rtl::module::SignalKind;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_front`: memory port, sequencer, load unit and store unit.
///
/// Ports: `start_i`, `program_addr_i`, `program_length_i`, `watchdog_limit_i`, `running_o`, `done_o`, `tag_o`, `retired_o`,
/// `tokens_wait_o`, `opcode_error_o`, `opcode_o`, `watchdog_o`, `detail_o` of the sequencer; for the queues `mm` and `vec`
/// `<q>_valid_o`, `<q>_ready_i`, `<q>_instr_o`, `<q>_retire_i`; `load_retire_o`, `store_retire_o`; `index_i`, `weight_*`,
/// `param_*` of the load unit; `out_valid_i`, `out_ready_o`, `out_data_i`: beats of the out stream; the channels of
/// memory; `flush_i`, and `memory_idle_o`: nothing is under way there; `load_error_o`, `store_error_o` (instructions);
/// `read_error_o`, `read_error_addr_o`, `write_error_o`, `write_error_addr_o`; `read_taken_o`, `write_taken_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn front(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Front of the accelerator: fetches instructions, loads weights and parameters, stores results.";
    let mut m = ModuleBuilder::new(module_name(config, "front"), doc);
    let bursts = Bursts { outstanding: config.dma.outstanding, beats: config.dma.burst_beats };
    let sequencer = sequencer(config)?;
    let load = load_unit(config)?;
    let store = store_unit(config)?;
    let port = memory_port(config, bursts)?;

    m.section("Nets between the parts");
    let mut nets: Vec<(String, Expr)> = Vec::new();
    let links = [
        ("port", "fetch_", &port, &["cmd_ready_o", "valid_o", "data_o", "idle_o"][..]),
        ("port", "load_", &port, &["cmd_ready_o", "valid_o", "data_o"]),
        ("port", "store_", &port, &["cmd_ready_o", "done_o"]),
        ("load", "", &load, &["instr_ready_o", "cmd_valid_o", "cmd_beat_o", "cmd_count_o", "beat_ready_o", "retire_o"]),
        ("store", "", &store, &["instr_ready_o", "cmd_valid_o", "cmd_beat_o", "cmd_bytes_o", "retire_o"]),
    ];
    for (part, prefix, module, ports) in links {
        for name in ports {
            let name = format!("{prefix}{name}");
            let ty = module.port(&name).map_or(Ty::bit(), |(_, signal)| signal.ty);
            let net = m.net(&format!("{part}_to_{}", name.trim_end_matches("_o")), ty);
            nets.push((format!("{part}.{name}"), net));
        }
    }
    let net = |of: &str| nets.iter().find(|(name, _)| name == of).map_or(Expr::u(1, 0), |(_, net)| net.clone());

    m.section("Sequencer");
    let mut inputs: Vec<(String, Expr)> = vec![
        ("cmd_ready_i".into(), net("port.fetch_cmd_ready_o")),
        ("beat_valid_i".into(), net("port.fetch_valid_o")),
        ("beat_i".into(), net("port.fetch_data_o")),
        ("fetch_idle_i".into(), net("port.fetch_idle_o")),
        ("load_ready_i".into(), net("load.instr_ready_o")),
        ("load_retire_i".into(), net("load.retire_o")),
        ("store_ready_i".into(), net("store.instr_ready_o")),
        ("store_retire_i".into(), net("store.retire_o")),
    ];
    let seq = instance(&mut m, "u_sequencer", &sequencer, &mut inputs);
    let own = ["load_valid_o", "load_instr_o", "store_valid_o", "store_instr_o", "cmd_", "beat_ready_o", "flush_o"];
    export(&mut m, &sequencer, &seq, |name| (!own.iter().any(|o| name.starts_with(o))).then(|| name.to_string()));
    for queue in [Queue::Load, Queue::Store] {
        let name = queue.name();
        m.output_is(&format!("{name}_retire_o"), &net(&format!("{name}.retire_o")));
    }

    m.section("Load unit");
    let mut inputs: Vec<(String, Expr)> = vec![
        ("instr_valid_i".into(), seq.out("load_valid_o")),
        ("instr_i".into(), seq.out("load_instr_o")),
        ("cmd_ready_i".into(), net("port.load_cmd_ready_o")),
        ("beat_valid_i".into(), net("port.load_valid_o")),
        ("beat_i".into(), net("port.load_data_o")),
    ];
    let load_part = instance(&mut m, "u_load", &load, &mut inputs);
    export(&mut m, &load, &load_part, |name| match name {
        "error_o" => Some("load_error_o".into()),
        name if name.starts_with("weight_") || name.starts_with("param_") => Some(name.into()),
        _ => None,
    });

    m.section("Store unit");
    let mut inputs: Vec<(String, Expr)> = vec![
        ("instr_valid_i".into(), seq.out("store_valid_o")),
        ("instr_i".into(), seq.out("store_instr_o")),
        ("cmd_ready_i".into(), net("port.store_cmd_ready_o")),
        ("done_i".into(), net("port.store_done_o")),
    ];
    let store_part = instance(&mut m, "u_store", &store, &mut inputs);
    m.output_is("store_error_o", &store_part.out("error_o"));

    m.section("Memory port");
    let out_valid = m.input("out_valid_i", Ty::bit());
    let out_data = m.input("out_data_i", Ty::u(config.bus.data_bits));
    let mut inputs: Vec<(String, Expr)> = vec![
        ("fetch_cmd_valid_i".into(), seq.out("cmd_valid_o")),
        ("fetch_cmd_beat_i".into(), seq.out("cmd_beat_o")),
        ("fetch_cmd_count_i".into(), seq.out("cmd_count_o")),
        ("fetch_ready_i".into(), seq.out("beat_ready_o")),
        ("fetch_flush_i".into(), seq.out("flush_o")),
        ("load_cmd_valid_i".into(), net("load.cmd_valid_o")),
        ("load_cmd_beat_i".into(), net("load.cmd_beat_o")),
        ("load_cmd_count_i".into(), net("load.cmd_count_o")),
        ("load_ready_i".into(), net("load.beat_ready_o")),
        ("store_cmd_valid_i".into(), net("store.cmd_valid_o")),
        ("store_cmd_beat_i".into(), net("store.cmd_beat_o")),
        ("store_cmd_bytes_i".into(), net("store.cmd_bytes_o")),
        ("store_valid_i".into(), out_valid),
        ("store_data_i".into(), out_data),
    ];
    let memory = instance(&mut m, "u_memory", &port, &mut inputs);
    m.output_is("out_ready_o", &memory.out("store_ready_o"));
    export(&mut m, &port, &memory, |name| {
        let channel = ["ar_", "r_", "aw_", "w_", "b_"].iter().any(|c| name.starts_with(c));
        (channel || name.ends_with("taken_o")).then(|| name.to_string())
    });
    let idle = memory.out("fetch_idle_o") & memory.out("load_idle_o") & memory.out("store_idle_o");
    m.output_is("memory_idle_o", &idle);
    let (fetch, load_error) = (memory.out("fetch_error_o"), memory.out("load_error_o"));
    m.output_is("read_error_o", &(&fetch | &load_error));
    let addr = fetch.mux(&memory.out("fetch_error_addr_o"), &memory.out("load_error_addr_o"));
    m.output_is("read_error_addr_o", &addr);
    m.output_is("write_error_o", &memory.out("store_error_o"));
    m.output_is("write_error_addr_o", &memory.out("store_error_addr_o"));
    for (name, net) in &nets {
        let (part, port) = name.split_once('.').unwrap_or_default();
        let value = match part {
            "port" => memory.out(port),
            "load" => load_part.out(port),
            _ => store_part.out(port),
        };
        m.assign(net, &value);
    }
    m.build()
}

/// An instance; its inputs that are not given become inputs of the whole, under their names.
pub(super) fn instance(
    m: &mut ModuleBuilder,
    name: &str,
    module: &Arc<Module>,
    given: &mut Vec<(String, Expr)>,
) -> Outputs {
    for (_, port) in module.ports() {
        if port.kind == SignalKind::Input && !given.iter().any(|(name, _)| *name == port.name) {
            given.push((port.name.clone(), m.input(&port.name, port.ty)));
        }
    }
    let ports: Vec<(&str, &Expr)> = given.iter().map(|(name, expr)| (name.as_str(), expr)).collect();
    m.instance(name, module, &ports)
}

/// Outputs of an instance as outputs of the whole, under the names that `rename` gives.
pub(super) fn export(
    m: &mut ModuleBuilder,
    module: &Arc<Module>,
    part: &Outputs,
    rename: impl Fn(&str) -> Option<String>,
) {
    for (_, port) in module.ports().filter(|(_, port)| port.kind == SignalKind::Output) {
        if let Some(name) = rename(&port.name) {
            m.output_is(&name, &part.out(&port.name));
        }
    }
}
