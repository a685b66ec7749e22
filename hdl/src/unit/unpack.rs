//! Beats of the input stream to words of several widths.

use std::sync::Arc;

use spec::{Config, stream};

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for, index_bits};

/// `<prefix>_unpack`: cuts beats into words or joins beats to a word, by [`stream::packing`].
///
/// Ports: `s_valid_i`, `s_ready_o`, `s_data_i`; `option_i` (place in `widths`, stable while a word is pending), `last_i`
/// (the payload ends with this word: what is left of its beat is dropped); `accept_i` (beats that do not complete a word
/// may be kept: `option_i` is known); `valid_o`, `ready_i`, `word_o` (widest of
/// `widths`, narrower words in its low bits).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn unpack(config: &Config, widths: &[u32]) -> Result<Arc<Module>, Error> {
    unpack_as(config, "unpack", widths)
}

/// [`unpack`] under another name, for a design with several of them.
///
/// # Errors
/// Those of [`unpack`].
pub fn unpack_as(config: &Config, name: &str, widths: &[u32]) -> Result<Arc<Module>, Error> {
    let beat = config.bus.data_bits;
    let widest = widths.iter().copied().max().unwrap_or(1);
    let packings: Vec<_> = widths.iter().map(|&w| stream::packing(beat, w)).collect();
    let doc = format!(
        "Unpacker: beats of {beat} bits to words of option_i's width. Narrow words leave one a cycle\n\
         while their beat waits; of a wide word all beats but the last are kept here. No latency."
    );
    let mut m = ModuleBuilder::new(module_name(config, name), doc);
    let s_valid_i = m.input("s_valid_i", Ty::bit());
    let s_data_i = m.input("s_data_i", Ty::u(beat));
    let option_i = m.input("option_i", Ty::u(index_bits(widths.len() as u32)));
    let last_i = m.input("last_i", Ty::bit());
    let ready_i = m.input("ready_i", Ty::bit());
    let accept_i = m.input("accept_i", Ty::bit());

    m.section("Place of the next beat in its word, or of the next word in its beat");
    let longest = packings.iter().map(|p| p.words_per_beat.max(p.beats_per_word)).max().unwrap_or(1);
    let place_q = m.reg("place_q", Ty::u(bits_for(u64::from(longest.max(2) - 1))));
    let most_beats = packings.iter().map(|p| p.beats_per_word).max().unwrap_or(1);
    let kept_q = (most_beats > 1).then(|| m.reg("kept_q", Ty::u((most_beats - 1) * beat)));

    let words: Vec<Expr> = widths
        .iter()
        .zip(&packings)
        .map(|(&width, packing)| {
            let name = format!("word_of_{width}");
            let word = if packing.beats_per_word > 1 {
                let kept = kept_q.as_ref().expect("kept when a word has several beats");
                let beats = packing.beats_per_word - 1;
                let kept = kept.part(kept.width() - beats * beat, beats * beat);
                let used = width - beats * beat;
                Expr::concat(&[s_data_i.part(0, used), kept])
            } else if packing.words_per_beat > 1 {
                let index = place_q.part(0, index_bits(packing.words_per_beat));
                let index = m.wire(&format!("index_of_{width}"), &index);
                let all = width << index.width();
                let low = s_data_i.part(0, width * packing.words_per_beat);
                let padded = m.wire(&format!("beat_of_{width}"), &low.extend(all));
                padded.word(&index, width)
            } else {
                s_data_i.part(0, width)
            };
            m.wire(&name, &word.extend(widest))
        })
        .collect();

    let word = m.net("word", Ty::u(widest));
    let complete = m.net("complete", Ty::bit());
    let spent = m.net("spent", Ty::bit());
    m.comb("the word; whether its last beat is here; whether the beat holds no further word", |b| {
        b.set(&word, &words[0]);
        b.set(&complete, &complete.k(1));
        b.set(&spent, &spent.k(1));
        b.case(&option_i, |c| {
            for (i, packing) in packings.iter().enumerate() {
                c.arm(&option_i.k(i as i128), |b| {
                    if i > 0 {
                        b.set(&word, &words[i]);
                    }
                    if packing.beats_per_word > 1 {
                        b.set(&complete, &place_q.eq_k(i128::from(packing.beats_per_word - 1)));
                    }
                    if packing.words_per_beat > 1 {
                        b.set(&spent, &place_q.eq_k(i128::from(packing.words_per_beat - 1)));
                    }
                });
            }
        });
    });
    let beat_done = m.wire("beat_done", &(&spent | &last_i));
    let ready = m.wire("ready", &complete.mux(&(&ready_i & &beat_done), &accept_i));
    let taken = m.wire("taken", &(&s_valid_i & &complete.mux(&ready_i, &accept_i)));
    let restart = m.wire("restart", &(&complete & &beat_done));
    m.next_reset(&place_q, 0, Some(&taken), &restart.mux(&place_q.k(0), &(&place_q + place_q.k(1))));
    if let Some(kept_q) = kept_q {
        let keep = m.wire("keep", &(&s_valid_i & !&complete & &accept_i));
        let shifted = if kept_q.width() > beat {
            Expr::concat(&[s_data_i.clone(), kept_q.slice(kept_q.width() - 1, beat)])
        } else {
            s_data_i.clone()
        };
        m.next_if(&kept_q, &keep, &shifted);
    }
    m.output_is("s_ready_o", &ready);
    m.output_is("valid_o", &(&s_valid_i & &complete));
    m.output_is("word_o", &word);
    m.build()
}
