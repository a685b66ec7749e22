//! A sweep file: what stays, what varies.

use std::fs;
use std::path::{Path, PathBuf};

use golden::load::shipped;
use serde::Deserialize;
use spec::Format;
use toml::{Table, Value};

use super::axis::{self, Field};
use super::points::{Points, Workload};
use crate::args::numeric::Choice;
use crate::args::set;
use crate::error::Error;

/// Most points of a sweep.
pub const MOST_POINTS: usize = 1_000_000;
/// Most bytes of a sweep file.
const MOST_BYTES: u64 = 1 << 20;
/// Tokens before the one that is decoded, where a sweep names no work.
const CONTEXT: u32 = 32;
/// Cycles of memory latency where none are given.
const MEM_LATENCY: u32 = 30;

/// What a sweep file says, word for word.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    preset: Option<String>,
    config: Option<PathBuf>,
    models: Vec<String>,
    formats: Vec<String>,
    recipe: Option<String>,
    calib: Option<PathBuf>,
    context: Option<Value>,
    prompt_tokens: Option<Value>,
    tokens: Option<Value>,
    mem_latency: Option<Value>,
    technology: Value,
    perplexity: Option<Value>,
    windows: Option<usize>,
    #[serde(default)]
    vary: Table,
}

/// What perplexity is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Text that the model writes itself.
    SelfWritten,
    /// Windows JSON or text.
    File(PathBuf),
    /// Perplexity is not wanted.
    Nothing,
}

/// A sweep, read and checked.
#[derive(Debug)]
pub struct Sweep {
    /// Models: directories, QModel files, or `fairy`.
    pub models: Vec<String>,
    /// Recipe of quantization.
    pub recipe: Option<String>,
    /// Calibration text.
    pub calib: Option<PathBuf>,
    /// What perplexity is taken over.
    pub judge: Judge,
    /// Most windows of it.
    pub windows: usize,
    /// Its points.
    pub points: Points,
    /// All that its results depend on, for the journal's head.
    pub identity: Vec<u8>,
}

impl Sweep {
    /// Reads a sweep file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// What is wrong with it: not TOML, unknown fields, no values, too many points.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::of_text(&text, folder).map_err(|e| e.of(path))
    }

    /// As [`Self::read`], from the text.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_text(text: &str, folder: &Path) -> Result<Self, Error> {
        let written: Written = toml::from_str(text).map_err(|e| Error::Input(e.to_string().trim().to_string()))?;
        let mut identity = vec![env!("CARGO_PKG_VERSION").into(), text.to_string()];
        let base = match (&written.preset, &written.config) {
            (Some(name), None) => hdl::presets::preset(name)
                .ok_or_else(|| {
                    let names = hdl::presets::PRESETS.map(|(name, _)| name).join(", ");
                    Error::input("preset", format!("{name:?}"), &names, "choose one of them")
                })?
                .to_string(),
            (None, Some(config)) => read(&folder.join(config))?,
            (Some(_), Some(_)) => return Err(Error::input("preset", "given beside config", "one of both", "drop one")),
            (None, None) => return Err(Error::input("preset", "missing", "preset or config", "name one")),
        };
        // A base that is no configuration would make every point invalid.
        spec::Config::from_toml(&base)?;
        let models = named("models", &written.models, |name| {
            let beside = folder.join(name);
            Ok(if name != shipped::NAME && beside.exists() { beside.display().to_string() } else { name.clone() })
        })?;
        let formats = named("formats", &written.formats, format)?;
        let technologies = match axis::list(&written.technology) {
            Some(list) => named("technology", &list, |value| {
                let name = value.as_str().ok_or_else(|| refused("technology", value, "names or files", "name one"))?;
                let beside = folder.join(name);
                Ok(if beside.is_file() { beside.display().to_string() } else { name.to_string() })
            })?,
            None => return Err(refused("technology", &written.technology, "a name, a file or a list", "name one")),
        };
        let numbers = |field: &str, value: &Option<Value>, usual: u32, low: u32, high: u32| match value {
            None => Ok(vec![usual]),
            Some(value) => axis::numbers(field, value, low, high),
        };
        let has_prompt = written.prompt_tokens.is_some() || written.tokens.is_some();
        let works: Vec<Workload> = if has_prompt {
            if let Some(context) = &written.context {
                return Err(refused("context", context, "nothing beside prompt_tokens and tokens", "drop one of both"));
            }
            let prompts = numbers("prompt_tokens", &written.prompt_tokens, 1, 1, 1 << 20)?;
            let tokens = numbers("tokens", &written.tokens, 1, 1, 1 << 20)?;
            let of = |&prompt: &u32| tokens.iter().map(move |&tokens| Workload::Prompt { prompt, tokens });
            prompts.iter().flat_map(of).collect()
        } else {
            let contexts = numbers("context", &written.context, CONTEXT, 0, 1 << 20)?;
            contexts.into_iter().map(|context| Workload::Decode { context }).collect()
        };
        let latencies = numbers("mem_latency", &written.mem_latency, MEM_LATENCY, 1, 100_000)?;
        let judge = match &written.perplexity {
            None | Some(Value::Boolean(true)) => Judge::SelfWritten,
            Some(Value::Boolean(false)) => Judge::Nothing,
            Some(Value::String(file)) => Judge::File(folder.join(file)),
            Some(other) => {
                let allowed = "a file of windows or text, true for text that the model writes itself, or false";
                return Err(refused("perplexity", other, allowed, "write it so"));
            }
        };
        let calib = written.calib.map(|file| folder.join(file));
        for file in
            [&calib, &if let Judge::File(file) = &judge { Some(file.clone()) } else { None }].into_iter().flatten()
        {
            identity.push(read_any(file)?);
        }
        for technology in technologies.iter().filter(|name| Path::new(name).is_file()) {
            identity.push(read(Path::new(technology))?);
        }
        identity.extend(models.iter().map(|model| files(Path::new(model))));
        let windows = written.windows.unwrap_or(4);
        if windows == 0 {
            return Err(Error::input("windows", 0, "1 or more", "use perplexity = false for none"));
        }
        let points = Points::new(&base, models.len(), formats, technologies, latencies, works, fields(&written.vary)?)?;
        identity.push(base);
        let identity = identity.join("\0").into_bytes();
        Ok(Self { models, recipe: written.recipe, calib, judge, windows, points, identity })
    }
}

