//! The out stream: results, narrowed to bytes, into beats.

use std::sync::Arc;

use spec::Config;

use super::super::fifo::fifo;
use super::super::module_name;
use super::super::skid::skid;
use super::plan::{VALUE_BITS, VecPlan};
use crate::error::Error;
use crate::rtl::{Block, Expr, Module, ModuleBuilder, Ty, bits_for};

/// Words of results that may be under way to the out stream.
const DEPTH: u32 = 32;

/// `<prefix>_vec_out`: words of results to the out stream, elements of 1, 2, 4 or 8 bytes, in order.
///
/// Ports: `width_i` (logarithm of an element's bytes), `single_i` (words have one element), both held until `idle_o`;
/// `reserve_i` takes a place for a word, allowed while `room_o`; `valid_i`, `mask_i`, `last_i` (the op's last word),
/// `data_i`; `out_valid_o`, `out_ready_i`, `out_data_o`. The last word's last byte ends its beat; the rest of it is 0.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn out(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let (lanes, beat) = (plan.lanes, plan.beat_bits / 8);
    let (word, levels) = (8 * lanes, lanes.trailing_zeros());
    let (beat_log, word_log) = (beat.trailing_zeros(), word.trailing_zeros());
    let doc = format!(
        "Words of {lanes} results into beats of {beat} bytes, lowest bytes first. A word is stored as bytes;\n\
         what is narrower than a beat is gathered, what is wider leaves in parts. A chunk's size is a power\n\
         of two, so that it never straddles two beats."
    );
    let mut m = ModuleBuilder::new(module_name(config, "vec_out"), doc);
    let width_i = m.input("width_i", Ty::u(2));
    let single_i = m.input("single_i", Ty::bit());
    let reserve_i = m.input("reserve_i", Ty::bit());
    let valid_i = m.input("valid_i", Ty::bit());
    let mask_i = m.input("mask_i", Ty::u(lanes));
    let last_i = m.input("last_i", Ty::bit());
    let data_i = m.input("data_i", Ty::u(lanes * VALUE_BITS));
    let out_ready_i = m.input("out_ready_i", Ty::bit());

    m.section("Elements narrowed to their bytes");
    let narrow = |bytes: u32| {
        // What is not a result stays off the stream: after the last one the beat is 0.
        let parts = (0..lanes).rev().map(|i| data_i.part(i * VALUE_BITS, 8 * bytes) & mask_i.bit(i).repeat(8 * bytes));
        Expr::concat(&parts.collect::<Vec<_>>()).extend(8 * word)
    };
    let packed = m.net("narrowed", Ty::u(8 * word));
    m.comb("by width", |b| {
        b.set(&packed, &narrow(8));
        b.case(&width_i, |c| {
            for log in 0..3 {
                c.arm(&width_i.k(log), |b| b.set(&packed, &narrow(1 << log)));
            }
        });
    });
    let entry = m.wire("entry", &Expr::concat(&[last_i, mask_i, packed]));
    let fifo = fifo(config, entry.width(), DEPTH)?;
    let next = m.net("next_word", Ty::bit());
    let ports = [("reserve_i", &reserve_i), ("push_i", &valid_i), ("data_i", &entry), ("ready_i", &next)];
    let fifo = m.instance("u_fifo", &fifo, &ports);
    m.output_is("room_o", &fifo.out("room_o"));
    let (there, entry) = (fifo.out("valid_o"), fifo.out("data_o"));
    let word_last = m.wire("word_last", &entry.bit(8 * word + lanes));
    let bytes = m.wire("word_bytes", &entry.slice(8 * word - 1, 0));

    m.section("The part of the word that goes next, and how many bytes it has");
    let size_ty = Ty::u(bits_for(u64::from(word_log.max(beat_log + 1))));
    let most = m.wire(
        "whole_log",
        &(width_i.extend(size_ty.width) + single_i.mux(&size_ty_k(size_ty, 0), &size_ty_k(size_ty, levels))),
    );
    let capped = most.gt(&most.k(beat_log.into())).mux(&most.k(beat_log.into()), &most);
    let size_log = m.wire("size_log", &capped);
    let room = m.net("room", Ty::bit());
    let (part, part_last) = if word > beat {
        let index_ty = Ty::u(word_log - beat_log);
        let part_q = m.reg("part_q", index_ty);
        let part = m.wire("part", &bytes.word(&part_q, 8 * beat));
        let mask = m.wire("word_mask", &entry.slice(8 * word + lanes - 1, 8 * word));
        let later = m.net("later", Ty::bit());
        m.comb("whether the next part begins within an element that counts", |b: &mut Block| {
            b.set(&later, &later.k(0));
            b.case(&width_i, |c| {
                for log in (0..4u32).filter(|log| lanes << log > beat) {
                    c.arm(&width_i.k(log.into()), |b| {
                        b.case(&part_q, |c| {
                            for p in 0..(lanes << log) / beat - 1 {
                                let element = ((p + 1) * beat) >> log;
                                c.arm(&part_q.k(p.into()), |b| b.set(&later, &mask.bit(element)));
                            }
                        });
                    });
                }
            });
        });
        let part_last = m.wire("part_last", &!&later);
        let sent = m.wire("part_sent", &(&there & &room));
        m.next_reset(&part_q, 0, Some(&sent), &part_last.mux(&part_q.k(0), &(&part_q + part_q.k(1))));
        (part, part_last)
    } else {
        (m.wire("part", &bytes.extend(8 * beat)), Expr::u(1, 1))
    };

    m.section("Into the beat, behind what is there");
    let chunk = m.net("chunk", Ty::u(8 * beat));
    m.comb("repeated, so that each byte stands in every place that it can have", |b| {
        b.set(&chunk, &part);
        b.case(&size_log, |c| {
            for log in 0..beat_log {
                let bits = 8 << log;
                c.arm(&size_log.k(log.into()), |b| b.set(&chunk, &part.part(0, bits).repeat(beat >> log)));
            }
        });
    });
    let fill_ty = Ty::u(beat_log + 1);
    let fill_q = m.reg("fill_q", fill_ty);
    let size = m.wire("size", &fill_q.k(1).shl(&size_log));
    let filled = m.wire("filled", &(&fill_q + &size));
    let beat_q = m.reg("beat_q", Ty::u(8 * beat));
    let gathered: Vec<_> = (0..beat)
        .rev()
        .map(|r| {
            let own = m.wire(&format!("own{r}"), &(fill_q.le(&fill_q.k(r.into())) & filled.gt(&filled.k(r.into()))));
            let opens = !fill_q.any();
            own.mux(&chunk.part(8 * r, 8), &(beat_q.part(8 * r, 8) & (!opens).repeat(8)))
        })
        .collect();
    let gathered = m.wire("gathered", &Expr::concat(&gathered));
    let ends = m.wire("beat_ends", &(filled.bit(beat_log) | (&word_last & &part_last)));
    let taken = m.wire("taken", &(&there & &room));
    m.next_if(&beat_q, &taken, &gathered);
    m.next_reset(&fill_q, 0, Some(&taken), &ends.mux(&fill_q.k(0), &filled));
    m.assign(&next, &(&room & &part_last));
    let emit = m.wire("emit", &(&there & &ends));
    let skid = skid(config, 8 * beat)?;
    let ports = [("in_valid_i", &emit), ("in_data_i", &gathered), ("out_ready_i", &out_ready_i)];
    let skid = m.instance("u_skid", &skid, &ports);
    m.assign(&room, &skid.out("in_ready_o"));
    let valid = skid.out("out_valid_o");
    m.output_is("idle_o", &(fifo.out("empty_o") & !&valid & skid.out("in_ready_o")));
    m.output_is("out_valid_o", &valid);
    m.output_is("out_data_o", &skid.out("out_data_o"));
    m.build()
}

fn size_ty_k(ty: Ty, value: u32) -> Expr {
    Expr::lit(ty, value.into())
}
