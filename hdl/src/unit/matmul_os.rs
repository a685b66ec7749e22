//! Commands of the output-stationary matrix unit: which weights and activations enter, and which sums leave.

use std::sync::Arc;

use spec::Config;

use super::matmul_meaning::Meaning;
#[cfg(doc)]
use super::matmul_rows::Flags;
use super::mm_plan::MmPlan;
use super::ram::addr_bits;
use super::{foot, module_name};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// `<prefix>_matmul_walk`: a K tile takes as many cycles as the array has rows: a weight word each.
///
/// Ports: `cmd_valid_i`, `cmd_ready_o`, [`super::mm::command_ports`], `taken_o` (a command comes); `room_i` (the feet can take one
/// more), `to_feet_o` (what they need of it: lowest first tag, first accumulator word); weights `tile_ready_i`, `pop_o`,
/// `code_o` (where formats differ in their code; with the weights popped); activations `act_read_o`, `act_bank_o`,
/// `act_addr_o`, `e2m1_o` (where they may have to be decoded); to the array, with the words read, `row_o` (one-hot), `first_o`,
/// `take_o`; `flags_o` ([`Flags`]) of the sums, one row a cycle; `step_o`, `wait_o` (a weight word enters; one is waited for).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub(super) fn matmul_walk_os(config: &Config, plan: &MmPlan) -> Result<Arc<Module>, Error> {
    let rows = config.array.rows;
    let doc = format!(
        "Walk through a command's tiles: N tiles outermost, K tiles next, the {rows} weight words of a tile\n\
         innermost, a word a cycle. While row s of weights enters, row M - 1 - s of activations is read\n\
         for row s of the array. In the last {rows} cycles of an N tile the flags of its M sums leave, first\n\
         row first, as their sums will leave the array. Commands follow each other without a gap."
    );
    let mut m = ModuleBuilder::new(module_name(config, "matmul_walk"), doc);
    let meaning = Meaning::describe(&mut m, config, plan)?;
    let cmd_valid_i = m.input("cmd_valid_i", Ty::bit());
    let count = |m: &mut ModuleBuilder, name: &str, port_bits: u32, bits: u32| {
        let count = m.input(&format!("cmd_{name}_i"), Ty::u(port_bits));
        let low = m.wire(&format!("{name}_count"), &count.part(0, bits.min(port_bits)).extend(bits));
        m.wire(&format!("last_{name}"), &(&low - low.k(1)))
    };
    let step_ty = Ty::u(index_bits(rows));
    let last_row = count(&mut m, "rows", 11, step_ty.width);
    let last_k = count(&mut m, "k_tiles", 12, plan.k_tiles);
    let last_n = count(&mut m, "n_tiles", 16, plan.n_tiles);
    let half_i = m.input("cmd_half_i", Ty::bit());
    let bank_i = m.input("cmd_bank_i", Ty::bit());
    let act_i = m.input("cmd_act_i", Ty::u(14));
    let acc_i = m.input("cmd_acc_i", Ty::u(14));
    let add_i = m.input("cmd_add_i", Ty::bit());
    let tag_i = m.input("cmd_tag_i", Ty::u(4));
    let room_i = m.input("room_i", Ty::bit());
    let tile_ready_i = m.input("tile_ready_i", Ty::bit());

    m.section("The command");
    let active_q = m.reg("active_q", Ty::bit());
    let chunk_last = m.net("chunk_last", Ty::bit());
    let free = m.wire("free", &(!&active_q | &chunk_last));
    let ready = m.wire("cmd_ready", &(&free & &room_i));
    let accept = m.wire("accept", &(&cmd_valid_i & &ready));
    m.next_reset(&active_q, 0, Some(&free), &accept);
    let addr_ty = Ty::u(addr_bits(plan.act_words));
    let wide = |row: &Expr| row.part(0, step_ty.width.min(addr_ty.width)).extend(addr_ty.width);
    let first_act = m.wire("first_act", &(act_i.part(0, addr_ty.width) + wide(&last_row)));
    let from = m.wire("first_sum", &(last_row.k(i128::from(rows) - 1) - &last_row));
    let mut keep = |name: &str, value: &Expr| m.pipe_if(name, &accept, value);
    let last_row_q = keep("last_row_q", &last_row);
    let last_k_q = keep("last_k_q", &last_k);
    let last_n_q = keep("last_n_q", &last_n);
    let half_q = keep("half_q", &half_i);
    let bank_q = keep("bank_q", &bank_i);
    let add_q = keep("add_q", &add_i);
    let first_act_q = keep("first_act_q", &first_act);
    let from_q = keep("first_sum_q", &from);
    let code_q = meaning.code.map(|code| keep("code_q", &code));
    let e2m1_q = meaning.e2m1.map(|e2m1| keep("e2m1_q", &e2m1));
    m.output_is("cmd_ready_o", &ready);
    m.output_is("taken_o", &accept);
    m.output_is("to_feet_o", &Expr::concat(&[acc_i.part(0, addr_bits(plan.acc_words)), tag_i]));

    m.section("Step of the K tile, K tile, N tile");
    let step_q = m.reg("step_q", step_ty);
    let k_q = m.reg("k_q", last_k.ty());
    let n_q = m.reg("n_q", last_n.ty());
    let addr_q = m.reg("act_addr_q", addr_ty);
    let go = m.net("go", Ty::bit());
    let first_step = m.wire("first_step", &step_q.eq_k(0));
    let last_step = m.wire("last_step", &step_q.eq_k(i128::from(rows) - 1));
    let first_k = m.wire("first_k", &k_q.eq_k(0));
    let k_last = m.wire("k_last", &k_q.eq(&last_k_q));
    let n_last = m.wire("n_last", &n_q.eq(&last_n_q));
    let may_start = if foot::forwards(config) {
        tile_ready_i
    } else {
        // The word to add to may be the one that the previous command's last sum is still being added to.
        let went_q = m.pipe_reset("went_q", 0, &go);
        let opens = m.wire("opens", &(&first_k & n_q.eq_k(0)));
        m.wire("may_start", &(&tile_ready_i & !(went_q & &add_q & opens)))
    };
    m.assign(&go, &(&active_q & (!&first_step | &may_start)));
    let tile_ends = m.wire("tile_ends", &(&go & &last_step));
    let sum_ends = m.wire("sum_ends", &(&tile_ends & &k_last));
    m.assign(&chunk_last, &(&sum_ends & &n_last));
    let reads = m.wire("reads", &(&go & step_q.le(&last_row_q)));
    let [step_d, k_d, n_d, addr_d] = [("step_d", &step_q), ("k_d", &k_q), ("n_d", &n_q), ("act_addr_d", &addr_q)]
        .map(|(name, q)| m.net(name, q.ty()));
    let to_next_tile = m.wire("to_next_tile", &Expr::concat(&[last_row_q.clone(), Expr::u(1, 1)]));
    let to_next_tile = to_next_tile.part(0, to_next_tile.width().min(addr_ty.width)).extend(addr_ty.width);
    m.comb("next step; rows of activations are read from the last to the first, which stays in the address", |b| {
        b.set(&step_d, &(&step_q + step_q.k(1)));
        b.set(&k_d, &k_q);
        b.set(&n_d, &n_q);
        b.set(&addr_d, &addr_q);
        b.when(&step_q.lt(&last_row_q), |b| b.set(&addr_d, &(&addr_q - addr_q.k(1))));
        b.when(&last_step, |b| {
            b.set(&step_d, &step_q.k(0));
            b.set(&k_d, &(&k_q + k_q.k(1)));
            b.set(&addr_d, &(&addr_q + &to_next_tile));
            b.when(&k_last, |b| {
                b.set(&k_d, &k_q.k(0));
                b.set(&n_d, &(&n_q + n_q.k(1)));
                b.set(&addr_d, &first_act_q);
            });
        });
        b.when(&accept, |b| {
            b.set(&step_d, &step_q.k(0));
            b.set(&k_d, &k_q.k(0));
            b.set(&n_d, &n_q.k(0));
            b.set(&addr_d, &first_act);
        });
    });
    let advance = m.wire("advance", &(&go | &accept));
    for (q, d) in [(&step_q, &step_d), (&k_q, &k_d), (&n_q, &n_d), (&addr_q, &addr_d)] {
        m.next_if(q, &advance, d);
    }
    m.output_is("pop_o", &go);
    m.output_is("act_read_o", &reads);
    m.output_is("act_bank_o", &half_q);
    m.output_is("act_addr_o", &addr_q);
    m.output_is("step_o", &go);
    m.output_is("wait_o", &(&active_q & !&go));

    m.section("To the array, with the words read");
    let starts = m.wire("tile_starts", &(&go & &first_step));
    let row_q = m.reg("row_q", Ty::u(rows));
    let row_d = if rows > 1 {
        Expr::concat(&[row_q.part(0, rows - 1) & reads.repeat(rows - 1), starts.clone()])
    } else {
        starts.clone()
    };
    m.next_reset(&row_q, 0, None, &row_d);
    let first_q = m.pipe_reset("first_q", 0, &(&starts & &first_k));
    let ended_q = m.pipe_reset("sum_ended_q", 0, &sum_ends);
    let take_q = m.pipe_reset("take_q", 0, &ended_q);
    m.output_is("row_o", &row_q);
    m.output_is("first_o", &first_q);
    m.output_is("take_o", &take_q);
    // The command may change while its last tile's words are still being read.
    for (port, name, value) in [("code_o", "word_code_q", code_q), ("e2m1_o", "word_e2m1_q", e2m1_q)] {
        if let Some(value) = value {
            let value_q = m.pipe(name, &value);
            m.output_is(port, &value_q);
        }
    }

    m.section(
        "Flags of the sums, highest first: bank, chunk and K tile end, tile ends, add nothing, chunk starts, valid",
    );
    let valid = m.wire("sum_valid", &(&go & &k_last & step_q.ge(&from_q)));
    let starts = m.wire("chunk_starts", &(step_q.eq(&from_q) & n_q.eq_k(0)));
    let flags = [bank_q, chunk_last, Expr::u(1, 1), last_step, !&add_q, starts, valid];
    m.output_is("flags_o", &Expr::concat(&flags));
    m.build()
}
