//! Font, colours and the strokes that all plots share.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

pub(super) const FONT: &str = "DejaVu Sans";
pub(super) const TEXT: RGBColor = RGBColor(34, 34, 34);
pub(super) const GRID: RGBColor = RGBColor(221, 221, 221);
/// Height of the title's strip.
pub(super) const TITLE: i32 = 34;
/// Pixels of ordinary text.
pub(super) const SIZE: i32 = 13;

/// Colours that people with any kind of colour blindness tell apart (Okabe and Ito, "Color Universal Design", 2008),
/// then greys.
const PALETTE: [RGBColor; 9] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(240, 228, 66),
    RGBColor(110, 110, 110),
    RGBColor(190, 190, 190),
];

/// Colour of a cloud of points behind others.
pub(super) const CLOUD: RGBColor = RGBColor(200, 200, 200);

/// Series of dots that colours alone tell apart; greys are left to clouds.
pub(super) const DOTS: usize = 7;

/// Colour of series `index`.
pub(super) fn colour(index: usize) -> RGBColor {
    PALETTE[index % PALETTE.len()]
}

/// Makes the font known, once.
pub(super) fn register() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        for style in [FontStyle::Normal, FontStyle::Bold] {
            // Only an unreadable font is refused; then text is left out and the tests see it.
            let _ = register_font(FONT, style, dejavu::sans::regular());
        }
    });
}

/// A drawing area with the strokes that all plots share.
pub(super) struct Canvas<'a, B: DrawingBackend> {
    pub area: &'a DrawingArea<B, Shift>,
}

impl<B: DrawingBackend> Canvas<'_, B> {
    pub fn fill(&self) -> Result<(), String> {
        self.area.fill(&WHITE).map_err(|e| e.to_string())
    }

    pub fn title(&self, text: &str) -> Result<(), String> {
        self.text_of(text, (12, TITLE / 2), HPos::Left, 17, &TEXT)
    }

    pub fn text(&self, text: &str, at: (i32, i32), h: HPos) -> Result<(), String> {
        self.text_of(text, at, h, SIZE, &TEXT)
    }

    /// Text whose middle line is at `at`.
    pub fn text_of(&self, text: &str, at: (i32, i32), h: HPos, size: i32, color: &RGBColor) -> Result<(), String> {
        let style = TextStyle::from((FONT, size).into_font()).color(color).pos(Pos::new(h, VPos::Center));
        self.area.draw_text(text, &style, at).map_err(|e| e.to_string())
    }

    pub fn rectangle(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> Result<(), String> {
        self.area.draw(&Rectangle::new([from, to], color.filled())).map_err(|e| e.to_string())
    }

    /// A dot; the cross of a series whose colour another one has.
    pub fn dot(&self, at: (i32, i32), index: usize) -> Result<(), String> {
        let color = colour(index % DOTS);
        if index < DOTS {
            return self.area.draw(&Circle::new(at, 4, color.filled())).map_err(|e| e.to_string());
        }
        self.area.draw(&Cross::new(at, 5, color.stroke_width(2))).map_err(|e| e.to_string())
    }

    pub fn line(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> Result<(), String> {
        self.area.draw(&PathElement::new([from, to], color)).map_err(|e| e.to_string())
    }
}

/// Pixels of a text from left to right.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    register();
    let font = (FONT, size).into_font();
    font.box_size(text).map_or(text.chars().count() as i32 * size * 6 / 10, |(width, _)| width as i32)
}

/// A text of at most so many pixels, its middle left out where it is longer.
pub(super) fn shorten(text: &str, most: i32) -> String {
    if text_width(text, SIZE) <= most {
        return text.to_string();
    }
    let chars: Vec<char> = text.chars().collect();
    for left_out in 2..chars.len() {
        let kept = chars.len() - left_out;
        let (head, tail) = (kept.div_ceil(3), kept - kept.div_ceil(3));
        let candidate: String = chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect();
        if text_width(&candidate, SIZE) <= most {
            return candidate;
        }
    }
    "…".into()
}

/// Distance of ticks that gives about `wanted` of them up to `span`: 1, 2 or 5 times a power of ten.
pub(super) fn tick_step(span: f64, wanted: f64) -> f64 {
    let rough = span / wanted;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough).unwrap_or(10.0 * power)
}
