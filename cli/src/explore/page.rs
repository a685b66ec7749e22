//! The page of a sweep that was explored before.

use std::fs;
use std::path::Path;

use report::{Explored, write_explored};
use serde_json::json;

use crate::error::Error;
use crate::report::Report;

/// Reads what `systole explore` wrote into `folder`, and writes page, table of points and plots into `output`.
///
/// # Errors
/// For a folder that holds no such results, or one that cannot be written.
pub fn page(folder: &Path, output: &Path) -> Result<Report, Error> {
    let path = if folder.is_dir() { folder.join("explore.json") } else { folder.to_path_buf() };
    let cure = "give a folder that systole explore wrote";
    let text = fs::read_to_string(&path).map_err(|e| Error::Input(format!("{}: {e}; {cure}", path.display())))?;
    let explored: Explored =
        serde_json::from_str(&text).map_err(|e| Error::Input(format!("{}: {e}; {cure}", path.display())))?;
    let names = write_explored(&explored, output).map_err(|e| Error::Input(e.to_string()))?;
    let page = output.join("explore.html");
    let json = json!({"report": page, "files": names, "points": explored.points.len(), "models": explored.models});
    Ok(Report::done(format!("{}\nwritten: {}", explored.summary(), page.display()), json))
}
