//! The whole model in integers, from token ids to logits.
//!
//! Everything between two linear layers is done token by token, and what the cache holds of a token depends on tokens
//! before it only: a prompt gives the same bits at once, in parts, or token by token, on any number of threads.
//!
//! **Source**: NUMERICS 1 and 2 (I-LLM, arXiv 2405.17849); `spec::model` states shapes and steps.

mod attention;
mod block;
mod cache;
pub(crate) mod check;
mod linear;
mod observe;
pub mod random;

use spec::model::{QModel, QNorm};
use spec::{Dyadic, Tensor};

use self::block::Block;
use self::linear::apply;
use crate::error::Error;
use crate::layer::PreparedLayer;
use crate::load::config::ModelConfig;
use crate::op::residual::Residual;
use crate::op::{embedding, norm};

pub use self::attention::{Head, Queries};
pub use self::cache::{BlockCache, KvCache};
pub use self::linear::WideRow;
pub use self::observe::{Attention, Blind, Observe};

/// A quantized model, checked and prepared to run.
pub struct Layers<'m> {
    model: &'m QModel,
    config: ModelConfig,
    blocks: Vec<Block<'m>>,
    head: PreparedLayer,
}

/// Logits of some tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logits {
    /// `[tokens, vocab_size]`, the aligned sums of the head.
    pub rows: Tensor<i64>,
    /// What one LSB of each row is worth `[tokens]`.
    pub steps: Vec<Dyadic>,
}

impl<'m> Layers<'m> {
    /// Checks a model against the shape that its `config.json` states, and prepares every layer.
    ///
    /// # Errors
    /// [`Error::Input`] with every shape and range that does not fit, then with everything that is wrong with a layer.
    pub fn new(model: &'m QModel) -> Result<Self, Error> {
        let config = ModelConfig::from_json(&model.config_json, "config.json")?;
        check::check(model, &config)?;
        let blocks = model.blocks.iter().map(|b| Block::new(b, model, &config)).collect::<Result<_, _>>()?;
        Ok(Self { model, blocks, head: PreparedLayer::new(&model.head, model.options.scale_rule)?, config })
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Logits of tokens that follow those in the cache, and adds them to it.
    ///
    /// Any number of tokens: a prompt, or the one that was generated last.
    ///
    /// # Errors
    /// [`Error::Input`] if there are no tokens, one is not in the vocabulary, or the sequence gets too long; the cache is
    /// then as before.
    pub fn forward(&self, ids: &[u32], cache: &mut KvCache, observer: &mut dyn Observe) -> Result<Logits, Error> {
        let x = self.hidden(ids, cache, observer)?;
        Ok(self.logits(&x, observer))
    }

    /// As [`Layers::forward`], of the last token alone: `[1, vocab_size]`.
    ///
    /// # Errors
    /// As [`Layers::forward`].
    pub fn next(&self, ids: &[u32], cache: &mut KvCache) -> Result<Logits, Error> {
        let x = self.hidden(ids, cache, &mut Blind)?;
        Ok(self.logits(&x[x.len() - 1..], &mut Blind))
    }

    /// The residual stream of each token after the last block.
    fn hidden(&self, ids: &[u32], cache: &mut KvCache, observer: &mut dyn Observe) -> Result<Vec<Residual>, Error> {
        self.config.check_ids(ids, cache.tokens())?;
        cache.open(self.blocks.len(), self.config.kv_size())?;
        let mut x: Vec<Residual> = ids.iter().map(|&id| embedding::row(&self.model.embedding, id as usize)).collect();
        observer.residual(&x);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.run(index, x, &mut cache.blocks[index], observer);
        }
        Ok(x)
    }

    fn logits(&self, x: &[Residual], observer: &mut dyn Observe) -> Logits {
        let z = normed(&self.model.norm, x);
        let [rows] = apply([&self.head], &z, observer);
        let steps = rows.iter().map(|row| row.step).collect();
        let values = rows.into_iter().flat_map(|row| row.values).collect();
        Logits { rows: Tensor::new(x.len(), self.config.vocab_size, values), steps }
    }
}

/// Every row of the residual stream through a norm.
fn normed(q: &QNorm, x: &[Residual]) -> Vec<WideRow> {
    use rayon::prelude::*;
    let row = |x: &Residual| {
        let y = norm::rms_norm(&x.codes, x.shift, q.eps);
        WideRow { values: norm::gain(&y, &q.gain), step: q.step }
    };
    x.par_iter().map(row).collect()
}

#[cfg(test)]
mod tests;
