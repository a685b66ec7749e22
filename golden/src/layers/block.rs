//! A block: attention and feed-forward layer, each behind a norm and added to the residual stream.

use rayon::prelude::*;
use spec::model::{QBlock, QModel};

use super::attention::Heads;
use super::cache::BlockCache;
use super::linear::{WideRow, apply};
use super::normed;
use super::observe::{Attention, Observe};
use crate::error::Error;
use crate::layer::PreparedLayer;
use crate::load::config::ModelConfig;
use crate::op::narrow::narrow;
use crate::op::residual::{self, Residual};
use crate::op::swiglu::swiglu;

/// A prepared block.
pub(super) struct Block<'m> {
    q_block: &'m QBlock,
    heads: Heads<'m>,
    /// `q`, `k`, `v`.
    qkv: [PreparedLayer; 3],
    o: PreparedLayer,
    /// `gate`, `up`.
    ffn: [PreparedLayer; 2],
    down: PreparedLayer,
}

impl<'m> Block<'m> {
    /// Prepares a block of a checked model.
    ///
    /// # Errors
    /// [`Error::Input`] for a layer that breaks a bound of the arithmetic.
    pub fn new(block: &'m QBlock, model: &'m QModel, config: &ModelConfig) -> Result<Self, Error> {
        let linear = |layer| PreparedLayer::new(layer, model.options.scale_rule);
        Ok(Self {
            q_block: block,
            heads: Heads::new(&block.cache, &model.rope, &model.options, config),
            qkv: [linear(&block.q)?, linear(&block.k)?, linear(&block.v)?],
            o: linear(&block.o)?,
            ffn: [linear(&block.gate)?, linear(&block.up)?],
            down: linear(&block.down)?,
        })
    }

    /// The residual stream after the block; keys and values of the tokens are added to the cache.
    pub fn run(
        &self,
        index: usize,
        x: Vec<Residual>,
        cache: &mut BlockCache,
        observer: &mut dyn Observe,
    ) -> Vec<Residual> {
        let x = self.attend(index, x, cache, observer);
        observer.residual(&x);
        let x = self.feed_forward(x, observer);
        observer.residual(&x);
        x
    }

    fn attend(
        &self,
        index: usize,
        x: Vec<Residual>,
        cache: &mut BlockCache,
        observer: &mut dyn Observe,
    ) -> Vec<Residual> {
        let z = normed(&self.q_block.attn_norm, &x);
        let [q, k, v] = apply(self.qkv.each_ref(), &z, observer);
        let first = cache.tokens();
        let queries: Vec<_> = q.par_iter().enumerate().map(|(t, q)| self.heads.queries(q, first + t)).collect();
        let coded: Vec<_> =
            k.par_iter().zip(&v).enumerate().map(|(t, (k, v))| self.heads.keys_values(k, v, first + t)).collect();
        let saturated = [0, 1].map(|i| coded.iter().map(|row| row.saturated[i]).sum());
        for row in &coded {
            cache.push(&row.keys, &row.values);
        }
        let (cache, wants_heads) = (&*cache, observer.wants_heads());
        let mixed: Vec<_> = queries
            .par_iter()
            .enumerate()
            .map(|(t, queries)| self.heads.mix(queries, cache, first + t + 1, wants_heads))
            .collect();
        let (mixed, heads): (Vec<WideRow>, Vec<_>) = mixed.into_iter().unzip();
        observer.attention(index, &Attention { first, queries: &queries, cache, saturated, heads: &heads });
        let [o] = apply([&self.o], &mixed, observer);
        add(x, &o)
    }

    fn feed_forward(&self, x: Vec<Residual>, observer: &mut dyn Observe) -> Vec<Residual> {
        let z = normed(&self.q_block.ffn_norm, &x);
        let [gate, up] = apply(self.ffn.each_ref(), &z, observer);
        let options = self.heads.options;
        let inner = |(gate, up): (&WideRow, &WideRow)| {
            let (gate, up) = (narrow(&gate.values, gate.step), narrow(&up.values, up.step));
            let (values, step) = swiglu(&gate, &up, options.exp, options.sigmoid_bits);
            WideRow { values, step }
        };
        let inner: Vec<_> = gate.par_iter().zip(&up).map(inner).collect();
        let [down] = apply([&self.down], &inner, observer);
        add(x, &down)
    }
}

/// Adds the narrowed output of a branch to the residual stream.
fn add(x: Vec<Residual>, branch: &[WideRow]) -> Vec<Residual> {
    x.par_iter().zip(branch).map(|(x, y)| residual::add(x, &narrow(&y.values, y.step))).collect()
}
