//! Run control: what a run spends its cycles on, how it ends, and what stops it.

use std::sync::Arc;

use spec::{Config, regs};

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// An error that is watched: port, its name in [`regs::ERROR_CODES`], port and bits of its address if it has one.
type Watched = (&'static str, &'static str, Option<(&'static str, u32)>);

/// Of several errors in one cycle the first counts.
const ERRORS: [Watched; 6] = [
    ("opcode_error_i", "opcode", Some(("opcode_i", 8))),
    ("read_error_i", "read", Some(("read_error_addr_i", 32))),
    ("write_error_i", "write", Some(("write_error_addr_i", 32))),
    ("load_error_i", "load", None),
    ("store_error_i", "store", None),
    ("watchdog_i", "watchdog", None),
];

/// What a cycle may be spent on, in the order of [`regs::STALLS`] without the last, which needs no port.
const CAUSES: [&str; 7] =
    ["row_i", "wait_i", "mm_busy_i", "vec_busy_i", "load_busy_i", "store_busy_i", "tokens_wait_i"];

/// `<prefix>_run_control`: between the register block and the units.
///
/// Ports: `soft_reset_i`, `running_i`, `done_i` of the sequencer, `memory_idle_i`; errors as levels (opcode, read, write,
/// load, store, watchdog) with their addresses and `detail_i`; what the units do in this cycle: `row_i`, `wait_i`,
/// `mm_busy_i`, `vec_busy_i`, `load_busy_i`, `store_busy_i`, `tokens_wait_i`. Outputs: `busy_o`, `done_o` (one cycle; not
/// after an error), `error_o` (one cycle) with `error_code_o`, `error_addr_o`, `error_detail_o`; `cause_o`, place in
/// [`regs::STALLS`]; `flush_o`: memory accesses end; `core_rst_no`: reset of all units.
///
/// An error and a soft reset end a run in the same way: memory is flushed until nothing is under way there, then all
/// units are reset for one cycle.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn run_control(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Run control. An error or a soft reset ends a run: memory accesses that are under way finish, no\n\
               others begin, then all units are reset. The units leave reset one cycle after rst_ni.";
    let mut m = ModuleBuilder::new(module_name(config, "run_control"), doc);
    let soft_reset_i = m.input("soft_reset_i", Ty::bit());
    let running_i = m.input("running_i", Ty::bit());
    let done_i = m.input("done_i", Ty::bit());
    let memory_idle_i = m.input("memory_idle_i", Ty::bit());
    let detail_i = m.input("detail_i", Ty::u(32));

    m.section("Errors");
    let code = m.net("error_code", Ty::u(8));
    let addr = m.net("error_addr", Ty::u(32));
    let mut errors = Vec::new();
    for (port, name, addr) in ERRORS {
        let error = m.input(port, Ty::bit());
        let number = regs::ERROR_CODES.iter().position(|(n, _)| *n == name).expect("ERRORS has names of ERROR_CODES");
        let addr = addr.map_or(Expr::u(32, 0), |(port, bits)| m.input(port, Ty::u(bits)).extend(32));
        errors.push((error, number, addr));
    }
    let all: Vec<Expr> = errors.iter().map(|(error, ..)| error.clone()).collect();
    let some = m.wire("some_error", &Expr::concat(&all).any());
    m.comb("the first that is listed", |b| {
        b.set(&code, &code.k(0));
        b.set(&addr, &addr.k(0));
        for (error, number, at) in errors.iter().rev() {
            b.when(error, |b| {
                b.set(&code, &code.k(*number as i128));
                b.set(&addr, at);
            });
        }
    });

    m.section("How a run ends");
    let [run, flush, reset] = m.states(["Run", "Flush", "Reset"]);
    let state_q = m.reg("state_q", run.ty());
    let state_d = m.net("state_d", run.ty());
    let in_run = m.wire("in_run", &state_q.eq(&run));
    let in_flush = m.wire("in_flush", &state_q.eq(&flush));
    let stops = m.wire("stops", &(&soft_reset_i | &some));
    m.comb("next state", |b| {
        b.set(&state_d, &run);
        b.case(&state_q, |c| {
            c.arm(&run, |b| b.when(&stops, |b| b.set(&state_d, &flush)));
            c.arm(&flush, |b| {
                b.set(&state_d, &flush);
                b.when(&memory_idle_i, |b| b.set(&state_d, &reset));
            });
            c.default(|b| b.set(&state_d, &run));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);
    let core_rst_nq = m.pipe_reset("core_rst_nq", 0, &state_d.ne(&reset));
    m.output_is("flush_o", &in_flush);
    m.output_is("core_rst_no", &core_rst_nq);
    m.output_is("busy_o", &(&running_i | !&in_run | !&core_rst_nq));
    m.output_is("done_o", &(&done_i & &in_run & !&some));
    m.output_is("error_o", &(&some & &in_run));
    m.output_is("error_code_o", &code);
    m.output_is("error_addr_o", &addr);
    m.output_is("error_detail_o", &detail_i);

    m.section("What the cycle is spent on");
    let cause = m.net("cause", Ty::u(index_bits(regs::STALLS.len() as u32)));
    let holds: Vec<Expr> = CAUSES.iter().map(|name| m.input(name, Ty::bit())).collect();
    m.comb("the first that holds", |b| {
        b.set(&cause, &cause.k(CAUSES.len() as i128));
        for (number, holds) in holds.iter().enumerate().rev() {
            b.when(holds, |b| b.set(&cause, &cause.k(number as i128)));
        }
    });
    m.output_is("cause_o", &cause);
    m.build()
}
