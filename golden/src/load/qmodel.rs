//! The QModel file: one safetensors container that holds everything a quantized model needs.
//!
//! Its `__metadata__` says `format` = `systole-qmodel`, `version`, `sha256` of the whole file (taken with zeros in its
//! own place), `options`, `layers` (steps and requantisation of each), and the texts of `config` and `tokenizer`. The
//! tensors of a linear layer `L` are `L.weight` (I8 `[n, k]`), `L.align` (U16 `[n]`) and `L.sum` (I32 `[n]`); embedding
//! and norms keep name and precision of the checkpoint. Equal models give equal bytes.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use spec::qmodel::{FloatTensor, FloatType, QActs, QLayer, QLinear, QModel, QOptions, Requant};
use spec::{Dyadic, Problem, RowScale, Tensor};

use super::checkpoint::decode;
use super::config::ModelConfig;
use super::container::{Container, Entry};
use crate::error::{Error, clip, no_problems};

/// `format` of the metadata.
pub const FORMAT: &str = "systole-qmodel";
/// `version` of the metadata.
pub const VERSION: &str = "1";

/// What precedes the checksum in the header. Inside a JSON string the quotes would be escaped, so it is found only here.
const CHECKSUM_KEY: &str = "\"sha256\":\"";
const CHECKSUM_DIGITS: usize = 64;

/// What the metadata says of one linear layer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerSteps {
    name: String,
    weight_step: Dyadic,
    requant: Requant,
}

/// The bytes of a QModel file.
pub fn to_bytes(model: &QModel) -> Vec<u8> {
    let mut table = Map::new();
    let steps: Vec<LayerSteps> = model
        .layers
        .iter()
        .map(|l| LayerSteps { name: l.linear.name.clone(), weight_step: l.weight_step, requant: l.linear.requant })
        .collect();
    let text = |value: serde_json::Result<String>| value.expect("plain data has a JSON form");
    table.insert(
        "__metadata__".into(),
        json!({
            "format": FORMAT,
            "version": VERSION,
            "sha256": "0".repeat(CHECKSUM_DIGITS),
            "options": text(serde_json::to_string(&model.options)),
            "layers": text(serde_json::to_string(&steps)),
            "config": model.config_json,
            "tokenizer": model.tokenizer_json,
        }),
    );
    let mut data = Vec::new();
    let mut put = |name: String, dtype: &str, shape: &[usize], bytes: Vec<u8>| {
        let offsets = [data.len(), data.len() + bytes.len()];
        table.insert(name, json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}));
        data.extend(bytes);
    };
    // Wide elements first, so that each tensor is aligned to its element.
    let mut floats: Vec<_> = model.floats.iter().collect();
    floats.sort_by_key(|t| t.dtype != FloatType::F32);
    for (wide, part) in [(true, &floats), (false, &floats)] {
        if !wide {
            for QLinear { name, sum, .. } in model.layers.iter().map(|l| &l.linear) {
                put(format!("{name}.sum"), "I32", &[sum.len()], sum.iter().flat_map(|v| v.to_le_bytes()).collect());
            }
        }
        for tensor in part.iter().filter(|t| (t.dtype == FloatType::F32) == wide) {
            let (dtype, bytes) = float_bytes(tensor);
            put(tensor.name.clone(), dtype, &tensor.shape, bytes);
        }
    }
    for QLinear { name, align, .. } in model.layers.iter().map(|l| &l.linear) {
        put(format!("{name}.align"), "U16", &[align.len()], align.iter().flat_map(|v| v.to_le_bytes()).collect());
    }
    for QLinear { name, weight, .. } in model.layers.iter().map(|l| &l.linear) {
        let bytes = weight.data.iter().map(|&code| code as u8).collect();
        put(format!("{name}.weight"), "I8", &[weight.rows, weight.cols], bytes);
    }
    let mut header = text(serde_json::to_string(&table));
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    let place = checksum_place(&bytes).expect("the header was just written with a checksum");
    let digits = checksum(&bytes, place);
    bytes[place..place + CHECKSUM_DIGITS].copy_from_slice(digits.as_bytes());
    bytes
}

/// Writes a QModel file: to a temporary name beside it, renamed when complete.
///
/// # Errors
/// [`Error::Io`]; nothing is then left behind and a file that was there before is untouched.
pub fn write(model: &QModel, path: &Path) -> Result<(), Error> {
    let bytes = to_bytes(model);
    let temporary = temporary_name(path);
    let result = write_through(&temporary, &bytes).and_then(|()| std::fs::rename(&temporary, path));
    result.map_err(|e| {
        // The reason to report is why writing failed, not why cleaning up did.
        let _ = std::fs::remove_file(&temporary);
        Error::write(path, e)
    })
}

/// Writes a new file and makes sure that all of it arrived.
fn write_through(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let length = file.seek(SeekFrom::End(0))?;
    if length == bytes.len() as u64 {
        Ok(())
    } else {
        Err(std::io::Error::other(format!("only {length} of {} bytes were written", bytes.len())))
    }
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Reads a QModel file and checks all of it.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for a file that is no QModel, has another version, was damaged, or whose tensors do
/// not fit its own `config.json`.
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

/// Where the digits of the checksum stand in a file.
fn checksum_place(bytes: &[u8]) -> Option<usize> {
    let key = CHECKSUM_KEY.as_bytes();
    let place = bytes.windows(key.len()).position(|w| w == key)? + key.len();
    (place + CHECKSUM_DIGITS <= bytes.len()).then_some(place)
}

/// SHA-256 of a file with zeros in the place of the digits, in hexadecimal.
fn checksum(bytes: &[u8], place: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..place]);
    hash.update([b'0'; CHECKSUM_DIGITS]);
    hash.update(&bytes[place + CHECKSUM_DIGITS..]);
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn float_bytes(tensor: &FloatTensor) -> (&'static str, Vec<u8>) {
    let values = tensor.data.iter();
    match tensor.dtype {
        FloatType::F32 => ("F32", values.flat_map(|x| x.to_le_bytes()).collect()),
        FloatType::F16 => ("F16", values.flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()),
        FloatType::Bf16 => ("BF16", values.flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect()),
    }
}

