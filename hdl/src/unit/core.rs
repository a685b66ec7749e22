//! All units that execute instructions, without registers and run control.

use std::sync::Arc;

use spec::Config;
use spec::isa::{INSTR_BITS, Op};

use super::front::{self, export, instance};
use super::instr_field::field;
use super::mm::{command_ports, mm};
use super::module_name;
use super::vec::vector::vector;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Outputs of the front that the other units take, by the beginnings of their names.
const TAKEN: [&str; 8] = ["mm_valid", "mm_instr", "vec_", "weight_", "param_", "out_", "load_retire", "store_retire"];

/// `<prefix>_core`: front, matrix unit and vector unit.
///
/// Ports: those of the front ([`front::front`]) that neither other unit drives or takes; `row_o`, `wait_o`, `mm_idle_o` of the
/// matrix unit, `vec_busy_o` of the vector unit.
///
/// # Errors
/// Those of [`Config::check_accelerator`]; if the description is inconsistent (a bug, not bad input).
pub fn core(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Units of the accelerator: the front gives instructions, weights and parameters to the matrix unit\n\
               and to the vector unit, which share the activation buffer and the accumulators.";
    let (front, mm, vec) = (front::front(config)?, mm(config)?, vector(config)?);
    let mut m = ModuleBuilder::new(module_name(config, "core"), doc);

    m.section("Nets to the front and to the vector unit");
    let mut net = |name: &str, module: &Module, port: &str| {
        let ty = module.port(port).map_or(Ty::bit(), |(_, signal)| signal.ty);
        m.net(name, ty)
    };
    let mm_ready = net("mm_ready", &mm, "cmd_ready_o");
    let mm_retire = net("mm_retire", &mm, "done_o");
    let weight_ready = net("weight_ready", &mm, "weight_ready_o");
    let acc_data = net("acc_data", &mm, "acc_data_o");
    let vec_ready = net("vec_ready", &vec, "instr_ready_o");
    let vec_retire = net("vec_retire", &vec, "retired_o");
    let index = net("index", &vec, "index_o");
    let out_valid = net("out_valid", &vec, "out_valid_o");
    let out_data = net("out_data", &vec, "out_data_o");

    m.section("Front: instructions, weights, parameters, results");
    let mut inputs: Vec<(String, Expr)> = [
        ("mm_ready_i", &mm_ready),
        ("mm_retire_i", &mm_retire),
        ("vec_ready_i", &vec_ready),
        ("vec_retire_i", &vec_retire),
        ("weight_ready_i", &weight_ready),
        ("index_i", &index),
        ("out_valid_i", &out_valid),
        ("out_data_i", &out_data),
    ]
    .map(|(name, net)| (name.to_string(), net.clone()))
    .into();
    let given = instance(&mut m, "u_front", &front, &mut inputs);
    export(&mut m, &front, &given, |name| {
        (!TAKEN.iter().any(|taken| name.starts_with(taken))).then(|| name.to_string())
    });
    let f = |name: &str| given.out(name);

    m.section("Vector unit");
    let ports = [
        ("instr_valid_i", &f("vec_valid_o")),
        ("instr_i", &f("vec_instr_o")),
        ("acc_data_i", &acc_data),
        ("param_write_i", &f("param_write_o")),
        ("param_waddr_i", &f("param_addr_o")),
        ("param_wdata_i", &f("param_data_o")),
        ("out_ready_i", &f("out_ready_o")),
    ];
    let vec = m.instance("u_vector", &vec, &ports);
    m.output_is("vec_busy_o", &vec.out("busy_o"));

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
    let mm = m.instance("u_mm", &mm, &ports);
    for (port, from) in [("row_o", "row_o"), ("wait_o", "wait_o"), ("mm_idle_o", "idle_o")] {
        m.output_is(port, &mm.out(from));
    }
    for (net, value) in [
        (&mm_ready, mm.out("cmd_ready_o")),
        (&mm_retire, mm.out("done_o")),
        (&weight_ready, mm.out("weight_ready_o")),
        (&acc_data, mm.out("acc_data_o")),
        (&vec_ready, vec.out("instr_ready_o")),
        (&vec_retire, vec.out("retired_o")),
        (&index, vec.out("index_o")),
        (&out_valid, vec.out("out_valid_o")),
        (&out_data, vec.out("out_data_o")),
    ] {
        m.assign(net, &value);
    }
    m.build()
}

/// A field of `MM` for a command port; commands retire in order, so that their tag is not used.
fn command_field(instr: &Expr, port: &str, bits: u32) -> Expr {
    let name = port.trim_start_matches("cmd_").trim_end_matches("_i");
    let spec = Op::Mm.spec().fields.iter().find(|f| f.field.name() == name);
    spec.map_or(Expr::u(bits, 0), |f| field(instr, Op::Mm, f.field))
}
