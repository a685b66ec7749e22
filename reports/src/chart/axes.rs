//! Curves and points over two axes, linear or logarithmic.

use std::collections::HashSet;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::legend::Entry;
use super::style::{CLOUD, Canvas, GRID, SIZE, TEXT, colour, text_width, tick_step};
use super::{Axes, Axis, Mark, Series, WIDTH, legend, short};

const HEIGHT: i32 = 440;
const LEFT: i32 = 74;
const RIGHT: i32 = WIDTH as i32 - 30;
const FOOT: i32 = 52;

/// An axis with the pixels and the values of its ends.
struct Scale {
    log: bool,
    values: (f64, f64),
    pixels: (i32, i32),
}

impl Scale {
    fn new(axis: &Axis, values: impl Iterator<Item = f64>, pixels: (i32, i32)) -> Result<Self, String> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            if !value.is_finite() || (axis.log && value <= 0.0) {
                return Err(format!("{}: {value} cannot be drawn", axis.label));
            }
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return Err(format!("{}: no points", axis.label));
        }
        let values = if axis.log {
            (low / 1.3, high * 1.3)
        } else {
            // Bars and powers begin at 0, unless all values lie far from it.
            let low = if low >= 0.0 && low < 0.6 * high { 0.0 } else { low - 0.06 * (high - low) };
            (low, if high > low { high + 0.06 * (high - low) } else { low + 1.0 })
        };
        // One value alone stands in the middle.
        let values = if !axis.log && high == values.0 { (high - 0.5, high + 0.5) } else { values };
        Ok(Self { log: axis.log, values, pixels })
    }

    fn place(&self, value: f64) -> i32 {
        let at = |v: f64| if self.log { v.log10() } else { v };
        let (low, high) = (at(self.values.0), at(self.values.1));
        let share = (at(value) - low) / (high - low);
        self.pixels.0 + (share * f64::from(self.pixels.1 - self.pixels.0)).round() as i32
    }

    fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.values;
        let decades = (high / low).log10();
        // Over less than a factor of four, even steps give more ticks than powers.
        if self.log && decades > 0.6 {
            let factors: &[f64] = if decades > 4.0 {
                &[1.0]
            } else if decades > 1.5 {
                &[1.0, 3.0]
            } else {
                &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0]
            };
            let first = low.log10().floor() as i32;
            let last = high.log10().ceil() as i32;
            let all = (first..=last).flat_map(|p| factors.iter().map(move |f| f * 10f64.powi(p)));
            return all.filter(|t| (low..=high).contains(t)).collect();
        }
        let step = tick_step(high - low, 6.0);
        let first = (low / step).ceil() as i64;
        (first..).map(|i| i as f64 * step).take_while(|t| *t <= high).collect()
    }
}

