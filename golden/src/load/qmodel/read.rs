//! Reading a QModel file: nothing of it is used before all of it was checked.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use spec::model::{QBlock, QCache, QEmbedding, QLayer, QModel, QNorm, QRope};
use spec::qmodel::QLinear;
use spec::{Problem, Tensor};

use super::parts::{self, Part, cache_name, gain_name};
use super::{CacheMeta, FORMAT, LayerMeta, NormMeta, VERSION, checksum, checksum_place, nibbles};
use crate::error::{Error, clip, no_problems};
use crate::layer;
use crate::layers::check;
use crate::load::config::ModelConfig;
use crate::load::container::{Container, Entry};

/// Reads a QModel file and checks all of it.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for a file that is no QModel, has another version, was damaged, whose tensors do not
/// fit its own `config.json`, or whose values the arithmetic does not allow: all problems of the first kind that occurs.
pub fn read(path: &Path) -> Result<QModel, Error> {
    let file = path.display().to_string();
    let meta = std::fs::metadata(path).map_err(|e| Error::read(path, e))?;
    if !meta.is_file() {
        let cure = "check the path";
        return Err(Error::input(file, "not a regular file", "a QModel file or a Hugging Face directory", cure));
    }
    // The table is checked against the length before the file is read as a whole.
    let container = Container::open(path).map_err(|e| explain(e, &file))?;
    check_kind(&container)?;
    let bytes = std::fs::read(path).map_err(|e| Error::read(path, e))?;
    from_bytes(bytes, &file)
}

/// As [`read`], from the bytes; `file` names them in messages.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: Vec<u8>, file: &str) -> Result<QModel, Error> {
    let digits = checksum_place(&bytes).map(|place| checksum(&bytes, place));
    let container = Container::from_bytes(bytes, file)?;
    check_kind(&container)?;
    let stated = container.metadata.get("sha256").map_or("missing", String::as_str);
    if digits.as_deref() != Some(stated) {
        let allowed = digits.map_or("64 hexadecimal digits".into(), |d| format!("{d}, of what the file holds"));
        let cure = "the file is damaged: quantize the model again";
        return Err(Error::input(format!("{file}: sha256"), clip(stated), allowed, cure));
    }
    Reader { container }.model()
}

/// Adds what a user who gave a file that is no container may have meant.
fn explain(error: Error, file: &str) -> Error {
    match error {
        Error::Input(mut problems) => {
            let allowed = "a QModel file, or a Hugging Face directory";
            problems.push(Problem::new(file, "no QModel", allowed, "make one with `systole quantize`"));
            Error::Input(problems)
        }
        other => other,
    }
}

fn check_kind(container: &Container) -> Result<(), Error> {
    let meta = |key: &str| container.metadata.get(key).map_or("missing", String::as_str);
    if meta("format") != FORMAT {
        let cure = "give the directory that holds a checkpoint, or make a QModel with `systole quantize`";
        return Err(Error::input(format!("{}: format", container.file()), clip(meta("format")), FORMAT, cure));
    }
    if meta("version") != VERSION {
        let cure = "quantize the checkpoint again with this version of systole";
        return Err(Error::input(format!("{}: version", container.file()), clip(meta("version")), VERSION, cure));
    }
    Ok(())
}

/// Takes a model out of a container whose checksum was right.
struct Reader {
    container: Container,
}

impl Reader {
    fn model(mut self) -> Result<QModel, Error> {
        let (config_json, tokenizer_json) = (self.meta("config")?, self.meta("tokenizer")?);
        let config = ModelConfig::from_json(&config_json, &format!("{}: config", self.container.file()))?;
        let options = self.json("options")?;
        let layers: Vec<LayerMeta> = self.json("layers")?;
        let norms: Vec<NormMeta> = self.json("norms")?;
        let caches: Vec<CacheMeta> = self.json("caches")?;
        self.check_counts(&config, &layers, norms.len(), caches.len())?;
        self.check_table(&parts::expected(&config, &layers, &norms))?;
        let embedding = QEmbedding {
            codes: self.matrix(parts::EMBEDDING_CODES)?,
            shift: self.container.read(parts::EMBEDDING_SHIFT)?.into_iter().map(|b| b as i8).collect(),
        };
        let rope = QRope { cos: self.matrix(parts::ROPE_COS)?, sin: self.matrix(parts::ROPE_SIN)? };
        let mut linears = Vec::with_capacity(layers.len());
        for ((_, n, k), meta) in config.linears().into_iter().zip(layers) {
            linears.push(self.layer(n, k, meta)?);
        }
        let head = linears.pop().expect("a config has a head");
        let (mut blocks, mut linears) = (Vec::with_capacity(caches.len()), linears.into_iter());
        for (i, cache) in caches.into_iter().enumerate() {
            let mut next = || linears.next().expect("a config has seven layers a block");
            let (q, k, v, o, gate, up, down) = (next(), next(), next(), next(), next(), next(), next());
            let (attn_norm, ffn_norm) = (self.norm(2 * i, &config, &norms)?, self.norm(2 * i + 1, &config, &norms)?);
            blocks.push(QBlock { attn_norm, q, k, v, cache: self.cache(i, cache)?, o, ffn_norm, gate, up, down });
        }
        let norm = self.norm(2 * blocks.len(), &config, &norms)?;
        let model = QModel { config_json, tokenizer_json, options, embedding, rope, blocks, norm, head };
        let named = |p: Problem| Problem { field: format!("{}: {}", self.container.file(), clip(&p.field)), ..p };
        let problems = check::problems(&model, &config).into_iter().chain(model.linears().flat_map(layer::problems));
        no_problems(problems.map(named).collect())?;
        Ok(model)
    }

