//! Reductions over a row: largest, range, sum, sum of squares, place of the largest.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::square::square;
use super::plan::{ADDR_BITS, VALUE_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty};

/// Numbers of the reductions (`red` of an instruction).
pub mod red {
    /// None.
    pub const NONE: i128 = 0;
    /// Largest magnitude.
    pub const ABSMAX: i128 = 1;
    /// Largest.
    pub const MAX: i128 = 2;
    /// Largest and largest negated, 0 included.
    pub const RANGE: i128 = 3;
    /// Sum.
    pub const SUM: i128 = 4;
    /// Sum of squares.
    pub const SQUARES: i128 = 5;
    /// Largest and its place.
    pub const ARGMAX: i128 = 6;
}

/// Bits of a magnitude that is squared; larger ones saturate.
pub const SQUARED_BITS: u32 = 26;
/// Bits of the place of an element among an op's results.
pub const PLACE_BITS: u32 = ADDR_BITS + 1;
/// Bits of a sum while it grows: 2^17 elements of 64 bits.
const TOTAL_BITS: u32 = 82;

/// Cycles from the last word to the results.
pub fn latency(plan: &VecPlan) -> u32 {
    plan.tree() + 2
}

fn pair(config: &Config, lane_bits: u32) -> Result<Arc<Module>, Error> {
    let doc = "Largest and least of two values each, the lane of the largest (the lower one's on a tie), and a\n\
               sum. Latency 1 cycle.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_reduce_pair"), doc);
    let value = Ty::s(VALUE_BITS);
    let [max_a, max_b] = ["max_a_i", "max_b_i"].map(|name| m.input(name, value));
    let [min_a, min_b] = ["min_a_i", "min_b_i"].map(|name| m.input(name, value));
    let [lane_a, lane_b] = ["lane_a_i", "lane_b_i"].map(|name| m.input(name, Ty::u(lane_bits)));
    let [sum_a, sum_b] = ["sum_a_i", "sum_b_i"].map(|name| m.input(name, Ty::s(VALUE_BITS + lane_bits)));
    let second = m.wire("second", &max_b.gt(&max_a));
    let max_q = m.pipe("max_q", &second.mux(&max_b, &max_a));
    let lane_q = m.pipe("lane_q", &second.mux(&lane_b, &lane_a));
    let min_q = m.pipe("min_q", &min_b.lt(&min_a).mux(&min_b, &min_a));
    let sum_q = m.pipe("sum_q", &(&sum_a + &sum_b));
    m.output_is("max_o", &max_q);
    m.output_is("min_o", &min_q);
    m.output_is("lane_o", &lane_q);
    m.output_is("sum_o", &sum_q);
    m.build()
}

fn term(config: &Config, lane_bits: u32) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "What a lane brings to a reduction: its value, or lane 0's if it does not count, and a term of the\n\
         sum: value, square of a magnitude saturated to {SQUARED_BITS} bits, or 0. Latency 1 cycle."
    );
    let square = square(config, SQUARED_BITS)?;
    let mut m = ModuleBuilder::new(module_name(config, "vec_reduce_term"), doc);
    let counts_i = m.input("counts_i", Ty::bit());
    let value_i = m.input("value_i", Ty::s(VALUE_BITS));
    let first_i = m.input("first_i", Ty::s(VALUE_BITS));
    let squares_i = m.input("squares_i", Ty::bit());
    let sign = m.wire("sign", &value_i.sign());
    let magnitude = m.wire("magnitude", &sign.mux(&-&value_i, &value_i));
    let large = m.wire("too_large", &magnitude.slice(VALUE_BITS - 1, SQUARED_BITS).any());
    let root = m.wire("root", &(large.repeat(SQUARED_BITS) | magnitude.slice(SQUARED_BITS - 1, 0)));
    let square = m.instance("u_square", &square, &[("root_i", &root)]).out("square_o");
    let ty = Ty::s(VALUE_BITS + lane_bits);
    let term = squares_i.mux(&square.extend(ty.width).as_signed(), &value_i.extend(ty.width));
    let term_q = m.pipe("term_q", &(term & counts_i.repeat(ty.width).as_signed()));
    let value_q = m.pipe("value_q", &counts_i.mux(&value_i, &first_i));
    m.output_is("value_o", &value_q);
    m.output_is("term_o", &term_q);
    m.build()
}

