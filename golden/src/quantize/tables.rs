//! The tables of a model in integers: embedding, cosines and sines, epsilon.

use rayon::prelude::*;
use spec::model::{NORM_BITS, QEmbedding, QNorm, QRope, ROPE_BITS};
use spec::{Dyadic, Tensor};

use super::code::{dyadic, round_half_up};
use super::forward::frequencies;
use super::grid::floor_log2;
use crate::error::Error;
use crate::load::config::ModelConfig;

/// Most elements of the table of cosines.
const MAX_ROPE: usize = 1 << 26;

/// The table in 16 bits, each row with the finest power of two as its step at which no value leaves ±32767.
///
/// A row of zeros has no binary places. Values are rounded half up; the error is at most half a step, so at most
/// `2^-15` of the row's largest magnitude.
pub fn embedding(table: &Tensor<f32>) -> QEmbedding {
    let rows: Vec<(i8, Vec<i16>)> = table.data.par_chunks_exact(table.cols).map(embedding_row).collect();
    let shift = rows.iter().map(|row| row.0).collect();
    let codes = rows.into_iter().flat_map(|row| row.1).collect();
    QEmbedding { codes: Tensor::new(table.rows, table.cols, codes), shift }
}

fn embedding_row(row: &[f32]) -> (i8, Vec<i16>) {
    let top = f64::from(row.iter().fold(0.0f32, |top, x| top.max(x.abs())));
    let mut shift = if top == 0.0 { 0 } else { 14 - floor_log2(top) };
    if round_half_up(libm::ldexp(top, shift)) > 32767.0 {
        shift -= 1;
    }
    let shift = shift.clamp(-128, 127);
    let code = |&x: &f32| round_half_up(libm::ldexp(f64::from(x), shift)).clamp(-32767.0, 32767.0) as i16;
    (shift as i8, row.iter().map(code).collect())
}

/// Cosines and sines of every position, angles in double precision, rounded half up.
///
/// # Errors
/// [`Error::Input`] if the tables would hold more than 2^26 elements each.
pub fn rope(config: &ModelConfig) -> Result<QRope, Error> {
    let (positions, half) = (config.max_position_embeddings, config.head_dim / 2);
    if positions.saturating_mul(half) > MAX_ROPE {
        let allowed = format!("at most {} with heads of {}", MAX_ROPE / half, config.head_dim);
        let cure = "lower max_position_embeddings in config.json: tables hold every position";
        return Err(Error::input("max_position_embeddings", positions, allowed, cure));
    }
    let frequencies = frequencies(config);
    let code = |x: f64| round_half_up(libm::ldexp(x, ROPE_BITS as i32)) as i16;
    let table = |of: fn(f64) -> f64| {
        let row = |t: usize| frequencies.iter().map(move |f| code(of(t as f64 * f)));
        Tensor::new(positions, half, (0..positions).into_par_iter().flat_map_iter(row).collect())
    };
    Ok(QRope { cos: table(libm::cos), sin: table(libm::sin) })
}

/// A norm with that gain behind it (empty for none) and the model's epsilon.
///
/// Gains are positive; the largest is coded as 2^15, the least code is 1.
pub fn norm(gain: &[f32], config: &ModelConfig) -> QNorm {
    let wide: Vec<f64> = gain.iter().map(|&g| f64::from(g)).collect();
    let (gain, step) = match &wide[..] {
        [] => (Vec::new(), libm::ldexp(1.0, -(NORM_BITS as i32))),
        wide => {
            let (codes, largest) = gain_codes(wide);
            (codes, libm::ldexp(largest, -(NORM_BITS as i32) - 15))
        }
    };
    let eps = config.rms_norm_eps;
    QNorm { gain, step: dyadic(step), eps: if eps == 0.0 { Dyadic { mult: 0, shift: 0 } } else { dyadic(eps) } }
}

/// Codes of positive gains, the largest 2^15, and what that stands for.
pub fn gain_codes(gain: &[f64]) -> (Vec<u16>, f64) {
    let largest = gain.iter().copied().fold(0.0, f64::max);
    let code = |&g: &f64| round_half_up(g / largest * f64::from(1u32 << 15)).max(1.0) as u16;
    (gain.iter().map(code).collect(), largest)
}

/// Positive gains as 16 bits can say them.
pub fn said(gain: &[f64]) -> Vec<f64> {
    let (codes, largest) = gain_codes(gain);
    codes.iter().map(|&c| f64::from(c) * largest / f64::from(1u32 << 15)).collect()
}
