//! The integer pass beside the same model in floating point: what every code and step stands for, computed with exact
//! functions and without the roundings between layers.

use golden::layers::random::{Coding, Shape, random_model};
use golden::layers::{Blind, KvCache, Layers};
use golden::num;
use spec::model::{QBlock, QLayer, QModel, QNorm};
use spec::{Dyadic, Format, Scaling};

fn value(step: Dyadic) -> f64 {
    f64::from(step.mult) / 2f64.powi(step.shift.into())
}

/// `W·x` with the weights that the codes stand for, one step a channel.
fn linear(layer: &QLayer, x: &[f64]) -> Vec<f64> {
    assert_eq!(layer.scaling, Scaling::Channel);
    let w = &layer.linear;
    let channel = |n: usize| {
        let int = |&code: &i8| f64::from(num::decode(w.format.weight(), code).unwrap());
        let sum: f64 = w.weight.row(n).iter().map(int).zip(x).map(|(w, x)| w * x).sum();
        sum * value(layer.weight_step) * f64::from(w.align[n]) / 32768.0
    };
    (0..w.weight.rows).map(channel).collect()
}

fn norm(norm: &QNorm, x: &[f64]) -> Vec<f64> {
    let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let rms = (mean + value(norm.eps)).sqrt();
    let gain = |c: usize| norm.gain.get(c).map_or(1.0, |&g| f64::from(g));
    x.iter().enumerate().map(|(c, x)| x / rms * gain(c) * value(norm.step) * 2f64.powi(20)).collect()
}

struct Float<'m> {
    model: &'m QModel,
    shape: Shape,
}

impl Float<'_> {
    fn rotate(&self, x: &[f64], position: usize) -> Vec<f64> {
        let (d, half) = (self.shape.head_dim, self.shape.head_dim / 2);
        let table = |t: &spec::Tensor<i16>, i: usize| f64::from(*t.at(position, i)) / 16384.0;
        let mut y = x.to_vec();
        for head in y.chunks_exact_mut(d) {
            for i in 0..half {
                let (cos, sin) = (table(&self.model.rope.cos, i), table(&self.model.rope.sin, i));
                (head[i], head[i + half]) =
                    (head[i] * cos - head[i + half] * sin, head[i + half] * cos + head[i] * sin);
            }
        }
        y
    }

    /// Attention of one token over keys and values so far. Queries take the keys' factors as the model has them, so
    /// that random factors need not be each other's inverse.
    fn attend(&self, block: &QBlock, q: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
        let (d, cache) = (self.shape.head_dim, &block.cache);
        let group = self.shape.heads / self.shape.kv_heads;
        let mut out = Vec::new();
        for head in 0..self.shape.heads {
            let (h, at) = (head / group, head / group * d);
            let score = |key: &Vec<f64>| -> f64 {
                (0..d).map(|i| q[head * d + i] * f64::from(cache.q_factor[at + i]) * key[at + i]).sum::<f64>()
                    * value(cache.score_step[h])
            };
            let scores: Vec<f64> = keys.iter().map(score).collect();
            let top = scores.iter().copied().fold(f64::MIN, f64::max);
            let e: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
            let sum: f64 = e.iter().sum();
            let o_step = value(cache.o_step) * f64::from(cache.o_align[h]) / 32768.0 * 256.0 * 32639.0;
            out.extend((0..d).map(|i| e.iter().zip(values).map(|(e, v)| e / sum * v[at + i]).sum::<f64>() * o_step));
        }
        out
    }

    fn logits(&self, ids: &[u32]) -> Vec<f64> {
        let model = self.model;
        let row = |&id: &u32| {
            let unit = 2f64.powi(-i32::from(model.embedding.shift[id as usize]));
            model.embedding.codes.row(id as usize).iter().map(|&x| f64::from(x) * unit).collect()
        };
        let mut x: Vec<Vec<f64>> = ids.iter().map(row).collect();
        let d = self.shape.head_dim;
        for block in &model.blocks {
            let (mut keys, mut values) = (vec![], vec![]);
            for (t, x) in x.iter_mut().enumerate() {
                let z = norm(&block.attn_norm, x);
                let q = self.rotate(&linear(&block.q, &z), t);
                let k = self.rotate(&linear(&block.k, &z), t);
                let ratio = |c: usize| f64::from(block.cache.k_factor[c]) * value(block.cache.k_ratio[c / d]);
                keys.push(k.iter().enumerate().map(|(c, k)| k * ratio(c)).collect());
                let v = linear(&block.v, &z);
                values.push(v.iter().enumerate().map(|(c, v)| v * value(block.cache.v_ratio[c / d])).collect());
                let o = linear(&block.o, &self.attend(block, &q, &keys, &values));
                x.iter_mut().zip(o).for_each(|(x, o)| *x += o);
            }
            for x in &mut x {
                let z = norm(&block.ffn_norm, x);
                let (gate, up) = (linear(&block.gate, &z), linear(&block.up, &z));
                let inner: Vec<f64> = gate.iter().zip(&up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
                x.iter_mut().zip(linear(&block.down, &inner)).for_each(|(x, y)| *x += y);
            }
        }
        x.iter().flat_map(|x| linear(&model.head, &norm(&model.norm, x))).collect()
    }
}

#[test]
fn integers_stay_close_to_what_they_stand_for() {
    let base = Shape { hidden: 48, ffn: 61, blocks: 3, heads: 4, kv_heads: 2, head_dim: 6, vocab: 50, positions: 40 };
    for (heads, kv_heads, head_dim) in [(4, 2, 6), (3, 3, 2), (8, 1, 10)] {
        let shape = Shape { heads, kv_heads, head_dim, ..base };
        let model = random_model(&shape, &[Coding::new(Format::W8a8)], 11);
        let ids: Vec<u32> = (0..30).map(|i| (i * 17 + 3) % 50).collect();
        let expected = Float { model: &model, shape }.logits(&ids);
        let found = Layers::new(&model).unwrap().forward(&ids, &mut KvCache::default(), &mut Blind).unwrap();
        let rows = found.rows.data.chunks(50).zip(&found.steps);
        let found = rows.flat_map(|(row, &step)| row.iter().map(move |&a| a as f64 * value(step)));
        let (mut signal, mut noise) = (0.0, 0.0);
        for (x, y) in expected.iter().zip(found) {
            signal += x * x;
            noise += (x - y) * (x - y);
        }
        // About 40 dB remain after three blocks with 8-bit inputs; a row or head in the wrong place leaves none.
        let db = 10.0 * (signal / noise).log10();
        assert!(db > 38.0, "{heads} heads, {kv_heads} key heads of {head_dim}: {db:.1} dB");
    }
}
