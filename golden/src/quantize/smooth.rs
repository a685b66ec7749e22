//! Smoothing: factors that move range from inputs into weights, channel by channel, until both are easy to code.
//!
//! Pairs of NUMERICS 2: norm to q, k, v; norm to gate and up; v to o; up to down. Queries and keys need none of their
//! own: the static steps of key channels are exactly such factors. Neither does up/gate with `sigma(gate / s)`: gate and
//! up stay at 16 bits between their layers and the gate.
//!
//! What a pair is given leaves the function as it is, so the inputs of all four pairs of a block are those of the
//! checkpoint; [`super::balance`] says which factors and which rotation a pair takes.
//!
//! **Source**: SmoothQuant, arXiv 2211.10438; FSBR of I-LLM, arXiv 2405.17849.

use rayon::prelude::*;
use spec::Tensor;

use super::act::Coding;
use super::balance::{Balance, scale_inputs};
use super::eval::Windows;
use super::forward::{add, frequencies};
use super::net::{Net, NetBlock, NetLinear, place};
use super::sim::{SimLinear, attention, embed, gated, normed, turned};
use super::{rotate, tables};

/// Tokens on which pairs are balanced.
const TOKENS: usize = 512;

/// Windows from which they are taken.
const WINDOWS: usize = 4;

/// What to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smoothing {
    /// Factors.
    pub smooth: bool,
    /// Each head's values are rotated, folded into the weights, after their factors: a rotation of a single wide channel
    /// would widen all the others of its head.
    pub heads: bool,
    /// Longest rotation at run time of the inputs of o and down that is tried; 1 for none.
    pub rotation: usize,
}

impl Smoothing {
    /// Nothing.
    pub const NONE: Self = Self { smooth: false, heads: false, rotation: 1 };
}

/// Moves ranges of every pair, block by block; `codings` says how layers are coded, in the order in which they run.
pub fn smooth(net: &mut Net, codings: &[Coding], windows: &Windows, what: Smoothing) {
    let windows = windows.clone().spread(WINDOWS);
    let ids: Vec<&[u32]> = windows.inputs().collect();
    let mut x: Vec<Tensor<f32>> = ids.iter().map(|ids| embed(net, ids)).collect();
    let angles = frequencies(&net.config);
    let group = net.config.num_attention_heads / net.config.num_key_value_heads;
    let heads = Heads { d: net.config.head_dim, group };
    let value = |c: usize| heads.value(c);
    for i in 0..net.blocks.len() {
        let codings = &codings[7 * i..7 * i + 7];
        let seen = Seen::of(net, i, &angles, &mut x);
        let block = &mut net.blocks[i];
        if what.smooth {
            norm_pair(block, &seen.attn, &[place::Q, place::K, place::V], codings);
            norm_pair(block, &seen.ffn, &[place::GATE, place::UP], codings);
        }
        let folded = if what.heads { rotate::length(heads.d, usize::MAX) } else { 1 };
        through_pair(block, &seen.mixed, [place::V, place::O], codings, what, folded, &value);
        through_pair(block, &seen.inner, [place::UP, place::DOWN], codings, what, 1, &|c| c);
    }
}

/// What enters the layers of a block, a sample of all tokens.
struct Seen {
    attn: Tensor<f32>,
    mixed: Tensor<f32>,
    ffn: Tensor<f32>,
    inner: Tensor<f32>,
}

impl Seen {
    /// Runs block `i`; `x` is the residual stream of each window before it, and then after it.
    fn of(net: &Net, i: usize, angles: &[f64], x: &mut [Tensor<f32>]) -> Self {
        let (block, eps) = (&net.blocks[i], net.config.rms_norm_eps);
        let apply = |p: usize, x: &Tensor<f32>| {
            let l = &block.linears[p];
            let plain = SimLinear { weight: &l.weight, rotation: l.rotation, act: None };
            plain.output(&plain.input(x))
        };
        let window = |x: &mut Tensor<f32>| {
            let attn = normed(x, &block.attn_gain, eps);
            let qkv = [place::Q, place::K, place::V].map(|p| apply(p, &attn));
            let mixed = attention(&net.config, None, turned(angles, qkv));
            add(x, &apply(place::O, &mixed));
            let ffn = normed(x, &block.ffn_gain, eps);
            let inner = gated(apply(place::GATE, &ffn), &apply(place::UP, &ffn));
            add(x, &apply(place::DOWN, &inner));
            [attn, mixed, ffn, inner]
        };
        let windows: Vec<[Tensor<f32>; 4]> = x.par_iter_mut().map(window).collect();
        let take = TOKENS.div_ceil(windows.len());
        let sample = |which: usize| {
            let rows = windows.iter().map(|w| &w[which]);
            let data: Vec<f32> = rows.flat_map(|x| &x.data[..take.min(x.rows) * x.cols]).copied().collect();
            let cols = windows[0][which].cols;
            Tensor::new(data.len() / cols, cols, data)
        };
        Self { attn: sample(0), mixed: sample(1), ffn: sample(2), inner: sample(3) }
    }
}

/// Which channel of v a channel of o's input comes from.
struct Heads {
    d: usize,
    group: usize,
}

