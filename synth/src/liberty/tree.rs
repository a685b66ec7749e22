//! The text of a Liberty file as groups and attributes.

/// A statement with a body: `cell (NAND2_X1) { ... }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group<'a> {
    /// `cell`, `pin`, `timing`, ...
    pub kind: &'a str,
    /// What stands in the parentheses, without quotes.
    pub names: Vec<&'a str>,
    /// `name : value;` and `name (value, ...);`, in order.
    pub attributes: Vec<(&'a str, Vec<&'a str>)>,
    /// Groups inside.
    pub groups: Vec<Group<'a>>,
    /// Bytes of the text that the group takes, its braces included.
    pub span: (usize, usize),
}

impl<'a> Group<'a> {
    /// First name in the parentheses.
    pub fn name(&self) -> &'a str {
        self.names.first().copied().unwrap_or_default()
    }

    /// Values of the attribute of that name.
    pub fn values(&self, name: &str) -> Option<&[&'a str]> {
        self.attributes.iter().find(|(n, _)| *n == name).map(|(_, values)| values.as_slice())
    }

    /// First value of the attribute of that name.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.values(name)?.first().copied()
    }

    /// The attribute of that name as a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.trim().parse().ok()
    }

    /// Groups of that kind.
    pub fn all(&self, kind: &'a str) -> impl Iterator<Item = &Group<'a>> {
        self.groups.iter().filter(move |group| group.kind == kind)
    }
}

/// Parses a Liberty text: its one `library` group.
///
/// # Errors
/// What is wrong and in which line.
pub fn parse(text: &str) -> Result<Group<'_>, String> {
    let mut parser = Parser { text, at: 0 };
    match parser.statement()? {
        Some(Statement::Group(group)) if group.kind == "library" => Ok(group),
        _ => Err(parser.wrong("the text does not begin with `library (NAME) {`")),
    }
}

