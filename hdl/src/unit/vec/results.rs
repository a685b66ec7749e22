//! Where results go: their places in the vector memory, how many of a word count, when all have come.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::issue::{any, is};
use super::plan::{ADDR_BITS, VecPlan};
use super::reduce::PLACE_BITS;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

const FLIGHT_BITS: u32 = 7;

/// `<prefix>_vec_results`: book-keeping of results.
///
/// Ports: `start_i`, the op's fields `op_i`, `n_i`, `dst_i`, `k_i`; `ordered_i` (see
/// [`super::issue`]); `emit_i` (a result is on its way), `valid_i` (one has
/// come), `issued_i` (all are on their way or have come); `addr_o`, `place_o`, `mask_o`, `single_o`, `last_o` of the result
/// that has come; `empty_o`: none is on its way.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn results(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Results come in the order of issue. Their places follow those of the reads: one word after the\n\
               other, or for VROP and far butterflies two at a distance in turn. One element a word for VBLK,\n\
               VEXN, VE4M and an ordered VROP.";
    let lanes = plan.lanes;
    let mut m = ModuleBuilder::new(module_name(config, "vec_results"), doc);
    let start_i = m.input("start_i", Ty::bit());
    let op_i = m.input("op_i", Ty::u(8));
    let n_i = m.input("n_i", Ty::u(ADDR_BITS));
    let dst_i = m.input("dst_i", Ty::u(ADDR_BITS));
    let k_i = m.input("k_i", Ty::u(5));
    let ordered_i = m.input("ordered_i", Ty::bit());
    let emit_i = m.input("emit_i", Ty::bit());
    let valid_i = m.input("valid_i", Ty::bit());
    let issued_i = m.input("issued_i", Ty::bit());

    let rotary = m.wire("rotary", &is(&op_i, Op::Vrop));
    let single = any(&op_i, &[Op::Vblk, Op::Vexn, Op::Ve4m]) | (&rotary & &ordered_i);
    let single = m.wire("single", &single);
    let butterfly = is(&op_i, Op::Vhad);
    let far = if lanes == 1 { butterfly } else { butterfly & k_i.ge(&k_i.k(lanes.trailing_zeros().into())) };
    let far = m.wire("far", &far);
    let twice = m.wire("twice", &((&rotary | &far) & !&ordered_i));
    let distance = m.wire("distance", &Expr::u(ADDR_BITS, 1).shl(&k_i));

    m.section("Place of the word, what is left, which of two words");
    let place_q = m.reg("place_q", Ty::u(PLACE_BITS));
    let left_q = m.reg("left_q", Ty::u(PLACE_BITS));
    let second_q = m.reg("second_q", Ty::bit());
    let ends = m.wire("ends", &(&valid_i & (!&twice | &second_q)));
    let word = place_q.k(lanes.into());
    let step = m.wire("step", &single.mux(&place_q.k(1), &word));
    let beside = m.wire("beside", &(&place_q + &step));
    let reaches = m.wire("reaches", &(beside.slice(ADDR_BITS - 1, 0) & &distance));
    let skip = m.wire("skip", &(&far & &twice & reaches.any()));
    let over = distance.extend(PLACE_BITS) & skip.repeat(PLACE_BITS);
    let moves = m.wire("moves", &(&start_i | &ends));
    let half_ends = m.wire("half_ends", &(&rotary & &ordered_i & left_q.le(&step)));
    let restart = m.wire("restart", &(&start_i | &half_ends));
    let next_place = half_ends.mux(&n_i.extend(PLACE_BITS), &(&beside + &over));
    m.next_if(&place_q, &moves, &start_i.mux(&place_q.k(0), &next_place));
    m.next_if(&left_q, &moves, &restart.mux(&n_i.extend(PLACE_BITS), &(&left_q - &step)));
    m.next_if(&second_q, &(&start_i | &valid_i), &(!&start_i & &twice & !&second_q));
    let beyond = rotary.mux(&n_i, &distance);
    let beyond = beyond.extend(PLACE_BITS) & second_q.repeat(PLACE_BITS);
    let place = m.wire("place", &(&place_q + beyond));
    m.output_is("addr_o", &(&dst_i + place.slice(ADDR_BITS - 1, 0)));
    m.output_is("place_o", &place);
    let mask: Vec<_> = (0..lanes)
        .rev()
        .map(|i| if i == 0 { Expr::u(1, 1) } else { !&single & left_q.gt(&left_q.k(i.into())) })
        .collect();
    m.output_is("mask_o", &Expr::concat(&mask));
    m.output_is("single_o", &single);

    m.section("Results on their way");
    let flight_q = m.reg("flight_q", Ty::u(FLIGHT_BITS));
    let flight_d = m.net("flight_d", flight_q.ty());
    let change = m.wire("change", &Expr::concat(&[emit_i, valid_i]));
    m.comb("one more, or one less", |b| {
        b.set(&flight_d, &flight_q);
        b.case(&change, |c| {
            c.arm(&change.k(0b10), |b| b.set(&flight_d, &(&flight_q + flight_q.k(1))));
            c.arm(&change.k(0b01), |b| b.set(&flight_d, &(&flight_q - flight_q.k(1))));
        });
    });
    m.next_reset(&flight_q, 0, None, &flight_d);
    m.output_is("last_o", &(&issued_i & flight_q.eq_k(1)));
    m.output_is("empty_o", &!flight_q.any());
    m.build()
}
