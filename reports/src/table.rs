//! Tables: one form for the page, the terminal and files.

use std::fmt::Write;

use serde::Serialize;

/// A table; cells that are numbers stand to the right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Title.
    pub title: String,
    /// Heads of the columns.
    pub head: Vec<String>,
    /// Rows, a cell for each column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, head: &[&str]) -> Self {
        Self { title: title.into(), head: head.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Lines of text; the first column gives way where a line would be longer than `most` characters.
    pub fn text(&self, most: usize) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let mut widths: Vec<usize> = (0..self.head.len())
            .map(|c| lines().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let whole = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        if let Some(first) = widths.first_mut() {
            *first = first.saturating_sub(whole.saturating_sub(most)).max(8);
        }
        let mut text = String::new();
        for (index, row) in lines().enumerate() {
            let mut line = String::new();
            for (c, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let cell: String = cell.chars().take(*width).collect();
                let _ = match c {
                    0 => write!(line, "{cell:<width$}"),
                    _ => write!(line, "  {cell:>width$}"),
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if index == 0 {
                text.push_str(&"-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)));
                text.push('\n');
            }
        }
        text
    }
}

/// A whole number in groups of three digits.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_its_width() {
        let mut table = Table::new("t", &["operator", "cycles"]);
        table.row(["a very long name of an operator that has no room".into(), grouped(1_234_567)]);
        let text = table.text(40);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.ends_with("1 234 567\n"), "{text}");
    }
}
