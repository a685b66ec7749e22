//! Program files that commands read.

use std::path::Path;

use spec::isa::{Program, container};

use crate::error::Error;

/// The bytes of a file.
///
/// # Errors
/// If it cannot be read.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let read = if is_file { std::fs::read(path) } else { Err(std::io::ErrorKind::NotFound.into()) };
    read.map_err(|e| Error::Input(format!("cannot read: {e}; check the path")).of(path))
}

/// The program of a file.
///
/// # Errors
/// If it cannot be read or holds no program.
pub fn read(path: &Path) -> Result<Program, Error> {
    container::from_bytes(&bytes(path)?).map_err(|e| Error::from(e).of(path))
}
