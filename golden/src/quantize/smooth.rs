//! Smoothing: factors that move range from inputs into weights, channel by channel, until both are easy to code.
//!
//! Pairs of NUMERICS 2: norm to q, k, v; norm to gate and up; v to o; up to down. Queries and keys need none of their
//! own: the static steps of key channels are exactly such factors. Neither does up/gate with `sigma(gate / s)`: gate and
//! up stay at 16 bits between their layers and the gate.
//!
//! Factors have the form `amax(x)^a / amax(w)^(1-a)`; each pair takes the strength `a` whose rounded product comes
//! closest to the exact one on calibration inputs, or none.
//!
//! **Source**: SmoothQuant, arXiv 2211.10438; FSBR of I-LLM, arXiv 2405.17849.

use rayon::prelude::*;
use spec::{Operand, ScaleRule, Scaling, Tensor};

use super::act::Coding;
use super::eval::Windows;
use super::fit::Fitted;
use super::forward::{add, frequencies};
use super::matmul::linear;
use super::net::{Net, NetBlock, NetLinear, place};
use super::scales::Scales;
use super::sim::{SimLinear, attention, embed, gated, hadamard, normed, turned};
use super::{rotate, tables};

/// Strengths that are tried.
const STRENGTHS: [f64; 9] = [0.15, 0.25, 0.35, 0.45, 0.5, 0.55, 0.65, 0.75, 0.85];

/// Only an error this much lower than without factors is worth them: for 8-bit inputs, which rarely need them and whose
/// weights can only lose, for inputs in blocks of a power of two, which follow outliers, and for other 4-bit inputs.
const WORTH_FACTORS: [f64; 3] = [0.35, 0.5, 0.98];

/// The same of a rotation at run time, for 8-bit and for 4-bit inputs.
const WORTH_ROTATION: [f64; 2] = [0.7, 0.98];

/// Tokens on which strengths are compared.
const TOKENS: usize = 512;

/// Smallest part of a pair's largest factor.
const SPREAD: f64 = 1.0 / 4096.0;

/// What to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smoothing {
    /// Factors.
    pub smooth: bool,
    /// Longest rotation at run time of the inputs of o and down that is tried; 1 for none.
    pub rotation: usize,
}

impl Smoothing {
    /// Nothing.
    pub const NONE: Self = Self { smooth: false, rotation: 1 };
}

