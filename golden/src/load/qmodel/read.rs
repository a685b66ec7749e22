//! Reading a QModel file: nothing of it is used before all of it was checked.

use std::path::Path;

use safetensors::Dtype;
use serde::Deserialize;
use spec::qmodel::{FloatTensor, QActs, QLayer, QLinear, QModel, QOptions};
use spec::{Dyadic, Problem, RowScale, Tensor};

use super::{FORMAT, LayerSteps, VERSION, checksum, checksum_place};
use crate::error::{Error, clip, no_problems};
use crate::load::checkpoint::decode;
use crate::load::config::ModelConfig;
use crate::load::container::{Container, Entry};

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
