//! FP32 reference of Llama: RMSNorm, rotation by halves, grouped-query causal attention, SwiGLU.
//!
//! Source: the arithmetic of `transformers`' Llama in single precision; angles of the rotation in double precision.

use std::ops::ControlFlow;

use rayon::prelude::*;
use spec::Tensor;

use super::matmul::linear;
use crate::error::Error;
use crate::load::config::ModelConfig;
use crate::load::model::Model;

/// What an observer of a forward pass is shown; `Break` ends the pass.
pub trait Observe {
    /// The input of a linear layer, `[tokens, k]`.
    fn input(&mut self, _layer: &str, _x: &Tensor<f32>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// The output of a linear layer, `[tokens, n]`.
    fn output(&mut self, _layer: &str, _y: &Tensor<f32>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// The residual stream `[tokens, hidden]`: the embedding, then after each addition.
    fn residual(&mut self, _x: &Tensor<f32>) {}
}

/// Observes nothing.
pub struct Blind;
impl Observe for Blind {}

/// A model ready to run in FP32.
pub struct Llama<'m> {
    config: &'m ModelConfig,
    embedding: &'m [f32],
    blocks: Vec<Block<'m>>,
    norm: &'m [f32],
    head: Linear<'m>,
    /// Cosines and sines `[position, head_dim / 2]` are computed from these angles a position.
    frequencies: Vec<f64>,
}

struct Block<'m> {
    input_norm: &'m [f32],
    /// In the order of [`ModelConfig::block_linears`].
    linears: Vec<Linear<'m>>,
    ffn_norm: &'m [f32],
}

struct Linear<'m> {
    name: String,
    weight: &'m [f32],
}

/// Keys and values of the tokens seen so far; empty at the start.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    tokens: usize,
    /// For each block, rotated keys `[token, kv_size]`.
    keys: Vec<Vec<f32>>,
    /// For each block, values `[token, kv_size]`.
    values: Vec<Vec<f32>>,
}

impl Cache {
    /// Tokens seen so far.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

impl<'m> Llama<'m> {
    /// Prepares a checkpoint.
    ///
    /// # Errors
    /// [`Error::Input`] for a QModel.
    pub fn new(model: &'m Model) -> Result<Self, Error> {
        model.checkpoint()?;
        Ok(Self::of_checkpoint(model))
    }

    fn of_checkpoint(model: &'m Model) -> Self {
        let config = &model.config;
        let get = |name: &str| float(model, name);
        let linear = |name: String| Linear { weight: weight(model, &name), name };
        let blocks = (0..config.num_hidden_layers)
            .map(|i| Block {
                input_norm: get(&format!("model.layers.{i}.input_layernorm.weight")),
                linears: config
                    .block_linears()
                    .map(|(name, ..)| linear(format!("model.layers.{i}.{name}")))
                    .into_iter()
                    .collect(),
                ffn_norm: get(&format!("model.layers.{i}.post_attention_layernorm.weight")),
            })
            .collect();
        Self {
            config,
            embedding: get("model.embed_tokens.weight"),
            blocks,
            norm: get("model.norm.weight"),
            head: linear("lm_head".into()),
            frequencies: frequencies(config),
        }
    }

    /// Logits `[tokens, vocab_size]` of tokens that follow those in the cache.
    ///
    /// # Errors
    /// [`Error::Input`] if there are no tokens, one is not in the vocabulary, or the sequence gets too long.
    pub fn forward(&self, ids: &[u32], cache: &mut Cache) -> Result<Tensor<f32>, Error> {
        match self.observe(ids, cache, &mut Blind)? {
            ControlFlow::Continue(logits) => Ok(logits),
            ControlFlow::Break(()) => unreachable!("nobody breaks an unobserved pass"),
        }
    }

    /// As [`Llama::forward`], with an observer; `Break` if it ended the pass, the cache is then of no use.
    ///
    /// # Errors
    /// As [`Llama::forward`].
    pub fn observe(
        &self,
        ids: &[u32],
        cache: &mut Cache,
        observer: &mut dyn Observe,
    ) -> Result<ControlFlow<(), Tensor<f32>>, Error> {
        self.config.check_ids(ids, cache.tokens)?;
        Ok(self.run(ids, cache, observer))
    }

    fn run(&self, ids: &[u32], cache: &mut Cache, observer: &mut dyn Observe) -> ControlFlow<(), Tensor<f32>> {
        let (hidden, eps) = (self.config.hidden_size, self.config.rms_norm_eps);
        cache.keys.resize(self.blocks.len(), Vec::new());
        cache.values.resize(self.blocks.len(), Vec::new());
        let rotation = self.rotation(cache.tokens, ids.len());
        let rows = ids.iter().flat_map(|&id| &self.embedding[id as usize * hidden..][..hidden]);
        let mut x = Tensor::new(ids.len(), hidden, rows.copied().collect());
        observer.residual(&x);
        for (i, block) in self.blocks.iter().enumerate() {
            let [q, k, v, o, gate, up, down] = &block.linears[..] else { unreachable!("a block has 7 linear layers") };
            let h = rms_norm(&x, block.input_norm, eps);
            let (mut queries, mut keys) = (q.apply(&h, observer)?, k.apply(&h, observer)?);
            let values = v.apply(&h, observer)?;
            rotate(&mut queries, &rotation);
            rotate(&mut keys, &rotation);
            cache.keys[i].extend_from_slice(&keys.data);
            cache.values[i].extend_from_slice(&values.data);
            let mixed = attend(self.config, &queries, &cache.keys[i], &cache.values[i], cache.tokens);
            add(&mut x, &o.apply(&mixed, observer)?);
            observer.residual(&x);
            let h = rms_norm(&x, block.ffn_norm, eps);
            let mut inner = gate.apply(&h, observer)?;
            let linear = up.apply(&h, observer)?;
            inner.data.par_iter_mut().zip(&linear.data).for_each(|(g, &u)| *g = silu(*g) * u);
            add(&mut x, &down.apply(&inner, observer)?);
            observer.residual(&x);
        }
        cache.tokens += ids.len();
        self.head.apply(&rms_norm(&x, self.norm, eps), observer)
    }

