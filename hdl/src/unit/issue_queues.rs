//! The four queues of instructions and the tokens between them.

use std::sync::Arc;

use spec::Config;
use spec::isa::{INSTR_BITS, Queue};

use super::issue_queue::{STATE_BITS, issue_queue};
use super::module_name;
use super::tokens::tokens;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_issue_queues`: an [`issue_queue`] for each of [`Queue::ALL`].
///
/// Ports: `clear_i`: no tokens; `push_i` (a bit a queue, while its bit of `room_o`), `in_instr_i`; for each queue by its name
/// `<q>_valid_o`, `<q>_ready_i`, `<q>_instr_o`, `<q>_retire_i`; `idle_o`: all are empty and idle; `detail_o` (as `ERROR_DETAIL`
/// in [`spec::regs`]); `tokens_wait_o`: the first of some queue waits for a token.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn issue_queues(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "The queues of load, mm, vec and store, in this order in all vectors, and the tokens between them.";
    let mut m = ModuleBuilder::new(module_name(config, "issue_queues"), doc);
    let count = Queue::ALL.len() as u32;
    let clear_i = m.input("clear_i", Ty::bit());
    let push_i = m.input("push_i", Ty::u(count));
    let in_instr_i = m.input("in_instr_i", Ty::u(INSTR_BITS));
    let cell = issue_queue(config)?;
    let mut token_inputs: Vec<(String, Expr)> = vec![("clear_i".into(), clear_i)];
    let mut parts = Vec::new();
    for (i, queue) in Queue::ALL.into_iter().enumerate() {
        let name = queue.name();
        let push = push_i.bit(i as u32);
        let have = m.net(&format!("{name}_have"), Ty::u(count));
        let full = m.net(&format!("{name}_full"), Ty::u(count));
        let ready = m.input(&format!("{name}_ready_i"), Ty::bit());
        let retire = m.input(&format!("{name}_retire_i"), Ty::bit());
        let ports = [
            ("in_valid_i", &push),
            ("in_instr_i", &in_instr_i),
            ("have_i", &have),
            ("full_i", &full),
            ("unit_ready_i", &ready),
            ("retire_i", &retire),
        ];
        let part = m.instance(&format!("u_{name}"), &cell, &ports);
        m.output_is(&format!("{name}_valid_o"), &part.out("unit_valid_o"));
        m.output_is(&format!("{name}_instr_o"), &part.out("unit_instr_o"));
        token_inputs.push((format!("{name}_give_i"), part.out("give_o")));
        token_inputs.push((format!("{name}_take_i"), part.out("take_o")));
        parts.push((part, have, full));
    }
    let ports: Vec<(&str, &Expr)> = token_inputs.iter().map(|(name, expr)| (name.as_str(), expr)).collect();
    let counters = m.instance("u_tokens", &tokens(config)?, &ports);
    for (queue, (_, have, full)) in Queue::ALL.iter().zip(&parts) {
        m.assign(have, &counters.out(&format!("{}_have_o", queue.name())));
        m.assign(full, &counters.out(&format!("{}_full_o", queue.name())));
    }
    let all = |port: &str| parts.iter().rev().map(|(part, ..)| part.out(port)).collect::<Vec<_>>();
    m.output_is("room_o", &Expr::concat(&all("in_ready_o")));
    let idles = m.wire("idles", &Expr::concat(&all("idle_o")));
    m.output_is("idle_o", &idles.all());
    let states = all("state_o");
    let detail: Vec<Expr> = states.iter().flat_map(|state| [Expr::u(8 - STATE_BITS, 0), state.clone()]).collect();
    m.output_is("detail_o", &Expr::concat(&detail));
    let missing: Vec<Expr> = states.iter().map(|state| state.part(0, count).any()).collect();
    let missing = m.wire("missing", &Expr::concat(&missing));
    m.output_is("tokens_wait_o", &missing.any());
    m.build()
}
