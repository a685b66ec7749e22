//! Lines of text: comments, indentation and wrapping to the column limit.

/// Widest line.
pub(super) const COLUMNS: usize = 100;

/// Appends `text` as comment lines; an empty line of `text` gives an empty comment line.
pub(super) fn comment(out: &mut String, indent: usize, text: &str) {
    let pad = " ".repeat(indent);
    for paragraph in text.lines() {
        let mut line = format!("{pad}//");
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > COLUMNS && line.len() > pad.len() + 2 {
                out.push_str(&line);
                out.push('\n');
                line = format!("{pad}//");
            }
            line.push(' ');
            line.push_str(word);
        }
        out.push_str(&line);
        out.push('\n');
    }
}

/// Appends one line of code, broken at spaces if it is too long.
pub(super) fn line(out: &mut String, indent: usize, text: &str) {
    let mut rest = text;
    let mut pad = indent;
    while pad + rest.len() > COLUMNS {
        let Some(at) = break_place(rest, COLUMNS - pad) else { break };
        out.push_str(&" ".repeat(pad));
        out.push_str(rest[..at].trim_end());
        out.push('\n');
        rest = &rest[at + 1..];
        pad = indent + 4;
    }
    out.push_str(&" ".repeat(pad));
    out.push_str(rest);
    out.push('\n');
}

/// The space at which to break: in the last two thirds of the room the one nested least, not beside `?` nor before `:`,
/// the last of those; if there is none, the last before the limit, or the first after it.
fn break_place(text: &str, room: usize) -> Option<usize> {
    let mut depth = 0;
    let mut best: Option<(usize, i32)> = None;
    for (i, c) in text.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 2,
            ')' | '}' | ']' => depth -= 2,
            ' ' if i > room => return best.map(|(at, _)| at).or(Some(i)),
            ' ' if i > 0 => {
                let tight = text[..i].ends_with('?') || text[i + 1..].starts_with(['?', ':']);
                let rank = depth + i32::from(tight);
                if best.is_none_or(|(at, known)| rank <= known || at < room / 3) {
                    best = Some((i, rank));
                }
            }
            _ => {}
        }
    }
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_the_least_nested_space() {
        let mut out = String::new();
        let term = "(some_name_q & another_name_q)";
        line(&mut out, 2, &format!("assign target = {term} | {term} | {term} | {term};"));
        assert!(out.lines().all(|l| l.len() <= COLUMNS), "{out}");
        assert_eq!(out.lines().count(), 2);
        let joined: Vec<_> = out.split_whitespace().collect();
        assert_eq!(joined.join(" "), format!("assign target = {term} | {term} | {term} | {term};"));
        assert!(out.lines().next().is_some_and(|l| l.ends_with('|')));
    }

    #[test]
    fn comments_wrap_and_keep_empty_lines() {
        let mut out = String::new();
        comment(&mut out, 2, &format!("{}\n\nend", "word ".repeat(40)));
        assert!(out.lines().all(|l| l.len() <= COLUMNS && l.starts_with("  //")));
        assert!(out.ends_with("  //\n  // end\n"));
    }
}
