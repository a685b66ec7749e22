//! The accelerator: registers, front, matrix unit and vector unit behind AMBA's ports.

use std::sync::Arc;

use spec::Config;
use spec::isa::{Field, INSTR_BITS, Op};

use super::amba::{m_axi_inputs, m_axi_outputs, s_axil_inputs, s_axil_outputs};
use super::axil_regs::axil_regs;
use super::front::front;
use super::instr_field::field;
use super::mm::{command_ports, mm};
use super::module_name;
use super::run_control::run_control;
use super::vec::vector::vector;
use crate::error::Error;
use crate::rtl::connect::Outputs;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Bits of `ERROR_DETAIL` that say that an instruction of the queue is under way.
const LOAD_WORKS: u32 = 5;
const STORE_WORKS: u32 = 29;

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
    let (regs, control) = (axil_regs(config)?, run_control(config)?);
    let (front, mm, vec) = (front(config)?, mm(config)?, vector(config)?);
    let mut m = ModuleBuilder::new(module_name(config, "top"), doc);
    let software = s_axil_inputs(&mut m);
    let memory = m_axi_inputs(&mut m, config);

    m.section("Nets between the parts");
    let mut nets = Nets(Vec::new());
    nets.add(&mut m, "control", &control, &["busy_o", "done_o", "error_o", "cause_o", "flush_o", "core_rst_no"]);
    nets.add(&mut m, "control", &control, &["error_code_o", "error_addr_o", "error_detail_o"]);
    nets.add(&mut m, "front", &front, &["tag_o", "read_taken_o", "write_taken_o", "retired_o"]);
    nets.add(&mut m, "mm", &mm, &["cmd_ready_o", "done_o", "weight_ready_o", "acc_data_o"]);
    nets.add(&mut m, "vec", &vec, &["instr_ready_o", "retired_o", "index_o", "out_valid_o", "out_data_o"]);
    let running = m.net("front_to_running", Ty::bit());

    m.section("Registers");
    let mut ports: Vec<(&str, &Expr)> = software.ports().collect();
    ports.extend([
        ("busy_i", nets.of("control.busy_o")),
        ("done_i", nets.of("control.done_o")),
        ("error_i", nets.of("control.error_o")),
        ("error_code_i", nets.of("control.error_code_o")),
        ("error_addr_i", nets.of("control.error_addr_o")),
        ("error_detail_i", nets.of("control.error_detail_o")),
        ("tag_i", nets.of("front.tag_o")),
        ("run_i", &running),
        ("cause_i", nets.of("control.cause_o")),
        ("read_i", nets.of("front.read_taken_o")),
        ("write_i", nets.of("front.write_taken_o")),
        ("retired_i", nets.of("front.retired_o")),
    ]);
    let block = m.instance("u_regs", &regs, &ports);
    s_axil_outputs(&mut m, &block);
    m.output_is("irq_o", &block.out("irq_o"));

    let core = nets.of("control.core_rst_no").clone();
    m.section("Front: instructions, weights, parameters, results");
    let mut ports: Vec<(&str, &Expr)> = memory.ports().collect();
    let from_regs = ["start_o", "program_addr_o", "program_length_o", "watchdog_o"].map(|name| block.out(name));
    ports.extend(["start_i", "program_addr_i", "program_length_i", "watchdog_limit_i"].into_iter().zip(&from_regs));
    ports.extend([
        ("flush_i", nets.of("control.flush_o")),
        ("mm_ready_i", nets.of("mm.cmd_ready_o")),
        ("mm_retire_i", nets.of("mm.done_o")),
        ("vec_ready_i", nets.of("vec.instr_ready_o")),
        ("vec_retire_i", nets.of("vec.retired_o")),
        ("weight_ready_i", nets.of("mm.weight_ready_o")),
        ("index_i", nets.of("vec.index_o")),
        ("out_valid_i", nets.of("vec.out_valid_o")),
        ("out_data_i", nets.of("vec.out_data_o")),
    ]);
    let front = m.instance_in_reset("u_front", &front, &ports, &core);
    m_axi_outputs(&mut m, config, &front);
    m.assign(&running, &front.out("running_o"));

    m.section("Vector unit");
    let f = |name: &str| front.out(name);
    let ports = [
        ("instr_valid_i", &f("vec_valid_o")),
        ("instr_i", &f("vec_instr_o")),
        ("acc_data_i", nets.of("mm.acc_data_o")),
        ("param_write_i", &f("param_write_o")),
        ("param_waddr_i", &f("param_addr_o")),
        ("param_wdata_i", &f("param_data_o")),
        ("out_ready_i", &f("out_ready_o")),
    ];
    let vec = m.instance_in_reset("u_vector", &vec, &ports, &core);

    m.section("Matrix unit");
    let instr = f("mm_instr_o");
    debug_assert_eq!(instr.width(), INSTR_BITS);
    let command: Vec<(&str, Expr)> =
        command_ports(config).into_iter().map(|(name, bits)| (name, command_field(&instr, name, bits))).collect();
    let writes = ["act_write", "act_half", "act_addr", "act_lanes", "act_codes", "act_scale"];
    let reads = ["acc_read", "acc_bank", "acc_addr"];
    let passed: Vec<(String, Expr)> =
        writes.iter().chain(&reads).map(|name| (format!("{name}_i"), vec.out(&format!("{name}_o")))).collect();
    let valid = f("mm_valid_o");
    let (weight_valid, weight) = (f("weight_valid_o"), f("weight_o"));
    let mut ports: Vec<(&str, &Expr)> = vec![("cmd_valid_i", &valid)];
    ports.extend([("weight_valid_i", &weight_valid), ("weight_data_i", &weight)]);
    ports.extend(command.iter().map(|(name, value)| (*name, value)));
    ports.extend(passed.iter().map(|(name, value)| (name.as_str(), value)));
    let mm = m.instance_in_reset("u_mm", &mm, &ports, &core);

    m.section("Run control");
    let (mm_busy, row, wait) = (!mm.out("idle_o"), mm.out("row_o"), mm.out("wait_o"));
    let (vec_busy, detail) = (vec.out("busy_o"), f("detail_o"));
    let soft_reset = block.out("soft_reset_o");
    let (load_busy, store_busy) = (detail.bit(LOAD_WORKS), detail.bit(STORE_WORKS));
    let names = ["running", "done", "memory_idle", "detail", "opcode_error", "opcode", "read_error", "read_error_addr"];
    let more = ["write_error", "write_error_addr", "load_error", "store_error", "watchdog", "tokens_wait"];
    let passed: Vec<(String, Expr)> =
        names.iter().chain(&more).map(|name| (format!("{name}_i"), f(&format!("{name}_o")))).collect();
    let mut ports: Vec<(&str, &Expr)> = passed.iter().map(|(name, value)| (name.as_str(), value)).collect();
    ports.extend([
        ("soft_reset_i", &soft_reset),
        ("row_i", &row),
        ("wait_i", &wait),
        ("mm_busy_i", &mm_busy),
        ("vec_busy_i", &vec_busy),
        ("load_busy_i", &load_busy),
        ("store_busy_i", &store_busy),
    ]);
    let control = m.instance("u_run_control", &control, &ports);
    nets.drive(&mut m, &[("control", &control), ("front", &front), ("mm", &mm), ("vec", &vec)]);
    m.build()
}

