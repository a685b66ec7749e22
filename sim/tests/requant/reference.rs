//! The specification's formulas in wide integers.

use spec::stream::{packing, row_word};
use spec::{Config, Dyadic, RequantMode, RowScale};

use crate::data::{Chunk, Job, Row};

/// One beat: its bytes, and whether it ends the packet.
pub type Beat = (Vec<u8>, bool);

/// `total / (divisor * 2^exponent)` with a mantissa of 16 bits, rounded half up.
pub fn normalise(total: i128, divisor: i128, exponent: i64) -> Dyadic {
    // The scaling at which the real value lies in 2^15..2^16.
    let ratio = |places: i64| {
        if places >= 0 { (total << places, divisor) } else { (total, divisor << -places) }
    };
    let mut places = -100;
    while ratio(places).0 < ratio(places).1 << 15 {
        places += 1;
    }
    let (num, den) = ratio(places);
    let mut mult = (2 * num + den).div_euclid(2 * den);
    if mult == 1 << 16 {
        mult = 1 << 15;
        places -= 1;
    }
    let mult = u16::try_from(mult).expect("16 bits");
    Dyadic { mult, shift: (places + exponent).clamp(-128, 127) as i16 }
}

fn half_up(num: i128, den: i128) -> i128 {
    (2 * num + den).div_euclid(2 * den)
}

/// Codes of the used columns, and the row's scale.
pub fn requantise(job: &Job, chunk: &Chunk, row: &Row, cols: usize) -> (Vec<i8>, RowScale) {
    let used = (chunk.n_tiles - 1) * cols + chunk.last_cols;
    let a: Vec<i128> = (0..used)
        .map(|n| {
            let sum = i128::from(row.acc[n].wrapping_add((128 - i32::from(row.scale.zp)) * job.sum[n]));
            half_up(sum * i128::from(job.align[n]), 1 << 7)
        })
        .collect();
    let steps = i128::from(row.scale.step.mult) * i128::from(chunk.step.mult);
    let exponent = i64::from(row.scale.step.shift) + i64::from(chunk.step.shift);
    let max = a.iter().copied().max().unwrap_or(0).max(0);
    let min = a.iter().copied().min().unwrap_or(0).min(0);
    match chunk.mode {
        RequantMode::Dynamic => {
            let d = max.max(-min).max(1);
            let codes = a.iter().map(|a| half_up(127 * a, d) as i8).collect();
            (codes, RowScale { step: normalise(d * steps, 127, exponent), zp: 128 })
        }
        RequantMode::Asymmetric => {
            let d = (max - min).max(1);
            let quotient = |a: i128| half_up(255 * (a - min), d);
            let codes = a.iter().map(|&a| (quotient(a) - 128) as i8).collect();
            (codes, RowScale { step: normalise(d * steps, 255, exponent), zp: quotient(0) as u8 })
        }
        RequantMode::Static => {
            let ratio = normalise(steps, 1, exponent);
            let den = 1i128 << ratio.shift.clamp(0, 70);
            let codes = a.iter().map(|a| half_up(a * i128::from(ratio.mult), den).clamp(-127, 127) as i8).collect();
            (codes, RowScale { step: ratio, zp: 128 })
        }
    }
}

/// The chunk's result packets, beat by beat.
pub fn packets(config: &Config, job: &Job, chunk: &Chunk) -> Vec<Beat> {
    let lanes = config.lanes() as usize;
    let bytes = config.bus.data_bits as usize / 8;
    let layout = packing(config.bus.data_bits, 8 * config.lanes());
    let mut beats = Vec::new();
    for row in &chunk.rows {
        let (codes, scale) = requantise(job, chunk, row, config.array.cols as usize);
        let words: Vec<Vec<u8>> = codes
            .chunks(lanes)
            .map(|word| {
                let mut word: Vec<u8> = word.iter().map(|&code| code as u8).collect();
                word.resize(lanes, 0);
                word
            })
            .collect();
        for shared in words.chunks(layout.words_per_beat as usize) {
            let mut flat = shared.concat();
            flat.resize(bytes * layout.beats_per_word as usize, 0);
            beats.extend(flat.chunks(bytes).map(|beat| (beat.to_vec(), false)));
        }
        let mut trailer = row_word(scale).to_le_bytes().to_vec();
        trailer.resize(bytes, 0);
        beats.push((trailer, true));
    }
    beats
}
