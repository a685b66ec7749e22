//! Delay files (SDF, IEEE 1497) as nextpnr writes them (`--sdf`): wires, cells, setup times.
//!
//! Strict: what nextpnr does not write is an error that names the line.

/// A port of a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pin {
    /// Cell.
    pub cell: String,
    /// Its port.
    pub port: String,
}

/// A wire from an output to an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    /// Output that drives it.
    pub from: Pin,
    /// Input that it reaches.
    pub to: Pin,
    /// Longest delay in ns.
    pub delay_ns: f64,
}

/// A delay through a cell: from an input, or from its clock, to an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Arc {
    /// Input.
    pub from: String,
    /// Output.
    pub to: String,
    /// Longest delay of both edges in ns.
    pub delay_ns: f64,
}

/// Time that an input must be stable before a clock edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Input.
    pub port: String,
    /// Clock input.
    pub clock: String,
    /// Time in ns; it may be negative.
    pub time_ns: f64,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Name.
    pub name: String,
    /// Delays through it.
    pub arcs: Vec<Arc>,
    /// Setup times, for each edge of the input one.
    pub setups: Vec<Setup>,
}

/// A delay file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sdf {
    /// Cells.
    pub cells: Vec<Cell>,
    /// Wires.
    pub wires: Vec<Wire>,
}

impl Sdf {
    /// Reads a file with a time scale of 1 ps and `/` between cell and port.
    ///
    /// # Errors
    /// The line, what was expected there and what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        reader.file().map_err(|problem| {
            let line = 1 + text[..reader.at].matches('\n').count();
            format!("line {line}: {problem}")
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Open,
    Close,
    /// Without its quotes.
    Text(&'a str),
    /// With its escapes.
    Word(&'a str),
    End,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        let (token, length) = match trimmed.as_bytes().first() {
            None => (Token::End, 0),
            Some(b'(') => (Token::Open, 1),
            Some(b')') => (Token::Close, 1),
            Some(b'"') => {
                let end = trimmed[1..].find('"').map_or(trimmed.len(), |end| end + 1);
                (Token::Text(&trimmed[1..end]), (end + 1).min(trimmed.len()))
            }
            Some(_) => {
                let mut is_escaped = false;
                let ends = |c: char| {
                    let ends = !is_escaped && (c.is_whitespace() || c == '(' || c == ')');
                    is_escaped = !is_escaped && c == '\\';
                    ends
                };
                let end = trimmed.find(ends).unwrap_or(trimmed.len());
                (Token::Word(&trimmed[..end]), end)
            }
        };
        self.at += length;
        token
    }

    fn peek(&mut self) -> Token<'a> {
        let at = self.at;
        let token = self.next();
        self.at = at;
        token
    }

    fn expect(&mut self, wanted: Token<'_>) -> Result<(), String> {
        let found = self.next();
        if found == wanted { Ok(()) } else { Err(format!("expected {wanted:?}, found {found:?}")) }
    }

