//! Linear layers in integers, with the hardware that is to run them.

use golden::gemm::{Shape, random_layer};
use golden::layers::{KvCache, Layers};
use golden::load::model::Weights;
use golden::load::{self, Model};
use golden::quantize::layer::check_layer;
use golden::quantize::{Cache, Llama, quantized_layer};
use golden::sample::greedy;
use spec::model::QModel;
use spec::qmodel::{ActMode, QActs, QLinear};
use spec::{Config, Format, RequantMode};

use crate::error::Error;
use crate::output::Output;

/// Numeric options that were asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numeric {
    /// Number format.
    pub format: Option<Format>,
    /// Requantisation.
    pub requant: Option<RequantMode>,
    /// Coding of activations.
    pub acts: Option<ActMode>,
}

/// Numeric options that were chosen.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    /// Number format.
    pub format: Format,
    /// Requantisation.
    pub requant: RequantMode,
    /// Coding of activations.
    pub acts: ActMode,
}

/// Layers to run, and on what.
pub struct Workload {
    /// The hardware.
    pub config: Config,
    /// Numeric options of every layer.
    pub options: Chosen,
    source: Source,
}

enum Source {
    Gemm(Shape, u64),
    Model { model: Box<Model>, layers: Vec<String>, ids: Vec<u32> },
}

/// A product of random operands.
///
/// # Errors
/// For numeric options that the hardware cannot be given.
pub fn gemm(config: Config, numeric: Numeric, shape: Shape, seed: u64, output: &Output) -> Result<Workload, Error> {
    let (config, options) = fit(config, numeric, None, output)?;
    Ok(Workload { config, options, source: Source::Gemm(shape, seed) })
}

/// One layer of a model, or those of all its blocks, with the activations of a prompt: its first `tokens` tokens, or, if
/// it has fewer, as many more as the FP32 model continues it with, the most likely one each time.
///
/// # Errors
/// For a model, layer or prompt that cannot be used.
pub fn model(
    config: Config,
    numeric: Numeric,
    source: &str,
    layer: Option<&str>,
    (prompt, tokens): (&str, Option<usize>),
    output: &Output,
) -> Result<Workload, Error> {
    let progress = output.spinner(&format!("reading {source}"));
    let model = Box::new(load::open(source)?);
    let layers: Vec<String> = match layer {
        Some(name) => {
            check_layer(&model.config, name)?;
            vec![name.to_string()]
        }
        None => {
            let all = model.config.linears().into_iter().map(|(name, ..)| name);
            all.filter(|name| name.starts_with("model.layers.")).collect()
        }
    };
    let own = match &model.weights {
        Weights::Quantized(q) => own_coding(q, &layers[0]),
        Weights::Float(_) => None,
    };
    let (config, options) = fit(config, numeric, own, output)?;
    progress.set_message("reading the prompt");
    let ids = ids(&model, "--tokens", prompt, tokens)?;
    progress.finish_and_clear();
    Ok(Workload { config, options, source: Source::Model { model, layers, ids } })
}

/// Format and coding of the inputs of a QModel's layer.
fn own_coding(q: &QModel, layer: &str) -> Option<(Format, ActMode)> {
    q.linears().find(|l| l.linear.name == layer).map(|l| (l.linear.format, l.acts))
}

/// Token ids of a prompt, cut or continued to `tokens`.
///
/// # Errors
/// For a prompt that cannot be used, or a length, which `option` gave, that the model does not have.
pub fn ids(model: &Model, option: &str, prompt: &str, tokens: Option<usize>) -> Result<Vec<u32>, Error> {
    let mut ids = model.tokenizer.encode(prompt)?;
    let Some(wanted) = tokens else { return Ok(ids) };
    check_length(option, wanted, model)?;
    if ids.len() < wanted && !ids.is_empty() {
        match &model.weights {
            Weights::Float(_) => continue_float(model, &mut ids, wanted)?,
            Weights::Quantized(q) => continue_integers(q, &mut ids, wanted)?,
        }
    }
    ids.truncate(wanted);
    Ok(ids)
}

