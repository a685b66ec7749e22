//! MM: act words times the tiles in the weight FIFO, scaled at the foot of each column, into acc.

use spec::isa::{Field, Instr};
use spec::{Format, Operand, Scaling};

use super::fault::{Result, refuse};
use super::load::format;
use super::state::State;
use crate::num::{self, e4m3};
use crate::op::foot::mx_places;

/// What happens at the foot of a column to a tile's sum.
#[derive(Clone, Copy, Debug)]
enum Foot {
    /// It stays as it is.
    Plain,
    /// It is multiplied by the column's integer and the row's.
    Factors,
    /// It is shifted left by so many places less the column's and the row's; nothing is left where these are more.
    Places(i64),
}

/// The product; see section 2 of the contract of tiles in [`spec::isa`].
///
/// # Errors
/// For a format or scaling that the machine does not compute, too few words in the FIFO or words of other codes, codes that
/// the operand does not have, places outside of a memory, and sums that leave the accumulator.
pub fn product(state: &mut State, instr: &Instr) -> Result<()> {
    let format = format(state, instr)?;
    let scaling = Scaling::ALL[instr.index(Field::Scaling)];
    if !format.scalings().contains(&scaling) {
        let names: Vec<&str> = format.scalings().iter().map(|s| s.name()).collect();
        return refuse("scaling", scaling.name(), names.join(", "), "choose a scaling of the format");
    }
    let machine = state.machine;
    let (rows, cols) = (machine.rows as usize, machine.cols as usize);
    let (m, k_tiles) = (instr.index(Field::Rows), instr.index(Field::KTiles));
    let words = machine.tile_words() as usize;
    let per_word = machine.preload_rows as usize * cols;
    let headers = machine.header_words(format, scaling) as usize;
    let block_tiles = machine.block_tiles(scaling) as usize;
    let (half, bank) = (instr.flag(Field::Half), instr.flag(Field::Bank));
    let acts = Acts::read(state, format, scaling, half, instr.index(Field::Act), k_tiles * m)?;
    let weight = format.weight();
    let ints: [i32; 256] =
        std::array::from_fn(|code| num::decode(weight, signed(weight, code as u8)).unwrap_or(0).into());
    let (mut tile, mut scales) = (vec![0_i32; rows * cols], vec![0_i64; cols]);
    let mut sums = vec![0_i32; cols];
    for n in 0..instr.index(Field::NTiles) {
        let word = instr.index(Field::Acc) + n * m;
        let mut acc = if instr.flag(Field::Add) {
            state.acc[usize::from(bank)].read(word * cols, m * cols)?.to_vec()
        } else {
            vec![0; m * cols]
        };
        for t in 0..k_tiles {
            if headers > 0 && t % block_tiles == 0 {
                header(state.fifo.pop(weight, headers, per_word)?, weight.bits(), scaling, &mut scales)?;
            }
            let codes = state.fifo.pop(weight, words, per_word)?;
            for (i, row) in codes.chunks_exact(cols).enumerate() {
                // Word `i / bands` holds one row of each band.
                let bands = machine.preload_rows as usize;
                let at = i % bands * words + i / bands;
                if at < rows {
                    let ints = row.iter().map(|&code| ints[usize::from(code)]);
                    tile[at * cols..][..cols].iter_mut().zip(ints).for_each(|(to, int)| *to = int);
                }
            }
            for row in 0..m {
                acts.multiply(t * m + row, &tile, &mut sums);
                let scale = acts.scales[t * m + row];
                add(&mut acc[row * cols..][..cols], &sums, &scales, scale, acts.foot)?;
            }
        }
        held(&acc, machine.acc_bits)?;
        state.write_acc(bank, word, &acc)?;
    }
    Ok(())
}

/// Act words, decoded.
struct Acts {
    rows: usize,
    /// Integers `[word, rows]`.
    ints: Vec<i32>,
    /// The scale byte of each word, as the foot takes it.
    scales: Vec<i64>,
    foot: Foot,
}

