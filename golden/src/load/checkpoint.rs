//! The weights of a Hugging Face directory: `model.safetensors`, or shards named by `model.safetensors.index.json`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use serde::de::Deserializer;
use serde_json::Value;
use spec::Problem;

use super::config::ModelConfig;
use super::container::{Container, Entry, Keys};
use crate::error::{Error, clip, no_problems};

/// A checkpoint of one file.
pub const SINGLE: &str = "model.safetensors";
/// The table of a checkpoint of several files.
pub const INDEX: &str = "model.safetensors.index.json";
/// Most bytes of a JSON file next to the weights.
const MAX_JSON_BYTES: u64 = 256 << 20;

/// Precision of a floating-point tensor in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
}

/// A floating-point tensor; every element is a value of its precision.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatTensor {
    /// Name in the checkpoint.
    pub name: String,
    /// Precision in the checkpoint.
    pub dtype: FloatType,
    /// Shape, the last index runs fastest.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<f32>,
}

/// Tensors by name.
pub type FloatTensors = BTreeMap<String, FloatTensor>;

/// Reads every weight of a model directory.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] with all tensors that are missing, unexpected, of a wrong shape or type, or the first
/// value of each that is not finite.
pub fn read_dir(dir: &Path, config: &ModelConfig) -> Result<FloatTensors, Error> {
    let single = dir.join(SINGLE);
    let containers = if single.exists() {
        vec![Container::open(&single)?]
    } else if dir.join(INDEX).exists() {
        open_shards(dir)?
    } else {
        let field = dir.display().to_string();
        let allowed = format!("{SINGLE} or {INDEX} in it");
        return Err(Error::input(field, "no weights", allowed, "fetch the model again, in safetensors form"));
    };
    read_weights(containers, config)
}

/// Reads every weight of a model from open containers.
///
/// # Errors
/// As [`read_dir`].
pub fn read_weights(mut containers: Vec<Container>, config: &ModelConfig) -> Result<FloatTensors, Error> {
    let found = find(&containers, config)?;
    let mut tensors = FloatTensors::new();
    let mut problems = Vec::new();
    for (name, place) in found {
        let container = &mut containers[place];
        let entry = container.tensors[&name].clone();
        let bytes = container.read(&name)?;
        match decode(&name, &entry, &bytes) {
            Ok(tensor) => drop(tensors.insert(name, tensor)),
            Err((index, value)) => problems.push(Problem::new(
                format!("{}: {name}{index:?}", container.file()),
                value,
                "finite numbers",
                "the checkpoint is damaged or its training diverged: use another",
            )),
        }
    }
    no_problems(problems)?;
    Ok(tensors)
}

/// Reads a text file next to the weights.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] if it is missing, no regular file, too large or not UTF-8.
pub fn read_text(path: &Path, cure: &str) -> Result<String, Error> {
    let field = path.display().to_string();
    let Ok(meta) = std::fs::metadata(path) else {
        return Err(Error::input(field, "missing", "a readable file", cure));
    };
    if !meta.is_file() || meta.len() > MAX_JSON_BYTES {
        let value = if meta.is_file() { format!("{} bytes", meta.len()) } else { "not a regular file".into() };
        return Err(Error::input(field, value, format!("a file of at most {MAX_JSON_BYTES} bytes"), cure));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| Error::read(path, e))?;
    file.take(MAX_JSON_BYTES).read_to_end(&mut bytes).map_err(|e| Error::read(path, e))?;
    String::from_utf8(bytes).map_err(|e| Error::input(field, e, "UTF-8 text", cure))
}

fn open_shards(dir: &Path) -> Result<Vec<Container>, Error> {
    let path = dir.join(INDEX);
    let file = path.display().to_string();
    let cure = "fetch the index again";
    let text = read_text(&path, cure)?;
    let bad = |field: &str, value: String, allowed: &str| {
        Problem::new(format!("{file}: {field}"), clip(&value), allowed, cure)
    };
    let value: Value =
        serde_json::from_str(&text).map_err(|e| Error::Input(vec![bad("text", e.to_string(), "JSON")]))?;
    let Some(Value::Object(map)) = value.get("weight_map") else {
        return Err(Error::Input(vec![bad("weight_map", "missing".into(), "an object: tensor to file name")]));
    };
    let mut problems: Vec<Problem> =
        duplicate_keys(&text).into_iter().map(|k| bad(&clip(&k), "twice".into(), "once")).collect();
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, shard) in map {
        match shard.as_str().filter(|s| is_plain_file_name(s)) {
            Some(name) => shards.entry(name).or_default().push(tensor),
            None => problems.push(bad(&clip(tensor), shard.to_string(), "a file name without folders, *.safetensors")),
        }
    }
    if shards.is_empty() && problems.is_empty() {
        problems.push(bad("weight_map", "empty".into(), "at least one tensor"));
    }
    missing_shards(dir, &shards, &mut problems);
    no_problems(std::mem::take(&mut problems))?;
    let mut containers = Vec::new();
    for (shard, tensors) in &shards {
        let container = Container::open(&dir.join(shard))?;
        for tensor in tensors.iter().filter(|t| !container.tensors.contains_key(**t)) {
            problems.push(bad(&clip(tensor), (*shard).to_string(), "a shard that holds the tensor"));
        }
        containers.push(container);
    }
    no_problems(problems)?;
    Ok(containers)
}

