//! Files that are whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// Writes a file so that `path` holds either what it held before or all of `bytes`.
///
/// The bytes go to a temporary name in the same folder, are forced to the disk, counted, and renamed. A symbolic link
/// is followed; what is not a regular file (a pipe, `/dev/stdout`) is written to directly.
///
/// # Errors
/// [`Error::Io`] with the path and what the operating system said; the temporary file is removed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomic_with(path, |writer| writer.write_all(bytes))
}

/// [`write_atomic`] for contents that are produced piece by piece.
///
/// # Errors
/// Those of [`write_atomic`], and an error of `fill`.
pub fn write_atomic_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    write(path, fill).map_err(|source| Error::Io { action: "write", path: path.to_path_buf(), source })
}

fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match target.metadata() {
        Ok(data) if data.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        // Renaming over a device would replace it.
        Ok(data) if !data.is_file() => {
            let mut file = BufWriter::new(OpenOptions::new().write(true).open(&target)?);
            fill(&mut file)?;
            return file.flush();
        }
        _ => {}
    }
    let temporary = Temporary::create(&target)?;
    let mut counted = Counted { inner: BufWriter::new(&temporary.file), bytes: 0 };
    fill(&mut counted)?;
    counted.flush()?;
    let expected = counted.bytes;
    drop(counted);
    temporary.file.sync_all()?;
    let found = temporary.file.metadata()?.len();
    if found != expected {
        return Err(io::Error::new(
            io::ErrorKind::WriteZero,
            format!("{found} of {expected} bytes were written (is the disk full?)"),
        ));
    }
    temporary.rename(&target)
}

/// A new file beside its target, removed on drop unless it was renamed.
struct Temporary {
    file: File,
    path: PathBuf,
    is_renamed: bool,
}

impl Temporary {
    fn create(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
        // File names have at most 255 bytes; the rest of the temporary name takes less than 55.
        let name: String = name.chars().take(50).collect();
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{name}.{}.{number}.part", process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, is_renamed: false })
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            // The error that led here is the one to report.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A writer that counts what it passed on.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