/// Checks that the model has so many positions.
///
/// # Errors
/// If it has fewer, or none are wanted.
pub fn check_length(option: &str, wanted: usize, model: &Model) -> Result<(), Error> {
    let most = model.config.max_position_embeddings;
    if (1..=most).contains(&wanted) {
        return Ok(());
    }
    let allowed = format!("1..={most} (max_position_embeddings)");
    Err(Error::input(option, wanted, &allowed, "use fewer tokens"))
}

/// Adds the most likely token of the FP32 model until there are as many as wanted.
fn continue_float(model: &Model, ids: &mut Vec<u32>, wanted: usize) -> Result<(), Error> {
    let (llama, mut cache) = (Llama::new(model)?, Cache::default());
    let mut logits = llama.forward(ids, &mut cache)?;
    while ids.len() < wanted {
        let last = logits.row(logits.rows - 1);
        let best = (0..last.len()).rev().max_by(|&a, &b| last[a].total_cmp(&last[b])).unwrap_or(0) as u32;
        ids.push(best);
        if ids.len() < wanted {
            logits = llama.forward(&[best], &mut cache)?;
        }
    }
    Ok(())
}

/// Adds the most likely token of the model in integers until there are as many as wanted.
fn continue_integers(q: &QModel, ids: &mut Vec<u32>, wanted: usize) -> Result<(), Error> {
    let (layers, mut cache) = (Layers::new(q)?, KvCache::default());
    let mut new = ids.clone();
    while ids.len() < wanted {
        new = vec![greedy(layers.next(&new, &mut cache)?.rows.row(0))];
        ids.extend(&new);
    }
    Ok(())
}

/// The hardware and numeric options that go with each other.
///
/// A format that the Config does not offer replaces its formats, and its PE kind with them.
fn fit(
    mut config: Config,
    numeric: Numeric,
    own: Option<(Format, ActMode)>,
    output: &Output,
) -> Result<(Config, Chosen), Error> {
    let format = numeric.format.or(own.map(|(format, _)| format)).unwrap_or(config.pe.formats[0]);
    let usual = |modes: &[RequantMode]| {
        if modes.contains(&RequantMode::Dynamic) { RequantMode::Dynamic } else { modes[0] }
    };
    let requant = numeric.requant.unwrap_or(usual(&config.requant.modes));
    let acts = numeric.acts.or(own.map(|(_, acts)| acts)).unwrap_or(ActMode::Symmetric);
    if !config.pe.formats.contains(&format) {
        let (kind, name) = (format.pe_kind(), format.name());
        config.pe.kind = kind;
        config.pe.formats = vec![format];
        config.validate()?;
        output.remark(&format!(
            "the configuration does not offer {name}; the hardware is as with --set pe.kind={} --set pe.formats={name}",
            kind.name()
        ));
    }
    config.check_engine().map_err(|problem| Error::Input(problem.to_string()))?;
    Ok((config, Chosen { format, requant, acts }))
}

impl Workload {
    /// Number of layers.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Gemm(..) => 1,
            Source::Model { layers, .. } => layers.len(),
        }
    }

    /// Name of a layer, or what the product is.
    pub fn label(&self, index: usize) -> String {
        match &self.source {
            Source::Gemm(shape, seed) => format!("gemm {shape}, seed {seed}"),
            Source::Model { layers, .. } => layers[index].clone(),
        }
    }

    /// Name of a layer of a model; `None` for a product.
    pub fn layer(&self, index: usize) -> Option<&str> {
        match &self.source {
            Source::Gemm(..) => None,
            Source::Model { layers, .. } => layers.get(index).map(String::as_str),
        }
    }

    /// Tokens that enter each layer.
    pub fn tokens(&self) -> usize {
        match &self.source {
            Source::Gemm(shape, _) => shape.m,
            Source::Model { ids, .. } => ids.len(),
        }
    }

    /// A layer and its activations, in integers.
    ///
    /// # Errors
    /// For numeric options that the layer cannot have.
    pub fn get(&self, index: usize) -> Result<(QLinear, QActs), Error> {
        let Chosen { format, requant, acts } = self.options;
        match &self.source {
            Source::Gemm(shape, seed) => Ok(random_layer(*shape, format, requant, acts == ActMode::Asymmetric, *seed)?),
            Source::Model { model, layers, ids } => {
                Ok(quantized_layer(model, &layers[index], format, requant, acts, ids)?)
            }
        }
    }
}
