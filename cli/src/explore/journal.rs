//! The journal of a sweep: a line for each thing that is done, so that a sweep that was killed goes on where it was.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Figures of a point, to nine digits, so that text gives them back exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// Hash of the configuration.
    pub config_hash: String,
    /// Cycles of the work.
    pub cycles: u64,
    /// Its fewest cycles.
    pub roofline_cycles: u64,
    /// Area of logic and memories in mm².
    pub area_mm2: f64,
    /// Clock in MHz.
    pub freq_mhz: f64,
    /// Time of a token in µs.
    pub latency_us: f64,
    /// Energy of a token in µJ, DRAM included.
    pub energy_uj: f64,
    /// Power with every multiplier busy, in mW, without DRAM.
    pub power_mw: f64,
}

/// What a model in a format is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// Recipe that it was quantized by.
    pub recipe: String,
    /// Perplexity in integers, if it was wanted.
    pub perplexity: Option<f64>,
    /// That of the checkpoint in FP32.
    pub perplexity_fp32: Option<f64>,
    /// What both were taken over.
    pub over: String,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Which sweep this is; the first line.
    Sweep(String),
    /// A model in a format, by their places in the sweep, or why there is none.
    Model(usize, usize, Result<Judged, String>),
    /// A point by its place in the sweep, or why it is none.
    Point(usize, Result<Values, String>),
}

/// A journal that is open.
pub struct Journal {
    path: PathBuf,
    sweep: String,
    file: File,
    /// Models in formats that are done.
    pub models: BTreeMap<(usize, usize), Result<Judged, String>>,
    /// Points that are done.
    pub points: BTreeMap<usize, Result<Values, String>>,
}

impl Journal {
    /// Opens the journal of the sweep with hash `sweep`; a line that was cut off by a kill is dropped.
    ///
    /// # Errors
    /// If the file cannot be read or written, or belongs to another sweep.
    pub fn open(path: &Path, sweep: &str) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::Input(format!("{}: cannot open the journal: {e}", path.display()));
        let text = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(failed(e)),
        };
        let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        let (models, points) = (BTreeMap::new(), BTreeMap::new());
        let mut journal = Self { path: path.into(), sweep: sweep.into(), file, models, points };
        let broken = |line: usize, what: &str| {
            let cure = "give another folder with -o, or delete this file";
            Error::Input(format!("{}, line {line}: {what}; {cure}", path.display()))
        };
        for (number, line) in text[..whole].split(|&b| b == b'\n').take_while(|line| !line.is_empty()).enumerate() {
            match (number, serde_json::from_slice(line)) {
                (0, Ok(Entry::Sweep(found))) if found == sweep => {}
                (0, _) => {
                    return Err(broken(1, "the journal of another sweep, of its sweep file, its models or texts"));
                }
                (_, Ok(Entry::Model(model, format, judged))) => _ = journal.models.insert((model, format), judged),
                (_, Ok(Entry::Point(index, values))) => _ = journal.points.insert(index, values),
                (_, Ok(Entry::Sweep(_))) => return Err(broken(number + 1, "a second beginning")),
                (_, Err(e)) => return Err(broken(number + 1, &e.to_string())),
            }
        }
        if whole == 0 {
            journal.append(&Entry::Sweep(sweep.into()))?;
        }
        Ok(journal)
    }

    /// Adds what is done.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, entry: Entry) -> Result<(), Error> {
        self.append(&entry)?;
        match entry {
            Entry::Sweep(_) => {}
            Entry::Model(model, format, judged) => _ = self.models.insert((model, format), judged),
            Entry::Point(index, values) => _ = self.points.insert(index, values),
        }
        Ok(())
    }

    fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        // One call a line: a kill cuts at most the last one.
        let written = self.file.write_all(line(entry).as_bytes());
        written.map_err(|e| Error::Input(format!("{}: cannot write: {e}", self.path.display())))
    }

    /// The whole journal in order: its bytes tell nothing of how often and with how many jobs the sweep ran.
    pub fn sorted(&self) -> String {
        let models = self.models.iter().map(|(&(model, format), judged)| Entry::Model(model, format, judged.clone()));
        let points = self.points.iter().map(|(&index, values)| Entry::Point(index, values.clone()));
        [Entry::Sweep(self.sweep.clone())].into_iter().chain(models).chain(points).map(|entry| line(&entry)).collect()
    }
}

/// A number to nine digits.
pub fn nine_digits(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}

fn line(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("numbers and texts can be written") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::work::random;

    fn point(index: usize) -> Entry {
        let values = Values {
            config_hash: "ab".into(),
            cycles: 10,
            roofline_cycles: 9,
            area_mm2: 0.1,
            freq_mhz: 500.0,
            latency_us: 0.02,
            energy_uj: nine_digits(1.0 / 3.0),
            power_mw: 1e-3,
        };
        Entry::Point(index, if index == 2 { Err("array.rows = 0".into()) } else { Ok(values) })
    }

    fn model() -> Entry {
        let (recipe, over) = ("plain".into(), "text".into());
        Entry::Model(0, 1, Ok(Judged { recipe, perplexity: Some(12.5), perplexity_fp32: None, over }))
    }

    #[test]
    fn cut_at_any_byte_it_gives_the_same_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let entries = [model(), point(5), point(2), point(0)];
        let fill = || {
            let mut journal = Journal::open(&path, "hash").unwrap();
            for entry in entries.clone() {
                let is_done = match &entry {
                    Entry::Model(model, format, _) => journal.models.contains_key(&(*model, *format)),
                    Entry::Point(index, _) => journal.points.contains_key(index),
                    Entry::Sweep(_) => true,
                };
                if !is_done {
                    journal.add(entry).unwrap();
                }
            }
            journal.sorted()
        };
        let sorted = fill();
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(fill(), sorted, "{length} bytes were left");
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
        fs::write(&path, &sorted).unwrap();
        assert_eq!(fill(), sorted);
        assert_eq!(sorted.lines().count(), 5);
    }

    #[test]
    fn another_sweep_and_broken_lines_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        Journal::open(&path, "hash").unwrap().add(point(1)).unwrap();
        let text = |sweep: &str| Journal::open(&path, sweep).map_or_else(|e| e.to_string(), |_| "opened".into());
        assert_eq!(text("hash"), "opened");
        assert!(text("other").contains("line 1: the journal of another sweep"));
        let kept = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{kept}{{\"point\":1}}\n")).unwrap();
        assert!(text("hash").contains("line 3"));
        fs::write(&path, b"\xff\xfe\n").unwrap();
        assert!(text("hash").contains("line 1"));
    }

    #[test]
    fn nine_digits_survive_their_text() {
        let mut random = random(1);
        for _ in 0..20_000 {
            // From 2e-12 to 1e12: figures with units lie well within.
            let mantissa = 1.0 + random() as f64 / 2f64.powi(64);
            let value = nine_digits(mantissa * 2f64.powi((random() % 79) as i32 - 39));
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<f64>(&text).unwrap(), value, "{text}");
        }
    }
}
