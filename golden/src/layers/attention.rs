//! Attention of one token: queries, keys and values are coded, the heads' outputs mixed and aligned.

use spec::Dyadic;
use spec::model::{QCache, QOptions, QRope};

use super::cache::BlockCache;
use super::linear::WideRow;
use crate::load::config::ModelConfig;
use crate::op::align::align;
use crate::op::fixed::fixed;
use crate::op::narrow::narrow;
use crate::op::requant::dynamic;
use crate::op::rope::rotate;
use crate::op::scale::product;
use crate::op::softmax::softmax;

/// The heads of a block and how they are coded.
pub(super) struct Heads<'m> {
    pub options: &'m QOptions,
    cache: &'m QCache,
    rope: &'m QRope,
    head_dim: usize,
    /// Query heads that read one key head.
    group: usize,
    /// Largest magnitude of a cached code.
    top: i64,
}

/// Coded queries of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queries {
    /// Codes `[num_attention_heads · head_dim]`, -127..=127.
    pub codes: Vec<i8>,
    /// What one LSB of each head's scores is worth `[num_attention_heads]`.
    pub steps: Vec<Dyadic>,
}

/// What a query head saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Products of query and keys `[tokens seen]`.
    pub scores: Vec<i32>,
    /// Probabilities `[tokens seen]`, `prob_top` for 1.
    pub probabilities: Vec<u16>,
}

/// Codes that a token adds to the cache.
pub(super) struct CacheRow {
    pub keys: Vec<i8>,
    pub values: Vec<i8>,
    /// Keys and values that were larger than their code can be.
    pub saturated: [u64; 2],
}

impl<'m> Heads<'m> {
    /// The heads of a block of a checked model.
    pub fn new(cache: &'m QCache, rope: &'m QRope, options: &'m QOptions, config: &ModelConfig) -> Self {
        Self {
            options,
            cache,
            rope,
            head_dim: config.head_dim,
            group: config.num_attention_heads / config.num_key_value_heads,
            top: if options.kv_bits == 4 { 7 } else { 127 },
        }
    }

    /// Queries or keys narrowed to 16 bits and rotated to their position: 17 bits signed, and their step.
    fn rotated(&self, row: &WideRow, position: usize) -> (Vec<i32>, Dyadic) {
        let row = narrow(&row.values, row.step);
        let (cos, sin) = (self.rope.cos.row(position), self.rope.sin.row(position));
        (rotate(&row.codes, self.head_dim, cos, sin), row.step)
    }

    /// Queries of the token at `position`, each head with the factors of the keys it reads, coded to 8 bits with a step
    /// of its own: `round(127·q / max|q|)`.
    pub fn queries(&self, q: &WideRow, position: usize) -> Queries {
        let (rotated, step) = self.rotated(q, position);
        let (mut codes, mut steps) = (Vec::with_capacity(rotated.len()), Vec::new());
        for (head, q) in rotated.chunks_exact(self.head_dim).enumerate() {
            let key_head = head / self.group;
            let factors = &self.cache.q_factor[key_head * self.head_dim..];
            // 17 bits by 16.
            let scaled: Vec<i64> = q.iter().zip(factors).map(|(&q, &f)| i64::from(q) * i64::from(f)).collect();
            let row = dynamic(&scaled, step, self.cache.score_step[key_head]);
            codes.extend(row.codes);
            steps.push(row.scale.step);
        }
        Queries { codes, steps }
    }

    /// Keys, rotated, and values of the token at `position`, in the static codes of the cache.
    pub fn keys_values(&self, k: &WideRow, v: &WideRow, position: usize) -> CacheRow {
        let (rotated, step) = self.rotated(k, position);
        let scaled: Vec<i64> =
            rotated.iter().zip(&self.cache.k_factor).map(|(&k, &f)| i64::from(k) * i64::from(f)).collect();
        let (keys, lost_keys) = self.codes(&scaled, step, &self.cache.k_ratio);
        let (values, lost_values) = self.codes(&v.values, v.step, &self.cache.v_ratio);
        CacheRow { keys, values, saturated: [lost_keys, lost_values] }
    }

    /// Static codes of a row `[num_key_value_heads · head_dim]`, and how many saturated.
    fn codes(&self, row: &[i64], step: Dyadic, ratios: &[Dyadic]) -> (Vec<i8>, u64) {
        let (mut codes, mut saturated) = (Vec::with_capacity(row.len()), 0);
        for (head, &ratio) in row.chunks_exact(self.head_dim).zip(ratios) {
            let ratio = product(step, ratio);
            for &a in head {
                let wanted = fixed(a, ratio);
                saturated += u64::from(wanted.abs() > self.top);
                codes.push(wanted.clamp(-self.top, self.top) as i8);
            }
        }
        (codes, saturated)
    }

    /// The heads' outputs `[num_attention_heads · head_dim]` over the first `seen` tokens of the cache, aligned; and
    /// what each head saw, if that is wanted.
    ///
    /// A probability has 15 bits and a value 8, and probabilities add up to less than twice `prob_top`, so that sums
    /// have 24 bits.
    pub fn mix(&self, q: &Queries, cache: &BlockCache, seen: usize, wants_heads: bool) -> (WideRow, Vec<Head>) {
        let (d, width) = (self.head_dim, cache.width());
        let (mut values, mut heads) = (Vec::with_capacity(q.codes.len()), Vec::new());
        for (head, (query, &step)) in q.codes.chunks_exact(d).zip(&q.steps).enumerate() {
            let key_head = head / self.group;
            let at = key_head * d;
            let keys = cache.keys().chunks_exact(width).take(seen).map(|row| &row[at..at + d]);
            let scores: Vec<i32> = keys.map(|key| dot(query, key)).collect();
            let probabilities = softmax(&scores, step, self.options.exp, self.options.prob_top);
            let mut sums = vec![0; d];
            for (row, &p) in cache.values().chunks_exact(width).zip(&probabilities) {
                for (sum, &value) in sums.iter_mut().zip(&row[at..at + d]) {
                    *sum += i32::from(p) * i32::from(value);
                }
            }
            values.extend(sums.iter().map(|&sum| align(sum, self.cache.o_align[key_head])));
            if wants_heads {
                heads.push(Head { scores, probabilities });
            }
        }
        (WideRow { values, step: self.cache.o_step }, heads)
    }
}

/// The product of a query and a key, exact: 14 bits and as many more as `head_dim` (at most 4096) asks for.
fn dot(query: &[i8], key: &[i8]) -> i32 {
    query.iter().zip(key).map(|(&q, &k)| i32::from(q) * i32::from(k)).sum()
}
