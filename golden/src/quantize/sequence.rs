//! Layers quantised in the order in which they run, each on the inputs that the layers before it really give.
//!
//! Two streams of calibration tokens run through the net side by side: the exact one, and the one of everything quantised
//! so far. A layer's weights are first moved to where its outputs on the second come closest to those on the first
//! (regression with a ridge), then rounded there.

use rayon::prelude::*;
use spec::model::QCache;
use spec::{ScaleRule, Tensor};

use super::act::{Act, Coding};
use super::eval::Windows;
use super::fit::Fitted;
use super::forward::{add, frequencies};
use super::gptq::Rounder;
use super::gram::{Gram, moments};
use super::kv::{self, Ranges};
use super::net::{Net, NetLinear, place};
use super::scales::Scales;
use super::sim::{KvSteps, SimLinear, attention, embed, gated, normed, turned};

/// How weights are rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounding {
    /// Scales by search instead of from the largest magnitude.
    pub search: bool,
    /// GPTQ instead of the nearest code.
    pub gptq: bool,
    /// Share of what their inputs' errors did to the outputs that weights, moved before they are rounded, take back.
    pub correct: f64,
    /// Added to the moments' diagonal, over its mean.
    pub damping: f64,
    /// Rule of MX scales where they are not searched.
    pub rule: ScaleRule,
}

/// What the pass gives for a block.
pub struct BlockFit {
    /// q, k, v, o, gate, up, down.
    pub linears: Vec<Fitted>,
    /// How keys and values are coded.
    pub cache: QCache,
}

/// How keys and values are coded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvCoding {
    /// 8 or 4.
    pub bits: u32,
    /// What 1 is coded as.
    pub prob_top: u16,
    /// Over the largest magnitude seen.
    pub margin: f64,
}

/// A pass over all layers.
pub struct Sequence<'a> {
    /// The net, its scales moved and its bases rotated.
    pub net: &'a Net,
    /// How the layers are coded, in the order in which they run, the head last.
    pub codings: &'a [Coding],
    /// How weights are rounded.
    pub rounding: Rounding,
    /// How keys and values are coded.
    pub kv: KvCoding,
}

/// One value a window of calibration.
type Windowed = Vec<Tensor<f32>>;

impl Sequence<'_> {
    /// Quantises every layer; `done` is told how many of them are.
    pub fn run(&self, windows: &Windows, done: &mut dyn FnMut(usize)) -> (Vec<BlockFit>, Fitted) {
        let (net, eps) = (self.net, self.net.config.rms_norm_eps);
        let config = &net.config;
        let angles = frequencies(config);
        let ids: Vec<&[u32]> = windows.inputs().collect();
        let mut exact: Windowed = ids.par_iter().map(|ids| embed(net, ids)).collect();
        let mut coded = exact.clone();
        let mut fits = Vec::new();
        for (i, block) in net.blocks.iter().enumerate() {
            let codings = &self.codings[7 * i..7 * i + 7];
            let l = &block.linears;
            let mut linears = Vec::new();
            let h = |x: &Windowed| each(x, |x| normed(x, &block.attn_gain, eps));
            let qkv = [place::Q, place::K, place::V];
            let (y, z) = self.layers(&h(&exact), &h(&coded), qkv.map(|p| (&l[p], codings[p])), &mut linears);
            let turn = |qkv: [Windowed; 3]| -> Vec<[Tensor<f32>; 3]> {
                transpose(qkv).into_par_iter().map(|qkv| turned(&angles, qkv)).collect()
            };
            let (y, z) = (turn(y), turn(z));
            let mut ranges = Ranges::default();
            y.iter().chain(&z).for_each(|[_, k, v]| ranges.widen(k, v));
            let cache = kv::cache(&ranges, config, self.kv.bits, self.kv.prob_top, self.kv.margin);
            let steps = KvSteps::new(&cache, config, self.kv.bits);
            let mix = |qkv: Vec<[Tensor<f32>; 3]>, kv: Option<&KvSteps>| -> Windowed {
                qkv.into_par_iter().map(|qkv| attention(config, kv, qkv)).collect()
            };
            let (exact_mixed, coded_mixed) = (mix(y, None), mix(z, Some(&steps)));
            let ([y], [z]) = self.layers(&exact_mixed, &coded_mixed, [(&l[place::O], codings[place::O])], &mut linears);
            add_all(&mut exact, &y);
            add_all(&mut coded, &z);
            let h = |x: &Windowed| each(x, |x| normed(x, &block.ffn_gain, eps));
            let both = [place::GATE, place::UP].map(|p| (&l[p], codings[p]));
            let ([yg, yu], [zg, zu]) = self.layers(&h(&exact), &h(&coded), both, &mut linears);
            let gate = |g: Windowed, u: Windowed| -> Windowed {
                g.into_par_iter().zip(u).map(|(g, u)| gated(g, &u)).collect()
            };
            let down = [(&l[place::DOWN], codings[place::DOWN])];
            let ([y], [z]) = self.layers(&gate(yg, yu), &gate(zg, zu), down, &mut linears);
            add_all(&mut exact, &y);
            add_all(&mut coded, &z);
            done(7 * (i + 1));
            fits.push(BlockFit { linears, cache });
        }
        let h = |x: &Windowed| each(x, |x| normed(x, &net.gain, eps));
        let coding = self.codings[7 * net.blocks.len()];
        let head = self.fit(&h(&exact), &sim(&net.head, coding).inputs(&h(&coded)), &net.head, coding, &mut None);
        (fits, head)
    }

    /// Quantises layers that share an input; their exact outputs, and those of what was quantised.
    fn layers<const N: usize>(
        &self,
        exact: &Windowed,
        coded: &Windowed,
        layers: [(&NetLinear, Coding); N],
        fits: &mut Vec<Fitted>,
    ) -> ([Windowed; N], [Windowed; N]) {
        let mut inputs: Vec<(Act, Windowed, Option<Moments>)> = Vec::new();
        let (mut y, mut z) = (Vec::new(), Vec::new());
        for (linear, coding) in layers {
            let act = coding.act();
            let place = inputs.iter().position(|i| i.0 == act).unwrap_or_else(|| {
                inputs.push((act, sim(linear, coding).inputs(coded), None));
                inputs.len() - 1
            });
            let (_, input, known) = &mut inputs[place];
            let rotated = SimLinear { act: None, ..sim(linear, coding) }.inputs(exact);
            let fitted = self.fit(&rotated, input, linear, coding, known);
            let weight = fitted.weights();
            y.push(each(&rotated, |x| sim(linear, coding).output(x)));
            z.push(each(input, |x| SimLinear { weight: &weight, ..sim(linear, coding) }.output(x)));
            fits.push(fitted);
        }
        let array =
            |v: Vec<Windowed>| -> [Windowed; N] { v.try_into().unwrap_or_else(|_| unreachable!("one a layer")) };
        (array(y), array(z))
    }

    /// Quantises a layer by its exact and its coded inputs; `known` keeps their moments for the next layer.
    fn fit(
        &self,
        exact: &Windowed,
        coded: &Windowed,
        linear: &NetLinear,
        coding: Coding,
        known: &mut Option<Moments>,
    ) -> Fitted {
        let Rounding { search, gptq, correct, damping, rule } = self.rounding;
        let grid = coding.grid;
        if !(search || gptq || correct > 0.0) {
            return Fitted::nearest(&linear.weight, grid, Scales::Widest(rule));
        }
        let m = known.get_or_insert_with(|| Moments::new(exact, coded, self.rounding));
        let moved = m.moved(&linear.weight, correct);
        let importance = m.gram.diagonal();
        let how = if search { Scales::Search(&importance) } else { Scales::Widest(rule) };
        if gptq {
            let rounder = Rounder::new(grid, &m.gram, damping);
            Fitted::by_outputs(&moved, how, &rounder, grid, stretches(grid.scaling, linear.weight.data.len()))
        } else {
            Fitted::nearest(&moved, grid, how)
        }
    }
}

