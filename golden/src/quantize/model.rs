//! A whole model in integers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use spec::qmodel::{ActMode, QModel, QOptions};
use spec::{Format, Operand, RequantMode, Tensor};

use super::eval::Windows;
use super::forward::{Cache, Llama, Observe, weight};
use super::linear::{quantize_weights, with_requant};
use crate::error::Error;
use crate::load::model::{Model, Weights};

/// How to quantize a model.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What is written into the QModel.
    pub numeric: QOptions,
    /// Windows to calibrate on; only the static mode needs them.
    pub calibration: Option<&'a Windows>,
}

impl Options<'_> {
    /// The usual options of a format: dynamic requantisation, symmetric activations.
    pub fn new(format: Format) -> Self {
        let numeric = QOptions { format, requant: RequantMode::Dynamic, acts: ActMode::Symmetric };
        Self { numeric, calibration: None }
    }
}

/// Quantizes every linear layer of a checkpoint.
///
/// # Errors
/// [`Error::Input`] if the model is quantized already, the static mode lacks calibration windows, or activations with a
/// zero point are asked for in a format whose activations are not INT8.
pub fn quantize(model: &Model, options: &Options) -> Result<QModel, Error> {
    let QOptions { format, requant, acts } = options.numeric;
    let Weights::Float(tensors) = &model.weights else {
        let cure = "quantize the original checkpoint";
        return Err(Error::input("model", format!("{} (a QModel)", model.source), "a checkpoint", cure));
    };
    if acts == ActMode::Asymmetric && format.act() != Operand::Int8 {
        let allowed = format!("symmetric in format {}", format.name());
        return Err(Error::input("activations", acts.name(), allowed, "use a format with INT8 activations"));
    }
    let outputs = match (requant, options.calibration) {
        (RequantMode::Static, Some(windows)) => output_ranges(model, windows)?,
        _ => BTreeMap::new(),
    };
    let mut layers = Vec::new();
    for (name, _, k) in model.config.linears() {
        let layer = quantize_weights(&name, format, &weight(model, &name), k);
        layers.push(with_requant(layer, requant, outputs.get(&name).copied())?);
    }
    let floats = model.config.float_tensors().into_iter().map(|(name, _)| tensors[&name].clone()).collect();
    Ok(QModel {
        config_json: model.config_json.clone(),
        tokenizer_json: model.tokenizer.json().to_string(),
        options: options.numeric,
        layers,
        floats,
    })
}

/// The largest magnitude of each linear layer's outputs over all windows.
fn output_ranges(model: &Model, windows: &Windows) -> Result<BTreeMap<String, f32>, Error> {
    struct Ranges(BTreeMap<String, f32>);
    impl Observe for Ranges {
        fn output(&mut self, layer: &str, y: &Tensor<f32>) -> ControlFlow<()> {
            let top = y.data.iter().fold(0.0f32, |top, v| top.max(v.abs()));
            let seen = self.0.entry(layer.to_string()).or_default();
            *seen = seen.max(top);
            ControlFlow::Continue(())
        }
    }
    windows.check(&model.config)?;
    let llama = Llama::new(model);
    let mut ranges = Ranges(BTreeMap::new());
    for ids in windows.inputs() {
        let _ = llama.observe(ids, &mut Cache::default(), &mut ranges)?;
    }
    Ok(ranges.0)
}