    fn word(&mut self) -> Result<&'a str, String> {
        match self.next() {
            Token::Word(word) => Ok(word),
            other => Err(format!("expected a word, found {other:?}")),
        }
    }

    /// The word after an opening parenthesis; `None`, with the parenthesis read, if the list around it ends.
    fn open(&mut self) -> Result<Option<&'a str>, String> {
        match self.next() {
            Token::Open => self.word().map(Some),
            Token::Close => Ok(None),
            other => Err(format!("expected a parenthesis, found {other:?}")),
        }
    }

    fn file(&mut self) -> Result<Sdf, String> {
        let mut sdf = Sdf::default();
        self.expect(Token::Open)?;
        self.expect(Token::Word("DELAYFILE"))?;
        let mut has_scale = false;
        while let Some(key) = self.open()? {
            match key {
                "CELL" => self.cell(&mut sdf)?,
                "DIVIDER" => self.expect(Token::Word("/")).and_then(|()| self.expect(Token::Close))?,
                "TIMESCALE" => {
                    self.expect(Token::Word("1ps"))?;
                    self.expect(Token::Close)?;
                    has_scale = true;
                }
                "SDFVERSION" | "DESIGN" | "VENDOR" | "PROGRAM" => {
                    self.next();
                    self.expect(Token::Close)?;
                }
                other => return Err(format!("unknown entry {other}")),
            }
        }
        self.expect(Token::End)?;
        if has_scale { Ok(sdf) } else { Err("no TIMESCALE".to_string()) }
    }

    fn cell(&mut self, sdf: &mut Sdf) -> Result<(), String> {
        let mut cell = Cell::default();
        while let Some(key) = self.open()? {
            match key {
                "CELLTYPE" => {
                    self.next();
                    self.expect(Token::Close)?;
                }
                // The whole has no name.
                "INSTANCE" if self.peek() == Token::Close => self.expect(Token::Close)?,
                "INSTANCE" => {
                    cell.name = plain(self.word()?);
                    self.expect(Token::Close)?;
                }
                "DELAY" => {
                    self.expect(Token::Open)?;
                    self.expect(Token::Word("ABSOLUTE"))?;
                    while let Some(kind) = self.open()? {
                        let (from, to) = (self.word()?, self.word()?);
                        let delay_ns = self.triple()?.max(self.triple()?);
                        self.expect(Token::Close)?;
                        match kind {
                            "INTERCONNECT" => sdf.wires.push(Wire { from: pin(from)?, to: pin(to)?, delay_ns }),
                            "IOPATH" => cell.arcs.push(Arc { from: plain(from), to: plain(to), delay_ns }),
                            other => return Err(format!("unknown delay {other}")),
                        }
                    }
                    self.expect(Token::Close)?;
                }
                "TIMINGCHECK" => {
                    while let Some(kind) = self.open()? {
                        if kind != "SETUPHOLD" {
                            return Err(format!("unknown check {kind}"));
                        }
                        let (port, clock) = (self.edge()?, self.edge()?);
                        let time_ns = self.triple()?;
                        self.triple()?;
                        self.expect(Token::Close)?;
                        cell.setups.push(Setup { port, clock, time_ns });
                    }
                }
                other => return Err(format!("unknown entry {other} of a cell")),
            }
        }
        if !cell.name.is_empty() {
            sdf.cells.push(cell);
        }
        Ok(())
    }

    /// `(posedge D)`.
    fn edge(&mut self) -> Result<String, String> {
        self.expect(Token::Open)?;
        let edge = self.word()?;
        if !["posedge", "negedge"].contains(&edge) {
            return Err(format!("expected posedge or negedge, found {edge}"));
        }
        let port = plain(self.word()?);
        self.expect(Token::Close)?;
        Ok(port)
    }

    /// The largest of `(minimum:typical:maximum)`, in ns.
    fn triple(&mut self) -> Result<f64, String> {
        self.expect(Token::Open)?;
        let word = self.word()?;
        let values: Result<Vec<f64>, _> = word.split(':').map(str::parse::<f64>).collect();
        let values = values.ok().filter(|values| values.len() == 3 && values.iter().all(|value| value.is_finite()));
        self.expect(Token::Close)?;
        let most = values.and_then(|values| values.into_iter().reduce(f64::max));
        most.map(|ps| ps * 1e-3).ok_or_else(|| format!("{word} is not minimum:typical:maximum"))
    }
}

/// A name without escapes.
fn plain(word: &str) -> String {
    let mut name = String::with_capacity(word.len());
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        name.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    name
}

