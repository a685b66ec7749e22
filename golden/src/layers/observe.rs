//! What can be seen of a forward pass.

use super::attention::{Head, Queries};
use super::cache::BlockCache;
use super::linear::WideRow;
use crate::op::input::InputRow;
use crate::op::residual::Residual;

/// What an observer of a forward pass is shown, in the order in which it is computed.
pub trait Observe {
    /// A linear layer: its coded input `[tokens]` and its aligned sums `[tokens]`, each row with its step.
    fn linear(&mut self, _layer: &str, _inputs: &[InputRow], _sums: &[WideRow]) {}

    /// The residual stream `[tokens]`: the embedding, then after each addition.
    fn residual(&mut self, _rows: &[Residual]) {}

    /// The attention of a block.
    fn attention(&mut self, _block: usize, _seen: &Attention) {}

    /// Whether [`Attention::heads`] is wanted: scores and probabilities of every head.
    fn wants_heads(&self) -> bool {
        false
    }
}

/// Observes nothing.
pub struct Blind;
impl Observe for Blind {}

/// What an observer sees of a block's attention.
pub struct Attention<'a> {
    /// Position of the first token of this pass.
    pub first: usize,
    /// Coded queries `[tokens]`.
    pub queries: &'a [Queries],
    /// Keys and values of all tokens, those of this pass included.
    pub cache: &'a BlockCache,
    /// Keys and values of this pass that were larger than their code can be.
    pub saturated: [u64; 2],
    /// `[tokens]`, each `[num_attention_heads]`; empty unless wanted.
    pub heads: &'a [Vec<Head>],
}
