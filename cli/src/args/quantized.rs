//! Arguments that say how a model is quantized on the fly, and the model in integers that comes of it.

use std::path::PathBuf;

use clap::Args;
use golden::load::Model;
use golden::load::model::Weights;
use golden::quantize::mixed::{self, Ladder, Target};
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_showing, self_written};
use spec::Format;
use spec::model::QModel;

use crate::args::numeric::Choice;
use crate::error::Error;
use crate::output::Output;

/// How a checkpoint is quantized; a QModel file is quantized already.
#[derive(Args, Clone, Debug)]
pub struct QuantizedArgs {
    /// `plain`, `best`, or techniques joined by +, see `systole quantize --help` [default: best]
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Text or windows JSON on which ranges are measured [default: text that the model writes itself]
    #[arg(long, value_name = "FILE")]
    calib: Option<PathBuf>,
}

impl QuantizedArgs {
    /// As if a recipe and calibration text had been given on the command line.
    pub fn of(recipe: Option<String>, calib: Option<PathBuf>) -> Self {
        Self { recipe, calib }
    }

    /// Whether a recipe was named.
    pub fn has_recipe(&self) -> bool {
        self.recipe.is_some()
    }

    /// Whether calibration text was given.
    pub fn has_calibration(&self) -> bool {
        self.calib.is_some()
    }

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
        choice: Choice,
        calibration: &Windows,
        output: &Output,
    ) -> Result<QModel, Error> {
        let format = match choice {
            Choice::Even(format) => format,
            Choice::Mixed => Format::W4a8,
        };
        let recipe = Recipe::from_name(self.recipe.as_deref().unwrap_or("best"))?;
        let mut options = PtqOptions { recipe, ..PtqOptions::new(format) };
        let layers = model.config.linears().len() as u64;
        if choice == Choice::Mixed {
            let progress = output.bar(layers, "measuring layers");
            let ladder = Ladder::new(model, calibration, &mut |done, _| progress.set_position(done as u64))?;
            let target = Target::Bytes(mixed::bytes(model, &PtqOptions::new(format)));
            progress.finish_and_clear();
            let progress = output.spinner("choosing a recipe and formats of layers");
            options = mixed::choose(model, &options, calibration, &ladder, target)?;
            progress.finish_and_clear();
        }
        let progress = output.bar(layers, &format!("quantizing to {}", choice.name()));
        let quantized = quantize_showing(model, &options, calibration, &mut |done, of| {
            progress.set_length(of as u64);
            progress.set_position(done as u64);
        })?;
        progress.finish_and_clear();
        Ok(quantized)
    }

    /// A model in integers: a checkpoint quantized, or what a QModel file holds, if its format is the one asked for.
    ///
    /// # Errors
    /// As [`Self::quantize`]; for a QModel of another format, or told to be quantized again.
    pub fn integers(&self, model: &Model, format: Option<Choice>, output: &Output) -> Result<QModel, Error> {
        match &model.weights {
            Weights::Float(_) => {
                let calibration = self.calibration(model, output)?;
                self.quantize(model, format.unwrap_or(Choice::Even(Format::W8a8)), &calibration, output)
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
