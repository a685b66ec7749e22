//! A sweep as one self-contained HTML page, and the files beside it.

use std::fs;
use std::path::Path;

use minijinja::context;

use super::{Explored, Found};
use crate::error::Error;
use crate::page::{Shown, render, write_file};
use crate::table::Table;

/// Rows of the front on the page, of each setting.
const ROWS: usize = 100;

impl Explored {
    /// The page.
    ///
    /// # Errors
    /// [`Error::Plot`] for data that cannot be drawn.
    pub fn page(&self) -> Result<String, Error> {
        let mut shown = Vec::new();
        for figure in self.figures() {
            let svgs = vec![figure.svg()?];
            shown.push(Shown { title: figure.title, caption: figure.caption, svgs });
        }
        let settings = self.settings();
        let mut tables: Vec<Table> =
            settings.iter().map(|(setting, points)| self.table(setting, points, ROWS)).collect();
        tables.push(self.models_table());
        let found = |of: fn(&Found) -> bool| {
            self.points.iter().filter(|p| p.found.as_ref().is_some_and(of)).count().to_string()
        };
        let quantities = vec![
            ["points".to_string(), self.points.len().to_string(), "of the sweep".to_string()],
            ["measured".into(), found(|_| true), "the others are in the table with their reasons".into()],
            [
                "that no other beats".into(),
                self.points.iter().filter(|p| p.is_front).count().to_string(),
                "in area, time, energy and perplexity, of the same technology, memory and work".into(),
            ],
            ["fields".into(), self.fields.len().to_string(), self.fields.join(" / ")],
        ];
        render(context! {
            title => self.title, quantity_head => ["", "", ""], quantities, noted => true, remarks => self.remarks,
            figures => shown, tables, origin => self.origin,
        })
    }

    fn models_table(&self) -> Table {
        let mut table = Table::new("Models", &["model", "format", "recipe", "perplexity", "FP32", "over"]);
        let number = |p: Option<f64>| p.map_or("-".into(), |p| format!("{p:.4}"));
        for m in &self.models {
            let over = m.reason.as_ref().unwrap_or(&m.over).clone();
            let (ppl, fp32) = (number(m.perplexity), number(m.perplexity_fp32));
            table.row([m.model.clone(), m.format.clone(), m.recipe.clone(), ppl, fp32, over]);
        }
        table
    }
}

/// Writes `explore.html`, `explore.json`, `points.csv`, and of every plot an SVG and a PNG file into a folder. Returns their
/// names. The same data give the same bytes.
///
/// # Errors
/// [`Error::File`] for what cannot be written; those of [`Explored::page`].
pub fn write_explored(explored: &Explored, folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |error| Error::File { path: folder.display().to_string(), error };
    fs::create_dir_all(folder).map_err(failed)?;
    let json = serde_json::to_string_pretty(explored).map_err(|e| Error::Page(e.to_string()))?;
    let texts = [("explore.html", explored.page()?), ("explore.json", json + "\n"), ("points.csv", explored.csv())];
    let mut names = Vec::new();
    for (name, text) in texts {
        write_file(&folder.join(name), &text)?;
        names.push(name.to_string());
    }
    for figure in explored.figures() {
        let (svg, png) = (format!("{}.svg", figure.name), format!("{}.png", figure.name));
        write_file(&folder.join(&svg), &figure.svg()?)?;
        figure.write_png(&folder.join(&png))?;
        names.extend([svg, png]);
    }
    Ok(names)
}
