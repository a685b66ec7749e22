//! Wave files (VCD, IEEE 1364-2005 clause 18) of one model or of several side by side.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;

use ::vcd::{IdCode, TimescaleUnit, VarType, Writer};

use super::wide::MAX_LIMBS;
use super::{Port, Stepper};
use crate::error::Error;

/// A signal that can be written to a wave file.
#[derive(Clone, Debug)]
pub struct WaveSignal {
    /// Hierarchical path: scopes with dots between them, then the name.
    pub path: String,
    /// Bits.
    pub width: u32,
    /// What [`WaveSource::read`] takes; equal handles mean the same value.
    pub handle: u64,
}

/// Something with signals that have a value in every cycle.
pub trait WaveSource {
    /// All signals.
    fn signals(&self) -> Vec<WaveSignal>;
    /// The present value of a signal as limbs, lowest first; `value` has `width.div_ceil(64)` of them.
    fn read(&self, handle: u64, value: &mut [u64]);
}

impl WaveSource for Stepper {
    fn signals(&self) -> Vec<WaveSignal> {
        let signal = |(path, port): (String, Port)| WaveSignal { path, width: port.width(), handle: port.handle() };
        self.signals().map(signal).collect()
    }

    fn read(&self, handle: u64, value: &mut [u64]) {
        self.get_limbs(Port::from_handle(handle), value);
    }
}

/// What to write.
#[derive(Clone, Debug)]
pub struct WaveOptions {
    /// Patterns of paths: with `*` or `?` the whole path must match, without them a part of it; none means all.
    pub filter: Vec<String>,
    /// Cycles to write.
    pub cycles: Range<u64>,
}

impl Default for WaveOptions {
    fn default() -> Self {
        Self { filter: Vec::new(), cycles: 0..u64::MAX }
    }
}

struct Traced {
    source: usize,
    handle: u64,
    width: u32,
    id: IdCode,
    /// Where its last value stands.
    last: Range<usize>,
}

/// A wave file being written; a cycle is one nanosecond on its time axis.
pub struct Waves<W: Write> {
    writer: Writer<W>,
    traced: Vec<Traced>,
    last: Vec<u64>,
    value: Vec<u64>,
    line: Vec<u8>,
    cycles: Range<u64>,
    started: bool,
}

fn io(error: std::io::Error) -> Error {
    Error::Wave(error.to_string())
}

/// Whether `text` matches `pattern` (`*`: any run, `?`: any one character).
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => glob(rest, text) || text.split_first().is_some_and(|(_, t)| glob(pattern, t)),
        (Some((b'?', rest)), Some((_, t))) => glob(rest, t),
        (Some((p, rest)), Some((c, t))) => p == c && glob(rest, t),
        _ => false,
    }
}

fn wanted(filter: &[String], path: &str) -> bool {
    let hit = |p: &String| match p.contains(['*', '?']) {
        true => glob(p.as_bytes(), path.as_bytes()),
        false => path.contains(p.as_str()),
    };
    filter.is_empty() || filter.iter().any(hit)
}

impl<W: Write> Waves<W> {
    /// Writes the header: each source's signals in a scope of the given name.
    ///
    /// # Errors
    /// [`Error::Wave`] if `out` cannot be written, or no signal passes the filter.
    pub fn new(out: W, sources: &[(&str, &dyn WaveSource)], options: &WaveOptions) -> Result<Self, Error> {
        let mut writer = Writer::new(out);
        writer.timescale(1, TimescaleUnit::NS).map_err(io)?;
        let (mut traced, mut words) = (Vec::new(), 0);
        for (number, (scope, source)) in sources.iter().enumerate() {
            let mut signals: Vec<(Vec<String>, String, WaveSignal)> = Vec::new();
            for signal in source.signals().into_iter().filter(|s| wanted(&options.filter, &s.path)) {
                let mut scopes: Vec<String> = signal.path.split('.').map(String::from).collect();
                let name = scopes.pop().unwrap_or_default();
                scopes.insert(0, (*scope).into());
                signals.push((scopes, name, signal));
            }
            signals.sort_by(|a, b| a.0.cmp(&b.0));
            let mut known: HashMap<(u64, u32), IdCode> = HashMap::new();
            let mut open: Vec<String> = Vec::new();
            for (scopes, name, WaveSignal { width, handle, .. }) in signals {
                let common = open.iter().zip(&scopes).take_while(|(a, b)| a == b).count();
                for _ in common..open.len() {
                    writer.upscope().map_err(io)?;
                }
                for scope in &scopes[common..] {
                    writer.add_module(scope).map_err(io)?;
                }
                open = scopes;
                if let Some(&id) = known.get(&(handle, width)) {
                    writer.var_def(VarType::Wire, width, id, &name, None).map_err(io)?;
                    continue;
                }
                let id = writer.add_wire(width, &name).map_err(io)?;
                known.insert((handle, width), id);
                let limbs = width.div_ceil(64) as usize;
                traced.push(Traced { source: number, handle, width, id, last: words..words + limbs });
                words += limbs;
            }
            for _ in 0..open.len() {
                writer.upscope().map_err(io)?;
            }
        }
        if traced.is_empty() {
            return Err(Error::Wave(format!("no signal matches {}", options.filter.join(", "))));
        }
        writer.enddefinitions().map_err(io)?;
        let value = vec![0; MAX_LIMBS];
        let cycles = options.cycles.clone();
        Ok(Self { writer, traced, last: vec![0; words], value, line: Vec::new(), cycles, started: false })
    }

    /// Writes what has changed, as the state of `cycle`; cycles ascend. `sources` as in [`Self::new`].
    ///
    /// # Errors
    /// [`Error::Wave`].
    pub fn sample(&mut self, cycle: u64, sources: &[&dyn WaveSource]) -> Result<(), Error> {
        if !self.cycles.contains(&cycle) {
            return Ok(());
        }
        let body = &mut self.line;
        body.clear();
        for signal in &self.traced {
            let last = &mut self.last[signal.last.clone()];
            let value = &mut self.value[..last.len()];
            sources[signal.source].read(signal.handle, value);
            if self.started && *value == *last {
                continue;
            }
            last.copy_from_slice(value);
            // Writing to a vector does not fail.
            let _ = if signal.width == 1 {
                writeln!(body, "{}{}", value[0] & 1, signal.id)
            } else {
                body.push(b'b');
                let top = value.iter().rposition(|limb| *limb != 0).unwrap_or(0);
                let _ = write!(body, "{:b}", value[top]);
                for limb in value[..top].iter().rev() {
                    let _ = write!(body, "{limb:064b}");
                }
                writeln!(body, " {}", signal.id)
            };
        }
        if !body.is_empty() {
            self.writer.timestamp(cycle).map_err(io)?;
            self.writer.writer().write_all(body).map_err(io)?;
        }
        self.started = true;
        Ok(())
    }

    /// Ends the file at `cycle`.
    ///
    /// # Errors
    /// [`Error::Wave`].
    pub fn finish(mut self, cycle: u64) -> Result<(), Error> {
        self.writer.timestamp(cycle).map_err(io)?;
        self.writer.flush().map_err(io)
    }
}