enum Statement<'a> {
    Group(Group<'a>),
    Attribute(&'a str, Vec<&'a str>),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

/// Groups inside each other; real libraries have 5.
const MOST_DEPTH: usize = 64;

impl<'a> Parser<'a> {
    fn wrong(&self, problem: &str) -> String {
        let line = self.text[..self.at.min(self.text.len())].matches('\n').count() + 1;
        format!("line {line}: {problem}")
    }

    /// Skips white space, comments, and lines continued with a backslash.
    fn skip(&mut self) -> Result<(), String> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b'\\') => self.at += 1,
                Some(b'/') if bytes.get(self.at + 1) == Some(&b'*') => match self.text[self.at..].find("*/") {
                    Some(length) => self.at += length + 2,
                    None => return Err(self.wrong("a comment without an end")),
                },
                Some(b'/') if bytes.get(self.at + 1) == Some(&b'/') => {
                    self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at);
                }
                _ => return Ok(()),
            }
        }
    }

    /// The next byte after white space, taken if it is `byte`.
    fn take(&mut self, byte: u8) -> Result<bool, String> {
        self.skip()?;
        let is_there = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        Ok(is_there)
    }

    /// A quoted text or a word.
    fn word(&mut self) -> Result<&'a str, String> {
        self.skip()?;
        let rest = &self.text[self.at..];
        if let Some(rest) = rest.strip_prefix('"') {
            let length = rest.find('"').ok_or_else(|| self.wrong("a text without a closing quote"))?;
            self.at += length + 2;
            return Ok(&rest[..length]);
        }
        let length = rest.find([' ', '\t', '\r', '\n', '(', ')', '{', '}', ';', ',', ':', '"', '\\']);
        let length = length.unwrap_or(rest.len());
        self.at += length;
        Ok(&rest[..length])
    }

    /// The value of a simple attribute up to its semicolon: one word or text, or several words as they stand.
    fn value(&mut self) -> Result<&'a str, String> {
        self.skip()?;
        let start = self.at;
        let first = self.word()?;
        let after = self.at;
        self.skip()?;
        match self.text.as_bytes().get(self.at) {
            None | Some(b';' | b'}') => {
                self.take(b';')?;
                Ok(first)
            }
            // A line may end an attribute whose semicolon was forgotten.
            _ if self.text[after..self.at].contains('\n') => Ok(first),
            _ => {
                let length = self.text[self.at..].find([';', '\n']).unwrap_or(self.text.len() - self.at);
                self.at += length;
                let value = self.text[start..self.at].trim();
                self.take(b';')?;
                Ok(value)
            }
        }
    }

    fn statement(&mut self) -> Result<Option<Statement<'a>>, String> {
        self.statement_at(0)
    }

    fn statement_at(&mut self, depth: usize) -> Result<Option<Statement<'a>>, String> {
        if depth > MOST_DEPTH {
            return Err(self.wrong("groups are too deep inside each other"));
        }
        while self.take(b';')? {}
        let start = self.at;
        let kind = self.word()?;
        if kind.is_empty() {
            return Ok(None);
        }
        if self.take(b':')? {
            return Ok(Some(Statement::Attribute(kind, vec![self.value()?])));
        }
        if !self.take(b'(')? {
            return Err(self.wrong(&format!("`{kind}` is followed by neither `:` nor `(`")));
        }
        let mut names = Vec::new();
        while !self.take(b')')? {
            let before = self.at;
            let name = self.word()?;
            if !name.is_empty() {
                names.push(name);
            }
            // A bus index as in `pin (A[3])` is a word; other signs between values mean nothing.
            if !self.take(b',')? && self.at == before {
                return Err(self.wrong("a list without a closing parenthesis"));
            }
        }
        if !self.take(b'{')? {
            self.take(b';')?;
            return Ok(Some(Statement::Attribute(kind, names)));
        }
        let mut group = Group { kind, names, ..Group::default() };
        while !self.take(b'}')? {
            match self.statement_at(depth + 1)? {
                Some(Statement::Group(inner)) => group.groups.push(inner),
                Some(Statement::Attribute(name, values)) => group.attributes.push((name, values)),
                None => return Err(self.wrong(&format!("`{kind}` has no closing brace"))),
            }
        }
        group.span = (start, self.at);
        Ok(Some(Statement::Group(group)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_attributes_comments_and_continued_lines() {
        let text = "/* a library */ library (demo) {\n time_unit : \"1ns\";\n capacitive_load_unit (1.0, ff);\n\
                    cell (\"X1\") { area : 1.5 ; pin (A[0]) { direction : input } values ( \"1, 2\", \\\n \"3, 4\" ); }\n\
                    // end\n}\n";
        let library = parse(text).unwrap();
        assert_eq!((library.name(), library.text("time_unit")), ("demo", Some("1ns")));
        assert_eq!(library.values("capacitive_load_unit"), Some(&["1.0", "ff"][..]));
        let cell = library.all("cell").next().unwrap();
        assert_eq!((cell.name(), cell.number("area")), ("X1", Some(1.5)));
        assert_eq!(cell.values("values"), Some(&["1, 2", "3, 4"][..]));
        assert_eq!(
            cell.all("pin").next().map(|pin| (pin.name(), pin.text("direction"))),
            Some(("A[0]", Some("input")))
        );
        assert!(text[cell.span.0..cell.span.1].starts_with("cell (") && text[..cell.span.1].ends_with("); }"));
    }

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        for (text, problem) in [
            ("library (x) {\n cell (A) {\n", "no closing brace"),
            ("library (x) {\n area 5;\n}", "neither"),
            ("cell (x) { }", "does not begin with"),
            ("library (x) { a : \"1; }", "closing quote"),
            ("library (x { }", "closing parenthesis"),
            ("/* x", "without an end"),
            ("", "does not begin with"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem) && error.starts_with("line "), "{text:?}: {error}");
        }
        let deep = "library (x) { ".to_string() + &"a (b) { ".repeat(1000);
        assert!(parse(&deep).unwrap_err().contains("too deep"));
    }
}
