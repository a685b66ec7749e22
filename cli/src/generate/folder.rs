//! Puts generated files into a folder, all or none.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest;
use super::{File, MANIFEST};
use crate::error::Error;

/// Writes the files into a folder, which is created if it is not there.
///
/// All files are first written to a folder of their own, so that a full disk leaves the folder as it was. Files of an
/// earlier generation that are not written again are removed.
///
/// # Errors
/// If the folder holds files that were not generated (unless `force`), or cannot be written.
pub fn write(folder: &Path, files: &[File], force: bool) -> Result<(), Error> {
    let stale = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(failed("read", folder, &e)),
        Ok(mut entries) => Some(match entries.next() {
            None => Vec::new(),
            Some(_) => earlier(folder, force)?,
        }),
    };
    let Some(stale) = stale else {
        let stage = Stage::new(&beside(folder))?;
        stage.fill(files)?;
        return stage.become_folder(folder);
    };
    let stage = Stage::new(&folder.join(format!(".systole-{}.part", std::process::id())))?;
    stage.fill(files)?;
    let written: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    for name in stale.iter().filter(|name| !written.contains(name.as_str())) {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path, &e)),
            _ => {}
        }
    }
    // The manifest is the last file: until it is there, its hashes tell that the folder is not complete.
    for file in files {
        let (from, to) = (stage.path.join(&file.name), folder.join(&file.name));
        fs::rename(&from, &to).map_err(|e| failed("write", &to, &e))?;
    }
    Ok(())
}

/// Names that an earlier generation wrote.
fn earlier(folder: &Path, force: bool) -> Result<Vec<String>, Error> {
    let listed = fs::read_to_string(folder.join(MANIFEST)).ok().and_then(|text| manifest::listed(&text));
    match listed {
        Some(names) => Ok(names),
        None if force => Ok(Vec::new()),
        None => {
            let text = "holds files, but no manifest.json of systole; give another folder, or --force to write into it";
            Err(Error::Input(text.to_string()).of(folder))
        }
    }
}

/// A new name beside a folder.
fn beside(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    folder.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

fn failed(action: &str, path: &Path, error: &io::Error) -> Error {
    Error::Input(format!("cannot {action} {}: {error}; nothing was changed by half", path.display()))
}

/// A folder that is filled first, and removed with its contents unless it became the result.
struct Stage {
    path: PathBuf,
}

impl Stage {
    fn new(path: &Path) -> Result<Self, Error> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|e| failed("create", parent, &e))?;
        }
        fs::create_dir(path).map_err(|e| failed("create", path, &e))?;
        Ok(Self { path: path.to_path_buf() })
    }

    fn fill(&self, files: &[File]) -> Result<(), Error> {
        for file in files {
            tool::write_atomic(&self.path.join(&file.name), file.text.as_bytes())?;
        }
        Ok(())
    }

    fn become_folder(self, folder: &Path) -> Result<(), Error> {
        fs::rename(&self.path, folder).map_err(|e| failed("create", folder, &e))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Gone already if it became the folder; what led here otherwise matters more.
        let _ = fs::remove_dir_all(&self.path);
    }
}
