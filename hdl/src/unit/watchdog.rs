//! A limit to silence.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_watchdog`: how long nothing has happened.
///
/// Ports: `run_i`: count; `event_i`: something happened; `limit_i`: cycles, 0 for none; `expired_o`: that many cycles in a row
/// without an event (sticky until `run_i` falls).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn watchdog(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Watchdog: expired_o rises when limit_i cycles have passed without an event, 0 for no limit.";
    let mut m = ModuleBuilder::new(module_name(config, "watchdog"), doc);
    let run_i = m.input("run_i", Ty::bit());
    let event_i = m.input("event_i", Ty::bit());
    let limit_i = m.input("limit_i", Ty::u(32));
    let count_q = m.reg("count_q", Ty::u(32));
    let expired_q = m.reg("expired_q", Ty::bit());
    let restart = m.wire("restart", &(!&run_i | &event_i));
    m.next_reset(&count_q, 0, None, &restart.mux(&count_q.k(0), &(&count_q + count_q.k(1))));
    let next = m.wire("next", &(&count_q + count_q.k(1)));
    let reached = m.wire("reached", &(limit_i.any() & next.eq(&limit_i) & !&restart));
    m.next_reset(&expired_q, 0, None, &(&run_i & (&expired_q | &reached)));
    m.output_is("expired_o", &expired_q);
    m.build()
}
