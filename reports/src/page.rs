//! One self-contained HTML page of a run, or of two side by side, and the files beside it.

use std::fs;
use std::path::Path;

use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use crate::chart::{Figure, short};
use crate::error::Error;
use crate::figures::figures;
use crate::run::{Quantity, Run};
use crate::tables::tables;

const TEMPLATE: &str = include_str!("page.html");

/// A heading with one picture, or with one of each run.
#[derive(Serialize)]
pub(crate) struct Shown {
    pub title: String,
    pub caption: String,
    pub svgs: Vec<String>,
}

/// A value with its unit.
pub(crate) fn value(quantity: &Quantity) -> String {
    match quantity.unit.as_str() {
        "" => short(quantity.value),
        "%" => format!("{:.1} %", quantity.value),
        unit => {
            let text = short(quantity.value);
            // A prefix and its unit are one word: 12.3 kJ; words that are no symbols keep their distance.
            let is_symbol = unit.chars().count() <= 4 && !unit.contains(' ');
            let is_prefixed = text.ends_with(|c: char| !c.is_ascii_digit());
            if is_prefixed && is_symbol { format!("{text}{unit}") } else { format!("{text} {unit}") }
        }
    }
}

/// The page of a run.
///
/// # Errors
/// [`Error::Plot`] for data that cannot be drawn.
pub fn page(run: &Run) -> Result<String, Error> {
    let mut shown = Vec::new();
    for figure in figures(run) {
        let svgs = vec![figure.svg()?];
        shown.push(Shown { title: figure.title, caption: figure.caption, svgs });
    }
    let quantities: Vec<[String; 3]> =
        run.quantities.iter().map(|q| [q.name.clone(), value(q), q.note.clone()]).collect();
    render(context! {
        title => run.title, quantity_head => ["", "", ""], quantities, noted => true, remarks => run.remarks,
        figures => shown, tables => tables(run), origin => run.origin,
    })
}

/// The page of two runs side by side: figures in two columns with the ratio of the second to the first, plots of both
/// under one heading.
///
/// # Errors
/// As [`page`].
pub fn compare(a: &Run, b: &Run) -> Result<String, Error> {
    let quantities: Vec<[String; 4]> = compared(a, b);
    let mut shown: Vec<Shown> = Vec::new();
    for (run, others) in [(a, b), (b, a)] {
        let other = figures(others);
        for figure in figures(run) {
            let titled = Figure { title: format!("{}: {}", run.title, figure.title), ..figure.clone() };
            let svg = titled.svg()?;
            match shown.iter_mut().find(|s| s.title == figure.title) {
                Some(both) => both.svgs.push(svg),
                None => {
                    let is_alone = !other.iter().any(|o| o.name == figure.name);
                    let caption = if is_alone { "The other run has no such data." } else { &figure.caption };
                    shown.push(Shown { title: figure.title, caption: caption.into(), svgs: vec![svg] });
                }
            }
        }
    }
    let mut tables_of_both = Vec::new();
    for run in [a, b] {
        for mut table in tables(run) {
            table.title = format!("{}: {}", run.title, table.title);
            tables_of_both.push(table);
        }
    }
    let origin: Vec<(String, String)> = [a, b]
        .into_iter()
        .flat_map(|run| run.origin.iter().map(|(name, text)| (format!("{}: {name}", run.title), text.clone())))
        .collect();
    let remarks: Vec<&String> = a.remarks.iter().chain(b.remarks.iter().filter(|r| !a.remarks.contains(r))).collect();
    render(context! {
        title => format!("{} and {}", a.title, b.title), quantity_head => ["", &a.title, &b.title, "ratio"], quantities,
        noted => false, remarks, figures => shown, tables => tables_of_both, origin,
    })
}

/// Name, both values and the ratio of the second to the first, of every quantity that either run has.
pub fn compared(a: &Run, b: &Run) -> Vec<[String; 4]> {
    let find = |run: &Run, name: &str| run.quantities.iter().find(|q| q.name == name).cloned();
    let only_b = b.quantities.iter().filter(|q| find(a, &q.name).is_none());
    let names = a.quantities.iter().chain(only_b).map(|q| q.name.clone());
    names
        .map(|name| {
            let (first, second) = (find(a, &name), find(b, &name));
            let ratio = match (&first, &second) {
                (Some(x), Some(y)) if x.unit == y.unit && x.value != 0.0 => format!("{:.3}", y.value / x.value),
                _ => "-".into(),
            };
            let text = |q: &Option<Quantity>| q.as_ref().map_or_else(|| "-".into(), value);
            [name, text(&first), text(&second), ratio]
        })
        .collect()
}

pub(crate) fn render(context: minijinja::Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let failed = |error: minijinja::Error| Error::Page(error.to_string());
    environment.add_template("page.html", TEMPLATE).map_err(failed)?;
    environment.get_template("page.html").and_then(|template| template.render(context)).map_err(failed)
}

/// Writes `report.html`, `report.json`, and of every plot a PNG and a CSV file into a folder. Returns their names.
///
/// # Errors
/// [`Error::File`] for what cannot be written; those of [`page`].
pub fn write(run: &Run, folder: &Path) -> Result<Vec<String>, Error> {
    let page = page(run)?;
    fs::create_dir_all(folder).map_err(|error| Error::File { path: folder.display().to_string(), error })?;
    let json = serde_json::to_string_pretty(run).map_err(|error| Error::Page(error.to_string()))?;
    let mut names = vec!["report.html".to_string(), "report.json".to_string()];
    write_file(&folder.join("report.html"), &page)?;
    write_file(&folder.join("report.json"), &(json + "\n"))?;
    for figure in figures(run) {
        for extension in ["csv", "png"] {
            let name = format!("{}.{extension}", figure.name);
            let path = folder.join(&name);
            if extension == "csv" {
                write_file(&path, &figure.csv())?
            } else {
                figure.write_png(&path)?
            }
            names.push(name);
        }
    }
    Ok(names)
}

/// Writes a file under a temporary name, then renames it.
///
/// # Errors
/// [`Error::File`].
pub fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    let part = path.with_extension("part");
    let failed = |error| Error::File { path: path.display().to_string(), error };
    fs::write(&part, text).map_err(failed)?;
    fs::rename(&part, path).map_err(failed)
}
