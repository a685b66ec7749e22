//! The checkpoint as the recipes work on it: its graph with owned weights, norm gains folded into the weights that follow.
//!
//! Every recipe that moves scales or rotates bases changes a [`Net`] into one that computes the same function in exact
//! arithmetic; only then are weights rounded to codes.

use spec::Tensor;

use super::forward::{float, weight};
use super::tables::said;
use crate::error::Error;
use crate::load::config::ModelConfig;
use crate::load::model::Model;

/// A model whose norms have no gain of the checkpoint's any more.
#[derive(Clone, Debug)]
pub struct Net {
    /// Its shape.
    pub config: ModelConfig,
    /// Embedding `[vocab_size, hidden_size]`.
    pub embedding: Tensor<f32>,
    /// The blocks, in the order in which they run.
    pub blocks: Vec<NetBlock>,
    /// Gain behind the last norm `[hidden_size]`; empty where all are 1.
    pub gain: Vec<f32>,
    /// The head, the last norm's gain in it.
    pub head: NetLinear,
}

/// A block of a [`Net`].
#[derive(Clone, Debug)]
pub struct NetBlock {
    /// Positive gain in front of `q`, `k`, `v`; empty where all are 1.
    pub attn_gain: Vec<f32>,
    /// Positive gain in front of `gate` and `up`; empty where all are 1.
    pub ffn_gain: Vec<f32>,
    /// q, k, v, o, gate, up, down: the order of [`ModelConfig::block_linears`].
    pub linears: [NetLinear; 7],
}

/// Places of the linear layers in [`NetBlock::linears`].
pub mod place {
    /// Queries.
    pub const Q: usize = 0;
    /// Keys.
    pub const K: usize = 1;
    /// Values.
    pub const V: usize = 2;
    /// Output of the attention.
    pub const O: usize = 3;
    /// The branch through the sigmoid.
    pub const GATE: usize = 4;
    /// The other branch.
    pub const UP: usize = 5;
    /// Output of the feed-forward layer.
    pub const DOWN: usize = 6;
}

/// A linear layer of a [`Net`].
#[derive(Clone, Debug)]
pub struct NetLinear {
    /// Name in the checkpoint, without `.weight`.
    pub name: String,
    /// Weights `[n, k]`, rotated already.
    pub weight: Tensor<f32>,
    /// Length of the Hadamard transforms that rotate its input at run time; 1 for none.
    pub rotation: u32,
}

impl Net {
    /// The net of a checkpoint: gains of norms go into the weights that follow, in double precision, rounded once.
    ///
    /// # Errors
    /// [`Error::Input`] if the model is quantized already.
    pub fn new(model: &Model) -> Result<Self, Error> {
        Self::with(model, |gain| (Vec::new(), gain.iter().map(|&g| f64::from(g)).collect()))
    }

    /// The net of a checkpoint whose norms keep the magnitudes of their gains, as 16 bits can say them; what is left of
    /// them, signs mostly, goes into the weights that follow.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn with_gains(model: &Model) -> Result<Self, Error> {
        Self::with(model, |gain| {
            let kept = said(&gain.iter().map(|&g| f64::from(g.abs())).collect::<Vec<_>>());
            let rest = gain.iter().zip(&kept).map(|(&g, &kept)| f64::from(g) / kept).collect();
            (kept.into_iter().map(|g| g as f32).collect(), rest)
        })
    }

    /// `split` gives the gain that a norm keeps and the factors of the weights behind it.
    fn with(model: &Model, split: impl Fn(&[f32]) -> (Vec<f32>, Vec<f64>)) -> Result<Self, Error> {
        model.checkpoint()?;
        let config = model.config.clone();
        let linear = |name: String, n: usize, k: usize, gain: Option<&[f64]>| {
            let mut data = weight(model, &name).to_vec();
            if let Some(gain) = gain {
                for row in data.chunks_exact_mut(k) {
                    for (w, &g) in row.iter_mut().zip(gain) {
                        *w = (f64::from(*w) * g) as f32;
                    }
                }
            }
            NetLinear { name, weight: Tensor::new(n, k, data), rotation: 1 }
        };
        let blocks = (0..config.num_hidden_layers)
            .map(|i| {
                let norm = |name: &str| split(float(model, &format!("model.layers.{i}.{name}_layernorm.weight")));
                let ((attn_gain, attn), (ffn_gain, ffn)) = (norm("input"), norm("post_attention"));
                let (attn, ffn) = (Some(&attn[..]), Some(&ffn[..]));
                let gains = [attn, attn, attn, None, ffn, ffn, None];
                let shapes = config.block_linears();
                let linears = std::array::from_fn(|l| {
                    let (name, n, k) = shapes[l];
                    linear(format!("model.layers.{i}.{name}"), n, k, gains[l])
                });
                NetBlock { attn_gain, ffn_gain, linears }
            })
            .collect();
        let (gain, last) = split(float(model, "model.norm.weight"));
        let (vocab, hidden) = (config.vocab_size, config.hidden_size);
        Ok(Self {
            embedding: Tensor::new(vocab, hidden, float(model, "model.embed_tokens.weight").to_vec()),
            blocks,
            gain,
            head: linear("lm_head".into(), vocab, hidden, Some(&last)),
            config,
        })
    }

    /// Every linear layer, in the order in which they run; the head last.
    pub fn linears(&self) -> impl Iterator<Item = &NetLinear> {
        self.blocks.iter().flat_map(|b| &b.linears).chain([&self.head])
    }
}
