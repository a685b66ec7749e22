//! Stacked bars from left to right.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use super::legend::Entry;
use super::style::{Canvas, GRID, SIZE, TEXT, colour, shorten, text_width, tick_step};
use super::{Bars, WIDTH, legend, short};

const ROW: i32 = 22;
const BAR: i32 = 15;
/// Most pixels of a category's name.
const NAME: i32 = 250;
/// Right of the bars: the sums.
const SUM: i32 = 76;
/// Below the bars: ticks and the unit.
const FOOT: i32 = 46;

impl Bars {
    fn names(&self) -> Vec<&str> {
        self.parts.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn height(&self) -> u32 {
        (legend::bottom(&self.names()) + 8 + ROW * self.categories.len() as i32 + FOOT) as u32
    }

    fn sum(&self, row: usize) -> f64 {
        self.parts.iter().map(|(_, values)| values[row]).sum()
    }

    fn check(&self) -> Result<(), String> {
        if self.categories.is_empty() || self.parts.is_empty() {
            return Err("nothing to draw: no category or no part".into());
        }
        for (name, values) in &self.parts {
            if values.len() != self.categories.len() {
                return Err(format!("{name}: {} values for {} categories", values.len(), self.categories.len()));
            }
            if let Some(value) = values.iter().find(|v| !v.is_finite() || **v < 0.0) {
                return Err(format!("{name}: {value} is not a length"));
            }
        }
        Ok(())
    }

    pub(super) fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), String> {
        self.check()?;
        let names = self.names();
        let entries: Vec<Entry> = (0..names.len()).map(|index| Entry::Box(colour(index))).collect();
        legend::draw(canvas, &names, &entries)?;
        let top = legend::bottom(&names) + 8;
        let bottom = top + ROW * self.categories.len() as i32;
        let widest = self.categories.iter().map(|c| text_width(c, SIZE)).max().unwrap_or(0).min(NAME);
        let left = 14 + widest + 8;
        let right = WIDTH as i32 - if self.shares { 24 } else { SUM };
        let largest = (0..self.categories.len()).map(|row| self.sum(row)).fold(0.0, f64::max);
        let span = if self.shares { 100.0 } else { largest.max(f64::MIN_POSITIVE) };
        let place = |value: f64| left + (value / span * f64::from(right - left)).round() as i32;
        let step = tick_step(span, 6.0);
        for tick in (0..).map(|i| f64::from(i) * step).take_while(|t| *t <= span * 1.0001) {
            canvas.line((place(tick), top), (place(tick), bottom + 4), GRID)?;
            canvas.text(&short(tick), (place(tick), bottom + 13), HPos::Center)?;
        }
        let unit = if self.shares { format!("share of {}, %", self.unit) } else { self.unit.clone() };
        canvas.text(&unit, ((left + right) / 2, bottom + 32), HPos::Center)?;
        for (row, category) in self.categories.iter().enumerate() {
            let middle = top + row as i32 * ROW + ROW / 2;
            canvas.text(&shorten(category, NAME), (left - 8, middle), HPos::Right)?;
            let sum = self.sum(row);
            let scale = if self.shares && sum > 0.0 { 100.0 / sum } else { 1.0 };
            let mut before = 0.0;
            for (index, (_, values)) in self.parts.iter().enumerate() {
                let (from, to) = (place(before * scale), place((before + values[row]) * scale));
                if to > from {
                    canvas.rectangle((from, middle - BAR / 2), (to, middle + BAR / 2), colour(index))?;
                }
                before += values[row];
            }
            if !self.shares {
                canvas.text(&short(sum), (place(sum) + 6, middle), HPos::Left)?;
            }
        }
        canvas.line((left, top), (left, bottom), TEXT)
    }
}