    fn bad(&self, field: &str, value: impl std::fmt::Display, allowed: impl Into<String>) -> Error {
        let field = format!("{}: {}", self.container.file(), clip(field));
        Error::input(field, clip(&value.to_string()), allowed, "quantize the model again")
    }

    fn meta(&self, key: &str) -> Result<String, Error> {
        let found = self.container.metadata.get(key).cloned();
        found.ok_or_else(|| self.bad(key, "missing", "an entry of the metadata"))
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<T, Error> {
        serde_json::from_str(&self.meta(key)?).map_err(|e| self.bad(key, e, "what this version of systole writes"))
    }

    /// Checks that the metadata speaks of the config's layers, norms and caches.
    fn check_counts(
        &self,
        config: &ModelConfig,
        layers: &[LayerMeta],
        norms: usize,
        caches: usize,
    ) -> Result<(), Error> {
        let blocks = config.num_hidden_layers;
        let linears = config.linears();
        if !layers.iter().map(|l| l.name.as_str()).eq(linears.iter().map(|(name, ..)| name.as_str())) {
            let allowed = format!("the {} linear layers of its config, in order", linears.len());
            return Err(self.bad("layers", format!("{} layers", layers.len()), allowed));
        }
        if norms != 2 * blocks + 1 {
            return Err(self.bad("norms", norms, format!("{}, two a block and the last", 2 * blocks + 1)));
        }
        if caches != blocks {
            return Err(self.bad("caches", caches, format!("{blocks}, one a block")));
        }
        Ok(())
    }

    /// Checks that exactly the right tensors are there, with the right shapes and types.
    fn check_table(&self, expected: &[Part]) -> Result<(), Error> {
        let mut problems = Vec::new();
        let mut note = |name: &str, value: String, allowed: String| {
            let field = format!("{}: {}", self.container.file(), clip(name));
            problems.push(Problem::new(field, value, allowed, "quantize the model again"));
        };
        for Part { name, dtype, shape } in expected {
            match self.container.tensors.get(name) {
                None => note(name, "missing".into(), format!("a tensor of {dtype:?} {shape:?}")),
                Some(Entry { shape: found, dtype: kind, .. }) if found != shape || kind != dtype => {
                    note(name, format!("{kind:?} {found:?}"), format!("{dtype:?} {shape:?}"));
                }
                Some(_) => {}
            }
        }
        let known: HashSet<_> = expected.iter().map(|part| part.name.as_str()).collect();
        for name in self.container.tensors.keys().filter(|name| !known.contains(name.as_str())) {
            note(name, "unexpected tensor".into(), "tensors of its config".into());
        }
        no_problems(problems)
    }

    fn u16s(&mut self, name: &str) -> Result<Vec<u16>, Error> {
        let bytes = self.container.read(name)?;
        Ok(bytes.as_chunks().0.iter().map(|&b| u16::from_le_bytes(b)).collect())
    }

    fn matrix(&mut self, name: &str) -> Result<Tensor<i16>, Error> {
        let shape = self.container.tensors[name].shape.clone();
        let bytes = self.container.read(name)?;
        Ok(Tensor::new(shape[0], shape[1], bytes.as_chunks().0.iter().map(|&b| i16::from_le_bytes(b)).collect()))
    }

    fn norm(&mut self, index: usize, config: &ModelConfig, norms: &[NormMeta]) -> Result<QNorm, Error> {
        let NormMeta { has_gain, step, eps } = norms[index];
        let gain = if has_gain { self.u16s(&gain_name(index, config.num_hidden_layers))? } else { vec![] };
        Ok(QNorm { gain, step, eps })
    }

    fn cache(&mut self, block: usize, meta: CacheMeta) -> Result<QCache, Error> {
        Ok(QCache {
            k_factor: self.u16s(&cache_name(block, "k_factor"))?,
            k_ratio: meta.k_ratio,
            q_factor: self.u16s(&cache_name(block, "q_factor"))?,
            score_step: meta.score_step,
            v_ratio: meta.v_ratio,
            o_align: self.u16s(&cache_name(block, "o_align"))?,
            o_step: meta.o_step,
        })
    }

    fn layer(&mut self, n: usize, k: usize, meta: LayerMeta) -> Result<QLayer, Error> {
        let name = |part: &str| format!("{}.{part}", meta.name);
        let bytes = self.container.read(&name("weight"))?;
        let Some(weight) = nibbles::unpack(meta.format.weight(), n, k, &bytes) else {
            return Err(self.bad(&name("weight"), "bits beside the last code of a channel", "zeros there"));
        };
        let sums = self.container.read(&name("sum"))?;
        let blocks = meta.scaling.blocks(k);
        let scales = if blocks > 0 { self.container.read(&name("scales"))? } else { vec![] };
        let linear = QLinear {
            format: meta.format,
            weight,
            align: self.u16s(&name("align"))?,
            sum: sums.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect(),
            requant: meta.requant,
            name: meta.name,
        };
        Ok(QLayer {
            linear,
            weight_step: meta.weight_step,
            scaling: meta.scaling,
            scales: Tensor::new(n, blocks, scales),
            acts: meta.acts,
            rotation: meta.rotation,
        })
    }
}