/// The fields that vary, with the values of each.
fn fields(vary: &Table) -> Result<Vec<Field>, Error> {
    let known = set::fields();
    let mut found: Vec<Field> = Vec::new();
    for (name, value) in axis::flat(vary) {
        let field = Field::new(&name, &value)?;
        for part in &field.names {
            if !known.contains(part) {
                let near = format!("a field of the configuration, as {}", set::near(part, &known));
                return Err(Error::input("vary", part, &near, "correct its name"));
            }
            if part == "pe.formats" {
                let cure = "use formats: the hardware offers what the model needs";
                return Err(Error::input("vary", part, "any other field", cure));
            }
            if found.iter().any(|other| other.names.contains(part)) {
                return Err(Error::input("vary", part, "each field once", "remove one of them"));
            }
        }
        found.push(field);
    }
    Ok(found)
}

fn format(name: &String) -> Result<Choice, Error> {
    match (Format::from_name(name), name == Choice::Mixed.name()) {
        (Some(format), _) => Ok(Choice::Even(format)),
        (None, true) => Ok(Choice::Mixed),
        (None, false) => {
            let names = Format::ALL.map(Format::name).join(", ");
            Err(Error::input("formats", format!("{name:?}"), &format!("{names}, mixed"), "choose of them"))
        }
    }
}

/// Values of a list of names, at least one, each once.
fn named<T, U: PartialEq>(field: &str, list: &[T], of: impl Fn(&T) -> Result<U, Error>) -> Result<Vec<U>, Error> {
    let values: Vec<U> = list.iter().map(of).collect::<Result<_, _>>()?;
    if values.is_empty() {
        return Err(Error::input(field, "[]", "at least one", "name one"));
    }
    match (1..values.len()).find(|&i| values[..i].contains(&values[i])) {
        Some(i) => Err(Error::input(field, format!("entry {}", i + 1), "each once", "remove the second one")),
        None => Ok(values),
    }
}

fn refused(field: &str, value: &Value, allowed: &str, cure: &str) -> Error {
    Error::input(field, value, allowed, cure)
}

