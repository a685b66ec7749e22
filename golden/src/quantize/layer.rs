//! One layer of a real model: its true inputs for given tokens, and all of it in integers.

use std::ops::ControlFlow;

use spec::model::{QLayer, QModel};
use spec::qmodel::{ActMode, QActs, QLinear};
use spec::{Format, Problem, RequantMode, Scaling, Tensor};

use super::code::value;
use super::forward::{Cache, Llama, Observe, weight};
use super::linear::{quantize_acts, quantize_weights, with_requant};
use crate::error::{Error, no_problems};
use crate::layers::{self, KvCache, Layers, WideRow};
use crate::load::config::ModelConfig;
use crate::load::model::{Model, Weights};
use crate::op::input::InputRow;

/// Keeps the input, and on request the output, of one linear layer, then ends the pass.
struct Capture<'a> {
    layer: &'a str,
    wants_output: bool,
    input: Option<Tensor<f32>>,
    output: Option<Tensor<f32>>,
}

impl Observe for Capture<'_> {
    fn input(&mut self, layer: &str, x: &Tensor<f32>) -> ControlFlow<()> {
        if layer != self.layer {
            return ControlFlow::Continue(());
        }
        self.input = Some(x.clone());
        if self.wants_output { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn output(&mut self, layer: &str, y: &Tensor<f32>) -> ControlFlow<()> {
        if layer != self.layer {
            return ControlFlow::Continue(());
        }
        self.output = Some(y.clone());
        ControlFlow::Break(())
    }
}

/// What the FP32 model feeds into a linear layer for these tokens: `[tokens, k]`.
///
/// # Errors
/// [`Error::UnknownLayer`]; [`Error::Input`] for tokens the model cannot take, or a QModel.
pub fn layer_inputs(model: &Model, layer: &str, ids: &[u32]) -> Result<Tensor<f32>, Error> {
    capture(model, layer, ids, false).map(|(input, _)| input)
}

/// A layer in integers, and its true inputs for these tokens in integers.
///
/// The static mode is calibrated on the layer's outputs for the same tokens. A checkpoint's layer is quantized by itself,
/// with the FP32 model's inputs; a QModel gives its own, and the inputs of its forward pass in integers.
///
/// # Errors
/// As [`layer_inputs`]; asymmetric activations in a format that has none; for a QModel everything in which the layer
/// differs from what is asked for, or from what the tile engine computes: one step a channel. Inputs of a layer that
/// rotates them are given as they are after the rotation.
pub fn quantized_layer(
    model: &Model,
    layer: &str,
    format: Format,
    requant: RequantMode,
    acts: ActMode,
    ids: &[u32],
) -> Result<(QLinear, QActs), Error> {
    check_layer(&model.config, layer)?;
    if let Weights::Quantized(q) = &model.weights {
        let own = own_layer(q, layer, &model.source, format, acts)?;
        return own_quantized(q, own, requant, ids);
    }
    let (input, output) = capture(model, layer, ids, requant == RequantMode::Static)?;
    let codes = quantize_acts(&input, format, acts)?;
    let q = quantize_weights(layer, format, weight(model, layer), input.cols);
    let amax = output.map(|y| y.data.iter().fold(0.0f32, |top, v| top.max(v.abs())));
    Ok((with_requant(q, requant, amax)?.linear, codes))
}

/// A QModel's layer, if it is what was asked for and the tile engine computes it.
fn own_layer<'q>(q: &'q QModel, layer: &str, source: &str, format: Format, acts: ActMode) -> Result<&'q QLayer, Error> {
    let own = q.linears().find(|l| l.linear.name == layer).expect("names of a QModel's layers are its config's");
    let mut problems = Vec::new();
    let mut note = |field: &str, value: String, allowed: String, cure: &str| {
        problems.push(Problem::new(format!("{source}: {layer}: {field}"), value, allowed, cure));
    };
    let again = "quantize the original checkpoint to that format";
    if own.linear.format != format {
        note("format", format.name().into(), format!("{}, the layer's own", own.linear.format.name()), again);
    }
    if own.scaling != Scaling::Channel {
        let cure =
            "the tile engine has one step a channel: name a layer of w8a8, or quantize to a format without blocks";
        note("scaling", own.scaling.name().into(), "channel".into(), cure);
    }
    if own.acts != acts {
        let cure = "leave --acts out, or quantize the original checkpoint so";
        note("acts", acts.name().into(), format!("{}, the layer's own", own.acts.name()), cure);
    }
    no_problems(problems)?;
    Ok(own)
}

/// A QModel's layer and its input rows in the model's forward pass.
fn own_quantized(q: &QModel, own: &QLayer, requant: RequantMode, ids: &[u32]) -> Result<(QLinear, QActs), Error> {
    let mut seen = Rows { layer: &own.linear.name, inputs: Vec::new(), amax: 0.0 };
    Layers::new(q)?.forward(ids, &mut KvCache::default(), &mut seen)?;
    let scales = seen.inputs.iter().map(|row| row.scale).collect();
    let codes = seen.inputs.into_iter().flat_map(|row| row.codes).collect();
    let acts = QActs { codes: Tensor::new(ids.len(), own.linear.weight.cols, codes), scales };
    Ok((with_requant(own.clone(), requant, Some(seen.amax))?.linear, acts))
}

/// Keeps the coded input rows of a layer of a QModel, and the largest magnitude of its outputs.
struct Rows<'a> {
    layer: &'a str,
    inputs: Vec<InputRow>,
    amax: f32,
}

impl layers::Observe for Rows<'_> {
    fn linear(&mut self, layer: &str, inputs: &[InputRow], sums: &[WideRow]) {
        if layer != self.layer {
            return;
        }
        self.inputs = inputs.to_vec();
        let largest = |row: &WideRow| {
            let top = row.values.iter().map(|a| a.unsigned_abs()).max().unwrap_or(0);
            (top as f64 * value(row.step)) as f32
        };
        self.amax = sums.iter().map(largest).fold(0.0, f32::max);
    }
}

fn capture(
    model: &Model,
    layer: &str,
    ids: &[u32],
    wants_output: bool,
) -> Result<(Tensor<f32>, Option<Tensor<f32>>), Error> {
    check_layer(&model.config, layer)?;
    let mut seen = Capture { layer, wants_output, input: None, output: None };
    let _ = Llama::new(model)?.observe(ids, &mut Cache::default(), &mut seen)?;
    Ok((seen.input.expect("the pass runs every linear layer of the model"), seen.output))
}

/// Checks the name of a linear layer.
///
/// # Errors
/// [`Error::UnknownLayer`].
pub fn check_layer(config: &ModelConfig, layer: &str) -> Result<(), Error> {
    let names: Vec<String> = config.linears().into_iter().map(|(name, ..)| name).collect();
    if names.iter().any(|name| name == layer) {
        return Ok(());
    }
    Err(Error::UnknownLayer { layer: layer.to_string(), names })
}
