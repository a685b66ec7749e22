//! A checkpoint to a whole model in integers.

use spec::model::{PROB_TOP_15, QBlock, QModel, QOptions};
use spec::qmodel::ActMode;
use spec::{ExpKind, Format, ScaleRule, Scaling};

use super::eval::Windows;
use super::fit::{Fitted, can_be_asymmetric};
use super::grid::Grid;
use super::net::{Net, NetLinear};
use super::scales::Scales;
use super::{kv, tables};
use crate::error::Error;
use crate::load::model::Model;

/// How to quantize a model.
#[derive(Clone, Debug, PartialEq)]
pub struct PtqOptions {
    /// Format of the linear layers, the head's apart.
    pub format: Format,
    /// What scales the blocks of their weights; one of [`Format::scalings`].
    pub scaling: Scaling,
    /// Format of the head, with the first of its scalings.
    pub head: Format,
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
    /// What the largest code of keys and values stands for, over the largest magnitude that calibration saw.
    pub kv_margin: f64,
}

impl PtqOptions {
    /// The usual options of a format: its first scaling, head in INT8, all else as the hardware has it by default.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            scaling: format.scalings()[0],
            head: Format::W8a8,
            acts: ActMode::Symmetric,
            exp: ExpKind::Poly,
            prob_top: PROB_TOP_15,
            sigmoid_bits: 15,
            kv_bits: 8,
            scale_rule: ScaleRule::RoundUpToGrid,
            kv_margin: 1.0,
        }
    }

    fn check(&self) -> Result<(), Error> {
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
        let grid = Grid { format: self.format, scaling: self.scaling };
        if self.acts == ActMode::Asymmetric && !can_be_asymmetric(grid) {
            let allowed = format!("symmetric in format {}", self.format.name());
            let cure = "use a format with INT8 activations and no MX blocks";
            return Err(Error::input("activations", self.acts.name(), allowed, cure));
        }
        Ok(())
    }
}

/// Quantizes a checkpoint; ranges of keys and values are those of the calibration windows.
///
/// The same model, options and windows give the same bytes on any machine, with any number of threads.
///
/// # Errors
/// [`Error::Input`] if the model is quantized already, cannot take the windows, or options contradict each other.
pub fn quantize_model(model: &Model, options: &PtqOptions, calibration: &Windows) -> Result<QModel, Error> {
    options.check()?;
    let net = Net::new(model)?;
    let ranges = kv::ranges(model, calibration)?;
    let rope = tables::rope(&net.config)?;
    let layer = |linear: &NetLinear, grid: Grid| {
        let fitted = Fitted::nearest(&linear.weight, grid, Scales::Widest(options.scale_rule));
        fitted.layer(linear, options.acts)
    };
    let norm = || tables::norm(&[], 1.0, &net.config);
    let blocks = net.blocks.iter().zip(&ranges).map(|(block, ranges)| {
        let grid = Grid { format: options.format, scaling: options.scaling };
        let [q, k, v, o, gate, up, down] = block.linears.each_ref().map(|linear| layer(linear, grid));
        let cache = kv::cache(ranges, &net.config, options.kv_bits, options.prob_top, options.kv_margin);
        QBlock { attn_norm: norm(), q, k, v, cache, o, ffn_norm: norm(), gate, up, down }
    });
    let head = Grid { format: options.head, scaling: options.head.scalings()[0] };
    Ok(QModel {
        config_json: model.config_json.clone(),
        tokenizer_json: model.tokenizer.json().to_string(),
        options: QOptions {
            format: options.format.name().into(),
            recipe: "plain".into(),
            exp: options.exp,
            prob_top: options.prob_top,
            sigmoid_bits: options.sigmoid_bits,
            kv_bits: options.kv_bits,
            scale_rule: options.scale_rule,
        },
        embedding: tables::embedding(&net.embedding),
        rope,
        blocks: blocks.collect(),
        norm: norm(),
        head: layer(&net.head, head),
    })
}