fn pin(word: &str) -> Result<Pin, String> {
    // Names of cells may have the divider in them, ports do not.
    let name = plain(word);
    let (cell, port) = name.rsplit_once('/').ok_or_else(|| format!("{word} has no / between cell and port"))?;
    Ok(Pin { cell: cell.to_string(), port: port.to_string() })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two registers, a look-up table between them, and a clock buffer.
    pub(crate) const TEXT: &str = r#"(DELAYFILE
  (SDFVERSION "3.0")
  (DIVIDER /)
  (TIMESCALE 1ps)
  (CELL
    (CELLTYPE "top")
    (INSTANCE )
    (DELAY
      (ABSOLUTE
        (INTERCONNECT \$gbuf/O a.x_q\[1\]/CLK (9:9:9) (9:9:9))
        (INTERCONNECT \$gbuf/O b/CLK (9:9:9) (9:9:9))
        (INTERCONNECT a.x_q\[1\]/Q lut/A (1:2:100) (1:2:90))
        (INTERCONNECT lut/F b/D (250:250:250) (250:250:250))
        (INTERCONNECT b/Q a.x_q\[1\]/D (20:20:20) (20:20:20))
      )
    )
  )
  (CELL
    (CELLTYPE "DFF")
    (INSTANCE a.x_q\[1\])
    (DELAY (ABSOLUTE (IOPATH CLK Q (500:500:500) (510:510:510))))
    (TIMINGCHECK
      (SETUPHOLD (posedge D) (posedge CLK) (30:30:30) (0:0:0))
      (SETUPHOLD (negedge D) (posedge CLK) (40:40:40) (0:0:0))
    )
    )
  (CELL
    (CELLTYPE "DFF")
    (INSTANCE b)
    (DELAY (ABSOLUTE (IOPATH CLK Q (500:500:500) (500:500:500))))
    (TIMINGCHECK (SETUPHOLD (posedge D) (posedge CLK) (-10:-10:-10) (0:0:0)))
    )
  (CELL
    (CELLTYPE "LUT")
    (INSTANCE lut)
    (DELAY (ABSOLUTE (IOPATH A F (1e+03:1e+03:1e+03) (1:1:1))))
    )
)
"#;

    #[test]
    fn cells_wires_and_setup_times_are_read() {
        let sdf = Sdf::parse(TEXT).unwrap();
        assert_eq!((sdf.cells.len(), sdf.wires.len()), (3, 5));
        assert_eq!(sdf.cells[0].name, "a.x_q[1]");
        assert_eq!(sdf.wires[0].from, Pin { cell: "$gbuf".into(), port: "O".into() });
        assert!((sdf.wires[2].delay_ns - 0.1).abs() < 1e-12 && (sdf.cells[0].arcs[0].delay_ns - 0.51).abs() < 1e-12);
        assert_eq!(sdf.cells[0].setups.len(), 2);
        assert!((sdf.cells[1].setups[0].time_ns + 0.01).abs() < 1e-12);
        assert!((sdf.cells[2].arcs[0].delay_ns - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        for (from, to, line, problem) in [
            ("1ps", "1ns", 4, "1ps"),
            ("(DIVIDER /)", "(DIVIDER .)", 3, "found Word(\".\")"),
            ("INTERCONNECT lut/F", "PORT lut/F", 13, "unknown delay PORT"),
            ("lut/F", "lut.F", 13, "lut.F has no /"),
            ("1:2:100", "100", 12, "100 is not"),
            ("1:2:100", "1:2:x", 12, "1:2:x is not"),
            ("posedge D) (posedge CLK) (30", "edge D) (posedge CLK) (30", 23, "found edge"),
            ("SETUPHOLD (negedge D)", "WIDTH (negedge D)", 24, "unknown check WIDTH"),
        ] {
            assert!(TEXT.contains(from));
            let error = Sdf::parse(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: ")) && error.contains(problem), "{from}: {error}");
        }
        for cut in 1..TEXT.trim_end().len() {
            assert!(Sdf::parse(&TEXT[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Sdf::parse("(DELAYFILE)").unwrap_err().contains("TIMESCALE"));
    }
}
