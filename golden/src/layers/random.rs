//! Seeded random models of any shape, the same on every machine: what tests and benches run.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::json;
use spec::model::{
    NORM_BITS, PROB_TOP_15, QBlock, QCache, QEmbedding, QLayer, QModel, QNorm, QOptions, QRope, ROPE_BITS,
};
use spec::qmodel::{ActMode, QLinear, Requant};
use spec::{Dyadic, ExpKind, Format, Operand, RequantMode, ScaleRule, Scaling, Tensor};

use crate::num;

/// Shape of a random model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layer.
    pub ffn: usize,
    /// Blocks.
    pub blocks: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads, a divisor of `heads`.
    pub kv_heads: usize,
    /// Values in a head, even.
    pub head_dim: usize,
    /// Tokens in the vocabulary, at least 3.
    pub vocab: usize,
    /// Most tokens of a sequence.
    pub positions: usize,
}

/// How the layers of a random model are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Codes of weights and activations.
    pub format: Format,
    /// What scales a block.
    pub scaling: Scaling,
    /// Coding of the input.
    pub acts: ActMode,
    /// Whether the input is rotated, by the longest transform up to 32 that divides K.
    pub is_rotated: bool,
}

impl Coding {
    /// The best known scaling of a format, symmetric and without rotation.
    pub fn new(format: Format) -> Self {
        Self { format, scaling: format.scalings()[0], acts: ActMode::Symmetric, is_rotated: false }
    }
}

/// A model of random codes whose values are as large as those of trained models: layers keep the size of their input,
/// scores are around 1. Layer `i` of the order in which they run has `codings[i % codings.len()]`.
///
/// The rotation's tables are random too, within ±2^14.
///
/// # Panics
/// If a size is 0 or `codings` is empty.
pub fn random_model(shape: &Shape, codings: &[Coding], seed: u64) -> QModel {
    let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
    let Shape { hidden, ffn, kv_heads, head_dim, vocab, positions, .. } = *shape;
    let (q_size, kv_size) = (shape.heads * head_dim, kv_heads * head_dim);
    let mut next = codings.iter().copied().cycle();
    let mut layer = |random: &mut Random, name: String, n: usize, k: usize| {
        random.layer(name, n, k, next.next().expect("there are codings"))
    };
    let blocks = (0..shape.blocks).map(|i| {
        let mut layer = |name: &str, n, k| layer(&mut random, format!("model.layers.{i}.{name}"), n, k);
        let (q, k, v) = (
            layer("self_attn.q_proj", q_size, hidden),
            layer("self_attn.k_proj", kv_size, hidden),
            layer("self_attn.v_proj", kv_size, hidden),
        );
        let o = layer("self_attn.o_proj", hidden, q_size);
        let (gate, up) = (layer("mlp.gate_proj", ffn, hidden), layer("mlp.up_proj", ffn, hidden));
        let down = layer("mlp.down_proj", hidden, ffn);
        let (attn_norm, ffn_norm) = (random.norm(hidden), random.norm(hidden));
        let cache = random.cache(kv_heads, head_dim);
        QBlock { attn_norm, q, k, v, cache, o, ffn_norm, gate, up, down }
    });
    let blocks = blocks.collect();
    let head = layer(&mut random, "lm_head".into(), vocab, hidden);
    let one = 1 << ROPE_BITS;
    let mut table = || random.tensor(positions, head_dim / 2, |r| r.within(-one, one) as i16);
    let rope = QRope { cos: table(), sin: table() };
    let embedding = QEmbedding {
        codes: random.tensor(vocab, hidden, |r| r.within(-32_767, 32_767) as i16),
        shift: (0..vocab).map(|_| random.within(13, 15) as i8).collect(),
    };
    QModel {
        config_json: config_json(shape),
        tokenizer_json: tokenizer_json(),
        options: options(codings),
        embedding,
        rope,
        blocks,
        norm: random.norm(hidden),
        head,
    }
}

/// A linear layer `[n, k]` of random codes, as those of [`random_model`].
///
/// # Panics
/// If a size is 0.
pub fn random_layer(n: usize, k: usize, coding: Coding, seed: u64) -> QLayer {
    Random(ChaCha8Rng::seed_from_u64(seed)).layer("linear".into(), n, k, coding)
}

/// The usual options.
fn options(codings: &[Coding]) -> QOptions {
    QOptions {
        format: codings[0].format.name().into(),
        recipe: "random".into(),
        exp: ExpKind::Poly,
        prob_top: PROB_TOP_15,
        sigmoid_bits: 15,
        kv_bits: 8,
        scale_rule: ScaleRule::Floor,
    }
}

