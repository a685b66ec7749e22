//! One synthesis run: what goes in, and its result.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use hdl::rtl::{Design, Header};
use spec::Config;
use spec::cost::{Cost, ToolVersion};
use tool::{Command, SYNTH_YOSYS, Tool, Version};

use crate::error::Error;
use crate::store;
use crate::target::Target;
use crate::{asic, fpga};

/// Seconds that one run of a tool may take.
pub const MOST_SECONDS: u64 = 1200;
/// Changes whenever results for the same input may.
const FLOW: &str = "2";

/// How designs are synthesised.
#[derive(Clone, Debug)]
pub struct Options {
    /// What for.
    pub target: Target,
    /// Cell library of [`Target::Asic`].
    pub liberty: Option<PathBuf>,
    /// Multiplier blocks may be used.
    pub uses_dsps: bool,
    /// Cells of all modules may be merged; otherwise modules with registers stay apart. For [`Target::Asic`].
    pub flattens: bool,
    /// Constants and unused ports pass between modules that stay apart: each is then made for its place in this design,
    /// and an array's first row, to which no sums come, has no adders. For [`Target::Asic`], by yosys 0.60 and newer.
    pub propagates: bool,
    /// Period in ps that mapping aims at instead of the library's. For [`Target::Asic`].
    pub period_ps: Option<u32>,
    /// Time for each run of a tool.
    pub timeout: Duration,
    /// Folder of kept results; [`store::folder`] if none.
    pub store: Option<PathBuf>,
}

impl Options {
    /// The usual options for a target.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            liberty: None,
            uses_dsps: true,
            flattens: false,
            propagates: false,
            period_ps: None,
            timeout: Duration::from_secs(MOST_SECONDS),
            store: None,
        }
    }

    /// The usual options for a cell library.
    pub fn asic(liberty: &Path) -> Self {
        Self { liberty: Some(liberty.to_path_buf()), ..Self::new(Target::Asic) }
    }
}

/// One unit of one Config.
#[derive(Clone, Debug)]
pub struct Job {
    /// Name of the unit.
    pub unit: String,
    /// Its design.
    pub design: Design,
    /// Its Verilog: names and texts.
    pub files: Vec<(String, String)>,
    /// Hash of the Config.
    pub config_hash: String,
}

impl Job {
    /// A job for a unit of a Config.
    ///
    /// # Errors
    /// [`Error::Hdl`].
    pub fn new(config: &Config, unit: &str, design: Design) -> Result<Self, Error> {
        // The generator's version is not in it, so that results stay when it alone changes.
        let header = Header { generator: "systole".to_string(), config_hash: String::new() };
        let files = design.emit(&header)?;
        Ok(Self { unit: unit.to_string(), design, files, config_hash: config.hash() })
    }
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures.
    pub cost: Cost,
    /// Folder with the logs (`*.log`), the netlists and the scripts.
    pub folder: PathBuf,
    /// Whether it was kept from an earlier run.
    pub was_kept: bool,
}

/// A program that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
    pub(crate) name: &'static str,
}

impl Found {
    fn new(tool: &Tool) -> Result<Self, Error> {
        static KNOWN: Mutex<BTreeMap<PathBuf, Version>> = Mutex::new(BTreeMap::new());
        let path = tool.find()?;
        // Asking takes a second where a program is WebAssembly.
        let known = KNOWN.lock().ok().and_then(|known| known.get(&path).cloned());
        let version = known.map_or_else(|| tool.version(), Ok)?;
        if let Ok(mut known) = KNOWN.lock() {
            known.insert(path.clone(), version.clone());
        }
        Ok(Self { path, version, name: tool.name })
    }

    /// For results.
    pub(crate) fn said(&self) -> ToolVersion {
        ToolVersion { name: self.name.to_string(), version: self.version.text.clone() }
    }

    /// Whether the version is that or newer; unknown ones are new.
    pub(crate) fn is_at_least(&self, wanted: &[u32]) -> bool {
        self.version.numbers.is_empty() || self.version.numbers.as_slice() >= wanted
    }
}

/// Surroundings of a run in its folder.
pub(crate) struct Work<'a> {
    pub(crate) job: &'a Job,
    pub(crate) options: &'a Options,
    pub(crate) folder: &'a Path,
    pub(crate) yosys: &'a Found,
    pub(crate) timer: Option<&'a Found>,
}

impl Work<'_> {
    /// Path of a file of the run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file of the run.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        Ok(tool::write_atomic(&self.path(name), text.as_bytes())?)
    }

    /// The names of the Verilog files, which are written.
    pub(crate) fn sources(&self) -> Result<String, Error> {
        for (name, text) in &self.job.files {
            self.write(name, text)?;
        }
        Ok(self.job.files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "))
    }

    /// Runs yosys on a script, and returns its log; every file of `writes` must be there afterwards.
    pub(crate) fn yosys(&self, name: &str, script: &str, writes: &[&str]) -> Result<PathBuf, Error> {
        let (file, log_name) = (format!("{name}.ys"), format!("{name}.log"));
        self.write(&file, script)?;
        let log = self.path(&log_name);
        // Paths are relative, for yosys writes them into what it makes. Its WebAssembly build ends early, with status 0,
        // if abc prints to standard output alone, so the log is yosys' own.
        let mut command = Command::new(&self.yosys.path).args(["-q", "-l", &log_name, "-s", &file]).writes(&log);
        for written in writes {
            command = command.writes(self.path(written));
        }
        let printed = self.path(&format!("{name}.out"));
        command.cwd(self.folder).timeout(self.options.timeout).log(&printed).run()?;
        let text = fs::read_to_string(&log).map_err(Error::io("read", &log))?;
        if !text.contains("End of script.") {
            let problem = format!("it ended with status 0 before the end of {file}");
            return Err(Error::Output { tool: "yosys".to_string(), problem, log });
        }
        Ok(log)
    }
}

