//! The tensors of a QModel file: their names, and the types and shapes that a model's config asks for.

use safetensors::Dtype;

use super::nibbles::layout;
use super::{LayerMeta, NormMeta};
use crate::load::config::ModelConfig;

pub const EMBEDDING_CODES: &str = "model.embed_tokens.codes";
pub const EMBEDDING_SHIFT: &str = "model.embed_tokens.shift";
pub const ROPE_COS: &str = "rope.cos";
pub const ROPE_SIN: &str = "rope.sin";

/// Gain of norm `index` of a model of that many blocks.
pub fn gain_name(index: usize, blocks: usize) -> String {
    match index % 2 {
        _ if index == 2 * blocks => "model.norm.gain".into(),
        0 => format!("model.layers.{}.input_layernorm.gain", index / 2),
        _ => format!("model.layers.{}.post_attention_layernorm.gain", index / 2),
    }
}

/// Factors of the cache of a block: `k_factor`, `q_factor`, `o_align`.
pub fn cache_name(block: usize, field: &str) -> String {
    format!("model.layers.{block}.self_attn.cache.{field}")
}

/// Element type and shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

/// The tensors of a model of that config, with those layers and norms.
pub fn expected(config: &ModelConfig, layers: &[LayerMeta], norms: &[NormMeta]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut part = |name: String, dtype: Dtype, shape: &[usize]| {
        parts.push(Part { name, dtype, shape: shape.to_vec() });
    };
    let (positions, half) = (config.max_position_embeddings, config.head_dim / 2);
    part(EMBEDDING_CODES.into(), Dtype::I16, &[config.vocab_size, config.hidden_size]);
    part(EMBEDDING_SHIFT.into(), Dtype::I8, &[config.vocab_size]);
    part(ROPE_COS.into(), Dtype::I16, &[positions, half]);
    part(ROPE_SIN.into(), Dtype::I16, &[positions, half]);
    for (i, _) in norms.iter().enumerate().filter(|(_, norm)| norm.has_gain) {
        part(gain_name(i, config.num_hidden_layers), Dtype::U16, &[config.hidden_size]);
    }
    for block in 0..config.num_hidden_layers {
        part(cache_name(block, "k_factor"), Dtype::U16, &[config.kv_size()]);
        part(cache_name(block, "q_factor"), Dtype::U16, &[config.kv_size()]);
        part(cache_name(block, "o_align"), Dtype::U16, &[config.num_key_value_heads]);
    }
    for ((name, n, k), meta) in config.linears().into_iter().zip(layers) {
        let (dtype, row_bytes) = layout(meta.format.weight(), k);
        part(format!("{name}.weight"), dtype, &[n, row_bytes]);
        part(format!("{name}.align"), Dtype::U16, &[n]);
        part(format!("{name}.sum"), Dtype::I32, &[n]);
        if let blocks @ 1.. = meta.scaling.blocks(k) {
            part(format!("{name}.scales"), Dtype::U8, &[n, blocks]);
        }
    }
    parts
}