    fn rotation(&self, first: usize, tokens: usize) -> Vec<Vec<(f32, f32)>> {
        rotation(&self.frequencies, first, tokens)
    }
}

impl Linear<'_> {
    fn apply(&self, x: &Tensor<f32>, observer: &mut dyn Observe) -> ControlFlow<(), Tensor<f32>> {
        observer.input(&self.name, x)?;
        let y = linear(x, self.weight);
        observer.output(&self.name, &y)?;
        ControlFlow::Continue(y)
    }
}

/// Angles a position of the rotation `[head_dim / 2]`.
pub(super) fn frequencies(config: &ModelConfig) -> Vec<f64> {
    let exponent = |i: usize| -2.0 * i as f64 / config.head_dim as f64;
    (0..config.head_dim / 2).map(|i| libm::pow(config.rope_theta, exponent(i))).collect()
}

/// Cosine and sine `[token, head_dim / 2]` of the rotation of tokens from position `first` on.
pub(super) fn rotation(frequencies: &[f64], first: usize, tokens: usize) -> Vec<Vec<(f32, f32)>> {
    let row = |t: usize| {
        let angle = |f: &f64| (first + t) as f64 * f;
        frequencies.iter().map(|f| (libm::cos(angle(f)) as f32, libm::sin(angle(f)) as f32)).collect()
    };
    (0..tokens).into_par_iter().map(row).collect()
}

/// Causal attention of new tokens over all tokens of the cache, `before` of which came earlier.
pub(super) fn attend(
    config: &ModelConfig,
    queries: &Tensor<f32>,
    keys: &[f32],
    values: &[f32],
    before: usize,
) -> Tensor<f32> {
    let (d, width) = (config.head_dim, config.kv_size());
    let group = config.num_attention_heads / config.num_key_value_heads;
    let scale = 1.0 / (d as f32).sqrt();
    let mut out = Tensor::filled(queries.rows, queries.cols, 0.0);
    out.data.par_chunks_mut(queries.cols).enumerate().for_each(|(t, out)| {
        let seen = before + t + 1;
        let mut scores = vec![0.0f32; seen];
        for (head, (q, out)) in queries.row(t).chunks_exact(d).zip(out.chunks_exact_mut(d)).enumerate() {
            let at = head / group * d;
            for (u, score) in scores.iter_mut().enumerate() {
                *score = dot(q, &keys[u * width + at..][..d]) * scale;
            }
            let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for score in &mut scores {
                *score = libm::expf(*score - top);
                sum += *score;
            }
            for (u, score) in scores.iter().enumerate() {
                let p = score / sum;
                for (o, &value) in out.iter_mut().zip(&values[u * width + at..][..d]) {
                    *o += p * value;
                }
            }
        }
    });
    out
}

/// A tensor that loading has checked to be there.
///
/// # Panics
/// For a QModel, see [`Model::checkpoint`].
pub(super) fn float<'m>(model: &'m Model, name: &str) -> &'m [f32] {
    let found = model.checkpoint().ok().and_then(|tensors| tensors.get(name));
    &found.unwrap_or_else(|| panic!("{name} was checked when the model was read")).data
}

/// The weights `[n, k]` of a linear layer.
///
/// # Panics
/// For a QModel.
pub(super) fn weight<'m>(model: &'m Model, name: &str) -> &'m [f32] {
    if name == "lm_head" && model.config.tie_word_embeddings {
        return float(model, "model.embed_tokens.weight");
    }
    float(model, &format!("{name}.weight"))
}

pub(super) fn rms_norm(x: &Tensor<f32>, gain: &[f32], eps: f64) -> Tensor<f32> {
    let mut y = x.clone();
    for row in y.data.chunks_exact_mut(x.cols) {
        let mut sum = 0.0f64;
        for &v in row.iter() {
            sum += f64::from(v) * f64::from(v);
        }
        let scale = (1.0 / (sum / x.cols as f64 + eps).sqrt()) as f32;
        for (v, g) in row.iter_mut().zip(gain) {
            *v = *v * scale * g;
        }
    }
    y
}

/// Rotates each head: value `i` of its first half with value `i` of its second.
pub(super) fn rotate(x: &mut Tensor<f32>, rotation: &[Vec<(f32, f32)>]) {
    for (row, angles) in x.data.chunks_exact_mut(x.cols).zip(rotation) {
        for head in row.chunks_exact_mut(2 * angles.len()) {
            let (low, high) = head.split_at_mut(angles.len());
            for ((l, h), &(cos, sin)) in low.iter_mut().zip(high).zip(angles) {
                (*l, *h) = (*l * cos - *h * sin, *h * cos + *l * sin);
            }
        }
    }
}

pub(super) fn add(x: &mut Tensor<f32>, y: &Tensor<f32>) {
    for (a, b) in x.data.iter_mut().zip(&y.data) {
        *a += b;
    }
}

pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + libm::expf(-x))
}

/// Eight interleaved sums, then those in order: fixed, and fast without reordering.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail = a8.remainder().iter().zip(b8.remainder());
    let mut rest = 0.0;
    for (x, y) in tail {
        rest += x * y;
    }
    for (x, y) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().fold(rest, |total, s| total + s)
}
