//! A checkpoint to a whole model in integers.

use spec::model::{PROB_TOP_15, QBlock, QModel, QOptions};
use spec::qmodel::ActMode;
use spec::{ExpKind, Format, ScaleRule, Scaling};

use super::act::Coding;
use super::eval::Windows;
use super::fit::can_be_asymmetric;
use super::grid::Grid;
use super::net::Net;
use super::recipe::{Recipe, Technique};
use super::sequence::{KvCoding, Rounding, Sequence};
use super::smooth::{Smoothing, smooth};
use super::{choose, kv, rotate, tables};
use crate::error::Error;
use crate::load::model::Model;

/// Added to the diagonal of an input's moments, over its mean: what is rarely seen in calibration is not trusted.
const DAMPING: f64 = 0.01;

/// The longest Hadamard transform.
const MOST_ROTATED: usize = 4096;

/// How to quantize a model.
#[derive(Clone, Debug, PartialEq)]
pub struct PtqOptions {
    /// Format of the linear layers, the head's apart.
    pub format: Format,
    /// What scales the blocks of their weights; one of [`Format::scalings`].
    pub scaling: Scaling,
    /// Format of the head, with the first of its scalings.
    pub head: Format,
    /// Codes and scales of every linear layer, in the order in which they run, the head last, where they differ; else
    /// empty.
    pub layers: Vec<Grid>,
    /// Techniques; `None` for those that [`super::choose`] finds best by measurement.
    pub recipe: Option<Recipe>,
    /// How the inputs of linear layers with INT8 activations are coded.
    pub acts: ActMode,
    /// The exponential of softmax and sigmoid.
    pub exp: ExpKind,
    /// What a probability of 1 is coded as.
    pub prob_top: u16,
    /// Bits of the sigmoid's quotient.
    pub sigmoid_bits: u32,
    /// Bits of cached keys and values: 8 or 4.
    pub kv_bits: u32,
    /// How the scale of a block of MXFP4 activations is chosen.
    pub scale_rule: ScaleRule,
}

impl PtqOptions {
    /// The usual options of a format: its first scaling, a recipe by measurement, head in INT8, all else as the hardware has
    /// it by default.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            scaling: format.scalings()[0],
            head: Format::W8a8,
            layers: Vec::new(),
            recipe: None,
            acts: ActMode::Symmetric,
            exp: ExpKind::Poly,
            prob_top: PROB_TOP_15,
            sigmoid_bits: 15,
            kv_bits: 8,
            scale_rule: ScaleRule::RoundUpToGrid,
        }
    }

    /// What was asked for, for people.
    pub fn name(&self) -> String {
        if self.layers.is_empty() { self.format.name().into() } else { "mixed".into() }
    }

    /// How every linear layer is coded, in the order in which they run.
    pub(super) fn codings(&self, model: &Model) -> Vec<Coding> {
        let head = Grid { format: self.head, scaling: self.head.scalings()[0] };
        let count = 7 * model.config.num_hidden_layers;
        let grids = match &self.layers[..] {
            [] => [vec![Grid { format: self.format, scaling: self.scaling }; count], vec![head]].concat(),
            own => own.to_vec(),
        };
        grids.into_iter().map(|grid| Coding { grid, mode: self.acts, rule: self.scale_rule }).collect()
    }

    fn sequence<'a>(&self, recipe: &Recipe, net: &'a Net, codings: &'a [Coding]) -> Sequence<'a> {
        let rounding = Rounding {
            search: recipe.has(Technique::Clip),
            gptq: recipe.has(Technique::Gptq),
            correct: recipe.share(),
            damping: DAMPING,
            rule: self.scale_rule,
        };
        let kv = KvCoding { bits: self.kv_bits, prob_top: self.prob_top, margin: kv::margin(self.kv_bits) };
        Sequence { net, codings, rounding, kv }
    }

    fn check(&self, model: &Model) -> Result<(), Error> {
        let count = model.config.linears().len();
        if !(self.layers.is_empty() || self.layers.len() == count) {
            let cure = "give every linear layer its format, the head last";
            return Err(Error::input("formats of layers", self.layers.len(), count.to_string(), cure));
        }
        if !self.format.scalings().contains(&self.scaling) {
            let allowed: Vec<_> = self.format.scalings().iter().map(|s| s.name()).collect();
            let field = format!("scaling of {}", self.format.name());
            return Err(Error::input(field, self.scaling.name(), allowed.join(", "), "name one of them"));
        }
        if !(self.kv_bits == 8 || self.kv_bits == 4) {
            return Err(Error::input("kv_bits", self.kv_bits, "4, 8", "give one of them"));
        }
        if !(8..=15).contains(&self.sigmoid_bits) {
            return Err(Error::input("sigmoid_bits", self.sigmoid_bits, "8..=15", "give one of them"));
        }
        let refuses = |coding: &Coding| !can_be_asymmetric(coding.grid);
        if self.acts == ActMode::Asymmetric
            && let Some(coding) = self.codings(model).iter().find(|c| refuses(c))
        {
            let allowed = format!("symmetric in format {}", coding.grid.format.name());
            let cure = "use a format with INT8 activations and no MX blocks";
            return Err(Error::input("activations", self.acts.name(), allowed, cure));
        }
        Ok(())
    }
}

