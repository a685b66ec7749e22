//! The chunks in flight: at most one for each half of the double buffers.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::run_sizes::RunSizes;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_chunk_queue`: hands each chunk to the matrix-multiply unit, then to the requantizer, in order.
///
/// Ports: `run_i` with `half_i` and the fields of a `Run` command; `mm_valid_o`, `mm_ready_i`, `mm_bank_o`,
/// `mm_rows_o`, `mm_k_tiles_o`, `mm_n_tiles_o`; `mm_done_i`, `mm_done_bank_i`; `rq_valid_o`, `rq_ready_i`, `rq_bank_o`
/// and its fields; `rq_read_done_i`; `acts_done_i`, `acts_done_bank_i`; `acts_busy_o` `[2]`, `busy_o` `[2]`: the half's
/// activations, or anything of the half, are still needed. `run_i` comes only while `busy_o[half_i]` is low.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn chunk_queue(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Chunks in flight, one for each half of the double buffers. A chunk waits for the matrix\n\
               multiply unit, then for the requantizer; its half is busy until its sums have been read.";
    let mut m = ModuleBuilder::new(module_name(config, "chunk_queue"), doc);
    let run_i = m.input("run_i", Ty::bit());
    let half_i = m.input("half_i", Ty::bit());
    let sizes = RunSizes::new(config);
    let kept = sizes.fields();
    let fields: Vec<_> = kept.iter().map(|f| m.input(&format!("{}_i", f.name), Ty::u(f.bits))).collect();
    let mm_ready_i = m.input("mm_ready_i", Ty::bit());
    let mm_done_i = m.input("mm_done_i", Ty::bit());
    let mm_done_bank_i = m.input("mm_done_bank_i", Ty::bit());
    let rq_ready_i = m.input("rq_ready_i", Ty::bit());
    let rq_read_done_i = m.input("rq_read_done_i", Ty::bit());
    let acts_done_i = m.input("acts_done_i", Ty::bit());
    let acts_done_bank_i = m.input("acts_done_bank_i", Ty::bit());

    m.section("Parameters of the chunk in each half");
    let run = [m.wire("run0", &(&run_i & !&half_i)), m.wire("run1", &(&run_i & &half_i))];
    let stored: Vec<[Expr; 2]> = kept
        .iter()
        .zip(&fields)
        .map(|(f, value)| [0, 1].map(|half| m.pipe_if(&format!("{}{half}_q", f.name), &run[half], value)))
        .collect();

    m.section("Chunks that wait for the matrix multiply unit");
    let mm = waiting(&mut m, "mm", &run_i, &half_i, &mm_ready_i);
    m.output_is("mm_valid_o", &mm.valid);
    m.output_is("mm_bank_o", &mm.half);
    m.section("Chunks that wait for the requantizer");
    let rq = waiting(&mut m, "rq", &mm_done_i, &mm_done_bank_i, &rq_ready_i);
    m.output_is("rq_valid_o", &rq.valid);
    m.output_is("rq_bank_o", &rq.half);
    for (f, [low, high]) in kept.iter().zip(&stored) {
        if ["rows", "k_tiles", "n_tiles"].contains(&f.name) {
            let bits = if f.name == "rows" { sizes.row } else { f.bits };
            m.output_is(&format!("mm_{}_o", f.name), &mm.half.mux(&high.part(0, bits), &low.part(0, bits)));
        }
        if f.name != "k_tiles" {
            m.output_is(&format!("rq_{}_o", f.name), &rq.half.mux(high, low));
        }
    }

    m.section("What is still needed");
    let taken = m.wire("rq_taken", &(&rq.valid & &rq_ready_i));
    let reading_q = m.pipe_if("reading_half_q", &taken, &rq.half);
    let acts = flags(&mut m, "acts_busy", &run, &acts_done_i, &acts_done_bank_i);
    let busy = flags(&mut m, "busy", &run, &rq_read_done_i, &reading_q);
    m.output_is("acts_busy_o", &acts);
    m.output_is("busy_o", &busy);
    m.build()
}

/// The head of a queue of at most one chunk a half.
struct Head {
    valid: Expr,
    half: Expr,
}

/// A queue of halves: `push` adds `half`, `pop` (ready) takes the head; the other half, if it waits, is the next head.
fn waiting(m: &mut ModuleBuilder, stem: &str, push: &Expr, half: &Expr, pop: &Expr) -> Head {
    let waits_q = m.reg(&format!("{stem}_waits_q"), Ty::u(2));
    let head_q = m.reg(&format!("{stem}_head_q"), Ty::bit());
    let valid = m.wire(&format!("{stem}_valid"), &waits_q.any());
    let popped = m.wire(&format!("{stem}_pop"), &(&valid & pop));
    let one_hot = |half: &Expr| Expr::concat(&[half.clone(), !half]);
    let added = m.wire(&format!("{stem}_added"), &(one_hot(half) & push.repeat(2)));
    let removed = m.wire(&format!("{stem}_removed"), &(one_hot(&head_q) & popped.repeat(2)));
    m.next_reset(&waits_q, 0, None, &((&waits_q & !&removed) | &added));
    let head_d = valid.mux(&(&head_q ^ &popped), half);
    m.next_reset(&head_q, 0, None, &head_d);
    Head { valid, half: head_q }
}

/// Two flags set by `run`, cleared for the half `done_half` by `done`.
fn flags(m: &mut ModuleBuilder, name: &str, run: &[Expr; 2], done: &Expr, done_half: &Expr) -> Expr {
    let q = m.reg(&format!("{name}_q"), Ty::u(2));
    let set = m.wire(&format!("{name}_set"), &Expr::concat(&[run[1].clone(), run[0].clone()]));
    let clear = Expr::concat(&[done & done_half, done & !done_half]);
    let clear = m.wire(&format!("{name}_clear"), &clear);
    m.next_reset(&q, 0, None, &((&q & !&clear) | &set));
    q
}