impl Heads {
    fn value(&self, c: usize) -> usize {
        c / self.d / self.group * self.d + c % self.d
    }
}

/// Gives a norm a gain, and its inverse to the weights behind it.
fn norm_pair(block: &mut NetBlock, x: &Tensor<f32>, readers: &[usize], codings: &[Coding]) {
    let layers: Vec<(&NetLinear, Coding)> = readers.iter().map(|&p| (&block.linears[p], codings[p])).collect();
    let Some(factors) = Balance::new(x, &layers, &|c| c, 1).best(true, 1).factors else { return };
    let gain = if readers[0] == place::Q { &mut block.attn_gain } else { &mut block.ffn_gain };
    let before = |c: usize| gain.get(c).map_or(1.0, |&g| f64::from(g));
    // The gain that the integers can say: a 16-bit factor, the largest 2^15.
    let after = tables::said(&factors.iter().enumerate().map(|(c, s)| before(c) / s).collect::<Vec<_>>());
    let change: Vec<f64> = after.iter().enumerate().map(|(c, g)| before(c) / g).collect();
    *gain = after.into_iter().map(|g| g as f32).collect();
    for &p in readers {
        scale_inputs(&mut block.linears[p].weight, &change, &|c| c);
    }
}

/// Divides the outputs of one layer and multiplies the inputs of the other; and rotates those where that helps.
fn through_pair(
    block: &mut NetBlock,
    x: &Tensor<f32>,
    [from, to]: [usize; 2],
    codings: &[Coding],
    what: Smoothing,
    folded: usize,
    source: &(dyn Fn(usize) -> usize + Sync),
) {
    let most = rotate::length(x.cols, what.rotation);
    let found = {
        let layer = [(&block.linears[to], codings[to])];
        Balance::new(x, &layer, source, folded).best(what.smooth, most)
    };
    if let Some(factors) = found.factors {
        let weight = &mut block.linears[from].weight;
        let k = weight.cols;
        for (row, s) in weight.data.chunks_exact_mut(k).zip(&factors) {
            row.iter_mut().for_each(|w| *w = (f64::from(*w) / s) as f32);
        }
        scale_inputs(&mut block.linears[to].weight, &factors, source);
    }
    rotate::between(block, from, to, folded);
    if found.rotation > 1 {
        rotate::input(&mut block.linears[to], found.rotation);
    }
}

#[cfg(test)]
mod tests {
    use spec::qmodel::ActMode;
    use spec::{Format, ScaleRule, Scaling};

    use super::super::grid::Grid;
    use super::super::sim::Sim;
    use super::*;
    use crate::load::model::open;

    /// The shipped net with outliers in the values, the feed-forward layers and the residual stream's readers.
    fn with_outliers() -> Net {
        let mut net = Net::new(&open("fairy").unwrap()).unwrap();
        for block in &mut net.blocks {
            for (from, to, channel) in [(place::V, place::O, 5), (place::UP, place::DOWN, 77)] {
                let heads = Heads { d: 32, group: 2 };
                let source = |c: usize| if to == place::O { heads.value(c) } else { c };
                let k = block.linears[from].weight.cols;
                block.linears[from].weight.data[channel * k..][..k].iter_mut().for_each(|w| *w *= 64.0);
                let k = block.linears[to].weight.cols;
                for (c, w) in block.linears[to].weight.data.iter_mut().enumerate() {
                    *w /= if source(c % k) == channel { 64.0 } else { 1.0 };
                }
            }
        }
        net
    }

    #[test]
    fn smoothing_finds_outliers_and_leaves_the_logits() {
        let net = with_outliers();
        let ids: Vec<u32> = (0..40).map(|i| i * 19 % 512).collect();
        let windows = Windows { source: "ids".into(), ids: vec![ids.clone()] };
        let coding = |format, scaling| Coding {
            grid: Grid { format, scaling },
            mode: ActMode::Symmetric,
            rule: ScaleRule::RoundUpToGrid,
        };
        let exact = Sim::exact(&net).logits(&ids);
        for (coding, heads) in [
            (coding(Format::W8a8, Scaling::Channel), false),
            (coding(Format::W4a4, Scaling::Group32), false),
            (coding(Format::W4a4, Scaling::Group32), true),
        ] {
            let mut smoothed = net.clone();
            let all = vec![coding; 29];
            smooth(&mut smoothed, &all, &windows, Smoothing { smooth: true, heads, rotation: 1 });
            let found = Sim::exact(&smoothed).logits(&ids);
            let most = found.data.iter().zip(&exact.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 2e-3, "logits move by {most}");
            for (before, after) in net.blocks.iter().zip(&smoothed.blocks) {
                for (from, channel) in [(place::V, 5), (place::UP, 77)] {
                    let range = |block: &NetBlock, channel: usize| {
                        block.linears[from].weight.row(channel).iter().fold(0.0f32, |top, w| top.max(w.abs()))
                    };
                    let against = |block: &NetBlock| range(block, channel) / range(block, channel + 1);
                    assert!(against(after) < 0.5 * against(before), "the outlier channel shrinks");
                }
            }
        }
    }
}
