//! Whether the parts of a model fit each other and keep the bounds that the arithmetic relies on.
//!
//! Codes, sums and scales of a linear layer are checked where it is prepared.

use spec::model::{PROB_TOP_8, PROB_TOP_15, QCache, QModel, QNorm, ROPE_BITS};
use spec::{Dyadic, Problem, Tensor};

use crate::error::{Error, no_problems};
use crate::load::config::ModelConfig;

/// Checks a model against its shape.
///
/// # Errors
/// [`Error::Input`] with everything that does not fit.
pub(crate) fn check(model: &QModel, config: &ModelConfig) -> Result<(), Error> {
    no_problems(problems(model, config))
}

/// Everything that does not fit.
pub(crate) fn problems(model: &QModel, config: &ModelConfig) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    found.options(model);
    let (hidden, vocab) = (config.hidden_size, config.vocab_size);
    found.shape("embedding.codes", &model.embedding.codes, (vocab, hidden));
    found.length("embedding.shift", model.embedding.shift.len(), vocab);
    for (name, table) in [("rope.cos", &model.rope.cos), ("rope.sin", &model.rope.sin)] {
        found.shape(name, table, (config.max_position_embeddings, config.head_dim / 2));
        let most = 1 << ROPE_BITS;
        if let Some(value) = table.data.iter().find(|v| !(-most..=most).contains(*v)) {
            found.note(name, value, format!("-{most}..={most}"));
        }
    }
    found.length("blocks", model.blocks.len(), config.num_hidden_layers);
    for (i, block) in model.blocks.iter().enumerate() {
        for (layer, (name, n, k)) in block.linears().into_iter().zip(config.block_linears()) {
            found.shape(&format!("model.layers.{i}.{name}"), &layer.linear.weight, (n, k));
        }
        found.norm(&format!("blocks[{i}].attn_norm"), &block.attn_norm, hidden);
        found.norm(&format!("blocks[{i}].ffn_norm"), &block.ffn_norm, hidden);
        found.cache(&format!("blocks[{i}].cache"), &block.cache, config);
    }
    found.norm("norm", &model.norm, hidden);
    found.shape("lm_head", &model.head.linear.weight, (vocab, hidden));
    found.0
}

/// What was found.
struct Found(Vec<Problem>);

impl Found {
    fn note(&mut self, field: &str, value: impl std::fmt::Display, allowed: impl Into<String>) {
        self.0.push(Problem::new(field, value, allowed, "quantize the model again"));
    }

    fn options(&mut self, model: &QModel) {
        let options = &model.options;
        if ![PROB_TOP_8, PROB_TOP_15].contains(&options.prob_top) {
            self.note("options.prob_top", options.prob_top, format!("{PROB_TOP_8} or {PROB_TOP_15}"));
        }
        if !(8..=15).contains(&options.sigmoid_bits) {
            self.note("options.sigmoid_bits", options.sigmoid_bits, "8..=15");
        }
        if ![4, 8].contains(&options.kv_bits) {
            self.note("options.kv_bits", options.kv_bits, "4 or 8");
        }
    }

    fn shape<T>(&mut self, field: &str, tensor: &Tensor<T>, (rows, cols): (usize, usize)) {
        if (tensor.rows, tensor.cols) != (rows, cols) || tensor.data.len() != rows.saturating_mul(cols) {
            let value = format!("{} x {} ({} elements)", tensor.rows, tensor.cols, tensor.data.len());
            self.note(field, value, format!("{rows} x {cols}, as config.json says"));
        }
    }

    fn length(&mut self, field: &str, found: usize, expected: usize) {
        if found != expected {
            self.note(field, format!("{found} elements"), format!("{expected}, as config.json says"));
        }
    }

    fn dyadic(&mut self, field: &str, value: Dyadic) {
        if value.mult < 1 << 15 || !(-128..=127).contains(&value.shift) {
            self.note(field, format!("{} / 2^{}", value.mult, value.shift), "32768..=65535 / 2^(-128..=127)");
        }
    }

    fn factors(&mut self, field: &str, factors: &[u16], least: u16) {
        if let Some((i, factor)) = factors.iter().enumerate().find(|(_, f)| !(least..=1 << 15).contains(*f)) {
            self.note(&format!("{field}[{i}]"), factor, format!("{least}..=32768"));
        }
    }

    fn norm(&mut self, field: &str, norm: &QNorm, hidden: usize) {
        if !norm.gain.is_empty() {
            self.length(&format!("{field}.gain"), norm.gain.len(), hidden);
            self.factors(&format!("{field}.gain"), &norm.gain, 1);
        }
        self.dyadic(&format!("{field}.step"), norm.step);
        if norm.eps.mult > 0 {
            self.dyadic(&format!("{field}.eps"), norm.eps);
        }
    }

    fn cache(&mut self, field: &str, cache: &QCache, config: &ModelConfig) {
        for (name, factors, least) in [("k_factor", &cache.k_factor, 1), ("q_factor", &cache.q_factor, 0)] {
            self.length(&format!("{field}.{name}"), factors.len(), config.kv_size());
            self.factors(&format!("{field}.{name}"), factors, least);
        }
        self.length(&format!("{field}.o_align"), cache.o_align.len(), config.num_key_value_heads);
        self.factors(&format!("{field}.o_align"), &cache.o_align, 0);
        for (name, steps) in
            [("k_ratio", &cache.k_ratio), ("score_step", &cache.score_step), ("v_ratio", &cache.v_ratio)]
        {
            self.length(&format!("{field}.{name}"), steps.len(), config.num_key_value_heads);
            for (h, &step) in steps.iter().enumerate() {
                self.dyadic(&format!("{field}.{name}[{h}]"), step);
            }
        }
        self.dyadic(&format!("{field}.o_step"), cache.o_step);
    }
}
