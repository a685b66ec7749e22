//! A net in floating point with quantised weights, inputs, keys and values: what a recipe does, without its integers.
//!
//! It serves the search for scales, formats and recipes; what a model in integers really computes golden's layers say.
//! Softmax, gate, norms and the residual stream, which keep 15 bits and more, are exact here.

use rayon::prelude::*;
use spec::Tensor;
use spec::model::QCache;

use super::act::Act;
use super::code::{round_half_up, value};
use super::eval::{Windows, nll};
use super::forward::{add, attend, frequencies, rms_norm, rotate, rotation, silu};
use super::matmul::linear;
use super::net::{Net, place};
use crate::error::Error;
use crate::load::config::ModelConfig;

/// A linear layer: weights as they are used, and what happens to its input before.
#[derive(Clone, Copy)]
pub struct SimLinear<'a> {
    /// Weights `[n, k]`.
    pub weight: &'a Tensor<f32>,
    /// Length of the Hadamard transforms of its input; 1 for none.
    pub rotation: u32,
    /// How its input is coded; `None` leaves it as it is.
    pub act: Option<Act>,
}

impl SimLinear<'_> {
    /// The input that meets the weights: rotated, then coded.
    pub fn input(&self, x: &Tensor<f32>) -> Tensor<f32> {
        let mut x = x.clone();
        hadamard(&mut x, self.rotation as usize);
        if let Some(act) = &self.act {
            act.apply(&mut x);
        }
        x
    }

    /// The output for an input as [`SimLinear::input`] gives it.
    pub fn output(&self, input: &Tensor<f32>) -> Tensor<f32> {
        linear(input, &self.weight.data)
    }
}

/// Steps of cached keys and values, real ones.
#[derive(Clone, Debug)]
pub struct KvSteps {
    /// Of rotated keys `[kv_size]`.
    keys: Vec<f64>,
    /// Of values `[kv_size]`.
    values: Vec<f64>,
    /// Largest code.
    top: f64,
}

impl KvSteps {
    /// The steps that a cache's integers stand for.
    pub fn new(cache: &QCache, config: &ModelConfig, kv_bits: u32) -> Self {
        let head = |c: usize| c / config.head_dim;
        let key = |c: usize| 1.0 / (f64::from(cache.k_factor[c]) * value(cache.k_ratio[head(c)]));
        let channel = 0..config.kv_size();
        Self {
            keys: channel.clone().map(key).collect(),
            values: channel.map(|c| 1.0 / value(cache.v_ratio[head(c)])).collect(),
            top: f64::from((1u32 << (kv_bits - 1)) - 1),
        }
    }

    fn code(&self, x: &mut Tensor<f32>, steps: &[f64]) {
        for row in x.data.chunks_exact_mut(x.cols) {
            for (x, step) in row.iter_mut().zip(steps) {
                *x = (round_half_up(f64::from(*x) / step).clamp(-self.top, self.top) * step) as f32;
            }
        }
    }

    /// Queries in INT8 a token and head, after the factors that undo the keys' steps.
    fn code_queries(&self, q: &mut Tensor<f32>, config: &ModelConfig) {
        let (d, group) = (config.head_dim, config.num_attention_heads / config.num_key_value_heads);
        for row in q.data.chunks_exact_mut(q.cols) {
            for (head, q) in row.chunks_exact_mut(d).enumerate() {
                let steps = &self.keys[head / group * d..][..d];
                let scaled = |q: &[f32]| q.iter().zip(steps).map(|(&q, s)| f64::from(q) * s).collect::<Vec<_>>();
                let scaled = scaled(q);
                let widest = scaled.iter().fold(0.0f64, |top, x| top.max(x.abs()));
                if widest > 0.0 {
                    for ((q, x), s) in q.iter_mut().zip(scaled).zip(steps) {
                        *q = (round_half_up(127.0 * x / widest) * widest / 127.0 / s) as f32;
                    }
                }
            }
        }
    }
}

/// Queries and keys of a whole window, rotated.
pub fn turned(angles: &[f64], [mut q, mut k, v]: [Tensor<f32>; 3]) -> [Tensor<f32>; 3] {
    let turns = rotation(angles, 0, q.rows);
    rotate(&mut q, &turns);
    rotate(&mut k, &turns);
    [q, k, v]
}

/// Attention over a whole window from rotated queries and keys, and values: what enters the output's linear layer.
pub fn attention(config: &ModelConfig, kv: Option<&KvSteps>, [mut q, mut k, mut v]: [Tensor<f32>; 3]) -> Tensor<f32> {
    if let Some(kv) = kv {
        kv.code(&mut k, &kv.keys);
        kv.code(&mut v, &kv.values);
        kv.code_queries(&mut q, config);
    }
    attend(config, &q, &k.data, &v.data, 0)
}