fn missing_shards(dir: &Path, shards: &BTreeMap<&str, Vec<&str>>, problems: &mut Vec<Problem>) {
    for shard in shards.keys() {
        let path = dir.join(shard);
        if !path.is_file() {
            let allowed = format!("a file, because {INDEX} names it");
            let field = path.display().to_string();
            problems.push(Problem::new(field, "missing", allowed, "fetch the missing shard"));
        }
    }
}

/// Keys that stand twice in the index or in its `weight_map`.
fn duplicate_keys(text: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Index {
        #[serde(deserialize_with = "keys")]
        weight_map: Vec<String>,
    }
    fn keys<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
        d.deserialize_map(Keys)
    }
    serde_json::from_str::<Index>(text).map(|index| index.weight_map).unwrap_or_else(|e| vec![e.to_string()])
}

fn is_plain_file_name(name: &str) -> bool {
    name.ends_with(".safetensors") && !name.contains(['/', '\\', ':', '\0']) && !name.starts_with('.')
}

/// For each tensor of the model, the container that holds it.
fn find(containers: &[Container], config: &ModelConfig) -> Result<Vec<(String, usize)>, Error> {
    let mut expected: Vec<_> = config.float_tensors();
    expected.extend(config.linears().into_iter().map(|(name, n, k)| (format!("{name}.weight"), vec![n, k])));
    if config.tie_word_embeddings {
        expected.retain(|(name, _)| name != "lm_head.weight");
    }
    let mut problems = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, container) in containers.iter().enumerate() {
        for name in container.tensors.keys() {
            if let Some(first) = places.insert(name, place) {
                let value = format!("in {} and in {}", containers[first].file(), container.file());
                problems.push(Problem::new(clip(name), value, "in one file", "fetch the checkpoint again"));
            }
        }
    }
    let mut found = Vec::new();
    for (name, shape) in &expected {
        let Some(&place) = places.get(name.as_str()) else {
            let cure = match name.as_str() {
                "lm_head.weight" => "or set tie_word_embeddings to true if the head is the embedding table",
                _ => "the checkpoint is incomplete, or config.json is of another model",
            };
            problems.push(Problem::new(name, "missing", format!("a tensor of shape {shape:?}"), cure));
            continue;
        };
        let entry = &containers[place].tensors[name];
        let field = format!("{}: {name}", containers[place].file());
        if &entry.shape != shape {
            let value = format!("shape {:?}", entry.shape);
            problems.push(Problem::new(field, value, format!("{shape:?} by config.json"), "correct config.json"));
        } else if float_type(entry.dtype).is_none() {
            let cure = "convert the checkpoint to one of them";
            problems.push(Problem::new(field, format!("{:?}", entry.dtype), "F32, F16, BF16", cure));
        }
        found.push((name.clone(), place));
    }
    let known: std::collections::HashSet<_> = expected.iter().map(|(name, _)| name.as_str()).collect();
    for (name, place) in places.iter().filter(|(name, _)| !known.contains(**name) && !is_ignored(name, config)) {
        let cure = if name.ends_with(".bias") {
            "linear layers with a bias are not supported"
        } else {
            "config.json is of another model, or this is not plain Llama"
        };
        let field = format!("{}: {}", containers[*place].file(), clip(name));
        problems.push(Problem::new(field, "unexpected tensor", "tensors of a Llama of this config.json", cure));
    }
    no_problems(problems)?;
    Ok(found)
}

/// Tensors that change nothing: the tied head (`transformers` ignores it too) and stored rotation frequencies.
fn is_ignored(name: &str, config: &ModelConfig) -> bool {
    (config.tie_word_embeddings && name == "lm_head.weight") || name.ends_with(".rotary_emb.inv_freq")
}

fn float_type(dtype: Dtype) -> Option<FloatType> {
    match dtype {
        Dtype::F32 => Some(FloatType::F32),
        Dtype::F16 => Some(FloatType::F16),
        Dtype::BF16 => Some(FloatType::Bf16),
        _ => None,
    }
}

/// A tensor from its bytes; the index and value of the first element that is not finite, if there is one.
pub(in crate::load) fn decode(name: &str, entry: &Entry, bytes: &[u8]) -> Result<FloatTensor, (Vec<usize>, f32)> {
    let (dtype, data): (_, Vec<f32>) = match entry.dtype {
        Dtype::F16 => (FloatType::F16, halves(bytes).map(|h| f16::from_bits(h).to_f32()).collect()),
        Dtype::BF16 => (FloatType::Bf16, halves(bytes).map(|h| bf16::from_bits(h).to_f32()).collect()),
        _ => {
            let words = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (FloatType::F32, words.collect())
        }
    };
    if let Some(place) = data.iter().position(|x| !x.is_finite()) {
        return Err((index_of(place, &entry.shape), data[place]));
    }
    Ok(FloatTensor { name: name.to_string(), dtype, shape: entry.shape.clone(), data })
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]))
}

/// The index of the element at `place` of a row-major tensor.
fn index_of(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &d) in shape.iter().enumerate().rev() {
        index[i] = place % d;
        place /= d;
    }
    index
}