/// Takes a model out of a container whose checksum was right.
struct Reader {
    container: Container,
}

impl Reader {
    fn model(mut self) -> Result<QModel, Error> {
        let (config_json, tokenizer_json) = (self.meta("config")?, self.meta("tokenizer")?);
        let config = ModelConfig::from_json(&config_json, &format!("{}: config", self.container.file()))?;
        let options: QOptions = self.json("options")?;
        let steps: Vec<LayerSteps> = self.json("layers")?;
        let linears = config.linears();
        let names: Vec<&str> = linears.iter().map(|(name, ..)| name.as_str()).collect();
        if !steps.iter().map(|s| s.name.as_str()).eq(names.iter().copied()) {
            let value = format!("{} layers", steps.len());
            let allowed = format!("the {} linear layers of its config, in order", names.len());
            return Err(self.bad("layers", value, allowed));
        }
        let floats = config.float_tensors();
        self.check_table(&linears, &floats)?;
        let mut layers = Vec::new();
        for ((name, n, k), steps) in linears.iter().zip(steps) {
            layers.push(self.layer(name, *n, *k, steps, options)?);
        }
        let floats = floats.iter().map(|(name, _)| self.float(name)).collect::<Result<_, _>>()?;
        Ok(QModel { config_json, tokenizer_json, options, layers, floats })
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

    /// Checks that exactly the right tensors are there, with the right shapes and types.
    fn check_table(&self, linears: &[(String, usize, usize)], floats: &[(String, Vec<usize>)]) -> Result<(), Error> {
        const FLOATS: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];
        let mut expected: Vec<(String, Vec<usize>, &[Dtype])> =
            floats.iter().map(|(name, shape)| (name.clone(), shape.clone(), &FLOATS[..])).collect();
        for (name, n, k) in linears {
            expected.push((format!("{name}.weight"), vec![*n, *k], &[Dtype::I8]));
            expected.push((format!("{name}.align"), vec![*n], &[Dtype::U16]));
            expected.push((format!("{name}.sum"), vec![*n], &[Dtype::I32]));
        }
        let mut problems = Vec::new();
        let mut note = |name: &str, value: String, allowed: String| {
            let field = format!("{}: {}", self.container.file(), clip(name));
            problems.push(Problem::new(field, value, allowed, "quantize the model again"));
        };
        for (name, shape, dtypes) in &expected {
            match self.container.tensors.get(name) {
                None => note(name, "missing".into(), format!("a tensor of shape {shape:?}")),
                Some(Entry { shape: found, dtype, .. }) if found != shape || !dtypes.contains(dtype) => {
                    note(name, format!("{dtype:?} {found:?}"), format!("{dtypes:?} {shape:?}"));
                }
                Some(_) => {}
            }
        }
        let known: std::collections::HashSet<_> = expected.iter().map(|(name, ..)| name.as_str()).collect();
        for name in self.container.tensors.keys().filter(|name| !known.contains(name.as_str())) {
            note(name, "unexpected tensor".into(), "tensors of its config".into());
        }
        no_problems(problems)
    }

    fn layer(&mut self, name: &str, n: usize, k: usize, s: LayerSteps, options: QOptions) -> Result<QLayer, Error> {
        let codes = self.container.read(&format!("{name}.weight"))?.into_iter().map(|b| b as i8).collect();
        let align = self.container.read(&format!("{name}.align"))?;
        let sum = self.container.read(&format!("{name}.sum"))?;
        let linear = QLinear {
            name: name.to_string(),
            format: options.format,
            weight: Tensor::new(n, k, codes),
            align: align.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect(),
            sum: sum.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            requant: s.requant,
        };
        if linear.requant.mode != options.requant {
            let allowed = format!("{}, as in options", options.requant.name());
            return Err(self.bad(&format!("{name}: requant.mode"), linear.requant.mode.name(), allowed));
        }
        let range = i16::from(i8::MIN)..=i16::from(i8::MAX);
        if s.weight_step.mult < 1 << 15 || !range.contains(&s.weight_step.shift) {
            let value = format!("{} / 2^{}", s.weight_step.mult, s.weight_step.shift);
            return Err(self.bad(&format!("{name}: weight_step"), value, "32768..=65535 / 2^(-128..=127)"));
        }
        // A row of zeros checks the layer by the rules of the arithmetic itself.
        let scales = vec![RowScale { step: Dyadic { mult: 1 << 15, shift: 15 }, zp: 128 }];
        crate::linear::check(&linear, &QActs { codes: Tensor::filled(1, k, 0), scales })
            .map_err(|e| self.bad(name, e, "a layer within the bounds of the arithmetic"))?;
        Ok(QLayer { linear, weight_step: s.weight_step })
    }

    fn float(&mut self, name: &str) -> Result<FloatTensor, Error> {
        let entry = self.container.tensors[name].clone();
        let bytes = self.container.read(name)?;
        decode(name, &entry, &bytes)
            .map_err(|(index, value)| self.bad(&format!("{name}{index:?}"), value, "finite numbers"))
    }
}