/// The gate: `silu(gate) · up`.
pub fn gated(mut gate: Tensor<f32>, up: &Tensor<f32>) -> Tensor<f32> {
    gate.data.par_iter_mut().zip(&up.data).for_each(|(g, &u)| *g = silu(*g) * u);
    gate
}

/// The normalised rows, times the gain where there is one.
pub fn normed(x: &Tensor<f32>, gain: &[f32], eps: f64) -> Tensor<f32> {
    if gain.is_empty() { rms_norm(x, &vec![1.0; x.cols], eps) } else { rms_norm(x, gain, eps) }
}

/// Hadamard transforms over blocks of `length` values of each row, orthonormal.
pub fn hadamard(x: &mut Tensor<f32>, length: usize) {
    if length > 1 {
        x.data.par_chunks_exact_mut(x.cols).for_each(|row| row.chunks_exact_mut(length).for_each(butterflies));
    }
}

/// One transform, its scale included.
pub fn butterflies(x: &mut [f32]) {
    let mut half = 1;
    while half < x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = (1.0 / libm::sqrt(x.len() as f64)) as f32;
    x.iter_mut().for_each(|x| *x *= scale);
}

/// A whole net with its linear layers in the order in which they run, the head last.
pub struct Sim<'a> {
    net: &'a Net,
    linears: Vec<SimLinear<'a>>,
    kv: Option<Vec<KvSteps>>,
    angles: Vec<f64>,
}

impl<'a> Sim<'a> {
    /// A net with these linear layers; keys and values are coded where steps are given, block by block.
    ///
    /// # Panics
    /// If there is not one linear layer for each of the net's.
    pub fn new(net: &'a Net, linears: Vec<SimLinear<'a>>, kv: Option<Vec<KvSteps>>) -> Self {
        assert_eq!(linears.len(), 7 * net.blocks.len() + 1, "a linear layer for each of the net's");
        Self { net, linears, kv, angles: frequencies(&net.config) }
    }

    /// The net as it is, nothing quantised.
    pub fn exact(net: &'a Net) -> Self {
        let linears = net.linears().map(|l| SimLinear { weight: &l.weight, rotation: l.rotation, act: None });
        Self::new(net, linears.collect(), None)
    }

    /// Logits `[tokens, vocab_size]` of a window.
    pub fn logits(&self, ids: &[u32]) -> Tensor<f32> {
        self.logits_seeing(ids, &mut |_, _| {})
    }

    /// As [`Sim::logits`]; `see` is shown what enters each linear layer, by its number in the order in which they run.
    pub fn logits_seeing(&self, ids: &[u32], see: &mut dyn FnMut(usize, &Tensor<f32>)) -> Tensor<f32> {
        let config = &self.net.config;
        let eps = config.rms_norm_eps;
        let mut apply = |layer: usize, x: &Tensor<f32>| {
            let input = self.linears[layer].input(x);
            see(layer, &input);
            self.linears[layer].output(&input)
        };
        let mut x = embed(self.net, ids);
        for (i, block) in self.net.blocks.iter().enumerate() {
            let first = 7 * i;
            let h = normed(&x, &block.attn_gain, eps);
            let qkv = [place::Q, place::K, place::V].map(|p| apply(first + p, &h));
            let kv = self.kv.as_ref().map(|kv| &kv[i]);
            let mixed = attention(config, kv, turned(&self.angles, qkv));
            add(&mut x, &apply(first + place::O, &mixed));
            let h = normed(&x, &block.ffn_gain, eps);
            let gate = apply(first + place::GATE, &h);
            let inner = gated(gate, &apply(first + place::UP, &h));
            add(&mut x, &apply(first + place::DOWN, &inner));
        }
        apply(7 * self.net.blocks.len(), &normed(&x, &self.net.gain, eps))
    }

    /// Mean negative log-likelihood of all predicted tokens, in nats.
    ///
    /// # Errors
    /// [`Error::Input`] if the model cannot take the windows.
    pub fn loss(&self, windows: &Windows) -> Result<f64, Error> {
        windows.check(&self.net.config)?;
        let window = |ids: &Vec<u32>| {
            let logits = self.logits(&ids[..ids.len() - 1]);
            let mut total = 0.0;
            for (t, &id) in ids[1..].iter().enumerate() {
                total += nll(logits.row(t), id as usize);
            }
            total
        };
        let sums: Vec<f64> = windows.ids.par_iter().map(window).collect();
        let tokens: usize = windows.ids.iter().map(|ids| ids.len() - 1).sum();
        Ok(sums.iter().fold(0.0, |total, s| total + s) / tokens as f64)
    }
}

/// Rows of the embedding.
pub fn embed(net: &Net, ids: &[u32]) -> Tensor<f32> {
    let rows = ids.iter().flat_map(|&id| net.embedding.row(id as usize));
    Tensor::new(ids.len(), net.config.hidden_size, rows.copied().collect())
}
