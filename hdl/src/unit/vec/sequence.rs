//! Sequence of an instruction: entries of S, constants, words, blocks, results in S.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::constants::kind;
use super::issue::{any, is};
use super::plan::VecPlan;
use super::reduce::{latency, red};
use crate::error::Error;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty};

/// Bits of an address of S.
pub const ENTRY_BITS: u32 = 8;

/// `<prefix>_vec_sequence`: one instruction after the other.
///
/// Ports: `valid_i`, `instr_i`, `ready_o`; `instr_o` (the instruction under way); reads of S: `read_o`, `read_addr_o`, and in
/// the cycle in which the entry is there `entry_o` (one-hot: which of four); writes: `write_o`, `write_addr_o`, `result_o`
/// (which); `arith_start_o`, `arith_done_i`; `prepare_o`, `start_o`, `resume_o`; `block_read_o`, `block_take_o`,
/// `block_number_o`; `paused_i`, `issued_i`, `empty_i`, `flushed_i`; `last_result_i` and `writes_i` of a scalar operation;
/// `param_read_o`, `set_act_o`, `set_out_o`, `set_index_o`; `busy_o`, `retired_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn sequence(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Sequence of the vector unit's instructions, one after the other: entries of S are read, the long\n\
               arithmetic makes what the op needs (for VCOD of each block), words are issued until all results\n\
               have come, and reductions or scalar results are written into S.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_sequence"), doc);
    let valid_i = m.input("valid_i", Ty::bit());
    let instr_i = m.input("instr_i", Ty::u(128));
    let arith_done_i = m.input("arith_done_i", Ty::bit());
    let paused_i = m.input("paused_i", Ty::bit());
    let issued_i = m.input("issued_i", Ty::bit());
    let empty_i = m.input("empty_i", Ty::bit());
    let flushed_i = m.input("flushed_i", Ty::bit());
    let last_result_i = m.input("last_result_i", Ty::u(2));
    let writes_i = m.input("writes_i", Ty::bit());

    let [
        idle,
        apply,
        fetch,
        arith,
        arith_wait,
        prepare,
        run,
        block_read,
        block_take,
        block_arith,
        block_wait,
        block_prepare,
        settle,
        write,
        retire,
    ] = m.states([
        "Idle",
        "Apply",
        "Fetch",
        "Arith",
        "ArithWait",
        "Prepare",
        "Run",
        "BlockRead",
        "BlockTake",
        "BlockArith",
        "BlockWait",
        "BlockPrepare",
        "Settle",
        "Write",
        "Retire",
    ]);
    let state_q = m.reg("state_q", idle.ty());
    let state_d = m.net("state_d", idle.ty());
    let is_idle = m.wire("is_idle", &state_q.eq(&idle));
    let accept = m.wire("accept", &(&valid_i & &is_idle));
    let instr_q = m.pipe_if("instr_q", &accept, &instr_i);
    let instr = m.wire("instr", &is_idle.mux(&instr_i, &instr_q));
    let op = m.wire("op", &instr.slice(7, 0));

    m.section("Entries of S that the instruction reads");
    let scalar = m.wire("scalar", &(op.slice(7, 4).eq(&Expr::u(4, 6))));
    let [a, b_entry, s, d] = [48, 64, 96, 104].map(|lsb| instr.part(lsb, ENTRY_BITS));
    let reduction = m.wire("reduction", &instr.slice(121, 119));
    let coded = m.wire("coded", &is(&op, Op::Vcod));
    let reduces = m.wire("reduces", &(!&scalar & !&coded & reduction.any()));
    let argmax = m.wire("argmax", &(&reduces & reduction.eq_k(red::ARGMAX)));
    let cont = m.wire("cont", &(&reduces & instr.bit(122)));
    let completes = m.wire("completes", &(is(&op, Op::Vacc) & instr.bit(124)));
    let entries = m.net("entries", Ty::u(3));
    m.comb("how many", |b| {
        b.set(&entries, &entries.k(0));
        let mut when = |ops: &[Op], count: i128| b.when(&any(&op, ops), |b| b.set(&entries, &entries.k(count)));
        when(&[Op::Vshr, Op::Vmls, Op::Vads, Op::Vfix, Op::Vsig, Op::Ve4m], 1);
        when(&[Op::Vquo, Op::Vexp, Op::Vcod], 2);
        when(&[Op::Sbit, Op::Slft, Op::Sdiv, Op::Sidx, Op::Sdya], 1);
        when(&[Op::Sadd, Op::Ssub, Op::Smax, Op::Smin, Op::Sprd, Op::Snar, Op::Sres], 2);
        when(&[Op::Sscl, Op::Srms], 3);
        b.when(&completes, |b| b.set(&entries, &entries.k(1)));
        b.when(&argmax, |b| b.set(&entries, &entries.k(2)));
        b.when(&cont, |b| b.set(&entries, &entries.k(4)));
    });
    let index_q = m.reg("index_q", Ty::u(3));
    let fetching = m.wire("fetching", &state_q.eq(&fetch));
    let next_index = m.wire("next_index", &(&index_q + index_q.k(1)));
    let fetched = m.wire("fetched", &next_index.eq(&entries));
    let which = m.wire("which", &is_idle.mux(&index_q.k(0), &next_index));
    let entry = m.net("entry", Ty::u(ENTRY_BITS));
    m.comb("address of the next entry", |b: &mut Block| {
        b.set(&entry, &scalar.mux(&a, &s));
        b.case(&which, |c| {
            c.arm(&which.k(1), |b| b.set(&entry, &scalar.mux(&b_entry, &(&s + s.k(1)))));
            c.arm(&which.k(2), |b| b.set(&entry, &scalar.mux(&s, &d)));
            c.arm(&which.k(3), |b| b.set(&entry, &(&d + d.k(1))));
        });
    });
    m.output_is("read_o", &(&accept | &fetching));
    m.output_is("read_addr_o", &entry);
    let takes = (0..4).rev().map(|i| &fetching & index_q.eq_k(i)).collect::<Vec<_>>();
    m.output_is("entry_o", &Expr::concat(&takes));

    m.section("What it needs of the long arithmetic, and of blocks");
    let long = any(&op, &[Op::Sbit, Op::Snar, Op::Slft, Op::Sscl, Op::Sprd, Op::Sdiv, Op::Srms, Op::Vexp, Op::Vsig]);
    let long = m.wire("long", &long);
    let sets = m.wire("sets", &any(&op, &[Op::Seta, Op::Seto]));
    let code_kind = m.wire("code_kind", &instr.slice(116, 112));
    let in_blocks = [kind::GROUPS, kind::MX, kind::NV].map(|k| code_kind.eq_k(k));
    let blocks = m.wire("blocks", &(&coded & (&in_blocks[0] | &in_blocks[1] | &in_blocks[2])));
    m.output_is("blocks_o", &blocks);
    let count_q = m.reg("count_q", Ty::u(3));
    let last_write = m.net("last_write", Ty::u(2));
    let pair = reduction.eq_k(red::RANGE) | reduction.eq_k(red::ARGMAX);
    m.assign(&last_write, &scalar.mux(&last_result_i, &Expr::concat(&[Expr::u(1, 0), pair])));
    let written = m.wire("written", &index_q.slice(1, 0).eq(&last_write));
    m.comb("next state", |b| {
        let after_entries = |b: &mut Block| {
            b.set(&state_d, &prepare);
            b.when(&scalar, |b| b.set(&state_d, &write));
            b.when(&long, |b| b.set(&state_d, &arith));
        };
        b.set(&state_d, &(&state_q + state_q.k(1)));
        b.case(&state_q, |c| {
            c.arm(&idle, |b| {
                b.set(&state_d, &idle);
                b.when(&valid_i, |b| {
                    after_entries(b);
                    b.when(&entries.any(), |b| b.set(&state_d, &fetch));
                    b.when(&sets, |b| b.set(&state_d, &apply));
                });
            });
            c.arm(&apply, |b| b.set(&state_d, &retire));
            c.arm(&fetch, |b| b.when_else(&fetched, after_entries, |b| b.set(&state_d, &fetch)));
            c.arm(&arith_wait, |b| {
                b.when_else(
                    &arith_done_i,
                    |b| b.set(&state_d, &scalar.mux(&write, &prepare)),
                    |b| b.set(&state_d, &arith_wait),
                );
            });
            c.arm(&run, |b| {
                b.set(&state_d, &run);
                b.when(&(&issued_i & &empty_i), |b| b.set(&state_d, &settle));
                b.when(&(&paused_i & &empty_i), |b| b.set(&state_d, &block_read));
            });
            c.arm(&block_wait, |b| b.when(&!&arith_done_i, |b| b.set(&state_d, &block_wait)));
            c.arm(&block_prepare, |b| b.set(&state_d, &run));
            c.arm(&settle, |b| {
                b.set(&state_d, &settle);
                b.when(&(!count_q.any() & &flushed_i), |b| b.set(&state_d, &reduces.mux(&write, &retire)));
            });
            c.arm(&write, |b| b.when(&!&written, |b| b.set(&state_d, &write)));
            c.arm(&retire, |b| b.set(&state_d, &idle));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);

    m.section("Entries read, or results written, so far; cycles until a reduction is there; blocks so far");
    let writing = m.wire("writing", &state_q.eq(&write));
    let counts = m.wire("counts", &((&fetching & !&fetched) | (&writing & !&written)));
    m.next(&index_q, &counts.mux(&next_index, &index_q.k(0)));
    let settling = m.wire("settling", &(state_q.eq(&settle) & count_q.any()));
    let first_count = reduces.mux(&count_q.k(i128::from(latency(plan)) - 1), &count_q.k(0));
    let count_d = settling.mux(&(&count_q - count_q.k(1)), &first_count);
    m.next(&count_q, &count_d);
    let number_q = m.reg("number_q", Ty::u(13));
    let preparing = m.wire("preparing", &state_q.eq(&prepare));
    let resume = m.wire("resume", &state_q.eq(&block_prepare));
    m.next_if(&number_q, &(&preparing | &resume), &preparing.mux(&number_q.k(0), &(&number_q + number_q.k(1))));
    m.output_is("instr_o", &instr);
    m.output_is("write_o", &(&writing & (!&scalar | &writes_i)));
    m.output_is("write_addr_o", &(&d + index_q.extend(ENTRY_BITS)));
    m.output_is("result_o", &index_q.slice(1, 0));
    m.output_is("scalar_o", &scalar);
    m.output_is("arith_start_o", &(state_q.eq(&arith) | state_q.eq(&block_arith)));
    m.output_is("prepare_o", &(&preparing | &resume));
    m.output_is("start_o", &preparing);
    m.output_is("resume_o", &resume);
    m.output_is("cont_o", &cont);
    m.output_is("block_read_o", &state_q.eq(&block_read));
    m.output_is("block_take_o", &state_q.eq(&block_take));
    m.output_is("block_number_o", &number_q);
    m.output_is("param_read_o", &accept);
    m.output_is("set_act_o", &(state_q.eq(&apply) & is(&op, Op::Seta)));
    m.output_is("set_out_o", &(state_q.eq(&apply) & is(&op, Op::Seto)));
    m.output_is("set_index_o", &(&writing & &scalar & !&writes_i));
    m.output_is("ready_o", &is_idle);
    m.output_is("busy_o", &!&is_idle);
    m.output_is("retired_o", &state_q.eq(&retire));
    m.build()
}