/// The result of an earlier run of the same, if there is one.
///
/// # Errors
/// As [`run`].
pub fn kept(job: &Job, options: &Options) -> Result<Option<Outcome>, Error> {
    let place = Place::new(job, options)?;
    match place.folder.join(&place.key).join(store::RESULT).is_file() {
        true => run(job, options).map(Some),
        false => Ok(None),
    }
}

/// Where a result is kept, and the programs that make it.
struct Place {
    yosys: Found,
    timer: Option<Found>,
    /// What is said of a timing tool that is missing.
    missing: Option<String>,
    folder: PathBuf,
    key: String,
}

impl Place {
    fn new(job: &Job, options: &Options) -> Result<Self, Error> {
        let yosys = Found::new(&SYNTH_YOSYS)?;
        let timing_tool = match options.target {
            Target::Asic => Some(tool::STA),
            target => target.placer(),
        };
        let mut missing = None;
        let timer =
            timing_tool.and_then(|tool| Found::new(&tool).map_err(|error| missing = Some(error.to_string())).ok());
        let plan = match options.target {
            Target::Asic => asic::plan(job, options)?,
            _ => fpga::plan(job, options),
        };
        let names: Vec<&[u8]> = job.files.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]).collect();
        let versions = [&yosys].into_iter().chain(&timer).map(|found| format!("{} {}", found.name, found.version));
        let versions: Vec<String> = versions.collect();
        let setting = format!(
            "{FLOW} {} {} {:?} {} {}",
            options.target, options.uses_dsps, options.period_ps, options.flattens, job.unit
        );
        let parts = [setting.as_bytes(), plan.as_bytes()].into_iter();
        let parts = parts.chain(options.propagates.then_some(b"propagates".as_slice()));
        let key = store::key(parts.chain(versions.iter().map(String::as_bytes)).chain(names));
        let folder = match &options.store {
            Some(folder) => folder.clone(),
            None => store::folder()?,
        };
        Ok(Self { yosys, timer, missing, folder, key })
    }
}

/// Synthesises a unit, or takes the result of an earlier run of the same.
///
/// # Errors
/// [`Error::Tool`] if yosys is missing or fails; a missing timing tool is a remark of the result.
pub fn run(job: &Job, options: &Options) -> Result<Outcome, Error> {
    let Place { yosys, timer, missing, folder, key } = Place::new(job, options)?;
    let (place, was_kept) = store::result(&folder, &key, |folder| {
        let work = Work { job, options, folder, yosys: &yosys, timer: timer.as_ref() };
        let mut cost = match options.target {
            Target::Asic => asic::run(&work)?,
            _ => fpga::run(&work)?,
        };
        cost.tools = [&yosys].into_iter().chain(&timer).map(Found::said).collect();
        cost.remarks.extend(missing);
        let text = serde_json::to_string_pretty(&cost).map_err(|e| Error::Output {
            tool: "systole".to_string(),
            problem: e.to_string(),
            log: folder.to_path_buf(),
        })?;
        Ok(tool::write_atomic(&folder.join(store::RESULT), text.as_bytes())?)
    })?;
    let path = place.join(store::RESULT);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    let mut cost: Cost = serde_json::from_slice(&text).map_err(|e| Error::Output {
        tool: "systole".to_string(),
        problem: format!("{}: {e}; remove it", path.display()),
        log: place.clone(),
    })?;
    // Configs that differ in other units only give the same Verilog.
    cost.config_hash.clone_from(&job.config_hash);
    Ok(Outcome { cost, folder: place, was_kept })
}

impl Outcome {
    /// The netlist as Verilog with all that a simulator needs; its top has the module name and ports of the design.
    ///
    /// # Errors
    /// [`Error::Tool`], [`Error::Io`].
    pub fn simulation(&self, options: &Options) -> Result<Vec<(String, String)>, Error> {
        match options.target {
            Target::Asic => asic::simulation(&self.folder),
            target => fpga::simulation(&self.cost.top, target, &self.folder, options.timeout),
        }
    }
}

/// Runs several jobs, at most `at_once` at the same time; results in the jobs' order.
pub fn run_all(
    jobs: &[(Job, Options)],
    at_once: usize,
    done: impl Fn(usize, &Result<Outcome, Error>) + Sync,
) -> Vec<Result<Outcome, Error>> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<Outcome, Error>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((job, options)) = jobs.get(index) else { break };
                    let result = run(job, options);
                    done(index, &result);
                    if let Ok(mut slot) = results[index].lock() {
                        *slot = Some(result);
                    }
                }
            });
        }
    });
    let taken = |slot: Mutex<Option<Result<Outcome, Error>>>| slot.into_inner().ok().flatten();
    results.into_iter().map(|slot| taken(slot).expect("every job was run")).collect()
}
