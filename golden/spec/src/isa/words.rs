//! Words of assembly: fields by name, numbers, the sizes of a machine.

use super::machine::Machine;
use crate::error::Problem;
use crate::kind::Format;

/// The sizes of a machine by name, in the order in which they are written.
pub(super) fn machine_fields(m: &Machine) -> [(&'static str, u32); 12] {
    [
        ("rows", m.rows),
        ("cols", m.cols),
        ("preload_rows", m.preload_rows),
        ("chunk_rows", m.chunk_rows),
        ("lanes", m.lanes),
        ("beat_bytes", m.beat_bytes),
        ("weight_words", m.weight_words),
        ("act_words", m.act_words),
        ("acc_words", m.acc_words),
        ("acc_bits", m.acc_bits),
        ("elements", m.elements),
        ("params", m.params),
    ]
}

/// `name=value` words of a directive.
pub(super) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    pub fn new(words: &[&'a str], known: &[&str]) -> Result<Self, Problem> {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if known.contains(&name) && fields.iter().all(|f| f.0 != name) => {
                    fields.push((name, value));
                }
                _ => return Err(unknown("field", word, &format!("each once: {}", known.join(", ")))),
            }
        }
        Ok(Self(fields))
    }

    pub fn find(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|field| field.0 == name).map(|field| field.1)
    }

    pub fn need(&self, name: &str) -> Result<&'a str, Problem> {
        self.find(name).ok_or_else(|| missing(name, &format!("{name}=...")))
    }
}

/// The machine of a directive's words.
pub(super) fn machine(words: &[&str]) -> Result<Machine, Problem> {
    let mut m = Machine {
        rows: 0,
        cols: 0,
        preload_rows: 0,
        chunk_rows: 0,
        lanes: 0,
        beat_bytes: 0,
        weight_words: 0,
        act_words: 0,
        acc_words: 0,
        acc_bits: 0,
        elements: 0,
        params: 0,
        formats: vec![],
    };
    let names: Vec<&str> = machine_fields(&m).iter().map(|f| f.0).chain(["formats"]).collect();
    let fields = Fields::new(words, &names)?;
    let size = |name: &str| number::<u32>(name, fields.need(name)?);
    m.rows = size("rows")?;
    m.cols = size("cols")?;
    m.preload_rows = size("preload_rows")?;
    m.chunk_rows = size("chunk_rows")?;
    m.lanes = size("lanes")?;
    m.beat_bytes = size("beat_bytes")?;
    m.weight_words = size("weight_words")?;
    m.act_words = size("act_words")?;
    m.acc_words = size("acc_words")?;
    m.acc_bits = size("acc_bits")?;
    m.elements = size("elements")?;
    m.params = size("params")?;
    for word in fields.need("formats")?.split(',') {
        let format = Format::from_name(word);
        m.formats.push(format.ok_or_else(|| unknown("formats", word, &Format::ALL.map(Format::name).join(", ")))?);
    }
    Ok(m)
}

/// A decimal number, or a hexadecimal one behind `0x`.
pub(super) fn number<T: TryFrom<i128>>(field: &str, text: &str) -> Result<T, Problem> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => i128::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    };
    let bits = 8 * size_of::<T>();
    let allowed =
        || unknown(field, text, &format!("a number of {bits} bits, or the name of a segment where an address stands"));
    parsed.and_then(|value| T::try_from(value).ok()).ok_or_else(allowed)
}

pub(super) fn no_more(words: &[&str]) -> Result<(), Problem> {
    words.first().map_or(Ok(()), |word| Err(Problem::new("line", word, "nothing behind it", "remove it")))
}

pub(super) fn missing(field: &str, allowed: &str) -> Problem {
    Problem::new(field, "missing", allowed, "add it")
}

pub(super) fn unknown(field: &str, value: &str, allowed: &str) -> Problem {
    Problem::new(field, value, allowed, "correct it")
}
