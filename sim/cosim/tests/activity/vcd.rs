//! Toggles counted from a wave file, read once from front to back.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A signal of the file.
#[derive(Debug)]
struct Signal {
    value: Vec<u64>,
    is_known: bool,
    toggles: u64,
    /// Samples at which the lowest bit was 1.
    ones: u64,
    since: u64,
}

/// Toggles of every signal, by path below the design's top.
#[derive(Debug, Default)]
pub struct Counted {
    signals: HashMap<String, usize>,
    counts: Vec<(u64, u64)>,
}

impl Counted {
    /// Flips of a signal since the first sample.
    pub fn toggles(&self, path: &str) -> Option<u64> {
        self.find(path).map(|s| self.counts[s].0)
    }

    /// Samples in which bit 0 of a signal was 1.
    pub fn ones(&self, path: &str) -> Option<u64> {
        self.find(path).map(|s| self.counts[s].1)
    }

    fn find(&self, path: &str) -> Option<usize> {
        names(path).iter().find_map(|name| self.signals.get(name).copied())
    }

    /// Signals in the file.
    pub fn len(&self) -> usize {
        self.signals.len()
    }
}

/// Path of a signal from the scopes below the design's top: loops over rows and columns become places of a grid.
pub fn path(scopes: &[String], name: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut places: Vec<(String, String)> = Vec::new();
    for scope in scopes {
        match scope.strip_prefix("g_").and_then(|s| s.strip_suffix(']')).and_then(|s| s.split_once('[')) {
            Some((label, place)) => places.push((label.into(), place.into())),
            None if places.is_empty() => parts.push(scope.clone()),
            None => {
                let stem = scope.strip_prefix("u_").unwrap_or(scope);
                parts.push(match &places[..] {
                    [(_, row), (_, col)] => format!("{scope}[{row}][{col}]"),
                    // A single loop runs over rows or columns: both ways of saying it.
                    [(label, place)] if label.starts_with(stem) => format!("{scope}[{place}]"),
                    _ => return None,
                });
                places.clear();
            }
        }
    }
    parts.push(name.into());
    Some(parts.join("."))
}

/// The ways in which the file may name a path: a grid of one row or column has a single loop, and so a single place.
pub fn names(path: &str) -> Vec<String> {
    path.split('.').fold(vec![String::new()], |names, part| {
        let mut parts = vec![part.to_string()];
        if let [name, row, col] = part.split('[').collect::<Vec<_>>()[..] {
            parts.extend((col == "0]").then(|| format!("{name}[{row}")));
            parts.extend((row == "0]").then(|| format!("{name}[{col}")));
        }
        let dot = |name: &String| if name.is_empty() { String::new() } else { format!("{name}.") };
        names.iter().flat_map(|name| parts.iter().map(move |part| format!("{}{part}", dot(name)))).collect()
    })
}

/// Reads a file of so many samples.
pub fn count(file: &Path, samples: u64) -> Counted {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file).unwrap());
    let mut counted = Counted::default();
    let mut signals: Vec<Signal> = Vec::new();
    let mut codes: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut scopes: Vec<String> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        assert!(reader.read_until(b'\n', &mut line).unwrap() > 0, "the header has an end");
        let text = String::from_utf8_lossy(&line);
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["$scope", _, name, "$end"] => scopes.push(name.into()),
            ["$upscope", ..] => drop(scopes.pop()),
            ["$var", _, width, code, name, ..] => {
                let width: usize = width.parse().unwrap();
                let number = *codes.entry(code.as_bytes().to_vec()).or_insert_with(|| {
                    let value = vec![0; width.div_ceil(64)];
                    signals.push(Signal { value, is_known: false, toggles: 0, ones: 0, since: 0 });
                    signals.len() - 1
                });
                let below = scopes.iter().position(|s| s == "u_dut").map(|start| &scopes[start + 1..]);
                if let Some(path) = below.and_then(|scopes| path(scopes, name)) {
                    counted.signals.insert(path, number);
                }
            }
            ["$enddefinitions", ..] => break,
            _ => {}
        }
    }
    let mut value = Vec::new();
    let mut now = 0;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).unwrap() == 0 {
            break;
        }
        let line = line.trim_ascii();
        let (bits, code) = match line.first() {
            Some(b'#') => {
                now = std::str::from_utf8(&line[1..]).unwrap().parse().unwrap();
                assert!(now < samples, "a sample {now}");
                continue;
            }
            Some(b'b') => {
                let space = line.iter().position(|c| *c == b' ').unwrap();
                (&line[1..space], &line[space + 1..])
            }
            Some(b'0' | b'1') => (&line[..1], &line[1..]),
            _ => continue,
        };
        let signal = &mut signals[codes[code]];
        value.clear();
        value.resize(signal.value.len(), 0u64);
        for (i, bit) in bits.iter().rev().enumerate() {
            assert!(matches!(bit, b'0' | b'1'), "two values");
            value[i / 64] |= u64::from(bit - b'0') << (i % 64);
        }
        if signal.is_known {
            signal.toggles +=
                value.iter().zip(&signal.value).map(|(a, b)| u64::from((a ^ b).count_ones())).sum::<u64>();
        }
        signal.ones += (signal.value[0] & 1) * (now - signal.since);
        (signal.since, signal.is_known) = (now, true);
        signal.value.copy_from_slice(&value);
    }
    for signal in &mut signals {
        signal.ones += (signal.value[0] & 1) * (samples - signal.since);
    }
    counted.counts = signals.iter().map(|s| (s.toggles, s.ones)).collect();
    counted
}