/// The longest Hadamard transform: over more than a block of MXFP4 it would spread outliers into blocks that had none.
pub(super) fn longest_rotation(scaling: Scaling) -> usize {
    if scaling == Scaling::Mx32 { 32 } else { MOST_ROTATED }
}

/// [`quantize_showing`] without anybody who looks.
///
/// # Errors
/// As [`quantize_showing`].
pub fn quantize_model(model: &Model, options: &PtqOptions, calibration: &Windows) -> Result<QModel, Error> {
    quantize_showing(model, options, calibration, &mut |_, _| {})
}

/// Quantizes a checkpoint by a recipe; everything it learns of activations it learns on the calibration windows.
///
/// `done` is told how many of how many linear layers are, those of models that are only tried counted too. The same model, options and windows give the same bytes on any
/// machine, with any number of threads.
///
/// # Errors
/// [`Error::Input`] if the model is quantized already, cannot take the windows, or options contradict each other.
pub fn quantize_showing(
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    done: &mut dyn FnMut(usize, usize),
) -> Result<QModel, Error> {
    let count = model.config.linears().len();
    let (trials, mut tried) = (choose::trials(model, options), 0);
    let all = (trials + 1) * count;
    options.check(model)?;
    calibration.check(&model.config)?;
    let options = choose::settled(model, options, calibration, &mut || {
        tried += count;
        done(tried, all);
    })?;
    let q = quantized(model, &options, calibration, &mut |layers| done(trials * count + layers, all))?;
    done(all, all);
    Ok(q)
}

/// Quantizes by the recipe of the options, the usual one where they have none; `done` is told how many layers are.
pub(super) fn quantized(
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    done: &mut dyn FnMut(usize),
) -> Result<QModel, Error> {
    options.check(model)?;
    calibration.check(&model.config)?;
    let recipe = options.recipe.clone().unwrap_or_else(|| Recipe::usual(options.format));
    let rope = tables::rope(&model.config)?;
    let codings = options.codings(model);
    let net = prepared(model, &recipe, longest_rotation(options.scaling), &codings, calibration)?;
    let (fits, head) = options.sequence(&recipe, &net, &codings).run(calibration, done);
    let mode = options.acts;
    let blocks = net.blocks.iter().zip(fits).map(|(block, fit)| {
        let mut layers = fit.linears.into_iter().zip(&block.linears).map(|(fitted, linear)| fitted.layer(linear, mode));
        let mut next = || layers.next().expect("a block has seven linear layers");
        QBlock {
            attn_norm: tables::norm(&block.attn_gain, &net.config),
            q: next(),
            k: next(),
            v: next(),
            cache: fit.cache,
            o: next(),
            ffn_norm: tables::norm(&block.ffn_gain, &net.config),
            gate: next(),
            up: next(),
            down: next(),
        }
    });
    Ok(QModel {
        config_json: model.config_json.clone(),
        tokenizer_json: model.tokenizer.json().to_string(),
        options: QOptions {
            format: options.name(),
            recipe: recipe.name(),
            exp: options.exp,
            prob_top: options.prob_top,
            sigmoid_bits: options.sigmoid_bits,
            kv_bits: options.kv_bits,
            scale_rule: options.scale_rule,
        },
        embedding: tables::embedding(&net.embedding),
        rope,
        blocks: blocks.collect(),
        norm: tables::norm(&net.gain, &net.config),
        head: head.layer(&net.head, mode),
    })
}

/// The checkpoint's net after rotations and smoothing.
fn prepared(
    model: &Model,
    recipe: &Recipe,
    most: usize,
    codings: &[Coding],
    calibration: &Windows,
) -> Result<Net, Error> {
    // A rotated stream passes through norms without gains only.
    let keeps_gains = recipe.has(Technique::Gain) && !recipe.has(Technique::Rotate);
    let mut net = if keeps_gains { Net::with_gains(model)? } else { Net::new(model)? };
    if recipe.has(Technique::Rotate) {
        rotate::residual(&mut net, most);
    }
    let smoothing = Smoothing {
        smooth: recipe.has(Technique::Smooth),
        heads: recipe.has(Technique::Heads),
        rotation: if recipe.has(Technique::Online) { most } else { 1 },
    };
    if smoothing != Smoothing::NONE {
        smooth(&mut net, codings, calibration, smoothing);
    }
    Ok(net)
}
