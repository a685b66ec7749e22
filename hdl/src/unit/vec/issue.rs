//! Issue: which word is read in which cycle, and what becomes of it.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::super::ram::addr_bits;
use super::divide_control::COUNT_BITS;
use super::plan::{ADDR_BITS, VecPlan};
use super::reduce::PLACE_BITS;
use crate::error::Error;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty, index_bits};

/// An opcode as a constant.
pub(super) fn is(op: &Expr, wanted: Op) -> Expr {
    op.eq_k(i128::from(wanted.spec().code))
}

/// Any of these opcodes.
pub(super) fn any(op: &Expr, wanted: &[Op]) -> Expr {
    let mut terms = wanted.iter().map(|&w| is(op, w));
    let first = terms.next().unwrap_or_else(|| Expr::u(1, 0));
    terms.fold(first, |a, b| &a | &b)
}

/// Bits of the number of a slot: a word, or a pair of words, takes up to four reads.
pub const SLOT_BITS: u32 = 2;

/// `<prefix>_vec_issue`: reads of a row op, one slot a cycle.
///
/// Ports: `start_i`, and with it and until the end the op's fields `op_i`, `n_i`, `a_i`, `b_i`, `imm_i`, `k_i`, `zp_i`,
/// `ordered_i` (results come in the order of their places), `blocks_i` (the op goes on only after each block of `imm` elements), `interval_i` (cycles from one word to the next);
/// `resume_i` (the next block may begin), `go_i` (a slot may be issued); what is issued in this cycle: `slot_o`, `issue_o`,
/// `emit_o` (it has a result), `vb_addr_o`, `pb_addr_o`, `acc_read_o`, `acc_addr_o`, `acc_group_o` (one cycle later),
/// `mask_o`, `end_o` (a block's last word); `block_o` (waits for `resume_i`), `done_o` (all is issued).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn issue(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Issue of a row op: a word of elements, or a pair of words, takes one to four slots, each with\n\
               a read of the vector memory, the parameters or the accumulators. VADD, VMUL: b, a. VACC with a\n\
               zero point: the weights' sums, nothing, the sums. VROP: p c, q t, q c, p t. Far butterflies:\n\
               q, p, q; where results must come in order each of the two words alone, VROP's one element\n\
               at a time. One slot a cycle; words that are divided keep their distance.";
    let lanes = plan.lanes;
    let mut m = ModuleBuilder::new(module_name(config, "vec_issue"), doc);
    let start_i = m.input("start_i", Ty::bit());
    let op_i = m.input("op_i", Ty::u(8));
    let n_i = m.input("n_i", Ty::u(ADDR_BITS));
    let a_i = m.input("a_i", Ty::u(ADDR_BITS));
    let b_i = m.input("b_i", Ty::u(ADDR_BITS));
    let imm_i = m.input("imm_i", Ty::u(ADDR_BITS));
    let k_i = m.input("k_i", Ty::u(5));
    let zp_i = m.input("zp_i", Ty::bit());
    let ordered_i = m.input("ordered_i", Ty::bit());
    let blocks_i = m.input("blocks_i", Ty::bit());
    let interval_i = m.input("interval_i", Ty::u(COUNT_BITS));
    let resume_i = m.input("resume_i", Ty::bit());
    let go_i = m.input("go_i", Ty::bit());

    m.section("What kind of walk it is");
    let pairs = m.wire("two_sources", &any(&op_i, &[Op::Vadd, Op::Vmul]));
    let rotary = m.wire("rotary", &is(&op_i, Op::Vrop));
    let zero_point = m.wire("zero_point", &(is(&op_i, Op::Vacc) & &zp_i));
    let butterfly = is(&op_i, Op::Vhad);
    let far = if lanes == 1 { butterfly } else { butterfly & k_i.ge(&k_i.k(lanes.trailing_zeros().into())) };
    let far = m.wire("far", &far);
    let single = m.wire("single", &(any(&op_i, &[Op::Vexn, Op::Ve4m]) | (&rotary & &ordered_i)));
    let distance = m.wire("distance", &Expr::u(ADDR_BITS, 1).shl(&k_i));
    let last_slot = m.net("last_slot", Ty::u(SLOT_BITS));
    let place_q = m.reg("place_q", Ty::u(PLACE_BITS));
    let second_q = m.reg("second_q", Ty::bit());
    let at = m.wire("distance_bits", &(place_q.slice(ADDR_BITS - 1, 0) & &distance));
    let upper = m.wire("upper", &at.any());
    let paired = m.wire("paired", &(&far & !&ordered_i));
    m.comb("slots of a word or pair, less 1", |b| {
        b.set(&last_slot, &last_slot.k(0));
        b.when(&pairs, |b| b.set(&last_slot, &last_slot.k(1)));
        b.when(&(&zero_point | &far), |b| b.set(&last_slot, &last_slot.k(2)));
        b.when(&rotary, |b| b.set(&last_slot, &last_slot.k(3)));
        b.when(&(&ordered_i & &far), |b| b.set(&last_slot, &upper.mux(&last_slot.k(2), &last_slot.k(1))));
        b.when(&(&ordered_i & &rotary & !&second_q), |b| b.set(&last_slot, &last_slot.k(1)));
    });

    m.section("Place in the row; what is left; what is left of the block");
    let active_q = m.reg("active_q", Ty::bit());
    let slot_q = m.reg("slot_q", last_slot.ty());
    let wait_q = m.reg("wait_q", Ty::u(COUNT_BITS));
    let left_q = m.reg("left_q", Ty::u(PLACE_BITS));
    let block_left_q = m.reg("block_left_q", Ty::u(ADDR_BITS));
    let pause_q = m.reg("pause_q", Ty::bit());
    let issue = m.wire("issue", &(&active_q & !&pause_q & !wait_q.any() & &go_i));
    let ends_word = m.wire("ends_word", &(&issue & slot_q.eq(&last_slot)));
    let word = place_q.k(lanes.into());
    let step = m.wire("step", &single.mux(&place_q.k(1), &word));
    let taken = m.wire("taken", &paired.mux(&word.shl_k(1), &step));
    let ends_pass = m.wire("ends_pass", &left_q.le(&taken));
    let again = m.wire("again", &(&rotary & &ordered_i & &ends_pass & !&second_q));
    let ends_row = m.wire("ends_row", &(&ends_pass & !&again));
    let ends_block = m.wire("ends_block", &(block_left_q.le(&block_left_q.k(lanes.into())) | &ends_row));
    let beside = m.wire("beside", &(&place_q + &step));
    let reaches = m.wire("reaches", &(beside.slice(ADDR_BITS - 1, 0) & &distance));
    let skip = m.wire("skip", &(&paired & reaches.any()));
    let over = distance.extend(PLACE_BITS) & skip.repeat(PLACE_BITS);
    let next_place = m.wire("next_place", &(&beside + &over));
    m.next_reset(&active_q, 0, None, &(&start_i | (&active_q & !(&ends_word & &ends_row))));
    let next_upper = m.wire("next_upper", &(&ordered_i & &far & reaches.any()));
    let next_second = m.wire("next_second", &(&ordered_i & &rotary & (&second_q | &again)));
    let first_slot = m.wire("first_slot", &(Expr::concat(&[next_second, next_upper]) & (!&start_i).repeat(SLOT_BITS)));
    m.next_if(&slot_q, &(&start_i | &issue), &(&start_i | &ends_word).mux(&first_slot, &(&slot_q + slot_q.k(1))));
    m.next_if(&second_q, &(&start_i | &ends_word), &(!&start_i & (&second_q | &again)));
    let wait_d = m.net("wait_d", wait_q.ty());
    m.comb("cycles until the next word", |b| {
        b.set(&wait_d, &wait_q);
        b.when(&wait_q.any(), |b| b.set(&wait_d, &(&wait_q - wait_q.k(1))));
        b.when(&ends_word, |b| b.set(&wait_d, &(&interval_i - interval_i.k(1))));
    });
    m.next_reset(&wait_q, 0, None, &wait_d);
    let moves = m.wire("moves", &(&start_i | &ends_word));
    let restart = m.wire("restart", &(&start_i | &again));
    m.next_if(&place_q, &moves, &restart.mux(&place_q.k(0), &next_place));
    m.next_if(&left_q, &moves, &restart.mux(&n_i.extend(PLACE_BITS), &(&left_q - &taken)));
    let whole = m.wire("whole_block", &(&start_i | &ends_block));
    m.next_if(&block_left_q, &moves, &whole.mux(&imm_i, &(&block_left_q - block_left_q.k(lanes.into()))));
    let pause = m.wire("pause", &(&blocks_i & (&start_i | (&ends_word & &ends_block))));
    m.next_reset(&pause_q, 0, Some(&(&start_i | &pause | &resume_i)), &pause);

    m.section("Addresses");
    let low = place_q.slice(ADDR_BITS - 1, 0);
    let slot_is = |i: i128| slot_q.eq_k(i);
    let half = |cond: &Expr, by: &Expr| by & &cond.repeat(ADDR_BITS);
    let vb_rotary = half(&(&rotary & (slot_is(1) | slot_is(2))), &n_i);
    let backward = m.wire("backward", &-&distance);
    let vb_butterfly = m.net("vb_butterfly", Ty::u(ADDR_BITS));
    m.comb("the other element of a far butterfly", |b| {
        b.set(&vb_butterfly, &vb_butterfly.k(0));
        b.when(&(&paired & !slot_is(1)), |b| b.set(&vb_butterfly, &distance));
        b.when(&(&far & &ordered_i & &upper & slot_is(1)), |b| b.set(&vb_butterfly, &backward));
        b.when(&(&far & &ordered_i & !&upper & slot_is(0)), |b| b.set(&vb_butterfly, &distance));
    });
    let vb_base = (&pairs & slot_is(0)).mux(&b_i, &a_i);
    m.output_is("vb_addr_o", &(&vb_base + &low + vb_rotary + &vb_butterfly));
    let pb_far = m.wire("pb_second", &((&rotary & slot_q.bit(0)) | (&zero_point & slot_is(0))));
    m.output_is("pb_addr_o", &(&b_i + &low + half(&pb_far, &n_i)));

    m.section("Accumulators: an acc word is all groups of its columns, read for each");
    let acc_ty = Ty::u(addr_bits(plan.acc_words));
    let acc_q = m.reg("acc_addr_q", acc_ty);
    let groups = plan.cols / lanes;
    let narrow =
        |e: &Expr| if acc_ty.width <= ADDR_BITS { e.slice(acc_ty.width - 1, 0) } else { e.extend(acc_ty.width) };
    let next_acc = m.wire("next_acc", &(&acc_q + narrow(&imm_i)));
    let wraps = if groups > 1 {
        let group_q = m.reg("group_q", Ty::u(index_bits(groups)));
        let last = m.wire("last_group", &group_q.eq_k(i128::from(groups) - 1));
        m.next_if(&group_q, &moves, &(&start_i | &last).mux(&group_q.k(0), &(&group_q + group_q.k(1))));
        let late_q = m.pipe("late_group_q", &group_q);
        m.output_is("acc_group_o", &late_q);
        &ends_word & &last
    } else {
        ends_word.clone()
    };
    m.next_if(&acc_q, &(&start_i | &wraps), &start_i.mux(&narrow(&a_i), &next_acc));
    m.output_is("acc_addr_o", &acc_q);
    m.output_is("acc_read_o", &(&issue & any(&op_i, &[Op::Vacc, Op::Vraw])));

    m.section("Results");
    let emit = m.net("emit", Ty::bit());
    m.comb("slots with a result", |b: &mut Block| {
        b.set(&emit, &ends_word);
        b.when(&rotary, |b| b.set(&emit, &(&issue & slot_q.bit(0))));
        b.when(&paired, |b| b.set(&emit, &(&issue & slot_q.any())));
    });
    let counts = (0..lanes).rev().map(|i| left_q.gt(&left_q.k(i.into()))).collect::<Vec<_>>();
    m.output_is("slot_o", &slot_q);
    m.output_is("issue_o", &issue);
    m.output_is("emit_o", &emit);
    m.output_is("mask_o", &Expr::concat(&counts));
    m.output_is("end_o", &ends_block);
    m.output_is("block_o", &(&active_q & &pause_q));
    m.output_is("done_o", &!&active_q);
    m.build()
}
