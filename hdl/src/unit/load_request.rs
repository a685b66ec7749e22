//! Load instructions to reads of memory, ahead of their execution.

use std::sync::Arc;

use spec::isa::{Field, Op};
use spec::{Config, Format, Operand, stream};

use super::burst::{ADDR_BITS, beat_addr_bits, beat_bytes, lane_bits};
use super::head_buffer::{HEAD_BYTES, HeadSizes};
use super::instr_field::{field, instr_input, opcode};
use super::module_name;
use super::param_writer::TYPES;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for};

/// Kinds of work, in the order of [`KINDS`].
pub const WORDS: u32 = 0;
/// See [`WORDS`].
pub const HEAD: u32 = 1;
/// See [`WORDS`].
pub const PARAMS: u32 = 2;
/// The operation of each kind of work.
pub const KINDS: [Op; 3] = [Op::Ldw, Op::Ldh, Op::Ldp];
/// Bits of a kind.
pub const KIND_BITS: u32 = 2;

/// What follows the kind in a description of work, lowest first: fields of the instruction as they are.
pub const fn body(kind: u32) -> &'static [Field] {
    match kind {
        WORDS => &[Field::Words, Field::Format],
        HEAD => &[Field::Tokens, Field::Dim, Field::Mode, Field::Tiles],
        _ => &[Field::N, Field::Dst, Field::Type],
    }
}

/// Bits of a description of work.
pub fn work_bits() -> u32 {
    let bits = |kind: u32| -> u32 {
        let op = KINDS[kind as usize];
        body(kind).iter().filter_map(|f| op.spec().field(*f)).map(|f| f.bits).sum()
    };
    KIND_BITS + (0..KINDS.len() as u32).map(bits).max().unwrap_or(0)
}

/// A field of a description of work of that kind.
pub(super) fn work_field(work: &Expr, kind: u32, name: Field) -> Expr {
    let op = KINDS[kind as usize];
    let mut lsb = KIND_BITS;
    for own in body(kind) {
        let bits = op.spec().field(*own).map_or(0, |f| f.bits);
        if *own == name {
            return work.part(lsb, bits);
        }
        lsb += bits;
    }
    work.part(work.width(), 1)
}

/// Whether the array computes with INT8 weights, as heads are.
pub fn has_heads(config: &Config) -> bool {
    config.pe.formats.iter().any(|f| f.weight() == Operand::Int8)
}