/// Factors of a channel's scales that are tried.
fn stretches(scaling: spec::Scaling, weights: usize) -> &'static [f64] {
    use spec::Scaling;
    if weights > 1 << 22 {
        return &[1.0];
    }
    match scaling {
        Scaling::Channel | Scaling::Group32 | Scaling::Group16 => &[1.0, 0.95, 0.9, 0.85, 1.05],
        Scaling::Mx32 => &[1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875],
        Scaling::Nv16 => &[1.0, 0.97, 0.94, 0.91, 0.88],
    }
}

/// What calibration says of a layer's inputs.
struct Moments {
    /// Of the coded inputs.
    gram: Gram,
    /// `D · (H + ridge)^-1` with `D = Σ (exact - coded)·codedᵀ`, row-major; what undoes the input's error by regression.
    undo: Option<Vec<f64>>,
}

impl Moments {
    fn new(exact: &Windowed, coded: &Windowed, rounding: Rounding) -> Self {
        let gram = Gram::new(coded);
        let undo = (rounding.correct > 0.0).then(|| {
            let gap: Windowed = exact
                .iter()
                .zip(coded)
                .map(|(x, y)| Tensor::new(x.rows, x.cols, x.data.iter().zip(&y.data).map(|(x, y)| x - y).collect()))
                .collect();
            let mut cross = moments(&gap, coded);
            let factor = gram.factor(rounding.damping);
            cross.par_chunks_exact_mut(gram.k).for_each(|row| factor.solve(row));
            cross
        });
        Self { gram, undo }
    }

    /// `W + share · W · D · (H + ridge)^-1`.
    fn moved(&self, weight: &Tensor<f32>, share: f64) -> Tensor<f32> {
        let Some(undo) = &self.undo else { return weight.clone() };
        let k = weight.cols;
        let mut moved = weight.clone();
        moved.data.par_chunks_exact_mut(k).enumerate().for_each(|(n, row)| {
            let mut change = vec![0.0; k];
            for (&w, undo) in weight.row(n).iter().zip(undo.chunks_exact(k)) {
                for (c, u) in change.iter_mut().zip(undo) {
                    *c += f64::from(w) * u;
                }
            }
            for (w, c) in row.iter_mut().zip(change) {
                *w = (f64::from(*w) + share * c) as f32;
            }
        });
        moved
    }
}

fn sim(linear: &NetLinear, coding: Coding) -> SimLinear<'_> {
    SimLinear { weight: &linear.weight, rotation: linear.rotation, act: Some(coding.act()) }
}

impl SimLinear<'_> {
    fn inputs(&self, x: &Windowed) -> Windowed {
        each(x, |x| self.input(x))
    }
}

fn each(x: &Windowed, f: impl Fn(&Tensor<f32>) -> Tensor<f32> + Sync + Send) -> Windowed {
    x.par_iter().map(f).collect()
}

fn add_all(x: &mut Windowed, y: &Windowed) {
    x.par_iter_mut().zip(y).for_each(|(x, y)| add(x, y));
}

/// From windows of each of three to three of each window.
fn transpose([q, k, v]: [Windowed; 3]) -> Vec<[Tensor<f32>; 3]> {
    q.into_iter().zip(k).zip(v).map(|((q, k), v)| [q, k, v]).collect()
}
