//! Result words into beats.

use std::sync::Arc;

use spec::Config;
use spec::stream::{Packing, ROW_BITS, packing};

use super::module_name;
use super::requant_plan::{Plan, count_of};
use super::skid::skid;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Bits of a result: a word of codes or a row's scale.
pub fn result_bits(plan: &Plan) -> u32 {
    (8 * plan.lanes).max(ROW_BITS)
}

/// `<prefix>_pack`: words of `lanes` codes and row scales into beats of the output stream, as in [`spec::stream`].
///
/// Ports: `valid_i`, `ready_o`, `scale_i` (a row's scale, which ends the row), `last_i` (the row's last word), `data_i`;
/// `out_valid_o`, `out_ready_i`, `out_data_o`, `out_last_o`. The outputs are registers.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn pack(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let (beat_bits, word_bits) = (config.bus.data_bits, 8 * plan.lanes);
    let Packing { words_per_beat, beats_per_word } = packing(beat_bits, word_bits);
    let doc = format!(
        "Packs words of {} into beats of {beat_bits} bits: {} a beat, {} a word.\n\
         A row's last beat is filled with zeros, and the row's scale follows in a beat of its own.\n\
         Makes at most one beat a cycle. Latency 1 cycle.",
        count_of(plan.lanes, "code"),
        count_of(words_per_beat, "word"),
        count_of(beats_per_word, "beat")
    );
    let skid = skid(config, beat_bits + 1)?;
    let mut m = ModuleBuilder::new(module_name(config, "pack"), doc);
    let valid_i = m.input("valid_i", Ty::bit());
    let scale_i = m.input("scale_i", Ty::bit());
    let last_i = (words_per_beat > 1).then(|| m.input("last_i", Ty::bit()));
    let data_i = m.input("data_i", Ty::u(result_bits(plan)));
    let out_ready_i = m.input("out_ready_i", Ty::bit());
    let word = m.wire("word", &data_i.slice(word_bits - 1, 0));
    let scale = data_i.slice(ROW_BITS - 1, 0).extend(beat_bits);
    let room = m.net("room", Ty::bit());

    let (codes, emit, ready) = match (&last_i, beats_per_word) {
        (Some(last), _) => {
            let (codes, full) = gather(&mut m, &word, beat_bits, words_per_beat, (&valid_i, &scale_i, last, &room));
            let emit = m.wire("emit", &(&valid_i & (&scale_i | &full)));
            let ready = m.wire("ready", &(&room | !(&scale_i | &full)));
            (codes, emit, ready)
        }
        (None, 1) => (word.extend(beat_bits), valid_i, room.clone()),
        _ => {
            let (codes, done) = split(&mut m, &word, beat_bits, beats_per_word, (&valid_i, &scale_i, &room));
            let ready = m.wire("ready", &(&room & (&scale_i | &done)));
            (codes, valid_i, ready)
        }
    };
    let beat = m.wire("beat", &Expr::concat(&[scale_i.clone(), scale_i.mux(&scale, &codes)]));
    let ports = [("in_valid_i", &emit), ("in_data_i", &beat), ("out_ready_i", &out_ready_i)];
    let skid = m.instance("u_skid", &skid, &ports);
    m.assign(&room, &skid.out("in_ready_o"));
    m.output_is("ready_o", &ready);
    m.output_is("out_valid_o", &skid.out("out_valid_o"));
    let out = skid.out("out_data_o");
    m.output_is("out_data_o", &out.slice(beat_bits - 1, 0));
    m.output_is("out_last_o", &out.bit(beat_bits));
    m.build()
}

/// Words narrower than a beat: the beat so far with the word in its place, and whether that completes it.
fn gather(
    m: &mut ModuleBuilder,
    word: &Expr,
    beat_bits: u32,
    count: u32,
    (valid, scale, last, room): (&Expr, &Expr, &Expr, &Expr),
) -> (Expr, Expr) {
    m.section("Words of one beat are gathered, the first in the lowest bits");
    let word_bits = word.width();
    let slot_q = m.reg("slot_q", Ty::u(index_bits(count)));
    let beat_q = m.reg("beat_q", Ty::u((count - 1) * word_bits));
    let gathered = m.net("gathered", Ty::u(beat_bits));
    m.comb("the words so far and the new one; above it, zeros", |b| {
        b.set(&gathered, &word.extend(beat_bits));
        b.case(&slot_q, |c| {
            for slot in 1..count {
                let so_far = beat_q.part(0, slot * word_bits);
                let both = Expr::concat(&[word.clone(), so_far]);
                c.arm(&slot_q.k(slot.into()), |b| b.set(&gathered, &both.extend(beat_bits)));
            }
        });
    });
    let full = m.wire("full", &(last | slot_q.eq_k(i128::from(count) - 1)));
    let taken = m.wire("taken", &(valid & !scale & (room | !&full)));
    m.next_reset(&slot_q, 0, Some(&taken), &full.mux(&slot_q.k(0), &(&slot_q + slot_q.k(1))));
    m.next_if(&beat_q, &taken, &gathered.part(0, (count - 1) * word_bits));
    (gathered, full)
}

/// Words wider than a beat: the part to send, and whether it is the last.
fn split(
    m: &mut ModuleBuilder,
    word: &Expr,
    beat_bits: u32,
    count: u32,
    (valid, scale, room): (&Expr, &Expr, &Expr),
) -> (Expr, Expr) {
    m.section("A word leaves in parts, the lowest first");
    let part_q = m.reg("part_q", Ty::u(index_bits(count)));
    let part = m.net("part", Ty::u(beat_bits));
    let width = |i: u32| beat_bits.min(word.width() - i * beat_bits);
    m.comb("the part to send", |b| {
        b.set(&part, &word.part(0, beat_bits));
        b.case(&part_q, |c| {
            for i in 1..count {
                c.arm(&part_q.k(i.into()), |b| b.set(&part, &word.part(i * beat_bits, width(i)).extend(beat_bits)));
            }
        });
    });
    let done = m.wire("done", &part_q.eq_k(i128::from(count) - 1));
    let sent = m.wire("sent", &(valid & !scale & room));
    m.next_reset(&part_q, 0, Some(&sent), &done.mux(&part_q.k(0), &(&part_q + part_q.k(1))));
    (part, done)
}
