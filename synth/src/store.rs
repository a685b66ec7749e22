//! Results kept by the hash of everything that goes into them: figures, logs, netlists.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::error::Error;

/// Results that are kept; the least recently used ones beyond that are removed.
const MOST_RESULTS: usize = 400;
/// File whose presence says that a result is whole.
pub const RESULT: &str = "cost.json";

/// The folder of results: `synth` in `SYSTOLE_CACHE`, or in `systole` of the user's cache.
///
/// # Errors
/// [`Error::Invalid`] if none of the variables is set.
pub fn folder() -> Result<PathBuf, Error> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = var("SYSTOLE_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|path| path.join("systole")))
        .or_else(|| var("HOME").map(|path| path.join(".cache/systole")))
        .ok_or_else(|| {
            let problem =
                ("cache", "none of SYSTOLE_CACHE, XDG_CACHE_HOME, HOME is set", "a folder", "set one of them");
            Error::Invalid(spec::Problem::new(problem.0, problem.1, problem.2, problem.3))
        })?;
    let folder = folder.join("synth");
    std::path::absolute(&folder).map_err(Error::io("find", &folder))
}

/// Hash of a list of texts, in which moving a byte from one text to the next changes the result.
pub fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The result of that key, made by `make` in a fresh folder unless it is there, and whether it was there.
///
/// Several processes may make the same result at once; the first one's stays.
///
/// # Errors
/// Those of `make`, whose folder stays then as `<key>.failed` for its logs; [`Error::Io`].
pub fn result(
    folder: &Path,
    key: &str,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(PathBuf, bool), Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(key);
    let mark = path.join(RESULT);
    if mark.is_file() {
        // Its age is when it was last used; a cache that may only be read still serves.
        let _ = fs::File::open(&mark).and_then(|file| file.set_modified(SystemTime::now()));
        return Ok((path, true));
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let work = folder.join(format!("{key}.{}-{number}.part", std::process::id()));
    fs::create_dir_all(&work).map_err(Error::io("create", &work))?;
    if let Err(error) = make(&work) {
        let failed = folder.join(format!("{key}.failed"));
        let _ = fs::remove_dir_all(&failed);
        let _ = fs::rename(&work, &failed);
        return Err(moved(error, &work, &failed));
    }
    if fs::rename(&work, &path).is_err() {
        // Another process was first, or left something without a result.
        if mark.is_file() {
            let _ = fs::remove_dir_all(&work);
        } else {
            let _ = fs::remove_dir_all(&path);
            fs::rename(&work, &path).map_err(Error::io("write", &path))?;
        }
    }
    prune(folder);
    Ok((path, false))
}

/// The error with its log where it is now.
fn moved(error: Error, from: &Path, to: &Path) -> Error {
    let place = |log: PathBuf| log.strip_prefix(from).map_or(log.clone(), |rest| to.join(rest));
    match error {
        Error::Output { tool, problem, log } => Error::Output { tool, problem, log: place(log) },
        Error::Tool(tool::Error::Failed { command, status, tail, log }) => {
            Error::Tool(tool::Error::Failed { command, status, tail, log: log.map(place) })
        }
        Error::Tool(tool::Error::TimedOut { command, seconds, tail, log }) => {
            Error::Tool(tool::Error::TimedOut { command, seconds, tail, log: log.map(place) })
        }
        other => other,
    }
}

fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut results: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter_map(|path| Some((path.join(RESULT).metadata().ok()?.modified().ok()?, path)))
        .collect();
    results.sort();
    let excess = results.len().saturating_sub(MOST_RESULTS);
    for (_, path) in &results[..excess] {
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_made_once_and_a_failure_keeps_its_logs() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &'static str| move |work: &Path| fs::write(work.join(name), "{}").map_err(Error::io("write", work));
        let (first, was_there) = result(folder.path(), "k", write(RESULT)).unwrap();
        assert!(!was_there && first.join(RESULT).is_file());
        assert!(result(folder.path(), "k", |_| panic!("made twice")).unwrap().1);
        let failed = result(folder.path(), "f", |work| {
            let log = work.join("yosys.log");
            fs::write(&log, "ERROR").unwrap();
            Err(Error::Output { tool: "yosys".into(), problem: "no netlist".into(), log })
        });
        let message = failed.unwrap_err().to_string();
        let log = folder.path().join("f.failed/yosys.log");
        assert!(log.is_file() && message.contains(&log.display().to_string()), "{message}");
        assert_ne!(key([&b"ab"[..], b"c"]), key([&b"a"[..], b"bc"]));
    }
}
