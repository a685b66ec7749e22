//! A model from wherever the user has it: a Hugging Face directory, a QModel file, or the one in the binary.

use std::path::Path;

use spec::model::QModel;

use super::checkpoint::{self, FloatTensors, read_text};
use super::config::ModelConfig;
use super::container::Container;
use super::tokenizer::Tokenizer;
use super::{qmodel, shipped};
use crate::error::Error;

/// A model that was read and checked.
#[derive(Clone, Debug)]
pub struct Model {
    /// The source as the user gave it.
    pub source: String,
    /// Its shape.
    pub config: ModelConfig,
    /// Text of its `config.json`.
    pub config_json: String,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its weights.
    pub weights: Weights,
}

/// Weights of a model.
#[derive(Clone, Debug)]
pub enum Weights {
    /// A checkpoint.
    Float(FloatTensors),
    /// A model in integers.
    Quantized(Box<QModel>),
}

impl Model {
    /// The weights of a checkpoint.
    ///
    /// # Errors
    /// [`Error::Input`] for a QModel, which has none in floating point.
    pub fn checkpoint(&self) -> Result<&FloatTensors, Error> {
        match &self.weights {
            Weights::Float(tensors) => Ok(tensors),
            Weights::Quantized(_) => {
                let cure = "give the checkpoint that it was made from";
                Err(Error::input("model", format!("{} (a QModel)", self.source), "a checkpoint", cure))
            }
        }
    }
}

/// Opens a model: `fairy` is the shipped one, anything else a path to a directory or to a QModel file (a directory of
/// that name is `./fairy`).
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] with everything that is wrong with the files.
pub fn open(source: &str) -> Result<Model, Error> {
    if source == shipped::NAME {
        return open_shipped();
    }
    let path = Path::new(source);
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => open_dir(path, source),
        Ok(_) => {
            let q = qmodel::read(path)?;
            let config = ModelConfig::from_json(&q.config_json, &format!("{source}: config.json"))?;
            let tokenizer =
                Tokenizer::from_json(q.tokenizer_json.clone(), &config, &format!("{source}: tokenizer.json"))?;
            let config_json = q.config_json.clone();
            Ok(Model {
                source: source.into(),
                config,
                config_json,
                tokenizer,
                weights: Weights::Quantized(Box::new(q)),
            })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let allowed = format!("a Hugging Face directory, a QModel file, or `{}`", shipped::NAME);
            Err(Error::input("model", format!("{source:?}, which does not exist"), allowed, "check the path"))
        }
        Err(e) => Err(Error::read(path, e)),
    }
}

fn open_dir(dir: &Path, source: &str) -> Result<Model, Error> {
    let (config_path, tokenizer_path) = (dir.join("config.json"), dir.join("tokenizer.json"));
    let config_json = read_text(&config_path, "fetch config.json of the model")?;
    let config = ModelConfig::from_json(&config_json, &config_path.display().to_string())?;
    let tokenizer_json = read_text(&tokenizer_path, "fetch tokenizer.json of the model")?;
    let tokenizer = Tokenizer::from_json(tokenizer_json, &config, &tokenizer_path.display().to_string())?;
    let weights = Weights::Float(checkpoint::read_dir(dir, &config)?);
    Ok(Model { source: source.into(), config, config_json, tokenizer, weights })
}

fn open_shipped() -> Result<Model, Error> {
    let config = ModelConfig::from_json(shipped::CONFIG, "fairy: config.json")?;
    let tokenizer = Tokenizer::from_json(shipped::TOKENIZER.into(), &config, "fairy: tokenizer.json")?;
    let container = Container::from_bytes(shipped::WEIGHTS, "fairy: model.safetensors")?;
    let weights = Weights::Float(checkpoint::read_weights(vec![container], &config)?);
    Ok(Model { source: shipped::NAME.into(), config, config_json: shipped::CONFIG.into(), tokenizer, weights })
}
