//! One queue of instructions: waits for tokens, starts the unit, gives tokens when an instruction has retired.

use std::sync::Arc;

use spec::Config;
use spec::isa::{INSTR_BITS, Queue, SIGNAL_LSB, WAIT_LSB};

use super::instr_field::instr_input;
use super::module_name;
use super::queue::queue;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for};

/// Instructions that a queue holds before they start.
pub const DEPTH: u32 = 8;
/// Instructions of a queue that have started and not retired.
pub const UNDER_WAY: u32 = 4;
/// Bits of `state_o`: queues whose token is missing, then: holds an instruction, one is under way, a counter is full.
pub const STATE_BITS: u32 = 7;

/// `<prefix>_issue_queue`: up to [`DEPTH`] instructions wait, up to [`UNDER_WAY`] are at work.
///
/// Ports: `in_valid_i`, `in_ready_o`, `in_instr_i`; `have_i`, `take_o`, `give_o`, `full_i` to the tokens; `unit_valid_o`,
/// `unit_ready_i`, `unit_instr_o`: an instruction starts; `retire_i`: the oldest at work has retired; `idle_o`: none is
/// here; `state_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn issue_queue(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Queue of instructions in order. The first starts when the tokens that it waits for are here and\n\
         its unit is ready; up to {UNDER_WAY} are at work. A retired one gives its tokens, in order, as soon as\n\
         none of their counters is full."
    );
    let mut m = ModuleBuilder::new(module_name(config, "issue_queue"), doc);
    let queues = Queue::ALL.len() as u32;
    let in_valid_i = m.input("in_valid_i", Ty::bit());
    let in_instr_i = instr_input(&mut m, "in_instr_i");
    let have_i = m.input("have_i", Ty::u(queues));
    let full_i = m.input("full_i", Ty::u(queues));
    let unit_ready_i = m.input("unit_ready_i", Ty::bit());
    let retire_i = m.input("retire_i", Ty::bit());

    m.section("Start");
    let started = m.net("started", Ty::bit());
    let ports = [("in_valid_i", &in_valid_i), ("in_data_i", &in_instr_i), ("out_ready_i", &started)];
    let waiting = m.instance("u_waiting", &queue(config, INSTR_BITS, DEPTH)?, &ports);
    let valid = waiting.out("out_valid_o");
    let instr = waiting.out("out_data_o");
    let missing = m.wire("missing", &(instr.part(WAIT_LSB, queues) & !&have_i));
    let has_place = m.net("has_place", Ty::bit());
    let may_start = m.wire("may_start", &(&valid & !missing.any() & &has_place));
    m.assign(&started, &(&may_start & &unit_ready_i));
    m.output_is("in_ready_o", &waiting.out("in_ready_o"));
    m.output_is("unit_valid_o", &may_start);
    m.output_is("unit_instr_o", &instr);
    m.output_is("take_o", &(instr.part(WAIT_LSB, queues) & started.repeat(queues)));

    m.section("Retired instructions that have not given their tokens");
    let give = m.net("give", Ty::bit());
    let signal = instr.part(SIGNAL_LSB, queues);
    let ports = [("in_valid_i", &started), ("in_data_i", &signal), ("out_ready_i", &give)];
    let work = m.instance("u_at_work", &queue(config, queues, UNDER_WAY)?, &ports);
    m.assign(&has_place, &work.out("in_ready_o"));
    let signals = work.out("out_data_o");
    let retired_q = m.reg("retired_q", Ty::u(bits_for(UNDER_WAY.into())));
    let has_retired = m.wire("has_retired", &(&retire_i | retired_q.any()));
    let is_full = m.wire("is_full", &(&signals & &full_i).any());
    m.assign(&give, &(&has_retired & work.out("out_valid_o") & !&is_full));
    let retired_d = m.net("retired_d", retired_q.ty());
    let change = m.wire("change", &Expr::concat(&[retire_i, give.clone()]));
    m.comb("one retires, one gives its tokens", |b| {
        b.set(&retired_d, &retired_q);
        b.case(&change, |c| {
            c.arm(&change.k(0b10), |b| b.set(&retired_d, &(&retired_q + retired_q.k(1))));
            c.arm(&change.k(0b01), |b| b.set(&retired_d, &(&retired_q - retired_q.k(1))));
        });
    });
    m.next_reset(&retired_q, 0, None, &retired_d);
    m.output_is("give_o", &(&signals & give.repeat(queues)));

    m.section("State");
    let at_work = m.wire("at_work", &!work.out("empty_o"));
    m.output_is("idle_o", &(waiting.out("empty_o") & !&at_work));
    let blocked = m.wire("blocked", &(&has_retired & work.out("out_valid_o") & &is_full));
    m.output_is("state_o", &Expr::concat(&[blocked, at_work, valid.clone(), &missing & valid.repeat(queues)]));
    m.build()
}
