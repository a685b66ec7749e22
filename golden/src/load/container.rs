//! The safetensors container: a header that is believed only after every offset, shape and size was checked.
//!
//! The crate `safetensors` reads the header's JSON. Its own checks need the whole file in memory and can overflow, so
//! the table is checked here: duplicate names, holes, overlaps, sizes, and the length of the file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use spec::Problem;

use crate::error::{Error, clip, no_problems};

/// Longest header the format allows, in bytes.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;

/// What a container is read from.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// One tensor of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Element type.
    pub dtype: Dtype,
    /// Shape, the last index runs fastest.
    pub shape: Vec<usize>,
    /// First byte, from the start of the data.
    pub start: u64,
    /// Number of bytes, equal to the product of the shape times the element's size.
    pub bytes: u64,
}

/// An open safetensors file whose table was checked.
pub struct Container {
    reader: Box<dyn ReadSeek>,
    file: String,
    data_start: u64,
    /// The tensors by name.
    pub tensors: BTreeMap<String, Entry>,
    /// The header's `__metadata__`.
    pub metadata: HashMap<String, String>,
}

impl Container {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] with everything that is wrong with the table.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let meta = std::fs::metadata(path).map_err(|e| Error::read(path, e))?;
        let file = path.display().to_string();
        if !meta.is_file() {
            return Err(Error::input(file, "not a regular file", "a safetensors file", "check the path"));
        }
        let reader = File::open(path).map_err(|e| Error::read(path, e))?;
        Self::parse(Box::new(reader), meta.len(), file)
    }

    /// Opens bytes in memory; `file` names them in messages.
    ///
    /// # Errors
    /// As [`Container::open`].
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + 'static, file: &str) -> Result<Self, Error> {
        let length = bytes.as_ref().len() as u64;
        Self::parse(Box::new(Cursor::new(bytes)), length, file.to_string())
    }

    fn parse(mut reader: Box<dyn ReadSeek>, length: u64, file: String) -> Result<Self, Error> {
        let bad = |field: &str, value: String, allowed: String| {
            Error::input(format!("{file}: {field}"), value, allowed, "the file is damaged: fetch it again")
        };
        let mut size = [0; 8];
        if length < 8 {
            return Err(bad("length", format!("{length} bytes"), "a safetensors file has at least 8".into()));
        }
        read_exact(&mut reader, &file, &mut size)?;
        let header_bytes = u64::from_le_bytes(size);
        let most = MAX_HEADER_BYTES.min(length - 8);
        if header_bytes > most {
            return Err(bad("header length", header_bytes.to_string(), format!("0..={most}")));
        }
        let mut header = vec![0; header_bytes as usize];
        read_exact(&mut reader, &file, &mut header)?;
        let json_error = |e: serde_json::Error| bad("header", clip(&e.to_string()), "the JSON of safetensors".into());
        let mut keys = serde_json::Deserializer::from_slice(&header);
        let duplicates = keys.deserialize_map(Keys).map_err(json_error)?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(json_error)?;
        let mut problems: Vec<Problem> =
            duplicates.iter().map(|name| problem(&file, name, "in the header twice", "each tensor once")).collect();
        let tensors = table(&metadata, &file, &mut problems);
        let end = tensors.values().map(|e| e.start.saturating_add(e.bytes)).max().unwrap_or(0);
        let data_start = 8 + header_bytes;
        if problems.is_empty() && end != length - data_start {
            let present = length - data_start;
            let value = format!("{present} bytes, but the header describes {end}");
            problems.push(Problem::new(
                format!("{file}: data"),
                value,
                format!("exactly {end} bytes"),
                if present < end {
                    "the file is truncated: fetch it again"
                } else {
                    "the file is damaged: fetch it again"
                },
            ));
        }
        no_problems(problems)?;
        let metadata = metadata.metadata().clone().unwrap_or_default();
        Ok(Self { reader, file, data_start, tensors, metadata })
    }

    /// Name of the file in messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The bytes of a tensor of the table.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] if there is no such tensor.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        let Some(entry) = self.tensors.get(name) else {
            let field = format!("{}: {}", self.file, clip(name));
            return Err(Error::input(field, "missing", "a tensor of that name", "fetch the file again"));
        };
        let seek = self.reader.seek(SeekFrom::Start(self.data_start + entry.start));
        seek.map_err(|e| Error::read(Path::new(&self.file), e))?;
        // The table fits the file's length, so this is never more than the file.
        let mut bytes = vec![0; entry.bytes as usize];
        read_exact(&mut self.reader, &self.file, &mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").field("file", &self.file).field("tensors", &self.tensors).finish_non_exhaustive()
    }
}

fn read_exact(reader: &mut impl Read, file: &str, buffer: &mut [u8]) -> Result<(), Error> {
    reader.read_exact(buffer).map_err(|e| Error::read(Path::new(file), e))
}

fn problem(file: &str, name: &str, value: impl fmt::Display, allowed: impl Into<String>) -> Problem {
    Problem::new(format!("{file}: {}", clip(name)), value, allowed, "the file is damaged: fetch it again")
}

/// The table of tensors; notes wrong sizes, holes and overlaps.
fn table(metadata: &Metadata, file: &str, problems: &mut Vec<Problem>) -> BTreeMap<String, Entry> {
    let mut tensors = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let elements = info.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64));
        let bytes = elements.and_then(|n| n.checked_mul(info.dtype.size() as u64));
        match bytes {
            None => problems.push(problem(file, &name, format!("shape {:?}", info.shape), "a size below 2^64 bytes")),
            Some(bytes) if end < start || end - start != bytes => {
                let value = format!("offsets {start}..{end} for shape {:?} of {:?}", info.shape, info.dtype);
                problems.push(problem(file, &name, value, format!("offsets {bytes} bytes apart")));
            }
            Some(bytes) => {
                tensors.insert(name, Entry { dtype: info.dtype, shape: info.shape.clone(), start, bytes });
            }
        }
    }
    problems.sort_by(|a, b| a.field.cmp(&b.field));
    if problems.is_empty() {
        let mut order: Vec<_> = tensors.iter().collect();
        order.sort_by_key(|(_, e)| (e.start, e.bytes));
        let mut next = 0;
        for (name, entry) in order {
            if entry.start != next {
                let what = if entry.start < next { "overlaps the tensor before it" } else { "leaves a hole before it" };
                problems.push(problem(file, name, format!("offset {}, which {what}", entry.start), format!("{next}")));
            }
            // Cannot overflow: `start + bytes` is the end offset that was read.
            next = next.max(entry.start + entry.bytes);
        }
    }
    tensors
}

/// Visits a JSON object and gives back the keys that occur more than once.
pub(super) struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut seen, mut twice) = (HashSet::new(), Vec::new());
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if let Some(key) = seen.replace(key) {
                twice.push(key);
            }
        }
        Ok(twice)
    }
}