impl Axes {
    pub(super) fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<(), String> {
        let names: Vec<&str> = self.series.iter().map(|s| s.name.as_str()).collect();
        // Clouds take no colour of the palette.
        let index = |place: usize| self.series[..place].iter().filter(|s| s.mark != Mark::Cloud).count();
        let entries: Vec<Entry> = self
            .series
            .iter()
            .enumerate()
            .map(|(place, series)| match series.mark {
                Mark::Dots => Entry::Dot(index(place)),
                Mark::Cloud => Entry::Box(CLOUD),
                Mark::Line | Mark::Steps => Entry::Box(colour(index(place))),
            })
            .collect();
        legend::draw(canvas, &names, &entries)?;
        let top = legend::bottom(&names) + 28;
        let bottom = HEIGHT - FOOT;
        let points = || self.series.iter().flat_map(|s| &s.points);
        let x = Scale::new(&self.x, points().map(|p| p.0), (LEFT, RIGHT))?;
        let y = Scale::new(&self.y, points().map(|p| p.1), (bottom, top))?;
        for tick in x.ticks() {
            canvas.line((x.place(tick), top), (x.place(tick), bottom + 4), GRID)?;
            canvas.text(&short(tick), (x.place(tick), bottom + 14), HPos::Center)?;
        }
        for tick in y.ticks() {
            canvas.line((LEFT - 4, y.place(tick)), (RIGHT, y.place(tick)), GRID)?;
            canvas.text(&short(tick), (LEFT - 8, y.place(tick)), HPos::Right)?;
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), TEXT)?;
        canvas.line((LEFT, top), (LEFT, bottom), TEXT)?;
        canvas.text(&self.x.label, ((LEFT + RIGHT) / 2, bottom + 36), HPos::Center)?;
        // The vertical axis' label stands above it, where it can be read without turning the head.
        canvas.text(&self.y.label, (14, top - 14), HPos::Left)?;
        let dots = self.series.iter().filter(|s| s.mark == Mark::Dots).flat_map(|s| &s.points);
        let around = |(x, y): (i32, i32)| (x - 4, y - 4, x + 4, y + 4);
        let mut taken = Labels { boxes: dots.map(|(px, py, _)| around((x.place(*px), y.place(*py)))).collect() };
        // Clouds first: the others stand on them.
        for (place, series) in self.series.iter().enumerate().filter(|(_, s)| s.mark == Mark::Cloud) {
            series.draw(canvas, &x, &y, index(place))?;
        }
        for (place, series) in self.series.iter().enumerate().filter(|(_, s)| s.mark != Mark::Cloud) {
            series.draw(canvas, &x, &y, index(place))?;
        }
        for series in &self.series {
            for (px, py, label) in series.points.iter().filter(|(_, _, label)| !label.is_empty()) {
                taken.draw(canvas, label, (x.place(*px), y.place(*py)), (top, bottom))?;
            }
        }
        Ok(())
    }
}

/// Labels that stand already: left, top, right, bottom.
struct Labels {
    boxes: Vec<(i32, i32, i32, i32)>,
}

impl Labels {
    /// Writes a label beside its point where nothing stands yet; a label without room is left out, its data are in the
    /// table.
    fn draw<B: DrawingBackend>(
        &mut self,
        canvas: &Canvas<B>,
        label: &str,
        (x, y): (i32, i32),
        (top, bottom): (i32, i32),
    ) -> Result<(), String> {
        let (width, half) = (text_width(label, SIZE), SIZE / 2 + 2);
        let places = [(x + 8, y), (x + 8, y - 12), (x + 8, y + 12), (x - 8 - width, y), (x - 8 - width, y - 12)];
        for (left, middle) in places {
            let wanted = (left, middle - half, left + width, middle + half);
            let inside = left > LEFT && wanted.2 < WIDTH as i32 && wanted.1 > top && wanted.3 < bottom;
            let apart = |b: &(i32, i32, i32, i32)| wanted.0 > b.2 || wanted.2 < b.0 || wanted.1 > b.3 || wanted.3 < b.1;
            if inside && self.boxes.iter().all(apart) {
                self.boxes.push(wanted);
                return canvas.text(label, (left, middle), HPos::Left);
            }
        }
        Ok(())
    }
}

impl Series {
    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<B>, x: &Scale, y: &Scale, index: usize) -> Result<(), String> {
        let at: Vec<(i32, i32)> = self.points.iter().map(|(px, py, _)| (x.place(*px), y.place(*py))).collect();
        let path = |points: Vec<(i32, i32)>| {
            let style = colour(index).stroke_width(2);
            canvas.area.draw(&PathElement::new(points, style)).map_err(|e| e.to_string())
        };
        match self.mark {
            Mark::Dots => at.iter().try_for_each(|p| canvas.dot(*p, index)),
            Mark::Cloud => {
                let mut drawn = HashSet::new();
                let apart = at.into_iter().filter(|(x, y)| drawn.insert((x / 2, y / 2)));
                let draw = |p| canvas.area.draw(&Circle::new(p, 2, CLOUD.filled())).map_err(|e| e.to_string());
                apart.collect::<Vec<_>>().into_iter().try_for_each(draw)
            }
            Mark::Line => path(at),
            Mark::Steps => {
                let corners = at.windows(2).flat_map(|w| [w[0], (w[1].0, w[0].1)]);
                path(corners.chain(at.last().copied()).collect())
            }
        }
    }
}
