//! Which divider begins and which one has finished, the same in every lane; and what a quotient's bits mean for both.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::{MOST_QBITS, VecPlan};
use super::quotient::ALIGN_BITS;
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Bits of a number of quotient bits or of steps: up to 32.
pub const COUNT_BITS: u32 = 6;

/// `<prefix>_vec_divide_control`: dividers take turns.
///
/// Ports: `load_i` (a division begins), `steps_i` (its cycles, constant while one is under way); `load_o` (one-hot), and in
/// the cycle in which its results hold `done_o`, `pick_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn divide_control(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Turns of the dividers, the same in every lane: load_o says which one begins, and done_o and\n\
               pick_o, steps_i cycles later, which one has finished.";
    let count = plan.dividers;
    let mut m = ModuleBuilder::new(module_name(config, "vec_divide_control"), doc);
    let load_i = m.input("load_i", Ty::bit());
    let steps_i = m.input("steps_i", Ty::u(COUNT_BITS));
    let turn = if count > 1 {
        let turn_q = m.reg("turn_q", Ty::u(index_bits(count)));
        let wrap = m.wire("wrap", &turn_q.eq_k(i128::from(count) - 1));
        m.next_reset(&turn_q, 0, Some(&load_i), &wrap.mux(&turn_q.k(0), &(&turn_q + turn_q.k(1))));
        Expr::u(count, 1).shl(&turn_q)
    } else {
        Expr::u(1, 1)
    };
    let load = m.wire("load", &(turn & load_i.repeat(count)));
    m.output_is("load_o", &load);
    let loads = m.nets("divider_load", Ty::bit(), count);
    m.split(&load, &loads, 0, 1, count);
    let dones = m.nets("divider_done", Ty::bit(), count);
    let conns = [("load_i", loads.step(0, 1, 0)), ("steps_i", Conn::In(steps_i)), ("done_o", dones.step(0, 1, 0))];
    let countdown = countdown(config)?;
    m.grid("u_countdown", &countdown, 1, count, &conns);
    let done = m.join("done", &dones, 0, 1, count);
    m.output_is("done_o", &done.any());
    if count > 1 {
        let pick = m.output("pick_o", Ty::u(index_bits(count)));
        m.comb("the one that has finished", |b| {
            b.set(&pick, &pick.k(0));
            for i in 1..count {
                b.when(&done.bit(i), |b| b.set(&pick, &pick.k(i.into())));
            }
        });
    }
    m.build()
}

fn countdown(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Cycles until a divider has finished: done_o is high steps_i cycles after load_i.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_countdown"), doc);
    let load_i = m.input("load_i", Ty::bit());
    let steps_i = m.input("steps_i", Ty::u(COUNT_BITS));
    let left_q = m.reg("left_q", Ty::u(COUNT_BITS));
    let left_d = m.net("left_d", left_q.ty());
    m.comb("one less each cycle", |b| {
        b.set(&left_d, &left_q);
        b.when(&left_q.any(), |b| b.set(&left_d, &(&left_q - left_q.k(1))));
        b.when(&load_i, |b| b.set(&left_d, &steps_i));
    });
    m.next_reset(&left_q, 0, None, &left_d);
    m.output_is("done_o", &left_q.eq_k(1));
    m.build()
}

/// `<prefix>_vec_divide_plan`: `qbits_i` (1..=32) to `steps_o`, `align_o`, and `interval_o`, the cycles from one word's
/// division to the next one's.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn divide_plan(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "For a quotient of qbits_i bits: cycles of its division, places its numerator is shifted left,\n\
         and cycles from one word to the next, with {} dividers in a lane. Combinational.",
        plan.dividers
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_divide_plan"), doc);
    let qbits_i = m.input("qbits_i", Ty::u(COUNT_BITS));
    let steps = m.output("steps_o", Ty::u(COUNT_BITS));
    let align = m.output("align_o", Ty::u(ALIGN_BITS));
    let interval = m.output("interval_o", Ty::u(COUNT_BITS));
    m.comb("by the number of bits", |b| {
        let set = |b: &mut crate::rtl::Block, qbits: u32| {
            b.set(&steps, &steps.k(plan.steps(qbits).into()));
            b.set(&align, &align.k(plan.align(qbits).into()));
            b.set(&interval, &interval.k(plan.interval(qbits).into()));
        };
        set(b, MOST_QBITS);
        b.case(&qbits_i, |c| {
            let mut first = 1;
            while plan.steps(first) < plan.steps(MOST_QBITS) {
                let last =
                    (first..MOST_QBITS).take_while(|&q| plan.steps(q) == plan.steps(first)).last().unwrap_or(first);
                let labels: Vec<_> = (first..=last).map(|q| qbits_i.k(q.into())).collect();
                c.arm_of(&labels, |b| set(b, first));
                first = last + 1;
            }
        });
    });
    m.build()
}