/// A field of `MM` for a command port; the tag is not used.
fn command_field(instr: &Expr, port: &str, bits: u32) -> Expr {
    let name = port.trim_start_matches("cmd_").trim_end_matches("_i");
    let of = |name: Field| field(instr, Op::Mm, name);
    let fields = [
        Field::Rows,
        Field::KTiles,
        Field::NTiles,
        Field::Half,
        Field::Bank,
        Field::Act,
        Field::Acc,
        Field::Add,
        Field::Format,
        Field::Scaling,
    ];
    fields.into_iter().find(|f| f.name() == name).map_or(Expr::u(bits, 0), of)
}

/// Wires for outputs of parts that are described further down: part, a dot and port, and the wire.
struct Nets(Vec<(String, Expr)>);

impl Nets {
    fn add(&mut self, m: &mut ModuleBuilder, part: &str, module: &Arc<Module>, ports: &[&str]) {
        for port in ports {
            let ty = module.port(port).map_or(Ty::bit(), |(_, signal)| signal.ty);
            let wire = format!("{part}_to_{}", port.trim_end_matches("_o").trim_end_matches("_no"));
            self.0.push((format!("{part}.{port}"), m.net(&wire, ty)));
        }
    }

    /// The wire of an output.
    ///
    /// # Panics
    /// For an output that was not added (a bug).
    fn of(&self, name: &str) -> &Expr {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map(|(_, net)| net).unwrap_or_else(|| unreachable!("no net for {name}"))
    }

    fn drive(&self, m: &mut ModuleBuilder, parts: &[(&str, &Outputs)]) {
        for (name, net) in &self.0 {
            for (part, outputs) in parts {
                if let Some(port) = name.strip_prefix(part).and_then(|rest| rest.strip_prefix('.')) {
                    m.assign(net, &outputs.out(port));
                }
            }
        }
    }
}
