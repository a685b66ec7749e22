//! Verilog under Verilator: built once, then run as a child process that replays recorded inputs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tool::{Command, GXX, MAKE, Reader, VERILATOR, Writer};

use crate::bench::{TestBench, vector_words};
use crate::cache;
use crate::error::Error;

const SHIM: &str = include_str!("shim.cpp");
/// Flags of the build. Registers start at zero or at random by run-time options; Verilator's own default for compiled
/// models, -Os, runs at a quarter of the speed of -O3. What was not written by us need not pass lint.
const FLAGS: [&str; 14] = [
    "--cc",
    "--exe",
    "--build",
    "-O3",
    "--no-timing",
    "--x-initial",
    "unique",
    "--x-assign",
    "unique",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "-MAKEFLAGS",
    "OPT_FAST=-O3",
];

/// A file of Verilog: name and text.
pub type Source = (String, String);

/// The `.v` files of a folder but for test benches (`tb_*`), sorted by name.
///
/// # Errors
/// [`Error::Io`]; [`Error::Verilog`] if there is none.
pub fn read_sources(folder: &Path) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".v") && !name.starts_with("tb_") {
            let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            sources.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    if sources.is_empty() {
        let problem = "no Verilog files (*.v) in it; `systole generate -o DIR` writes them".to_string();
        return Err(Error::Verilog { path: folder.to_path_buf(), problem });
    }
    sources.sort();
    Ok(sources)
}

/// How a model is started.
#[derive(Clone, Debug)]
pub struct ModelStart {
    /// Seed of registers and memories; zeros without.
    pub random: Option<u64>,
    /// Arguments for `$value$plusargs`.
    pub plusargs: Vec<String>,
    /// Time for each batch of cycles.
    pub timeout: Duration,
}

impl Default for ModelStart {
    fn default() -> Self {
        Self { random: None, plusargs: Vec::new(), timeout: Duration::from_secs(120) }
    }
}

/// A built model.
#[derive(Clone, Debug)]
pub struct Model {
    path: PathBuf,
    in_words: usize,
    out_words: usize,
}

impl Model {
    /// Builds a bench with its design, or takes it from the cache.
    ///
    /// # Errors
    /// [`Error::Tool`] if a tool is missing, the Verilog does not compile, or the build takes longer than `timeout`.
    pub fn build(bench: &TestBench, sources: &[Source], timeout: Duration) -> Result<Self, Error> {
        let (in_words, out_words) = (vector_words(&bench.inputs), vector_words(&bench.outputs));
        let shim = SHIM
            .replace("@TOP@", &bench.name)
            .replace("@IN_WORDS@", &(2 * in_words).to_string())
            .replace("@OUT_WORDS@", &(2 * out_words).to_string());
        let version = VERILATOR.version()?.text;
        let verilator = VERILATOR.find()?;
        let compiler = format!("CXX={}", GXX.find()?.display());
        let make = MAKE.find()?;
        let place = verilator.to_string_lossy();
        let mut parts = vec![version.as_str(), &place, &compiler, &shim, &bench.text];
        parts.extend(FLAGS);
        for (name, text) in sources {
            parts.extend([name.as_str(), text]);
        }
        let path = cache::model(&cache::folder()?, &cache::key(&parts), |work| {
            let write = |name: &str, text: &str| {
                let path = work.join(name);
                tool::write_atomic(&path, text.as_bytes())
            };
            write("shim.cpp", &shim)?;
            let bench_file = format!("{}.v", bench.name);
            write(&bench_file, &bench.text)?;
            for (name, text) in sources {
                write(name, text)?;
            }
            let model = work.join("obj/model");
            Command::new(&verilator)
                .args(FLAGS)
                .args(["-MAKEFLAGS", &compiler, "-j", "2"])
                .args(["--top-module", &bench.name, "--Mdir", "obj", "-o", "model", "shim.cpp", &bench_file])
                .args(sources.iter().map(|(name, _)| name))
                .env("MAKE", &make)
                .cwd(work)
                .timeout(timeout)
                .writes(&model)
                .run()?;
            Ok(model)
        })?;
        Ok(Self { path, in_words, out_words })
    }

    /// Starts the model.
    ///
    /// # Errors
    /// [`Error::Tool`].
    pub fn start(&self, start: &ModelStart) -> Result<(Feed, Outputs), Error> {
        let reset = if start.random.is_some() { 2 } else { 0 };
        // Verilator takes seeds in 1..2^31; 0 would mean the clock.
        let seed = 1 + start.random.unwrap_or(0) % ((1 << 31) - 1);
        let (writer, reader) = Command::new(&self.path)
            .arg(format!("+verilator+rand+reset+{reset}"))
            .arg(format!("+verilator+seed+{seed}"))
            .args(&start.plusargs)
            .timeout(start.timeout)
            .spawn_piped()
            .map_err(Error::Tool)?
            .split();
        let feed = Feed { writer, spare: Vec::new(), words: self.in_words };
        Ok((feed, Outputs { reader, bytes: Vec::new(), words: self.out_words }))
    }
}

/// The end of a running model that takes inputs.
#[derive(Debug)]
pub struct Feed {
    writer: Writer,
    spare: Vec<u8>,
    words: usize,
}

impl Feed {
    /// Sends a batch: the input frames of consecutive cycles, `frame_words` words each.
    ///
    /// # Errors
    /// [`Error::Tool`] if the process died or does not take it in time.
    pub fn send(&mut self, frames: &[u64], frame_words: usize) -> Result<(), Error> {
        let mut batch = std::mem::take(&mut self.spare);
        batch.clear();
        let cycles = frames.len() / frame_words;
        batch.extend_from_slice(&(cycles as u32).to_le_bytes());
        for frame in frames.chunks_exact(frame_words) {
            for word in frame {
                batch.extend_from_slice(&word.to_le_bytes());
            }
            batch.resize(batch.len() + 8 * (self.words - frame_words), 0);
        }
        self.spare = self.writer.send(batch)?;
        Ok(())
    }
}

/// The end of a running model that gives outputs.
#[derive(Debug)]
pub struct Outputs {
    reader: Reader,
    bytes: Vec<u8>,
    words: usize,
}

impl Outputs {
    /// Receives the output frames of the next `cycles` cycles, `frame_words` words each, into `frames`.
    ///
    /// # Errors
    /// [`Error::Tool`] if the process died or does not answer in time.
    pub fn receive(&mut self, cycles: usize, frame_words: usize, frames: &mut Vec<u64>) -> Result<(), Error> {
        self.bytes.resize(cycles * self.words * 8, 0);
        self.reader.receive(&mut self.bytes)?;
        frames.clear();
        for frame in self.bytes.chunks_exact(self.words * 8) {
            let words = frame.chunks_exact(8).take(frame_words);
            frames.extend(words.map(|bytes| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))));
        }
        Ok(())
    }

    /// Waits for the end of a model whose feed was dropped.
    ///
    /// # Errors
    /// [`Error::Tool`] if it did not end well.
    pub fn finish(self) -> Result<(), Error> {
        self.reader.finish()?;
        Ok(())
    }
}