fn read(path: &Path) -> Result<String, Error> {
    let refuse = |reason: &dyn std::fmt::Display| Error::Input(format!("cannot read: {reason}; check the path"));
    let meta = fs::metadata(path).map_err(|e| refuse(&e).of(path))?;
    if meta.len() > MOST_BYTES {
        return Err(refuse(&"larger than 1 MiB").of(path));
    }
    fs::read_to_string(path).map_err(|e| refuse(&e).of(path))
}

fn read_any(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|e| Error::Input(format!("cannot read: {e}; check the path")).of(path))
}

/// Names and sizes of a model's files: another model is another sweep.
fn files(model: &Path) -> String {
    let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
    let mut found = vec![format!("{} {}", model.display(), size(model))];
    if let Ok(entries) = fs::read_dir(model) {
        let entry = |e: fs::DirEntry| format!("{} {}", e.file_name().to_string_lossy(), size(&e.path()));
        found = entries.flatten().map(entry).collect();
        found.sort();
        found.insert(0, model.display().to_string());
    }
    found.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(more: &str) -> Result<Sweep, Error> {
        let text = format!("preset = \"small\"\nmodels = [\"fairy\"]\nformats = [\"w8a8\", \"w4a8\"]\n{more}");
        Sweep::of_text(&text, Path::new(""))
    }

    fn refusal(more: &str) -> String {
        sweep(&format!("technology = \"nangate45\"\n{more}")).map_or_else(|e| e.to_string(), |_| "accepted".into())
    }

    #[test]
    fn what_there_is_not_is_refused_with_its_name() {
        for (text, expected) in [
            ("[vary]\n\"array.row\" = [4]", "vary = array.row: allowed a field of the configuration, as array.rows"),
            ("[vary]\n\"array.rows\" = \"x\"", "vary.array.rows = \"x\""),
            ("[vary]\n\"array.rows\" = { from = 1, to = 5, step = 0 }", "step of 1 or more"),
            ("[vary]\n\"array.rows\" = { from = 1, to = 5000000 }", "vary.array.rows"),
            ("[vary]\n\"array.rows\" = { from = 1, upto = 5 }", "from, to, step and factor"),
            ("[vary]\n\"array.rows\" = []", "vary.array.rows"),
            ("[vary]\n\"array.rows,array.cols\" = [[4, 4], [8]]", "2 values"),
            ("[vary]\n\"array.rows,array.cols\" = [[4, 4]]\narray.cols = [1]", "each field once"),
            ("[vary]\n\"pe.formats\" = [\"w8a8\"]", "use formats"),
            ("tokens = 0", "tokens = 0: allowed 1..="),
            ("context = 4\ntokens = 1", "context = 4"),
            ("mem_latency = [30, -1]", "mem_latency = -1"),
            ("perplexity = 7", "perplexity = 7"),
            ("windows = 0", "windows = 0"),
            ("speed = 7", "unknown field `speed`"),
            ("config = \"x.toml\"", "preset = given beside config"),
        ] {
            let found = refusal(text);
            assert!(found.contains(expected), "{text}: {found}");
        }
        let text = "preset = \"huge\"\nmodels = [\"fairy\"]\nformats = [\"w8a8\"]\ntechnology = \"x\"";
        assert!(Sweep::of_text(text, Path::new("")).unwrap_err().to_string().contains("preset = \"huge\""));
        assert!(sweep("technology = []").unwrap_err().to_string().contains("technology = []"));
        assert!(sweep("technology = [1]").unwrap_err().to_string().contains("technology = 1"));
    }

    #[test]
    fn work_is_a_decoded_token_unless_a_prompt_is_given() {
        let of = |more: &str| sweep(&format!("technology = \"nangate45\"\n{more}")).unwrap().points;
        assert_eq!(of("").point(0).work, Workload::Decode { context: 32 });
        assert_eq!(of("context = { from = 0, to = 2 }").len(), 2 * 3);
        let points = of("prompt_tokens = [4, 8]\ntokens = [1, 2]\nmem_latency = [30, 100]");
        assert_eq!(points.len(), 2 * 2 * 2 * 2);
        assert_eq!(points.point(1).work, Workload::Prompt { prompt: 4, tokens: 2 });
    }
}
