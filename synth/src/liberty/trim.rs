//! A copy of a library for the tools: without excluded cells, and without what only power analysis reads.

use super::tree::{Group, parse};

/// Groups that yosys, abc and OpenSTA's delays do not need; in large libraries they are most of the file.
const UNREAD: [&str; 6] = [
    "internal_power",
    "leakage_power",
    "output_current_rise",
    "output_current_fall",
    "receiver_capacitance",
    "ccsn_first_stage",
];

/// The text without the cells whose names match one of the patterns (`*` is any text).
///
/// # Errors
/// Those of [`parse`].
pub fn trim(text: &str, excluded: &[String]) -> Result<String, String> {
    let root = parse(text)?;
    let mut cuts = Vec::new();
    for cell in root.all("cell") {
        if excluded.iter().any(|pattern| matches(pattern, cell.name())) {
            cuts.push(cell.span);
        } else {
            unread(cell, &mut cuts);
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in cuts {
        out.push_str(&text[at..start]);
        at = end;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

/// Spans of unread groups, in order.
fn unread(group: &Group<'_>, cuts: &mut Vec<(usize, usize)>) {
    for inner in &group.groups {
        if UNREAD.contains(&inner.kind) {
            cuts.push(inner.span);
        } else {
            unread(inner, cuts);
        }
    }
}

/// Whether a name matches a pattern in which `*` is any text.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            let Some(rest) = name.strip_prefix(head) else { return false };
            (0..=rest.len()).any(|skip| rest.is_char_boundary(skip) && matches(tail, &rest[skip..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::library::{Library, tests::DEMO};
    use super::*;

    #[test]
    fn excluded_cells_and_power_are_gone_and_the_rest_stands() {
        let text = DEMO.replace("area : 1.5;", "area : 1.5; leakage_power () { value : 3; }");
        let trimmed = trim(&text, &["NAND*".to_string(), "TIE0".to_string()]).unwrap();
        let library = Library::parse(&trimmed).unwrap();
        let names: Vec<&str> = library.cells.keys().map(String::as_str).collect();
        assert_eq!(names, ["BUF", "DFF", "INV", "TIE1"]);
        assert!(text.contains("leakage") && !trimmed.contains("leakage"));
        assert_eq!(trim(DEMO, &[]).unwrap(), DEMO);
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*SDFF*", "SDFF_X1", true),
            ("*SDFF*", "DFF_X1", false),
            ("*_0", "buf_0", true),
            ("*_0", "buf_01", false),
            ("A*C*", "ABC", true),
            ("AND2", "AND2_X1", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
