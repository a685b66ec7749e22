//! The shape of a model, from the sizes of its tensors.

use spec::Problem;
use spec::model::{QBlock, QLayer, QModel};

use crate::error::Error;

/// Sizes of a Llama model.
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
    /// Key and value heads, a divisor of `heads`.
    pub kv_heads: usize,
    /// Values in a head, even.
    pub head_dim: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// Most tokens of a sequence.
    pub positions: usize,
}

impl Shape {
    /// The shape of a model.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the first tensor that does not fit the others.
    pub fn new(model: &QModel) -> Result<Self, Error> {
        let head_dim = 2 * model.rope.cos.cols;
        let first = model.blocks.first();
        let rows = |layer: fn(&QBlock) -> &QLayer| first.map_or(0, |b| layer(b).linear.weight.rows);
        let shape = Self {
            hidden: model.embedding.codes.cols,
            ffn: rows(|b| &b.gate),
            blocks: model.blocks.len(),
            heads: rows(|b| &b.q) / head_dim.max(1),
            kv_heads: first.map_or(0, |b| b.cache.k_ratio.len()),
            head_dim,
            vocab: model.embedding.codes.rows,
            positions: model.rope.cos.rows,
        };
        shape.check(model)?;
        Ok(shape)
    }

    /// Width of all query heads together.
    pub fn q_size(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads together.
    pub fn kv_size(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Query heads that read one key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    fn check(&self, model: &QModel) -> Result<(), Error> {
        let exact = |field: &str, value: usize, wanted: usize| {
            let cure = "quantize the model again";
            let problem = || Error::Invalid(Problem::new(field, value, wanted.to_string(), cure));
            if value == wanted { Ok(()) } else { Err(problem()) }
        };
        let least = |field: &str, value: usize| {
            let problem = || Error::invalid(field, value, "1 or more", "quantize a model of the Llama architecture");
            if value > 0 { Ok(()) } else { Err(problem()) }
        };
        for (field, value) in [
            ("hidden_size", self.hidden),
            ("num_hidden_layers", self.blocks),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("intermediate_size", self.ffn),
            ("vocab_size", self.vocab),
        ] {
            least(field, value)?;
        }
        exact("num_attention_heads mod num_key_value_heads", self.heads % self.kv_heads, 0)?;
        exact("embedding.shift", model.embedding.shift.len(), self.vocab)?;
        let mut wanted = Vec::new();
        for b in &model.blocks {
            let (q, kv) = (self.q_size(), self.kv_size());
            let sizes = [(q, self.hidden), (kv, self.hidden), (kv, self.hidden), (self.hidden, q)];
            let ffn = [(self.ffn, self.hidden), (self.ffn, self.hidden), (self.hidden, self.ffn)];
            wanted.extend(b.linears().into_iter().zip(sizes.into_iter().chain(ffn)));
            let cache = &b.cache;
            for (field, found, size) in [
                ("cache.k_factor", cache.k_factor.len(), kv),
                ("cache.q_factor", cache.q_factor.len(), kv),
                ("cache.k_ratio", cache.k_ratio.len(), self.kv_heads),
                ("cache.score_step", cache.score_step.len(), self.kv_heads),
                ("cache.v_ratio", cache.v_ratio.len(), self.kv_heads),
                ("cache.o_align", cache.o_align.len(), self.kv_heads),
            ] {
                exact(field, found, size)?;
            }
            for norm in [&b.attn_norm, &b.ffn_norm, &model.norm] {
                exact("norm.gain", norm.gain.len(), if norm.gain.is_empty() { 0 } else { self.hidden })?;
            }
        }
        wanted.push((&model.head, (self.vocab, self.hidden)));
        for (layer, (n, k)) in wanted {
            let weight = &layer.linear.weight;
            let name = &layer.linear.name;
            exact(&format!("{name}: channels"), weight.rows, n)?;
            exact(&format!("{name}: inputs"), weight.cols, k)?;
            exact(&format!("{name}: align"), layer.linear.align.len(), n)?;
            exact(&format!("{name}: sum"), layer.linear.sum.len(), n)?;
            exact(&format!("{name}: scales"), layer.scales.data.len(), n * layer.scaling.blocks(k))?;
        }
        Ok(())
    }
}