impl Acts {
    fn read(state: &State, format: Format, scaling: Scaling, half: bool, at: usize, words: usize) -> Result<Self> {
        let rows = state.machine.rows as usize;
        let (cells, bytes) = &state.act[usize::from(half)];
        let operand = format.act();
        let int = |&code: &i8| match num::decode(operand, code) {
            Some(int) => Ok(i32::from(int)),
            None => refuse("act", code, format!("codes of {}", operand.name()), "code the row in the product's format"),
        };
        let bytes = bytes.read(at, words)?;
        let ints = cells.read(at * rows, words * rows)?.iter().map(int).collect::<Result<_>>()?;
        let (foot, neutral) = match scaling {
            Scaling::Channel => (Foot::Plain, 1),
            Scaling::Group32 | Scaling::Group16 | Scaling::Nv16 => (Foot::Factors, 1),
            Scaling::Mx32 => (Foot::Places(mx_places(format).into()), 0),
        };
        let has_scales = format.acts_have_blocks() && scaling.block().is_some();
        let scale = |&byte: &u8| match has_scales {
            true => factor(scaling, "act scale", byte),
            false => Ok(neutral),
        };
        Ok(Self { rows, ints, scales: bytes.iter().map(scale).collect::<Result<_>>()?, foot })
    }

    /// `sums[c] = Σ_r act[word, r] · tile[r, c]`: at most 128 · 128 · 128, 22 bits.
    fn multiply(&self, word: usize, tile: &[i32], sums: &mut [i32]) {
        sums.fill(0);
        let acts = &self.ints[word * self.rows..][..self.rows];
        for (&act, row) in acts.iter().zip(tile.chunks_exact(sums.len())) {
            for (sum, &weight) in sums.iter_mut().zip(row) {
                *sum += act * weight;
            }
        }
    }
}

/// What the foot takes of a scale byte.
fn factor(scaling: Scaling, name: &str, byte: u8) -> Result<i64> {
    match (scaling, e4m3::decode(byte)) {
        (Scaling::Nv16, Some(e)) => Ok(e.into()),
        (Scaling::Nv16, None) => refuse(name, byte, "0..=126, a positive E4M3 code", "scale the block with E4M3"),
        _ => Ok(byte.into()),
    }
}

/// The columns' scale bytes, lowest first, from the codes of the header words.
fn header(codes: &[u8], bits: u32, scaling: Scaling, scales: &mut [i64]) -> Result<()> {
    let per_byte = 8 / bits as usize;
    for (scale, codes) in scales.iter_mut().zip(codes.chunks_exact(per_byte)) {
        let byte = codes.iter().rev().fold(0_u32, |byte, &code| (byte << (bits % 8)) | u32::from(code));
        *scale = factor(scaling, "weight scale", byte as u8)?;
    }
    Ok(())
}

/// Adds a tile's sums, of 22 bits, to a row of acc.
fn add(acc: &mut [i64], sums: &[i32], columns: &[i64], row: i64, foot: Foot) -> Result<()> {
    let mut is_held = true;
    let mut total = |acc: &mut i64, term: i64| {
        is_held &= acc.checked_add(term).is_some();
        *acc = acc.wrapping_add(term);
    };
    let columns = acc.iter_mut().zip(sums).zip(columns).map(|((acc, &sum), &column)| (acc, i64::from(sum), column));
    match foot {
        Foot::Plain => columns.for_each(|(acc, sum, _)| total(acc, sum)),
        // Factors of 18 bits each.
        Foot::Factors => columns.for_each(|(acc, sum, column)| total(acc, sum * (column * row))),
        Foot::Places(places) => columns.for_each(|(acc, sum, column)| {
            let shift = places - column - row;
            total(acc, if shift < 0 { 0 } else { sum << shift });
        }),
    }
    if is_held {
        Ok(())
    } else {
        refuse("acc", "beyond 64 bits", "64 bits signed", "multiply fewer tiles into one sum")
    }
}

fn held(acc: &[i64], bits: u32) -> Result<()> {
    let unused = 64 - bits;
    match acc.iter().find(|&&sum| sum << unused >> unused != sum) {
        Some(sum) => refuse("acc", sum, format!("{bits} bits signed"), "multiply fewer tiles into one sum"),
        None => Ok(()),
    }
}

/// A code as it stands in memory, as `num` has it: INT4 with its sign.
fn signed(operand: Operand, code: u8) -> i8 {
    match operand {
        Operand::Int4 => (code << 4) as i8 >> 4,
        Operand::Int8 | Operand::E2m1 | Operand::Pot4 | Operand::Pot8 => code as i8,
    }
}