/// `<prefix>_vec_reduce`: reductions over the words of an op's results.
///
/// Ports: `start_i` with `cont_i`, `first_i`, `second_i` (what the scalar file holds); `kind_i` (see [`red`], held);
/// `valid_i`, `mask_i` (lane 0 always counts), `data_i`, `place_i` (of lane 0 among the op's results); `base_i` (index of
/// place 0, held); [`latency`] cycles after the last word `first_o`, `second_o`, until the next start.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn reduce(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let lanes = plan.lanes;
    let doc = format!(
        "Reductions over words of {lanes} results: a tree with a register after each level, then what the\n\
         words before gave. Squares are of magnitudes saturated to {SQUARED_BITS} bits; sums saturate at the end.\n\
         {} cycles from the last word to the results.",
        latency(plan)
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_reduce"), doc);
    let value = Ty::s(VALUE_BITS);
    let start_i = m.input("start_i", Ty::bit());
    let cont_i = m.input("cont_i", Ty::bit());
    let old_first_i = m.input("first_i", value);
    let old_second_i = m.input("second_i", value);
    let kind_i = m.input("kind_i", Ty::u(3));
    let valid_i = m.input("valid_i", Ty::bit());
    let mask_i = m.input("mask_i", Ty::u(lanes));
    let data_i = m.input("data_i", Ty::u(lanes * VALUE_BITS));
    let place_i = m.input("place_i", Ty::u(PLACE_BITS));
    let base_i = m.input("base_i", value);

    m.section("A lane that does not count repeats lane 0, and adds nothing");
    let lane_bits = plan.tree().max(1);
    let sum_ty = Ty::s(VALUE_BITS + lane_bits);
    let squares = m.wire("squares", &kind_i.eq_k(red::SQUARES));
    let term = term(config, lane_bits)?;
    let data = m.nets("data", value, lanes);
    m.split(&data_i, &data, 0, 1, lanes);
    let counts = m.nets("counts", Ty::bit(), lanes);
    m.split(&mask_i, &counts, 0, 1, lanes);
    let mut maxs = m.nets("value", value, lanes);
    let mut places = m.nets("lane", Ty::u(lane_bits), lanes);
    let mut sums = m.nets("term", sum_ty, lanes);
    let conns = [
        ("counts_i", counts.step(0, 1, 0)),
        ("value_i", data.step(0, 1, 0)),
        ("first_i", data.step(0, 0, 0)),
        ("squares_i", Conn::In(squares)),
        ("value_o", maxs.step(0, 1, 0)),
        ("term_o", sums.step(0, 1, 0)),
    ];
    m.grid("u_term", &term, 1, lanes, &conns);
    for i in 0..lanes {
        m.assign(&places.at(i), &Expr::u(lane_bits, i.into()));
    }
    let mut mins = maxs.clone();
    let pair = pair(config, lane_bits)?;
    let mut count = lanes;
    for level in 1..=plan.tree() {
        count /= 2;
        let next_max = m.nets(&format!("max{level}"), value, count);
        let next_min = m.nets(&format!("min{level}"), value, count);
        let next_lane = m.nets(&format!("lane{level}"), Ty::u(lane_bits), count);
        let next_sum = m.nets(&format!("sum{level}"), sum_ty, count);
        let conns: [(&str, Conn); 12] = [
            ("max_a_i", maxs.step(0, 2, 0)),
            ("max_b_i", maxs.step(0, 2, 1)),
            ("min_a_i", mins.step(0, 2, 0)),
            ("min_b_i", mins.step(0, 2, 1)),
            ("lane_a_i", places.step(0, 2, 0)),
            ("lane_b_i", places.step(0, 2, 1)),
            ("sum_a_i", sums.step(0, 2, 0)),
            ("sum_b_i", sums.step(0, 2, 1)),
            ("max_o", next_max.step(0, 1, 0)),
            ("min_o", next_min.step(0, 1, 0)),
            ("lane_o", next_lane.step(0, 1, 0)),
            ("sum_o", next_sum.step(0, 1, 0)),
        ];
        m.grid(&format!("u_level{level}"), &pair, 1, count, &conns);
        (maxs, mins, places, sums) = (next_max, next_min, next_lane, next_sum);
    }
    let stages = plan.tree() + 1;
    let mut valid = valid_i;
    let mut place = place_i;
    for stage in 1..=stages {
        valid = m.pipe_reset(&format!("valid{stage}_q"), 0, &valid);
        place = m.pipe(&format!("place{stage}_q"), &place);
    }
    let word_place = m.wire("word_place", &(&place + &places.at(0).extend(PLACE_BITS)));

    m.section("What all words so far gave; known_q: there is a value to compare with; own_q: it is of this op");
    let max_q = m.reg("max_q", value);
    let min_q = m.reg("min_q", value);
    let place_q = m.reg("place_q", Ty::u(PLACE_BITS));
    let second_q = m.pipe_if("second_q", &start_i, &old_second_i);
    let total_q = m.reg("total_q", Ty::s(TOTAL_BITS));
    let known_q = m.reg("known_q", Ty::bit());
    let own_q = m.reg("own_q", Ty::bit());
    let (max, min) = (maxs.at(0), mins.at(0));
    let tie = m.wire("earlier", &(max.eq(&max_q) & &own_q & word_place.lt(&place_q)));
    let better = m.wire("better", &(!&known_q | max.gt(&max_q) | tie));
    let lower = m.wire("lower", &(!&known_q | min.lt(&min_q)));
    let is_range = m.wire("is_range", &kind_i.eq_k(red::RANGE));
    let old_min = m.wire("old_min", &-is_range.mux(&old_second_i, &old_first_i));
    let take = m.wire("take", &(&valid & &better));
    m.next_if(&max_q, &(&start_i | &take), &start_i.mux(&old_first_i, &max));
    m.next_if(&min_q, &(&start_i | (&valid & &lower)), &start_i.mux(&old_min, &min));
    m.next_if(&place_q, &take, &word_place);
    m.next_if(&known_q, &(&start_i | &valid), &start_i.mux(&cont_i, &Expr::u(1, 1)));
    m.next_if(&own_q, &(&start_i | &take), &!&start_i);
    let kept = m.wire("kept", &(old_first_i.extend(TOTAL_BITS) & cont_i.repeat(TOTAL_BITS).as_signed()));
    let grown = m.wire("grown", &(&total_q + &sums.at(0).extend(TOTAL_BITS)));
    m.next_if(&total_q, &(&start_i | &valid), &start_i.mux(&kept, &grown));

    m.section("Results, saturated");
    let largest = Expr::lit(value, i128::from(i64::MAX));
    let lowest = m.wire("lowest", &min_q.eq_k(i128::from(i64::MIN)));
    let negated = m.wire("negated", &lowest.mux(&largest, &-&min_q));
    let high = m.wire("high", &total_q.slice(TOTAL_BITS - 1, VALUE_BITS - 1));
    let fits = m.wire("fits", &(high.all() | !high.any()));
    let bound = m.wire("bound", &total_q.sign().mux(&largest.k(i128::from(i64::MIN)), &largest));
    let total = m.wire("total", &fits.mux(&total_q.slice(VALUE_BITS - 1, 0).as_signed(), &bound));
    let positive = |e: &Expr| e & &(!e.sign()).repeat(VALUE_BITS).as_signed();
    let first = m.output("first_o", value);
    let second = m.output("second_o", value);
    let place = m.wire("index", &(&base_i + &place_q.extend(VALUE_BITS).as_signed()));
    let magnitude = m.wire("magnitude", &negated.gt(&max_q).mux(&negated, &max_q));
    let (max_only, min_only) = (m.wire("max_or_zero", &positive(&max_q)), m.wire("min_or_zero", &positive(&negated)));
    m.comb("by the kind", |b: &mut Block| {
        b.set(&first, &max_q);
        b.set(&second, &min_only);
        b.case(&kind_i, |c| {
            c.arm(&kind_i.k(red::ABSMAX), |b| b.set(&first, &magnitude));
            c.arm(&kind_i.k(red::RANGE), |b| b.set(&first, &max_only));
            c.arm_of(&[kind_i.k(red::SUM), kind_i.k(red::SQUARES)], |b| b.set(&first, &total));
            c.arm(&kind_i.k(red::ARGMAX), |b| b.set(&second, &own_q.mux(&place, &second_q)));
        });
    });
    m.build()
}