/// Moves ranges of every pair, block by block; `codings` says how layers are coded, in the order in which they run.
pub fn smooth(net: &mut Net, codings: &[Coding], windows: &Windows, what: Smoothing) {
    let config = net.config.clone();
    let angles = frequencies(&config);
    let windows = windows.clone().spread(4);
    let ids: Vec<&[u32]> = windows.inputs().collect();
    let take = TOKENS.div_ceil(ids.len().max(1));
    let mut x: Vec<Tensor<f32>> = ids.iter().map(|ids| embed(net, ids)).collect();
    let eps = config.rms_norm_eps;
    for i in 0..net.blocks.len() {
        let codings = &codings[7 * i..7 * i + 7];
        let block = &mut net.blocks[i];
        let apply = |l: &NetLinear, x: &Tensor<f32>| {
            let plain = SimLinear { weight: &l.weight, rotation: l.rotation, act: None };
            plain.output(&plain.input(x))
        };
        let h: Vec<_> = x.iter().map(|x| normed(x, &block.attn_gain, eps)).collect();
        norm_pair(block, sample(&h, take), &[place::Q, place::K, place::V], codings, what);
        let mixed: Vec<_> = x
            .par_iter()
            .map(|x| {
                let h = normed(x, &block.attn_gain, eps);
                let qkv = [place::Q, place::K, place::V].map(|p| apply(&block.linears[p], &h));
                attention(&config, None, turned(&angles, qkv))
            })
            .collect();
        let heads = Heads { d: config.head_dim, group: config.num_attention_heads / config.num_key_value_heads };
        through_pair(block, sample(&mixed, take), place::V, place::O, codings, what, |c| heads.value(c));
        let mixed: Vec<_> = x
            .par_iter()
            .map(|x| {
                let h = normed(x, &block.attn_gain, eps);
                let qkv = [place::Q, place::K, place::V].map(|p| apply(&block.linears[p], &h));
                apply(&block.linears[place::O], &attention(&config, None, turned(&angles, qkv)))
            })
            .collect();
        x.iter_mut().zip(&mixed).for_each(|(x, y)| add(x, y));
        let h: Vec<_> = x.iter().map(|x| normed(x, &block.ffn_gain, eps)).collect();
        norm_pair(block, sample(&h, take), &[place::GATE, place::UP], codings, what);
        let inner = |block: &NetBlock, x: &Tensor<f32>| {
            let h = normed(x, &block.ffn_gain, eps);
            gated(apply(&block.linears[place::GATE], &h), &apply(&block.linears[place::UP], &h))
        };
        let inputs: Vec<_> = x.par_iter().map(|x| inner(block, x)).collect();
        through_pair(block, sample(&inputs, take), place::UP, place::DOWN, codings, what, |c| c);
        let y: Vec<_> = x.par_iter().map(|x| apply(&block.linears[place::DOWN], &inner(block, x))).collect();
        x.iter_mut().zip(&y).for_each(|(x, y)| add(x, y));
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

/// The first tokens of each window, together.
fn sample(x: &[Tensor<f32>], take: usize) -> Tensor<f32> {
    let rows = x.iter().flat_map(|x| x.data[..take.min(x.rows) * x.cols].iter().copied());
    let data: Vec<f32> = rows.collect();
    Tensor::new(data.len() / x[0].cols, x[0].cols, data)
}

/// Gives a norm a gain, and its inverse to the weights behind it.
fn norm_pair(block: &mut NetBlock, x: Tensor<f32>, readers: &[usize], codings: &[Coding], what: Smoothing) {
    if !what.smooth {
        return;
    }
    let linears: Vec<(&NetLinear, Coding)> = readers.iter().map(|&p| (&block.linears[p], codings[p])).collect();
    let same = |c: usize| c;
    let (factors, _) = best(&x, &linears, 1, &same, true);
    let Some(factors) = factors else { return };
    // The gain that the integers can say: a 16-bit factor, the largest 2^15.
    let (codes, largest) = tables::gain_codes(&factors.iter().map(|s| 1.0 / s).collect::<Vec<_>>());
    let gain: Vec<f64> = codes.iter().map(|&c| f64::from(c) * largest / f64::from(1u32 << 15)).collect();
    for &p in readers {
        scale_inputs(&mut block.linears[p].weight, &gain.iter().map(|g| 1.0 / g).collect::<Vec<_>>(), &same);
    }
    let gain = gain.into_iter().map(|g| g as f32).collect();
    if readers[0] == place::Q { block.attn_gain = gain } else { block.ffn_gain = gain }
}

/// Divides the outputs of one layer and multiplies the inputs of the other; and rotates those where that helps.
fn through_pair(
    block: &mut NetBlock,
    x: Tensor<f32>,
    from: usize,
    to: usize,
    codings: &[Coding],
    what: Smoothing,
    source: impl Fn(usize) -> usize + Sync,
) {
    let most = rotate::length(x.cols, what.rotation);
    let (factors, rotation) = best(&x, &[(&block.linears[to], codings[to])], most, &source, what.smooth);
    if let Some(factors) = factors {
        let weight = &mut block.linears[from].weight;
        let k = weight.cols;
        for (row, s) in weight.data.chunks_exact_mut(k).zip(&factors) {
            row.iter_mut().for_each(|w| *w = (f64::from(*w) / s) as f32);
        }
        scale_inputs(&mut block.linears[to].weight, &factors, &source);
    }
    if rotation > 1 {
        rotate::input(&mut block.linears[to], rotation);
    }
}

fn scale_inputs(weight: &mut Tensor<f32>, factors: &[f64], source: &(dyn Fn(usize) -> usize + Sync)) {
    let k = weight.cols;
    weight.data.par_chunks_exact_mut(k).for_each(|row| {
        for (c, w) in row.iter_mut().enumerate() {
            *w = (f64::from(*w) * factors[source(c)]) as f32;
        }
    });
}

/// The factors (`None` for all 1) and the rotation with which the layers' products come closest to the exact ones.
///
/// `source` says which factor an input has.
fn best(
    x: &Tensor<f32>,
    layers: &[(&NetLinear, Coding)],
    rotation: usize,
    source: &(dyn Fn(usize) -> usize + Sync),
    smooth: bool,
) -> (Option<Vec<f64>>, usize) {
    let exact: Vec<Tensor<f32>> = layers.iter().map(|(l, _)| linear(x, &l.weight.data)).collect();
    let mut candidates: Vec<Option<Vec<f64>>> = vec![None];
    if smooth {
        candidates.extend(STRENGTHS.map(|a| Some(factors(x, layers, source, a))));
    }
    let has = |wanted: fn(&Coding) -> bool| layers.iter().any(|(_, c)| wanted(c));
    let is_narrow = has(|c| c.grid.format.act() != Operand::Int8);
    let is_mx = is_narrow && has(|c| c.grid.scaling == Scaling::Mx32);
    let for_factors = WORTH_FACTORS[if is_mx { 1 } else { 2 * usize::from(is_narrow) }];
    let for_rotation = WORTH_ROTATION[usize::from(is_narrow)];
    let mut found = (f64::INFINITY, None, 1);
    for length in if rotation > 1 { vec![1, rotation] } else { vec![1] } {
        for s in &candidates {
            let mut total = 0.0;
            for ((layer, coding), exact) in layers.iter().zip(&exact) {
                total += error(x, layer, *coding, exact, s.as_deref(), source, length);
            }
            // What costs nothing comes first; anything else must be worth it.
            let worth = if length > found.2 { for_rotation } else { for_factors };
            if total < found.0 * if found.0.is_finite() { worth } else { 1.0 }
                || (s.is_some() && found.1.is_some() && total < found.0)
            {
                found = (total, s.clone(), length);
            }
        }
    }
    (found.1, found.2)
}

/// `amax(x)^a / amax(w)^(1-a)` of each source, their geometric mean 1.
fn factors(
    x: &Tensor<f32>,
    layers: &[(&NetLinear, Coding)],
    source: &(dyn Fn(usize) -> usize + Sync),
    a: f64,
) -> Vec<f64> {
    let count = (0..x.cols).map(source).max().map_or(0, |c| c + 1);
    let (mut of_x, mut of_w) = (vec![0.0f64; count], vec![0.0f64; count]);
    let widen = |top: &mut Vec<f64>, rows: &Tensor<f32>| {
        for row in rows.data.chunks_exact(rows.cols) {
            for (c, v) in row.iter().enumerate() {
                let place = source(c);
                top[place] = top[place].max(f64::from(v.abs()));
            }
        }
    };
    widen(&mut of_x, x);
    layers.iter().for_each(|(l, _)| widen(&mut of_w, &l.weight));
    let floor = |v: &[f64]| v.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE) * 1e-3;
    let (least_x, least_w) = (floor(&of_x), floor(&of_w));
    let logs: Vec<f64> = of_x
        .iter()
        .zip(&of_w)
        .map(|(x, w)| a * libm::log(x.max(least_x)) - (1.0 - a) * libm::log(w.max(least_w)))
        .collect();
    let mut sum = 0.0;
    for l in &logs {
        sum += l;
    }
    let mean = sum / count as f64;
    let half = -libm::log(SPREAD) / 2.0;
    logs.iter().map(|l| libm::exp((l - mean).clamp(-half, half))).collect()
}

/// The squared error of a layer's rounded product over the square of the exact one.
fn error(
    x: &Tensor<f32>,
    layer: &NetLinear,
    coding: Coding,
    exact: &Tensor<f32>,
    factors: Option<&[f64]>,
    source: &(dyn Fn(usize) -> usize + Sync),
    rotation: usize,
) -> f64 {
    let (mut x, mut weight) = (x.clone(), layer.weight.clone());
    if let Some(factors) = factors {
        let inverse: Vec<f64> = factors.iter().map(|s| 1.0 / s).collect();
        scale_inputs(&mut x, &inverse, source);
        scale_inputs(&mut weight, factors, source);
    }
    hadamard(&mut x, rotation);
    hadamard(&mut weight, rotation);
    coding.act().apply(&mut x);
    let rounded = Fitted::nearest(&weight, coding.grid, Scales::Widest(ScaleRule::RoundUpToGrid)).weights();
    let y = linear(&x, &rounded.data);
    let (mut miss, mut power) = (0.0, 0.0);
    for (a, b) in y.data.iter().zip(&exact.data) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        miss += (a - b) * (a - b);
        power += b * b;
    }
    if power > 0.0 { miss / power } else { miss }
}

#[cfg(test)]
mod tests {
    use spec::qmodel::ActMode;
    use spec::{Format, Scaling};

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
        for coding in [coding(Format::W8a8, Scaling::Channel), coding(Format::W4a4, Scaling::Group32)] {
            let mut smoothed = net.clone();
            let all = vec![coding; 29];
            smooth(&mut smoothed, &all, &windows, Smoothing { smooth: true, rotation: 1 });
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
