//! One layer of a real model: its true inputs for given tokens, and all of it in integers.

use std::ops::ControlFlow;

use spec::qmodel::{ActMode, QActs, QLayer, QLinear};
use spec::{Format, RequantMode, Tensor};

use super::forward::{Cache, Llama, Observe, q_layer, weight};
use super::linear::{quantize_acts, quantize_weights, with_requant};
use crate::error::Error;
use crate::load::config::ModelConfig;
use crate::load::model::{Model, Weights};

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
/// [`Error::UnknownLayer`]; [`Error::Input`] for tokens the model cannot take.
pub fn layer_inputs(model: &Model, layer: &str, ids: &[u32]) -> Result<Tensor<f32>, Error> {
    capture(model, layer, ids, false).map(|(input, _)| input)
}

/// A layer in integers, and its true inputs for these tokens in integers.
///
/// The static mode is calibrated on the layer's outputs for the same tokens. A quantized model gives its own weights,
/// and its own requantisation where that has the mode asked for.
///
/// # Errors
/// As [`layer_inputs`]; also for a format other than a quantized model's own, and asymmetric activations in a format
/// that has none.
pub fn quantized_layer(
    model: &Model,
    layer: &str,
    format: Format,
    requant: RequantMode,
    acts: ActMode,
    ids: &[u32],
) -> Result<(QLinear, QActs), Error> {
    let own = own_layer(model, layer, format)?;
    let calibrate = requant == RequantMode::Static && own.as_ref().is_none_or(|l| l.linear.requant.mode != requant);
    let (input, output) = capture(model, layer, ids, calibrate)?;
    let codes = quantize_acts(&input, format, acts)?;
    let q = own.unwrap_or_else(|| quantize_weights(layer, format, &weight(model, layer), input.cols));
    if q.linear.requant.mode == requant {
        return Ok((q.linear, codes));
    }
    let amax = output.map(|y| y.data.iter().fold(0.0f32, |top, v| top.max(v.abs())));
    Ok((with_requant(q, requant, amax)?.linear, codes))
}

fn own_layer(model: &Model, layer: &str, format: Format) -> Result<Option<QLayer>, Error> {
    check_layer(&model.config, layer)?;
    let Weights::Quantized(q) = &model.weights else { return Ok(None) };
    if q.options.format != format {
        let (field, own) = (format!("{}: format", model.source), q.options.format.name());
        let cure = "quantize the original checkpoint to that format";
        return Err(Error::input(field, format.name(), format!("{own}, the format of this QModel"), cure));
    }
    Ok(Some(q_layer(q, layer).clone()))
}

fn capture(
    model: &Model,
    layer: &str,
    ids: &[u32],
    wants_output: bool,
) -> Result<(Tensor<f32>, Option<Tensor<f32>>), Error> {
    check_layer(&model.config, layer)?;
    let mut seen = Capture { layer, wants_output, input: None, output: None };
    let _ = Llama::new(model).observe(ids, &mut Cache::default(), &mut seen)?;
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
