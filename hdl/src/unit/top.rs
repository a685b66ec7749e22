//! The accelerator: registers, run control and all units behind AMBA's ports.

use std::sync::Arc;

use spec::Config;

use super::amba::{m_axi, s_axil};
use super::axil_regs::axil_regs;
use super::core::core;
use super::module_name;
use super::run_control::run_control;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Bits of `ERROR_DETAIL` that say that an instruction of the queue is under way.
const LOAD_WORKS: u32 = 5;
const STORE_WORKS: u32 = 29;

/// What run control takes from the units under the same name.
const WATCHED: [&str; 16] = [
    "running",
    "done",
    "memory_idle",
    "detail",
    "opcode_error",
    "opcode",
    "read_error",
    "read_error_addr",
    "write_error",
    "write_error_addr",
    "load_error",
    "store_error",
    "watchdog",
    "tokens_wait",
    "row",
    "wait",
];

/// What the register block takes from run control under the same name.
const REPORTED: [&str; 7] = ["busy", "done", "error", "error_code", "error_addr", "error_detail", "cause"];

/// `<prefix>_top`: the whole accelerator.
///
/// Ports: AXI4-Lite slave `s_axil_*` (registers of [`spec::regs`]), AXI4 master `m_axi_*`, interrupt `irq_o`.
///
/// # Errors
/// Those of [`Config::check_accelerator`]; if the description is inconsistent (a bug, not bad input).
pub fn top(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "The accelerator: a {} x {} array and a vector unit of {} lanes behind one memory port of {} bits,\n\
         started through registers. It executes the program at PROGRAM_ADDR and raises irq_o at its end.",
        config.array.rows,
        config.array.cols,
        config.vec_lanes(),
        config.bus.data_bits
    );
    let (regs, control, core) = (axil_regs(config)?, run_control(config)?, core(config)?);
    let mut m = ModuleBuilder::new(module_name(config, "top"), doc);
    let software = s_axil(&mut m);
    let memory = m_axi(&mut m, config);
    let irq = m.output("irq_o", Ty::bit());
    let net = |m: &mut ModuleBuilder, name: &str, module: &Module, port: &str| {
        let ty = module.port(port).map_or(Ty::bit(), |(_, signal)| signal.ty);
        m.net(name, ty)
    };

    m.section("Registers, beside what run control and the units tell them");
    let reported = REPORTED.map(|name| net(&mut m, name, &control, &format!("{name}_o")));
    let flush = m.net("flush", Ty::bit());
    let core_rst_n = m.net("core_rst_n", Ty::bit());
    let counted = ["tag", "read_taken", "write_taken", "retired", "running"];
    let counted = counted.map(|name| (name, net(&mut m, name, &core, &format!("{name}_o"))));

    let names = REPORTED.map(|name| format!("{name}_i"));
    let mut ports: Vec<(&str, &Expr)> = software.ports().collect();
    ports.extend(names.iter().map(String::as_str).zip(&reported));
    let places = ["tag_i", "read_i", "write_i", "retired_i", "run_i"];
    ports.extend(places.into_iter().zip(counted.iter().map(|(_, net)| net)));
    let block = m.instance("u_regs", &regs, &ports);
    software.drive(&mut m, &block);
    m.assign(&irq, &block.out("irq_o"));

    m.section("Units");
    let from_regs = ["start_o", "program_addr_o", "program_length_o", "watchdog_o"].map(|name| block.out(name));
    let mut ports: Vec<(&str, &Expr)> = memory.ports().collect();
    ports.extend(["start_i", "program_addr_i", "program_length_i", "watchdog_limit_i"].into_iter().zip(&from_regs));
    ports.push(("flush_i", &flush));
    let units = m.instance_in_reset("u_core", &core, &ports, &core_rst_n);
    memory.drive(&mut m, &units);
    for (name, net) in &counted {
        m.assign(net, &units.out(&format!("{name}_o")));
    }

    m.section("Run control");
    let passed = WATCHED.map(|name| (format!("{name}_i"), units.out(&format!("{name}_o"))));
    let (mm_busy, vec_busy) = (!units.out("mm_idle_o"), units.out("vec_busy_o"));
    let detail = units.out("detail_o");
    let (load_busy, store_busy) = (detail.bit(LOAD_WORKS), detail.bit(STORE_WORKS));
    let soft_reset = block.out("soft_reset_o");
    let mut ports: Vec<(&str, &Expr)> = passed.iter().map(|(name, value)| (name.as_str(), value)).collect();
    ports.extend([
        ("soft_reset_i", &soft_reset),
        ("mm_busy_i", &mm_busy),
        ("vec_busy_i", &vec_busy),
        ("load_busy_i", &load_busy),
        ("store_busy_i", &store_busy),
    ]);
    let control = m.instance("u_run_control", &control, &ports);
    for (name, net) in REPORTED.iter().zip(&reported) {
        m.assign(net, &control.out(&format!("{name}_o")));
    }
    m.assign(&flush, &control.out("flush_o"));
    m.assign(&core_rst_n, &control.out("core_rst_no"));
    m.build()
}
