//! The QModel file: one safetensors container that holds everything a quantized model needs.
//!
//! Its `__metadata__` says `format` = `systole-qmodel`, `version`, `sha256` of the whole file (taken with zeros in its
//! own place), `options`, `layers` (steps and requantisation of each), and the texts of `config` and `tokenizer`. The
//! tensors of a linear layer `L` are `L.weight` (I8 `[n, k]`), `L.align` (U16 `[n]`) and `L.sum` (I32 `[n]`); embedding
//! and norms keep name and precision of the checkpoint. Equal models give equal bytes.

mod read;

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use spec::Dyadic;
use spec::qmodel::{FloatTensor, FloatType, QLinear, QModel, Requant};

pub use self::read::{from_bytes, read};
use crate::error::Error;

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
    let (words, halves): (Vec<_>, Vec<_>) = model.floats.iter().partition(|t| t.dtype == FloatType::F32);
    for tensor in words {
        put(tensor.name.clone(), "F32", &tensor.shape, float_bytes(tensor));
    }
    for QLinear { name, sum, .. } in model.layers.iter().map(|l| &l.linear) {
        put(format!("{name}.sum"), "I32", &[sum.len()], sum.iter().flat_map(|v| v.to_le_bytes()).collect());
    }
    for tensor in halves {
        let dtype = if tensor.dtype == FloatType::F16 { "F16" } else { "BF16" };
        put(tensor.name.clone(), dtype, &tensor.shape, float_bytes(tensor));
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

fn float_bytes(tensor: &FloatTensor) -> Vec<u8> {
    let values = tensor.data.iter();
    match tensor.dtype {
        FloatType::F32 => values.flat_map(|x| x.to_le_bytes()).collect(),
        FloatType::F16 => values.flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        FloatType::Bf16 => values.flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
    }
}
