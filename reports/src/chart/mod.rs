//! Plots: each is data first, drawn as SVG or PNG or written as CSV.

mod axes;
mod bars;
mod legend;
mod style;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use self::style::Canvas;
use crate::error::Error;

/// Pixels of a plot from left to right.
const WIDTH: u32 = 860;

/// A plot with its name (of files), its title, and a sentence about what it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name of its files: lower case, without an extension.
    pub name: String,
    /// Title.
    pub title: String,
    /// What it shows and how to read it.
    pub caption: String,
    /// What is drawn.
    pub chart: Chart,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Stacked bars from left to right, one for each category.
    Bars(Bars),
    /// Curves, or points, over two axes.
    Axes(Axes),
}

/// Stacked bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// Unit of the values: `cycles`, `pJ`.
    pub unit: String,
    /// A bar each, from top to bottom.
    pub categories: Vec<String>,
    /// Parts of the bars: name and a value for each category, none negative.
    pub parts: Vec<(String, Vec<f64>)>,
    /// Whether every bar has the same length and shows shares.
    pub shares: bool,
}

/// Two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes {
    /// Label of the horizontal axis, with its unit.
    pub x: Axis,
    /// Label of the vertical axis, with its unit.
    pub y: Axis,
    /// What is drawn, with its name in the legend.
    pub series: Vec<Series>,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// Whether its scale is logarithmic: values must be above 0.
    pub log: bool,
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// x, y, and a label beside the point, which may be empty.
    pub points: Vec<(f64, f64, String)>,
    /// How they are drawn.
    pub mark: Mark,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Dots; from the eighth series on crosses, in the same colours.
    Dots,
    /// Small grey dots behind the others, without labels; those that would cover each other are drawn once.
    Cloud,
    /// A line through all.
    Line,
    /// Level from each point to the next, as of windows in time.
    Steps,
}

impl Figure {
    /// The plot as an SVG element.
    ///
    /// # Errors
    /// [`Error::Plot`] for data that cannot be drawn: none at all, or not finite.
    pub fn svg(&self) -> Result<String, Error> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, (WIDTH, self.height())).into_drawing_area();
        self.draw(&area)?;
        drop(area);
        Ok(text)
    }

    /// Writes the plot as a PNG file, under a temporary name first.
    ///
    /// # Errors
    /// As [`Self::svg`]; [`Error::File`] if the file cannot be written.
    pub fn write_png(&self, path: &Path) -> Result<(), Error> {
        let part = path.with_extension("part.png");
        let area = BitMapBackend::new(&part, (WIDTH, self.height())).into_drawing_area();
        self.draw(&area)?;
        drop(area);
        fs::rename(&part, path).map_err(|error| Error::File { path: path.display().to_string(), error })
    }

    /// The data as comma-separated values.
    pub fn csv(&self) -> String {
        let mut text = String::new();
        match &self.chart {
            Chart::Bars(bars) => {
                let names: Vec<String> = bars.parts.iter().map(|(name, _)| cell(name)).collect();
                let _ = writeln!(text, "{},{}", cell(&bars.unit), names.join(","));
                for (row, category) in bars.categories.iter().enumerate() {
                    let values: Vec<String> = bars.parts.iter().map(|(_, values)| values[row].to_string()).collect();
                    let _ = writeln!(text, "{},{}", cell(category), values.join(","));
                }
            }
            Chart::Axes(axes) => {
                let _ = writeln!(text, "series,label,{},{}", cell(&axes.x.label), cell(&axes.y.label));
                for series in &axes.series {
                    for (x, y, label) in &series.points {
                        let _ = writeln!(text, "{},{},{x},{y}", cell(&series.name), cell(label));
                    }
                }
            }
        }
        text
    }

    fn height(&self) -> u32 {
        match &self.chart {
            Chart::Bars(bars) => bars.height(),
            Chart::Axes(_) => 440,
        }
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Error> {
        style::register();
        let failed = |what: String| Error::Plot { figure: self.name.clone(), what };
        let canvas = Canvas { area };
        canvas.fill().and_then(|()| canvas.title(&self.title)).map_err(failed)?;
        match &self.chart {
            Chart::Bars(bars) => bars.draw(&canvas).map_err(failed)?,
            Chart::Axes(axes) => axes.draw(&canvas).map_err(failed)?,
        }
        area.present().map_err(|e| failed(e.to_string()))
    }
}

/// A cell of comma-separated values (RFC 4180).
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

/// A number of at most four digits with a prefix: `12.3 k`.
pub fn short(value: f64) -> String {
    const PREFIXES: [(f64, &str); 8] =
        [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, ""), (1e-3, " m"), (1e-6, " µ"), (1e-9, " n")];
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    let (unit, prefix) = PREFIXES.into_iter().find(|(unit, _)| size >= *unit * 0.9995).unwrap_or((1e-12, " p"));
    let number = value / unit;
    let digits = match number.abs() {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{number:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{prefix}")
}

#[cfg(test)]
mod tests;
