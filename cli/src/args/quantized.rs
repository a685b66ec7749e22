//! Arguments that say how a model is quantized on the fly, and the model in integers that comes of it.

use std::path::PathBuf;

use clap::Args;
use golden::load::Model;
use golden::load::model::Weights;
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model, self_written};
use spec::Format;
use spec::model::QModel;

use crate::error::Error;
use crate::output::Output;

/// How a checkpoint is quantized; a QModel file is quantized already.
#[derive(Args, Clone, Debug)]
pub struct QuantizedArgs {
    /// Recipe of the quantization [default: the best known one of the format]
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Text or windows JSON on which ranges are measured [default: text that the model writes itself]
    #[arg(long, value_name = "FILE")]
    calib: Option<PathBuf>,
}

impl QuantizedArgs {
    /// Windows to calibrate a checkpoint on.
    ///
    /// # Errors
    /// For a file that cannot be used.
    pub fn calibration(&self, model: &Model, output: &Output) -> Result<Windows, Error> {
        if let Some(path) = &self.calib {
            return Ok(Windows::from_any(path, model)?);
        }
        let progress = output.bar(0, "writing text to calibrate on");
        let windows = self_written(model, 0, &|done, all| {
            progress.set_length(all as u64);
            progress.set_position(done as u64);
        })?;
        progress.finish_and_clear();
        Ok(windows)
    }

    /// A checkpoint in integers.
    ///
    /// # Errors
    /// For a model that the format or recipe cannot take.
    pub fn quantize(
        &self,
        model: &Model,
        format: Format,
        calibration: &Windows,
        output: &Output,
    ) -> Result<QModel, Error> {
        let recipe = Recipe::from_name(self.recipe.as_deref().unwrap_or("best"), format)?;
        let options = PtqOptions { recipe, ..PtqOptions::new(format) };
        let progress = output.spinner(&format!("quantizing {} to {}", model.source, format.name()));
        let quantized = quantize_model(model, &options, calibration)?;
        progress.finish_and_clear();
        Ok(quantized)
    }

    /// A model in integers: a checkpoint quantized, or what a QModel file holds, if its format is the one asked for.
    ///
    /// # Errors
    /// As [`Self::quantize`]; for a QModel of another format, or told to be quantized again.
    pub fn integers(&self, model: &Model, format: Option<Format>, output: &Output) -> Result<QModel, Error> {
        match &model.weights {
            Weights::Float(_) => {
                let calibration = self.calibration(model, output)?;
                self.quantize(model, format.unwrap_or(Format::W8a8), &calibration, output)
            }
            Weights::Quantized(q) => {
                let cure = "leave it away, or give the checkpoint";
                if self.recipe.is_some() || self.calib.is_some() {
                    let field = if self.recipe.is_some() { "--recipe" } else { "--calib" };
                    let value = format!("given for {}", model.source);
                    return Err(Error::input(field, value, "nothing for a QModel, which is quantized already", cure));
                }
                if let Some(format) = format.filter(|f| f.name() != q.options.format) {
                    let allowed = format!("{}, the format of this QModel", q.options.format);
                    return Err(Error::input("--format", format.name(), &allowed, cure));
                }
                Ok((**q).clone())
            }
        }
    }
}
