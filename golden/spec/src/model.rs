//! A whole model in integers: everything that computing its logits needs, and nothing in floating point.
//!
//! Rows of values travel in two forms. **Codes** enter linear layers and the attention's products: 8 or 4 bits, with a
//! [`crate::RowScale`] a token. **Wide rows** are everything else: signed integers with one step a token; the residual
//! stream's steps are powers of two.

use serde::{Deserialize, Serialize};

use crate::kind::{ExpKind, ScaleRule, Scaling};
use crate::qmodel::{ActMode, QLinear};
use crate::scale::Dyadic;
use crate::tensor::Tensor;

/// Binary places of the cosines and sines of the rotation.
pub const ROPE_BITS: u32 = 14;

/// Binary places of the quotients that a norm gives: `y = round((x << 20) / rms)`.
pub const NORM_BITS: u32 = 20;

/// Binary places of exponentials: `2^16` stands for 1.
pub const EXP_BITS: u32 = 16;

/// A model in integers: what `quantize` makes, a QModel file holds, and golden and the hardware run.
#[derive(Clone, Debug, PartialEq)]
pub struct QModel {
    /// Text of the checkpoint's `config.json`: the shape of the model.
    pub config_json: String,
    /// Text of the checkpoint's `tokenizer.json`.
    pub tokenizer_json: String,
    /// Every numeric option that changes bits and is not a layer's own.
    pub options: QOptions,
    /// The embedding table.
    pub embedding: QEmbedding,
    /// Cosines and sines.
    pub rope: QRope,
    /// The blocks, in the order in which they run.
    pub blocks: Vec<QBlock>,
    /// The norm in front of the head.
    pub norm: QNorm,
    /// The head; its rows are not requantised.
    pub head: QLayer,
}

impl QModel {
    /// Every linear layer, in the order in which they run; the head last.
    pub fn linears(&self) -> impl Iterator<Item = &QLayer> {
        self.blocks.iter().flat_map(QBlock::linears).chain([&self.head])
    }
}

/// Numeric options of a [`QModel`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QOptions {
    /// What was asked for on the command line, for people: `w8a8`, `mixed`, ...
    pub format: String,
    /// Name of the recipe that made it, for people.
    pub recipe: String,
    /// The exponential of softmax and sigmoid.
    pub exp: ExpKind,
    /// What a probability of 1 is coded as: [`PROB_TOP_15`] or [`PROB_TOP_8`].
    pub prob_top: u16,
    /// Bits of the sigmoid's quotient, 8..=15: `2^bits` stands for 1.
    pub sigmoid_bits: u32,
    /// Bits of cached keys and values: 8 or 4.
    pub kv_bits: u32,
    /// How the scale of a block of MXFP4 activations is chosen.
    pub scale_rule: ScaleRule,
}

/// Probabilities of 15 bits, as two 8-bit passes: `32639 = 127 · 257`, `p = 256·hi + lo`.
pub const PROB_TOP_15: u16 = 32639;

/// Probabilities of 8 bits, one pass.
pub const PROB_TOP_8: u16 = 127;

/// The embedding table: row `id` stands for `codes[id, c] / 2^shift[id]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QEmbedding {
    /// `[vocab_size, hidden_size]`.
    pub codes: Tensor<i16>,
    /// Binary places of each row `[vocab_size]`.
    pub shift: Vec<i8>,
}

/// The rotation of queries and keys: `round(2^14 · cos)`, `round(2^14 · sin)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QRope {
    /// `[max_position_embeddings, head_dim / 2]`.
    pub cos: Tensor<i16>,
    /// `[max_position_embeddings, head_dim / 2]`.
    pub sin: Tensor<i16>,
}

/// A block: attention and feed-forward layer, each behind a norm and added to the residual stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QBlock {
    /// The norm in front of `q`, `k`, `v`.
    pub attn_norm: QNorm,
    /// Queries.
    pub q: QLayer,
    /// Keys.
    pub k: QLayer,
    /// Values.
    pub v: QLayer,
    /// How keys and values are coded in the cache.
    pub cache: QCache,
    /// Output of the attention.
    pub o: QLayer,
    /// The norm in front of `gate` and `up`.
    pub ffn_norm: QNorm,
    /// The branch that goes through the sigmoid.
    pub gate: QLayer,
    /// The other branch.
    pub up: QLayer,
    /// Output of the feed-forward layer.
    pub down: QLayer,
}

