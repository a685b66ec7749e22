//! The QModel file: one safetensors container that holds everything a model in integers needs.
//!
//! Its `__metadata__` says `format` = `systole-qmodel`, `version`, `sha256` of the whole file (taken with zeros in its
//! own place), `options`, `layers`, `norms` and `caches` (what is not a tensor of each), and the texts of `config` and
//! `tokenizer`; its tensors are those of `parts`. Equal models give equal bytes, and a file that is read and
//! written again is the same.

mod nibbles;
mod parts;
mod read;
mod write;

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spec::model::{QCache, QLayer, QModel, QNorm};
use spec::qmodel::{ActMode, Requant};
use spec::{Dyadic, Format, Scaling};

pub use self::read::{from_bytes, read};
pub use self::write::to_bytes;
use crate::error::Error;

/// `format` of the metadata.
pub const FORMAT: &str = "systole-qmodel";
/// `version` of the metadata.
pub const VERSION: &str = "2";

/// What precedes the checksum in the header. Inside a JSON string the quotes would be escaped, so it is found only here.
const CHECKSUM_KEY: &str = "\"sha256\":\"";
const CHECKSUM_DIGITS: usize = 64;

/// What the metadata says of one linear layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerMeta {
    name: String,
    format: Format,
    scaling: Scaling,
    acts: ActMode,
    rotation: u32,
    weight_step: Dyadic,
    requant: Requant,
}

impl LayerMeta {
    fn of(layer: &QLayer) -> Self {
        Self {
            name: layer.linear.name.clone(),
            format: layer.linear.format,
            scaling: layer.scaling,
            acts: layer.acts,
            rotation: layer.rotation,
            weight_step: layer.weight_step,
            requant: layer.linear.requant,
        }
    }
}

/// What the metadata says of one norm; two a block, then the last one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NormMeta {
    has_gain: bool,
    step: Dyadic,
    eps: Dyadic,
}

impl NormMeta {
    fn of(norm: &QNorm) -> Self {
        Self { has_gain: !norm.gain.is_empty(), step: norm.step, eps: norm.eps }
    }
}

/// What the metadata says of the cache of one block.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheMeta {
    k_ratio: Vec<Dyadic>,
    score_step: Vec<Dyadic>,
    v_ratio: Vec<Dyadic>,
    o_step: Dyadic,
}

impl CacheMeta {
    fn of(cache: &QCache) -> Self {
        let QCache { k_ratio, score_step, v_ratio, .. } = cache.clone();
        Self { k_ratio, score_step, v_ratio, o_step: cache.o_step }
    }
}

/// Every norm of a model, in the order in which they run.
fn norms(model: &QModel) -> impl Iterator<Item = &QNorm> {
    model.blocks.iter().flat_map(|block| [&block.attn_norm, &block.ffn_norm]).chain([&model.norm])
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
