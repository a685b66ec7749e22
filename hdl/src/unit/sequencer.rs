//! Fetches instructions and hands them to their queues.

use std::sync::Arc;

use spec::Config;
use spec::isa::{Field, INSTR_BITS, INSTR_BYTES, Op, Queue};

use super::burst::{ADDR_BITS, beat_addr_bits, beat_bytes, lane_bits};
use super::counters::RETIRED_BITS;
use super::instr_field::{field, opcode};
use super::issue_queues::issue_queues;
use super::module_name;
use super::unpack::unpack_as;
use super::watchdog::watchdog;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_sequencer`: a program from memory to four queues.
///
/// Ports: `start_i` with `program_addr_i` (low bits within a beat are ignored) and `program_length_i`; `watchdog_limit_i`;
/// `cmd_*`, `beat_valid_i`, `beat_ready_o`, `beat_i`, `fetch_idle_i` to the reader of instructions, and `flush_o`, which
/// drops what it read ahead; for each queue by its name `<q>_valid_o`, `<q>_ready_i`, `<q>_instr_o`: an instruction
/// starts, `<q>_retire_i`: the oldest at work has retired; `running_o`, `done_o` (one cycle); `tag_o`; `retired_o`:
/// instructions that retire in this cycle; `tokens_wait_o`: an instruction waits for a token; `opcode_error_o` with
/// `opcode_o`; `watchdog_o` with `detail_o` (as `ERROR_DETAIL` in [`spec::regs`]), both until the next start.
///
/// A program begins without tokens and ends with `HALT`, or behind its last instruction.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn sequencer(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Sequencer. The program is read ahead as one stream and handed, in order, to the queue of each\n\
               instruction; a full queue holds up the fetch. HALT and SYNC wait until all queues are empty and\n\
               idle. An unknown instruction stops the fetch.";
    let mut m = ModuleBuilder::new(module_name(config, "sequencer"), doc);
    let (data_bits, beat_bits, lane_bits) = (config.bus.data_bits, beat_addr_bits(config), lane_bits(config));
    let start_i = m.input("start_i", Ty::bit());
    let program_addr_i = m.input("program_addr_i", Ty::u(ADDR_BITS));
    let program_length_i = m.input("program_length_i", Ty::u(32));
    let watchdog_limit_i = m.input("watchdog_limit_i", Ty::u(32));
    let cmd_ready_i = m.input("cmd_ready_i", Ty::bit());
    let beat_valid_i = m.input("beat_valid_i", Ty::bit());
    let beat_i = m.input("beat_i", Ty::u(data_bits));
    let fetch_idle_i = m.input("fetch_idle_i", Ty::bit());

    m.section("Fetch: the whole program is one read");
    let [idle, ask, run, flush] = m.states(["Idle", "Ask", "Run", "Flush"]);
    let state_q = m.reg("state_q", idle.ty());
    let state_d = m.net("state_d", idle.ty());
    let in_idle = m.wire("in_idle", &state_q.eq(&idle));
    let in_ask = m.wire("in_ask", &state_q.eq(&ask));
    let in_run = m.wire("in_run", &state_q.eq(&run));
    let in_flush = m.wire("in_flush", &state_q.eq(&flush));
    let start = m.wire("start", &(&start_i & &in_idle));
    let addr_q = m.pipe_if("addr_q", &start, &program_addr_i);
    let left_q = m.reg("left_q", Ty::u(32));
    // Instructions to bytes, rounded up to beats; 36 bits hold any length, of which memory has no more than 32.
    let up = Expr::u(36, u64::from(beat_bytes(config)) - 1);
    let program_bytes = Expr::concat(&[left_q.clone(), Expr::u(INSTR_BYTES.ilog2(), 0)]);
    let program_bytes = m.wire("program_bytes", &(program_bytes + up));
    m.output_is("cmd_valid_o", &in_ask);
    m.output_is("cmd_beat_o", &addr_q.slice(ADDR_BITS - 1, lane_bits));
    m.output_is("cmd_count_o", &program_bytes.part(lane_bits, beat_bits));
    m.output_is("flush_o", &in_flush);
    let taken = m.net("taken", Ty::bit());
    let take_now = m.net("take_now", Ty::bit());
    let last = m.net("last", Ty::bit());
    let beat_in_run = m.wire("beat_in_run", &(&beat_valid_i & &in_run));
    let option = Expr::u(1, 0);
    let ports = [
        ("s_valid_i", &beat_in_run),
        ("s_data_i", &beat_i),
        ("option_i", &option),
        ("last_i", &last),
        ("ready_i", &take_now),
        ("accept_i", &in_run),
    ];
    let words = m.instance("u_unpack", &unpack_as(config, "unpack_instr", &[INSTR_BITS])?, &ports);
    m.output_is("beat_ready_o", &(words.out("s_ready_o") & &in_run));
    let valid = words.out("valid_o");
    let instr = words.out("word_o");
    m.assign(&taken, &(&valid & &take_now));
    let left_step = m.wire("left_step", &(&start | &taken));
    m.next_if(&left_q, &left_step, &start.mux(&program_length_i, &(&left_q - left_q.k(1))));

    m.section("Dispatch");
    let op = m.wire("op", &opcode(&instr));
    let rooms = m.net("rooms", Ty::u(Queue::ALL.len() as u32));
    let all_idle = m.net("all_idle", Ty::bit());
    let known = m.net("known", Ty::bit());
    let is_halt = m.net("is_halt", Ty::bit());
    let is_info = m.net("is_info", Ty::bit());
    let wanted = m.net("wanted", Ty::u(Queue::ALL.len() as u32));
    m.comb("by opcode: whose it is, and whether it can go", |b| {
        b.set(&known, &known.k(1));
        b.set(&take_now, &take_now.k(0));
        b.set(&wanted, &wanted.k(0));
        b.set(&is_halt, &is_halt.k(0));
        b.set(&is_info, &is_info.k(0));
        b.case(&op, |c| {
            let label = |of: Op| op.k(of.spec().code.into());
            for (i, queue) in Queue::ALL.into_iter().enumerate() {
                let labels: Vec<Expr> = Op::ALL.iter().filter(|op| op.queue() == queue).map(|op| label(*op)).collect();
                c.arm_of(&labels, |b| {
                    b.set(&wanted, &wanted.k(1 << i));
                    b.set(&take_now, &rooms.bit(i as u32));
                });
            }
            c.arm(&label(Op::Halt), |b| {
                b.set(&is_halt, &is_halt.k(1));
                b.set(&take_now, &all_idle);
            });
            c.arm(&label(Op::Sync), |b| b.set(&take_now, &all_idle));
            c.arm(&label(Op::Info), |b| {
                b.set(&is_info, &is_info.k(1));
                b.set(&take_now, &take_now.k(1));
            });
            c.default(|b| b.set(&known, &known.k(0)));
        });
    });
    m.assign(&last, &(&is_halt | left_q.eq_k(1)));
    let push = m.wire("push", &(&wanted & valid.repeat(wanted.width())));
    let tag_step = m.wire("tag_step", &(&taken & &is_info));
    let tag_q = m.reg("tag_q", Ty::u(32));
    m.next_reset(&tag_q, 0, Some(&tag_step), &field(&instr, Op::Info, Field::Tag));
    m.output_is("tag_o", &tag_q);
    let ends = m.wire("program_ends", &((&taken & &is_halt) | (!left_q.any() & &all_idle)));
    let finished = m.wire("finished", &(&in_flush & &fetch_idle_i));
    m.comb("next state", |b| {
        b.set(&state_d, &state_q);
        b.case(&state_q, |c| {
            c.arm(&idle, |b| {
                b.when(&start_i, |b| b.set(&state_d, &ask));
            });
            c.arm(&ask, |b| b.when(&cmd_ready_i, |b| b.set(&state_d, &run)));
            c.arm(&run, |b| b.when(&ends, |b| b.set(&state_d, &flush)));
            c.arm(&flush, |b| b.when(&finished, |b| b.set(&state_d, &idle)));
            c.default(|b| b.set(&state_d, &idle));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);
    m.output_is("running_o", &!&in_idle);
    let done_q = m.pipe_reset("done_q", 0, &finished);
    m.output_is("done_o", &done_q);
    let unknown = m.wire("unknown", &(&valid & !&known));
    let opcode_error_q = m.reg("opcode_error_q", Ty::bit());
    m.next_reset(&opcode_error_q, 0, None, &(!&start & (&opcode_error_q | &unknown)));
    let new_error = m.wire("new_error", &(&unknown & !&opcode_error_q));
    let opcode_q = m.pipe_if("opcode_q", &new_error, &op);
    m.output_is("opcode_error_o", &opcode_error_q);
    m.output_is("opcode_o", &opcode_q);

    m.section("Queues");
    let mut inputs: Vec<(String, Expr)> = vec![("clear_i".into(), start.clone()), ("in_instr_i".into(), instr.clone())];
    inputs.push(("push_i".into(), push));
    let mut retires = Vec::new();
    for queue in Queue::ALL {
        let name = queue.name();
        inputs.push((format!("{name}_ready_i"), m.input(&format!("{name}_ready_i"), Ty::bit())));
        let retire = m.input(&format!("{name}_retire_i"), Ty::bit());
        inputs.push((format!("{name}_retire_i"), retire.clone()));
        retires.push(retire);
    }
    let ports: Vec<(&str, &Expr)> = inputs.iter().map(|(name, expr)| (name.as_str(), expr)).collect();
    let queues = m.instance("u_queues", &issue_queues(config)?, &ports);
    m.assign(&rooms, &queues.out("room_o"));
    m.assign(&all_idle, &queues.out("idle_o"));
    for queue in Queue::ALL {
        for port in ["valid_o", "instr_o"] {
            let name = format!("{}_{port}", queue.name());
            m.output_is(&name, &queues.out(&name));
        }
    }
    m.output_is("detail_o", &queues.out("detail_o"));
    m.output_is("tokens_wait_o", &queues.out("tokens_wait_o"));

    m.section("What retires, and whether anything does");
    let control = m.wire("control_retires", &(&taken & !wanted.any()));
    let retired = retires
        .iter()
        .chain([&control])
        .map(|r| r.extend(RETIRED_BITS))
        .reduce(|a, b| a + b)
        .unwrap_or(Expr::u(RETIRED_BITS, 0));
    let retired = m.wire("retired", &retired);
    m.output_is("retired_o", &retired);
    let running = m.wire("running", &(!&in_idle & !&start));
    let event = m.wire("progress", &(retired.any() | &start));
    let ports = [("run_i", &running), ("event_i", &event), ("limit_i", &watchdog_limit_i)];
    let dog = m.instance("u_watchdog", &watchdog(config)?, &ports);
    m.output_is("watchdog_o", &dog.out("expired_o"));
    m.build()
}