impl QBlock {
    /// The linear layers, in the order in which they run.
    pub fn linears(&self) -> [&QLayer; 7] {
        [&self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down]
    }
}

/// RMSNorm: `z[c] = y[c] · gain[c]` with `y = round((x << 20) / rms)`; the part of the checkpoint's gain that is not in
/// `gain` was folded into the weights that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QNorm {
    /// Positive factor of each channel `[hidden_size]`, `2^15` for the largest; empty where all are equal and z is y.
    pub gain: Vec<u16>,
    /// What one LSB of z is worth.
    pub step: Dyadic,
    /// Epsilon, added to the mean square; `mult` is 0 where it is 0.
    pub eps: Dyadic,
}

/// A linear layer, its scales, and how its input is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QLayer {
    /// Codes, alignment factors, sums. `requant.step` is what one LSB of the aligned sums is worth for activations of
    /// step 1: `weight_step / 2^scaling.guard_bits()`. With groups, `sum` counts each weight integer times its group's
    /// factor.
    pub linear: QLinear,
    /// Step of `P` of a channel whose alignment factor is 2^15, for activations of step 1: channel `n` has
    /// `weight_step · align[n] / 2^15`.
    pub weight_step: Dyadic,
    /// What scales the products of a block.
    pub scaling: Scaling,
    /// The scale of each block of weights `[n, scaling.blocks(k)]`: groups their factor 0..=255; MX how many binary
    /// places below the channel's largest scale (those above 24, in `mxfp4a8` 22, count as no contribution); NV the code
    /// of a positive E4M3 number, 0..=0x7e.
    pub scales: Tensor<u8>,
    /// How its input is coded; asymmetric only for INT8 activations.
    pub acts: ActMode,
    /// Length of the Hadamard transforms that rotate the input before it is coded, a power of two that divides K; 1 for
    /// none. The weights are rotated already.
    pub rotation: u32,
}

impl QLayer {
    /// Bytes that computing the layer reads: packed codes (a channel takes whole bytes), a byte a block scale, two an
    /// alignment factor, and with a zero point four a sum.
    pub fn packed_bytes(&self) -> usize {
        let weight = &self.linear.weight;
        let codes = weight.rows * (weight.cols * self.linear.format.weight().bits() as usize).div_ceil(8);
        let channel = match self.acts {
            ActMode::Symmetric => 2,
            ActMode::Asymmetric => 6,
        };
        codes + self.scales.data.len() + channel * weight.rows
    }
}

/// How keys and values of a block are coded in the cache, and what that means for the queries and the output.
///
/// Keys have a static step a head and channel, values a static step a head; `h` is a key-value head, `c` runs over
/// `num_key_value_heads · head_dim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QCache {
    /// Factors of rotated keys `[c]`, `round(2^15 · least step of the head / step[c])`, 1..=2^15.
    pub k_factor: Vec<u16>,
    /// `[h]`: `1 / (2^15 · least step of the head)`; a key's code is `round(k · k_factor[c] · step(k) · k_ratio[h])`,
    /// saturated.
    pub k_ratio: Vec<Dyadic>,
    /// Factors of rotated queries `[c]`, `round(2^15 · step[c] / largest step of the head)`; every query head that reads
    /// the key head is multiplied by them before it is quantised.
    pub q_factor: Vec<u16>,
    /// `[h]`: `largest step of the head / (2^15 · sqrt(head_dim))`: what one LSB of a score is worth, for queries whose
    /// LSB after the factors is 1.
    pub score_step: Vec<Dyadic>,
    /// `[h]`: `1 / step of the head's values`; a value's code is `round(A · step(A) · v_ratio[h])`, saturated.
    pub v_ratio: Vec<Dyadic>,
    /// Alignment factors of the heads' outputs `[h]`, `round(2^15 · step / largest step)`.
    pub o_align: Vec<u16>,
    /// What one LSB of the aligned outputs is worth: `largest step of values / (prob_top · 2^8)`.
    pub o_step: Dyadic,
}
