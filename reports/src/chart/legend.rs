//! The legend: names beside their colours, in lines above the plot.

use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::text_anchor::HPos;

use super::WIDTH;
use super::style::{Canvas, SIZE, TITLE, text_width};

const LINE: i32 = 20;
const BOX: i32 = 11;
const LEFT: i32 = 14;

/// Where each name stands: its left edge and its line.
fn places(names: &[&str]) -> Vec<(i32, i32)> {
    let (mut x, mut line) = (LEFT, 0);
    let mut places = Vec::new();
    for name in names {
        let width = BOX + 6 + text_width(name, SIZE) + 18;
        if x + width > WIDTH as i32 && x > LEFT {
            (x, line) = (LEFT, line + 1);
        }
        places.push((x, line));
        x += width;
    }
    places
}

/// Pixels from the top of the plot to the end of its legend.
pub(super) fn bottom(names: &[&str]) -> i32 {
    TITLE + if names.len() < 2 { 0 } else { places(names).last().map_or(0, |(_, line)| (line + 1) * LINE) }
}

/// What stands in front of a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// A box in a colour.
    Box(RGBColor),
    /// The dot of a series.
    Dot(usize),
}

/// Draws it; a single name needs none.
pub(super) fn draw<B: DrawingBackend>(canvas: &Canvas<B>, names: &[&str], entries: &[Entry]) -> Result<(), String> {
    if names.len() < 2 {
        return Ok(());
    }
    for ((name, entry), (x, line)) in names.iter().zip(entries).zip(places(names)) {
        let y = TITLE + line * LINE + LINE / 2 - 4;
        match entry {
            Entry::Box(color) => canvas.rectangle((x, y - BOX / 2), (x + BOX, y + BOX / 2), *color)?,
            Entry::Dot(index) => canvas.dot((x + BOX / 2, y), *index)?,
        }
        canvas.text(name, (x + BOX + 6, y), HPos::Left)?;
    }
    Ok(())
}
