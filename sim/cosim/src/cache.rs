//! Built models, kept by the hash of everything that goes into them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// Models that are kept; the least recently used ones beyond that are removed.
const MOST_MODELS: usize = 200;
/// Age at which nothing can be building in a folder any more: longer than any build's time-out.
const LEFT_OVER: Duration = Duration::from_secs(24 * 3600);

/// The folder of built models: `SYSTOLE_CACHE`, or `systole` in `XDG_CACHE_HOME`, or in `.cache` of `HOME`.
///
/// # Errors
/// [`Error::NoCache`] if none of the variables is set.
pub fn folder() -> Result<PathBuf, Error> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = var("SYSTOLE_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|path| path.join("systole")))
        .or_else(|| var("HOME").map(|path| path.join(".cache/systole")))
        .ok_or(Error::NoCache)?;
    // Verilator runs in a folder of its own.
    std::path::absolute(&folder).map_err(Error::io("find", folder))
}

/// Hash of a list of texts, in which moving a byte from one text to the next changes the result.
pub fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The model of that key, built by `build` (which fills a fresh folder and names the file in it) unless it is there.
///
/// Several processes may build the same model at once: each does so in a folder of its own, and the file is renamed
/// into place whole.
///
/// # Errors
/// Those of `build`, [`Error::Io`].
pub fn model(folder: &Path, key: &str, build: impl FnOnce(&Path) -> Result<PathBuf, Error>) -> Result<PathBuf, Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(format!("{key}.model"));
    if path.is_file() {
        // Its age is when it was last used; a cache that may only be read still serves.
        let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        return Ok(path);
    }
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let work = Work(folder.join(format!("build-{key}-{}-{number}", std::process::id())));
    fs::create_dir_all(&work.0).map_err(Error::io("create", &work.0))?;
    let built = build(&work.0)?;
    fs::rename(&built, &path).map_err(Error::io("write", &path))?;
    prune(folder);
    Ok(path)
}

/// A build folder, removed whatever happens.
struct Work(PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        // What led here matters more than what is left over.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a path is the folder of a build.
fn is_build(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("build-"))
}

/// Removes the least recently used models, and build folders that an interrupted process left; another process may do
/// so at the same time.
fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let (entries, builds): (Vec<_>, Vec<_>) = entries.flatten().partition(|entry| !is_build(&entry.path()));
    let is_old = |path: &PathBuf| {
        let age = path.metadata().and_then(|data| data.modified()).map(|time| time.elapsed().unwrap_or_default());
        age.is_ok_and(|age| age > LEFT_OVER)
    };
    for path in builds.into_iter().map(|entry| entry.path()).filter(is_old) {
        let _ = fs::remove_dir_all(path);
    }
    let mut models: Vec<(SystemTime, PathBuf)> = entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "model"))
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    models.sort();
    let excess = models.len().saturating_sub(MOST_MODELS);
    for (_, path) in &models[..excess] {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_when_a_boundary_moves() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["a"]), key(&["a", ""]));
        assert_eq!(key(&["a", "b"]).len(), 32);
    }

    #[test]
    fn a_model_is_built_once_and_leaves_nothing_else_behind() {
        let folder = std::env::temp_dir().join(format!("systole-cache-test-{}", std::process::id()));
        let fill = |work: &Path| {
            let file = work.join("model");
            fs::write(&file, "built").map_err(Error::io("write", &file))?;
            Ok(file)
        };
        let first = model(&folder, "k", fill).unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "built");
        assert_eq!(model(&folder, "k", |_| Err(Error::NoCache)).unwrap(), first);
        assert!(model(&folder, "other", |_| Err(Error::NoCache)).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        for i in 0..MOST_MODELS + 3 {
            model(&folder, &format!("n{i}"), fill).unwrap();
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), MOST_MODELS);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_old_build_folders_are_removed() {
        let folder = std::env::temp_dir().join(format!("systole-builds-test-{}", std::process::id()));
        let (old, new) = (folder.join("build-old"), folder.join("build-new"));
        fs::create_dir_all(&old).unwrap();
        fs::create_dir_all(&new).unwrap();
        fs::File::open(&old).unwrap().set_modified(SystemTime::now() - 2 * LEFT_OVER).unwrap();
        prune(&folder);
        assert!(!old.exists() && new.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
