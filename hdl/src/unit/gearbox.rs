//! A row of bytes cut anew: beats in, pieces of the array's width out.

use std::sync::Arc;

use spec::Config;

use super::burst::beat_bytes;
use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for};

/// Greatest common divisor.
fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `<prefix>_gearbox`: rows of beats to pieces of C bytes.
///
/// Ports: `valid_i`, `ready_o`, `data_i` (0 behind the row's last byte), `last_i` (the row's last beat); `piece_valid_o`,
/// `piece_o`, `piece_last_o` (the row's last piece, filled with zeros). Pieces are always taken. A beat or a piece a cycle,
/// whichever is shorter; no latency.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn gearbox(config: &Config) -> Result<Arc<Module>, Error> {
    let (beat, piece) = (beat_bytes(config), config.array.cols);
    let unit = gcd(beat, piece);
    let doc = format!(
        "Rows of bytes, from beats of {beat} to pieces of {piece}; each row starts a new piece. A beat or a piece\n\
         a cycle, whichever is shorter. No latency."
    );
    let mut m = ModuleBuilder::new(module_name(config, "gearbox"), doc);
    let valid_i = m.input("valid_i", Ty::bit());
    let data_i = m.input("data_i", Ty::u(8 * beat));
    let last_i = m.input("last_i", Ty::bit());

    // Bytes are kept in units of the greatest common divisor: nothing ever starts between two of them.
    let (beat_units, piece_units) = (beat / unit, piece / unit);
    let kept_units = beat_units.max(piece_units) - 1;
    let joined_bits = 8 * (piece - unit + beat);
    let count_ty = Ty::u(bits_for(u64::from(beat_units + piece_units)));
    m.section("Bytes kept from the beats before, in units; ends_q: the row's last beat is among them");
    let ends_q = m.reg("ends_q", Ty::bit());
    let (count, kept) = if kept_units > 0 {
        let count_q = m.reg("count_q", count_ty);
        let kept_q = m.reg("kept_q", Ty::u(8 * unit * kept_units));
        (count_q.clone(), Some((count_q, kept_q)))
    } else {
        (Expr::lit(count_ty, 0), None)
    };
    let wants = m.wire("wants", &(!&ends_q & count.lt(&count.k(piece_units.into()))));
    let take = m.wire("take", &(&valid_i & &wants));
    let joined = m.net("joined", Ty::u(joined_bits));
    match &kept {
        None => m.assign(&joined, &data_i),
        Some((count_q, kept_q)) => {
            let alone = m.wire("alone", &kept_q.extend(joined_bits.max(kept_q.width())));
            let alone = alone.part(0, joined_bits);
            m.comb("the beat behind what is kept", |b| {
                b.set(&joined, &alone);
                b.when(&take, |b| {
                    b.case(count_q, |c| {
                        c.arm(&count_q.k(0), |b| b.set(&joined, &data_i.extend(joined_bits)));
                        for units in 1..piece_units {
                            let low = kept_q.part(0, 8 * unit * units.min(kept_units));
                            let both = Expr::concat(&[data_i.clone(), low]);
                            c.arm(&count_q.k(units.into()), |b| b.set(&joined, &both.extend(joined_bits)));
                        }
                    });
                });
            });
        }
    }
    let added = take.mux(&count.k(beat_units.into()), &count.k(0));
    let total = m.wire("total", &(&count + added));
    let whole = m.wire("whole", &total.ge(&total.k(piece_units.into())));
    let ending = m.wire("ending", &(&ends_q | (&take & &last_i)));
    let emit = m.wire("emit", &(&whole | (&ending & total.any())));
    let rest = m.wire("rest", &whole.mux(&(&total - total.k(piece_units.into())), &emit.mux(&total.k(0), &total)));
    let more = m.wire("more", &(&ending & rest.any()));
    m.next_reset(&ends_q, 0, None, &more);
    if let Some((count_q, kept_q)) = &kept {
        m.next_reset(count_q, 0, None, &rest);
        let bits = kept_q.width();
        let piece_bits = 8 * piece;
        let shifted = if joined_bits > piece_bits {
            let above = joined.slice(joined_bits - 1, piece_bits);
            if above.width() >= bits { joined.part(piece_bits, bits) } else { above.extend(bits) }
        } else {
            Expr::u(1, 0).repeat(bits)
        };
        let held = if joined_bits >= bits { joined.part(0, bits) } else { joined.extend(bits) };
        m.next(kept_q, &emit.mux(&shifted, &held));
    }
    m.output_is("ready_o", &wants);
    m.output_is("piece_valid_o", &emit);
    let piece_bits = 8 * piece;
    let out = if joined_bits >= piece_bits { joined.part(0, piece_bits) } else { joined.extend(piece_bits) };
    m.output_is("piece_o", &out);
    m.output_is("piece_last_o", &(&ending & !&more));
    m.build()
}