fn config_json(shape: &Shape) -> String {
    json!({
        "model_type": "llama",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.blocks,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.positions,
        "bos_token_id": 0,
        "eos_token_id": 1,
    })
    .to_string()
}

/// Three words; ids above have no text.
fn tokenizer_json() -> String {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "word": 2}, "unk_token": "word"}
    })
    .to_string()
}

/// `2^-places`.
fn power(places: usize) -> Dyadic {
    Dyadic { mult: 1 << 15, shift: 15 + places as i16 }
}

struct Random(ChaCha8Rng);

impl Random {
    /// Uniform in `low..=high`, up to a bias of `2^-32` of the range.
    fn within(&mut self, low: i32, high: i32) -> i32 {
        let count = i64::from(high) - i64::from(low) + 1;
        (i64::from(low) + ((i64::from(self.0.next_u32()) * count) >> 32)) as i32
    }

    fn tensor<T: Clone>(&mut self, rows: usize, cols: usize, mut element: impl FnMut(&mut Self) -> T) -> Tensor<T> {
        Tensor::new(rows, cols, (0..rows * cols).map(|_| element(self)).collect())
    }

    /// A factor of 2^14..=2^15.
    fn factors(&mut self, count: usize) -> Vec<u16> {
        (0..count).map(|_| self.within(1 << 14, 1 << 15) as u16).collect()
    }

    fn norm(&mut self, hidden: usize) -> QNorm {
        let gain = if self.within(0, 1) == 0 { vec![] } else { self.factors(hidden) };
        let places = NORM_BITS as usize + if gain.is_empty() { 0 } else { 15 };
        // Epsilon is 2^-17, near the usual 1e-5.
        QNorm { gain, step: power(places), eps: power(17) }
    }

    fn cache(&mut self, heads: usize, head_dim: usize) -> QCache {
        // Keys and values have a step of 2^-5, 127 of which are 4 times their usual size.
        let root = head_dim.ilog2() as usize / 2;
        QCache {
            k_factor: self.factors(heads * head_dim),
            k_ratio: vec![Dyadic { mult: 1 << 15, shift: 15 + 15 - 5 }; heads],
            q_factor: self.factors(heads * head_dim),
            score_step: vec![power(15 + 5 + root); heads],
            v_ratio: vec![Dyadic { mult: 1 << 15, shift: 15 - 5 }; heads],
            o_align: self.factors(heads),
            o_step: power(5 + 15 + 8),
        }
    }

    fn layer(&mut self, name: String, n: usize, k: usize, coding: Coding) -> QLayer {
        let Coding { format, scaling, acts, is_rotated } = coding;
        let operand = format.weight();
        let (low, high) = match operand {
            Operand::Int8 => (-127, 127),
            Operand::Int4 => (-7, 7),
            Operand::E2m1 | Operand::Pot4 => (0, 15),
            Operand::Pot8 => (-128, 127),
        };
        let weight = self.tensor(n, k, |r| r.within(low, high) as i8);
        // The usual scale of a block, in binary places.
        let (least, most, scale_places) = match scaling {
            Scaling::Channel => (0, 0, 0),
            Scaling::Group32 | Scaling::Group16 => (64, 255, 7),
            Scaling::Mx32 => (0, 6, 22),
            Scaling::Nv16 => (0x60, 0x7e, 16),
        };
        let scales = self.tensor(n, scaling.blocks(k), |r| r.within(least, most) as u8);
        let factor = |row: usize, i: usize| match scaling {
            Scaling::Group32 | Scaling::Group16 => i32::from(*scales.at(row, i / scaling.block().unwrap_or(k))),
            Scaling::Channel | Scaling::Mx32 | Scaling::Nv16 => 1,
        };
        let int = |code| i32::from(num::decode(operand, code).expect("only codes are drawn"));
        let sum = |row| weight.row(row).iter().enumerate().map(|(i, &code)| int(code) * factor(row, i)).sum();
        let sum = (0..n).map(sum).collect();
        // Weights whose largest is about sqrt(3 / k): outputs are as large as inputs.
        let largest = operand.magnitude().ilog2() as usize;
        let weight_step = power(largest + scale_places + (k / 3).max(1).ilog2() as usize / 2);
        let align = self.factors(n);
        let shift = weight_step.shift + scaling.guard_bits() as i16;
        let requant = Requant { mode: RequantMode::Dynamic, step: Dyadic { shift, ..weight_step } };
        let rotation = if is_rotated { 1 << k.trailing_zeros().min(5) } else { 1 };
        let linear = QLinear { name, format, weight, align, sum, requant };
        QLayer { linear, weight_step, scaling, scales, acts, rotation }
    }
}
