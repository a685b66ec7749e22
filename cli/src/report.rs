//! What a command found, for people and for scripts.

use serde_json::Value;

use crate::exit::Exit;

/// The result of a command.
pub struct Report {
    /// For people: what `-q` leaves away.
    pub text: String,
    /// For people: what `-q` leaves; may be empty.
    pub brief: String,
    /// For scripts: one object.
    pub json: Value,
    /// Exit code.
    pub exit: Exit,
}

impl Report {
    /// A command that did its work.
    pub fn done(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), brief: String::new(), json, exit: Exit::Match }
    }

    /// Adds a finding: a field of the JSON object and a paragraph for people.
    pub fn add(&mut self, field: &str, value: Value, text: &str) {
        if let Value::Object(object) = &mut self.json {
            object.insert(field.to_string(), value);
        }
        self.text.push_str(&format!("\n\n{text}"));
    }
}

/// A table of aligned columns; numbers to the right.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines.
    pub fn render(&self) -> String {
        let head: Vec<String> = self.head.iter().map(ToString::to_string).collect();
        let width = |c: usize| {
            let cells = self.rows.iter().chain([&head]).filter_map(|row| row.get(c));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let is_number = |c: usize| {
            let numeric = |cell: &String| {
                let digits = cell.trim_start_matches(['+', '-']);
                cell == "-" || digits.starts_with(|c: char| c.is_ascii_digit()) && !cell.contains('x')
            };
            !self.rows.is_empty() && self.rows.iter().filter_map(|row| row.get(c)).all(numeric)
        };
        let right: Vec<bool> = (0..head.len()).map(is_number).collect();
        let line = |row: &Vec<String>| {
            let cell = |(c, cell): (usize, &String)| {
                let fill = " ".repeat(widths[c].saturating_sub(cell.chars().count()));
                if right[c] { format!("{fill}{cell}") } else { format!("{cell}{fill}") }
            };
            row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_string()
        };
        let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
        let mut lines = vec![line(&head), rule];
        lines.extend(self.rows.iter().map(line));
        lines.join("\n")
    }
}

/// A number with a space between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_right() {
        let mut table = Table::new(&["name", "count"]);
        table.row(["a".to_string(), "5".to_string()]);
        table.row(["long".to_string(), "1 234".to_string()]);
        assert_eq!(table.render(), "name  count\n-----------\na         5\nlong  1 234");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(grouped(12), "12");
    }
}