/// `<prefix>_load_request`: takes load instructions and asks memory for what they read.
///
/// Ports: `instr_valid_i`, `instr_ready_o`, `instr_i`; `index_i` (IDX, read when an instruction is taken); `work_valid_o`,
/// `work_ready_i`, `work_o`: what to do with the beats; `cmd_valid_o`, `cmd_ready_i`, `cmd_beat_o`, `cmd_count_o`: which
/// beats; `error_o`: an instruction that the buffers cannot hold or that starts beside a beat was dropped (sticky).
///
/// Three cycles an instruction, and one for each row of a head; with an index one for each bit of the stride's.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn load_request(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Reads of load instructions: what is to be read is asked for while earlier instructions are\n\
               still at work. A row of a head is a read of its own. An index times its stride is added bit by\n\
               bit.";
    let mut m = ModuleBuilder::new(module_name(config, "load_request"), doc);
    let (beat_bits, lane_bits) = (beat_addr_bits(config), lane_bits(config));
    let instr_valid_i = m.input("instr_valid_i", Ty::bit());
    let instr_i = instr_input(&mut m, "instr_i");
    let index_i = m.input("index_i", Ty::u(32));
    let work_ready_i = m.input("work_ready_i", Ty::bit());
    let cmd_ready_i = m.input("cmd_ready_i", Ty::bit());

    m.section("The instruction");
    let [idle, check, index, work, ask] = m.states(["Idle", "Check", "Index", "Work", "Ask"]);
    let state_q = m.reg("state_q", idle.ty());
    let state_d = m.net("state_d", idle.ty());
    let in_idle = m.wire("in_idle", &state_q.eq(&idle));
    let in_check = m.wire("in_check", &state_q.eq(&check));
    let in_index = m.wire("in_index", &state_q.eq(&index));
    let in_work = m.wire("in_work", &state_q.eq(&work));
    let in_ask = m.wire("in_ask", &state_q.eq(&ask));
    let take = m.wire("take", &(&instr_valid_i & &in_idle));
    let instr_q = m.pipe_if("instr_q", &take, &instr_i);
    let op = m.wire("op", &opcode(&instr_q));
    let is = |kind: u32| op.eq_k(KINDS[kind as usize].spec().code.into());
    let is_head = m.wire("is_head", &is(HEAD));
    let is_params = m.wire("is_params", &is(PARAMS));

    let (good, count) = checks(&mut m, config, &instr_q, &op);
    let indirect = m.wire("indirect", &(&is_params & field(&instr_q, Op::Ldp, Field::Indirect)));

    m.section("The address: with an index, a product bit by bit");
    let addr_q = m.reg("addr_q", Ty::u(ADDR_BITS));
    let addend_q = m.reg("addend_q", Ty::u(ADDR_BITS));
    let stride_q = m.reg("stride_q", Ty::u(24));
    let addend_step = m.wire("addend_step", &(&take | &in_index));
    let doubled = Expr::concat(&[addend_q.slice(ADDR_BITS - 2, 0), Expr::u(1, 0)]);
    m.next_if(&addend_q, &addend_step, &take.mux(&index_i, &doubled));
    let stride_step = m.wire("stride_step", &(&in_check | &in_index));
    let halved = Expr::concat(&[Expr::u(1, 0), stride_q.slice(23, 1)]);
    m.next_if(&stride_q, &stride_step, &in_check.mux(&field(&instr_q, Op::Ldp, Field::Stride), &halved));
    let asked = m.wire("asked", &(&in_ask & &cmd_ready_i));
    let row_step = Expr::concat(&[field(&instr_q, Op::Ldh, Field::Stride), Expr::u(lane_bits, 0)]);
    let addr_d = m.net("addr_d", addr_q.ty());
    m.comb("the address of the instruction, of an index, of the next row", |b| {
        b.set(&addr_d, &addr_q);
        b.when(&in_check, |b| b.set(&addr_d, &field(&instr_q, Op::Ldw, Field::Addr)));
        b.when(&(&in_index & stride_q.bit(0)), |b| b.set(&addr_d, &(&addr_q + &addend_q)));
        b.when(&asked, |b| b.set(&addr_d, &(&addr_q + row_step.extend(ADDR_BITS))));
    });
    m.next(&addr_q, &addr_d);
    let on_beat = m.wire("on_beat", &!addr_q.part(0, lane_bits).any());

    m.section("Reads left to ask for");
    let tokens = field(&instr_q, Op::Ldh, Field::Tokens);
    let reads_q = m.reg("reads_q", tokens.ty());
    let reads_step = m.wire("reads_step", &(&in_check | &asked));
    let reads = is_head.mux(&tokens, &reads_q.k(1));
    m.next_if(&reads_q, &reads_step, &in_check.mux(&reads, &(&reads_q - reads_q.k(1))));
    let count_q = m.pipe_if("count_q", &in_check, &count);
    let last = m.wire("last_read", &reads_q.eq_k(1));
    m.comb("next state", |b| {
        b.set(&state_d, &state_q);
        b.case(&state_q, |c| {
            c.arm(&idle, |b| b.when(&instr_valid_i, |b| b.set(&state_d, &check)));
            c.arm(&check, |b| {
                b.set(&state_d, &work);
                b.when(&indirect, |b| b.set(&state_d, &index));
                b.when(&!&good, |b| b.set(&state_d, &idle));
            });
            c.arm(&index, |b| b.when(&!stride_q.any(), |b| b.set(&state_d, &work)));
            c.arm(&work, |b| {
                b.when(&work_ready_i, |b| b.set(&state_d, &ask));
                b.when(&!&on_beat, |b| b.set(&state_d, &idle));
            });
            c.arm(&ask, |b| b.when(&(&cmd_ready_i & &last), |b| b.set(&state_d, &idle)));
            c.default(|b| b.set(&state_d, &idle));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);

    let bodies: Vec<Expr> = (0..KINDS.len() as u32)
        .map(|kind| {
            let own = body(kind).iter().rev().map(|f| field(&instr_q, KINDS[kind as usize], *f));
            let parts: Vec<Expr> = own.chain([Expr::u(KIND_BITS, kind.into())]).collect();
            Expr::concat(&parts).extend(work_bits())
        })
        .collect();
    let description = is_params.mux(&bodies[PARAMS as usize], &bodies[WORDS as usize]);
    m.output_is("instr_ready_o", &in_idle);
    m.output_is("work_valid_o", &(&in_work & &on_beat));
    m.output_is("work_o", &is_head.mux(&bodies[HEAD as usize], &description));
    m.output_is("cmd_valid_o", &in_ask);
    m.output_is("cmd_beat_o", &addr_q.slice(ADDR_BITS - 1, lane_bits));
    m.output_is("cmd_count_o", &count_q.part(0, beat_bits));
    let error_q = m.reg("error_q", Ty::bit());
    let dropped = m.wire("dropped", &((&in_check & !&good) | (&in_work & !&on_beat)));
    m.next_reset(&error_q, 0, None, &(&error_q | &dropped));
    m.output_is("error_o", &error_q);
    m.output_is("idle_o", &in_idle);
    m.build()
}

/// Whether the buffers can hold what the instruction asks for, and the beats of each of its reads.
fn checks(m: &mut ModuleBuilder, config: &Config, instr: &Expr, op: &Expr) -> (Expr, Expr) {
    m.section("What the buffers can hold, and beats of a read");
    let (bytes, lane_bits) = (beat_bytes(config), lane_bits(config));
    let beats_of = |bytes_read: &Expr, m: &mut ModuleBuilder, name: &str| {
        let sum = m.wire(name, &(bytes_read.extend(32) + Expr::u(32, u64::from(bytes) - 1)));
        sum.slice(31, lane_bits).extend(32)
    };
    let words = m.wire("words", &field(instr, Op::Ldw, Field::Words));
    let format = m.wire("format", &field(instr, Op::Ldw, Field::Format));
    // Formats of equal codes share the sum.
    let mut by_bits: Vec<(u32, Expr)> = Vec::new();
    let mut per_format: Vec<(u32, Expr)> = Vec::new();
    for format in &config.pe.formats {
        let Some(place) = Format::ALL.iter().position(|f| f == format) else { continue };
        let bits = format.weight().bits();
        if !by_bits.iter().any(|(known, _)| *known == bits) {
            by_bits.push((bits, word_beats(m, config, bits, &words)));
        }
        per_format.extend(by_bits.iter().filter(|(b, _)| *b == bits).map(|(_, beats)| (place as u32, beats.clone())));
    }
    let n = m.wire("n", &field(instr, Op::Ldp, Field::N));
    let dst = field(instr, Op::Ldp, Field::Dst);
    let number = m.wire("number_type", &field(instr, Op::Ldp, Field::Type));
    let end = m.wire("params_end", &(n.extend(17) + dst.extend(17)));
    let n_bytes: Vec<Expr> = TYPES
        .iter()
        .map(|(width, _)| {
            let shifted = Expr::concat(&[n.clone(), Expr::u(2, 0)]);
            match width {
                1 => n.extend(18),
                2 => Expr::concat(&[n.clone(), Expr::u(1, 0)]).extend(18),
                _ => shifted,
            }
        })
        .collect();
    let bytes_read = m.net("param_bytes", Ty::u(18));
    m.comb("bytes of the parameters", |b| {
        b.set(&bytes_read, &n_bytes[0]);
        b.case(&number, |c| {
            for (i, bytes) in n_bytes.iter().enumerate().skip(1) {
                c.arm(&number.k(i as i128), |b| b.set(&bytes_read, bytes));
            }
        });
    });
    let param_beats = beats_of(&bytes_read, m, "param_bytes_up");
    let head = has_heads(config).then(|| {
        let dim = m.wire("dim", &field(instr, Op::Ldh, Field::Dim));
        (head_fits(m, config, instr, &dim), beats_of(&dim, m, "dim_up"))
    });
    let params_fit = n.any() & end.le(&end.k(config.vec.params.into())) & number.lt(&number.k(TYPES.len() as i128));
    let params_fit = m.wire("params_fit", &params_fit);
    let good = m.net("good", Ty::bit());
    let count = m.net("count", Ty::u(32));
    m.comb("by operation", |b| {
        b.set(&good, &good.k(0));
        b.set(&count, &param_beats);
        b.case(op, |c| {
            let code = |kind: u32| op.k(KINDS[kind as usize].spec().code.into());
            c.arm(&code(WORDS), |b| {
                b.case(&format, |c| {
                    for (place, beats) in &per_format {
                        c.arm(&format.k((*place).into()), |b| {
                            b.set(&good, &words.any());
                            b.set(&count, beats);
                        });
                    }
                });
            });
            if let Some((fits, beats)) = &head {
                c.arm(&code(HEAD), |b| {
                    b.set(&good, fits);
                    b.set(&count, beats);
                });
            }
            c.arm(&code(PARAMS), |b| b.set(&good, &params_fit));
        });
    });
    (good, count)
}

/// Whether the head buffer holds the rows and tiles of an `LDH` with rows of `dim` bytes.
fn head_fits(m: &mut ModuleBuilder, config: &Config, instr: &Expr, dim: &Expr) -> Expr {
    let sizes = HeadSizes::new(config);
    let tokens = m.wire("tokens", &field(instr, Op::Ldh, Field::Tokens));
    let tiles = m.wire("tiles", &field(instr, Op::Ldh, Field::Tiles));
    let direct = m.wire("direct", &field(instr, Op::Ldh, Field::Mode));
    let at_most = |value: &Expr, most: u32| {
        if bits_for(most.into()) > value.width() { Expr::u(1, 1) } else { value.le(&value.k(most.into())) }
    };
    let rows_fit = direct.mux(&at_most(&tokens, config.array.rows), &at_most(&tokens, config.array.cols));
    let some = dim.any() & tokens.any() & tiles.any();
    m.wire("head_fits", &(some & at_most(dim, HEAD_BYTES) & rows_fit & at_most(&tiles, sizes.tiles)))
}

/// Beats of `words` weight words of codes of `bits` bits, as [`stream::packing`] packs them.
fn word_beats(m: &mut ModuleBuilder, config: &Config, bits: u32, words: &Expr) -> Expr {
    let packing = stream::packing(config.bus.data_bits, config.preload_rows() * config.array.cols * bits);
    let share = packing.words_per_beat;
    if share == 1 {
        return words.extend(32) * Expr::u(32, packing.beats_per_word.into());
    }
    let name = format!("words_of_{bits}_bits");
    let existing = m.wire(&format!("{name}_{share}"), &(words.extend(32) + Expr::u(32, u64::from(share) - 1)));
    if share.is_power_of_two() {
        return existing.slice(31, share.ilog2()).extend(32);
    }
    // Division by a constant: n / w = n·m >> s, exact for n below 2^25 where m = floor(2^s / w) + 1, s >= 25 + log2 w.
    let shift = 25 + bits_for(share.into());
    let factor = (1_u64 << shift) / u64::from(share) + 1;
    let product_bits = 26 + bits_for(factor);
    let n = existing.slice(25, 0).extend(product_bits);
    let product = m.wire(&format!("{name}_scaled"), &(&n * n.k(factor.into())));
    product.slice(product_bits - 1, shift).extend(32)
}
