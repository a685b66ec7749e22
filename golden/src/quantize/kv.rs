//! Static steps of cached keys and values, from the magnitudes that calibration saw.
//!
//! Keys have a step a head and channel: as factors of the queries they leave the score's sum. Values have a step a head.
//! Steps follow the largest magnitude on calibration windows.

use spec::Tensor;
use spec::model::QCache;

use super::code;
use super::code::{dyadic, round_half_up};
use crate::load::config::ModelConfig;

/// Steps of one head's key channels differ by less than this: a channel that calibration saw silent is not lost.
const MOST_SPREAD: f64 = 256.0;

/// What the largest code stands for, over the largest magnitude that calibration saw: at 4 bits a finer step is worth
/// more than the few values that it saturates.
pub fn margin(kv_bits: u32) -> f64 {
    if kv_bits == 4 { 0.85 } else { 1.0 }
}

/// Largest magnitudes that calibration saw in a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges {
    /// Of rotated keys `[kv_size]`.
    pub keys: Vec<f32>,
    /// Of values `[kv_size]`.
    pub values: Vec<f32>,
}

impl Ranges {
    /// Widens the ranges by rows of keys and values.
    pub fn widen(&mut self, keys: &Tensor<f32>, values: &Tensor<f32>) {
        widen(&mut self.keys, keys);
        widen(&mut self.values, values);
    }
}

fn widen(range: &mut Vec<f32>, rows: &Tensor<f32>) {
    range.resize(rows.cols, 0.0);
    for row in rows.data.chunks_exact(rows.cols) {
        for (top, x) in range.iter_mut().zip(row) {
            *top = top.max(x.abs());
        }
    }
}

/// The coding of a block's keys and values: the largest code, 127 or 7, stands for `margin` times the largest magnitude.
///
/// # Panics
/// If the ranges are not those of the model's key-value heads.
pub fn cache(ranges: &Ranges, config: &ModelConfig, kv_bits: u32, prob_top: u16, margin: f64) -> QCache {
    let top = f64::from((1u32 << (kv_bits - 1)) - 1);
    let step = |range: f64| if range > 0.0 { range * margin / top } else { 0.0 };
    let d = config.head_dim;
    assert!(ranges.keys.len() == config.kv_size() && ranges.values.len() == config.kv_size(), "a range a channel");
    let one = f64::from(1u32 << 15);
    let mut cache = QCache {
        k_factor: Vec::new(),
        k_ratio: Vec::new(),
        q_factor: Vec::new(),
        score_step: Vec::new(),
        v_ratio: Vec::new(),
        o_align: Vec::new(),
        o_step: dyadic(1.0),
    };
    for head in ranges.keys.chunks_exact(d) {
        let steps: Vec<f64> = head.iter().map(|&r| step(f64::from(r))).collect();
        let widest = steps.iter().copied().fold(0.0, f64::max);
        // A head that calibration saw silent keeps the step 1.
        let widest = if widest == 0.0 { 1.0 } else { widest };
        let steps: Vec<f64> = steps.into_iter().map(|s| s.max(widest / MOST_SPREAD)).collect();
        let least = steps.iter().copied().fold(widest, f64::min);
        let ratio = dyadic(1.0 / (one * least));
        // Queries undo the step that keys really have: that of the rounded factor.
        let factors: Vec<f64> = steps.iter().map(|s| round_half_up(one * least / s)).collect();
        let real: Vec<f64> = factors.iter().map(|f| 1.0 / (f * code::value(ratio))).collect();
        let largest = real.iter().copied().fold(0.0, f64::max);
        cache.k_factor.extend(factors.iter().map(|&f| f as u16));
        cache.k_ratio.push(ratio);
        cache.q_factor.extend(real.iter().map(|s| round_half_up(one * s / largest) as u16));
        cache.score_step.push(dyadic(largest / (one * libm::sqrt(d as f64))));
    }
    let mut steps = Vec::new();
    for head in ranges.values.chunks_exact(d) {
        let widest = head.iter().fold(0.0f32, |top, v| top.max(*v));
        let ratio = dyadic(1.0 / if widest > 0.0 { step(f64::from(widest)) } else { 1.0 });
        cache.v_ratio.push(ratio);
        steps.push(1.0 / code::value(ratio));
    }
    let largest = steps.iter().copied().fold(0.0, f64::max);
    cache.o_align = steps.iter().map(|s| round_half_up(one * s / largest) as u16).collect();
    cache.o_step = dyadic(largest / (f64::from(prob_top) * 256.0));
    cache
}
