//! The program file: one container that holds a whole [`Program`].
//!
//! A line `systole-program 2`, eight bytes with the length of a JSON header (little endian, as all numbers are), the
//! header, the instructions of 16 bytes each, the data of the segments in their order, and SHA-256 of all before it.
//! Equal programs give equal bytes.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::instr::{INSTR_BYTES, Instr};
use super::machine::Machine;
use super::program::{Mark, Output, Program, Segment};
use crate::error::{Error, Problem};

/// What a program file begins with, without its version.
pub const FORMAT: &str = "systole-program ";
/// Version of the format.
pub const VERSION: u32 = 2;

const HASH_BYTES: usize = 32;
const FETCH_IT: &str = "the file is damaged: lower the model again";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    machine: Machine,
    instructions: u64,
    segments: Vec<SegmentHeader>,
    outputs: Vec<Output>,
    marks: Vec<Mark>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentHeader {
    name: String,
    addr: u32,
    len: u32,
    data: u32,
}

/// The bytes of a program file.
pub fn to_bytes(program: &Program) -> Vec<u8> {
    let segments = program.segments.iter().map(|s| SegmentHeader {
        name: s.name.clone(),
        addr: s.addr,
        len: s.len,
        data: s.data.len() as u32,
    });
    let header = Header {
        machine: program.machine.clone(),
        instructions: program.instrs.len() as u64,
        segments: segments.collect(),
        outputs: program.outputs.clone(),
        marks: program.marks.clone(),
    };
    let header = serde_json::to_vec(&header).expect("a header has only plain data");
    let mut bytes = format!("{FORMAT}{VERSION}\n").into_bytes();
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    program.instrs.iter().for_each(|i| bytes.extend(i.encode().to_le_bytes()));
    program.segments.iter().for_each(|s| bytes.extend(&s.data));
    let hash = Sha256::digest(&bytes);
    bytes.extend(hash);
    bytes
}

/// The program of a file's bytes, checked.
///
/// # Errors
/// [`Error::Invalid`] for what is no program file, has another version, was damaged, or fails [`Program::check`].
pub fn from_bytes(bytes: &[u8]) -> Result<Program, Error> {
    let line_end = bytes.iter().take(FORMAT.len() + 12).position(|&b| b == b'\n');
    let line = line_end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()).unwrap_or_default();
    let Some(version) = line.strip_prefix(FORMAT) else {
        return Err(one("program file", "something else", "a file that systole wrote", "give a program file"));
    };
    if version != VERSION.to_string() {
        return Err(one("version", version, &VERSION.to_string(), "lower the model again with this systole"));
    }
    let (body, hash) = bytes
        .split_at_checked(bytes.len().saturating_sub(HASH_BYTES))
        .ok_or_else(|| one("length", bytes.len(), "a whole file", FETCH_IT))?;
    if Sha256::digest(body).as_slice() != hash {
        return Err(one("sha256", "another", "that of the file", FETCH_IT));
    }
    let mut rest = Rest(&body[(line.len() + 1).min(body.len())..]);
    let size = u64::from_le_bytes(rest.take(8, "header length")?.try_into().expect("8 bytes were taken"));
    let header: Header = serde_json::from_slice(rest.take(size, "header")?)
        .map_err(|e| one("header", e, "the JSON of a program file", FETCH_IT))?;
    let size = header.instructions.saturating_mul(INSTR_BYTES as u64);
    let words = rest.take(size, "instructions")?.as_chunks::<INSTR_BYTES>().0;
    let mut instrs = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let instr = Instr::decode(u128::from_le_bytes(*word))
            .map_err(|p| Error::Invalid(vec![Problem { field: format!("instruction {at}: {}", p.field), ..p }]))?;
        instrs.push(instr);
    }
    let mut segments = Vec::with_capacity(header.segments.len());
    for s in header.segments {
        let data = rest.take(s.data.into(), &s.name)?.to_vec();
        segments.push(Segment { name: s.name, addr: s.addr, len: s.len, data });
    }
    if !rest.0.is_empty() {
        return Err(one("length", format!("{} bytes too many", rest.0.len()), "what the header states", FETCH_IT));
    }
    let program = Program { machine: header.machine, segments, instrs, marks: header.marks, outputs: header.outputs };
    program.check()?;
    Ok(program)
}

/// Bytes that are still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: u64, what: &str) -> Result<&'a [u8], Error> {
        let split = usize::try_from(bytes).ok().and_then(|bytes| self.0.split_at_checked(bytes));
        let Some((taken, rest)) = split else {
            return Err(one(what, format!("{bytes} bytes"), &format!("at most {}", self.0.len()), FETCH_IT));
        };
        self.0 = rest;
        Ok(taken)
    }
}

fn one(field: &str, value: impl std::fmt::Display, allowed: &str, cure: &str) -> Error {
    Error::Invalid(vec![Problem::new(field, value, allowed, cure)])
}
