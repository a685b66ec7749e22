//! The assembler: text to a [`Program`], with every problem and its line.
//!
//! A line is a directive, an instruction or, behind `.data`, bytes in hexadecimal; `;` begins a comment. Fields are
//! `name=value` in any order, flags their bare name; those that are left away hold their default. An address is a number
//! or the name of a segment, with `+` and a number behind it.

use std::collections::HashMap;

use super::disasm::output_name;
use super::field::{Field, FieldSpec, Kind};
use super::instr::Instr;
use super::machine::Machine;
use super::op::{Op, Queue};
use super::program::{Mark, Output, OutputKind, Program, Segment};
use super::words::{Fields, machine, missing, no_more, number, unknown};
use crate::error::{Error, Problem};

/// Assembles a program.
///
/// # Errors
/// [`Error::Invalid`] with every line that has a problem; then with what [`Program::check`] finds.
pub fn assemble(text: &str) -> Result<Program, Error> {
    let mut reader = Reader::default();
    // Segments may be used before the line that states them.
    for (line, words) in lines(text).filter(|(_, words)| words[0] == ".segment") {
        if let Err(problem) = reader.segment(&words) {
            reader.note(line, problem);
        }
    }
    for (line, words) in lines(text) {
        if let Err(problem) = reader.line(&words) {
            reader.note(line, problem);
        }
    }
    reader.finish()
}

/// Number and words of every line that has any.
fn lines(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let words = |line: &'_ str| -> usize { line.find(';').unwrap_or(line.len()) };
    text.lines().enumerate().filter_map(move |(at, line)| {
        let found: Vec<&str> = line[..words(line)].split_whitespace().collect();
        (!found.is_empty()).then_some((at + 1, found))
    })
}

#[derive(Default)]
struct Reader {
    machine: Option<Machine>,
    segments: Vec<Segment>,
    /// Place of each segment by its name.
    names: HashMap<String, usize>,
    instrs: Vec<Instr>,
    marks: Vec<Mark>,
    outputs: Vec<Output>,
    /// The segment whose bytes are being read.
    data: Option<usize>,
    problems: Vec<Problem>,
}

impl Reader {
    fn note(&mut self, line: usize, problem: Problem) {
        self.problems.push(Problem { field: format!("line {line}: {}", problem.field), ..problem });
    }

    fn line(&mut self, words: &[&str]) -> Result<(), Problem> {
        match words[0] {
            ".segment" => Ok(()),
            ".code" => {
                self.data = None;
                no_more(&words[1..])
            }
            ".machine" => {
                self.machine = Some(machine(&words[1..])?);
                Ok(())
            }
            ".output" => self.output(&words[1..]),
            ".mark" => self.mark(&words[1..]),
            ".data" => {
                let name = *words.get(1).ok_or_else(|| missing("segment", "its name"))?;
                let place = self.names.get(name).copied();
                self.data = Some(place.ok_or_else(|| unknown("segment", name, "a name of a .segment line"))?);
                no_more(&words[2..])
            }
            directive if directive.starts_with('.') => {
                Err(unknown("directive", directive, ".machine, .segment, .output, .mark, .code, .data"))
            }
            _ => match self.data {
                Some(place) => bytes(words, &mut self.segments[place]),
                None => {
                    let instr = self.instruction(words)?;
                    self.instrs.push(instr);
                    Ok(())
                }
            },
        }
    }

    fn segment(&mut self, words: &[&str]) -> Result<(), Problem> {
        let name = *words.get(1).ok_or_else(|| missing("segment", "its name"))?;
        let fields = Fields::new(&words[2..], &["addr", "len"])?;
        let (addr, len) = (number("addr", fields.need("addr")?)?, number("len", fields.need("len")?)?);
        if self.names.insert(name.into(), self.segments.len()).is_some() {
            return Err(Problem::new("segment", name, "each name once", "give it another name"));
        }
        self.segments.push(Segment { name: name.into(), addr, len, data: vec![] });
        Ok(())
    }

    fn output(&mut self, words: &[&str]) -> Result<(), Problem> {
        let kinds = [OutputKind::Tokens, OutputKind::Logits, OutputKind::Steps];
        let word = *words.first().ok_or_else(|| missing("output", "tokens, logits or steps"))?;
        let kind = kinds.into_iter().find(|&k| output_name(k) == word);
        let kind = kind.ok_or_else(|| unknown("output", word, "tokens, logits, steps"))?;
        let fields = Fields::new(&words[1..], &["addr", "rows", "cols", "stride"])?;
        let size = |name: &str| number(name, fields.need(name)?);
        let addr = self.address(fields.need("addr")?)?;
        self.outputs.push(Output { kind, addr, rows: size("rows")?, cols: size("cols")?, stride: size("stride")? });
        Ok(())
    }

    fn mark(&mut self, words: &[&str]) -> Result<(), Problem> {
        let tag = number("tag", words.first().ok_or_else(|| missing("mark", "its tag"))?)?;
        let fields = Fields::new(&words[1..], &["token", "tokens", "layer", "operator", "macs", "bytes", "written"])?;
        let layer = fields.find("layer").map(|value| number("layer", value)).transpose()?;
        let (token, tokens) = (number("token", fields.need("token")?)?, number("tokens", fields.need("tokens")?)?);
        let count = |name: &str| fields.find(name).map_or(Ok(0), |value| number(name, value));
        let (macs, compulsory_bytes, compulsory_written) = (count("macs")?, count("bytes")?, count("written")?);
        let operator = fields.need("operator")?.into();
        self.marks.push(Mark { tag, token, tokens, layer, operator, macs, compulsory_bytes, compulsory_written });
        Ok(())
    }

    fn address(&self, text: &str) -> Result<u32, Problem> {
        let (base, offset) = text.split_once('+').unwrap_or((text, "0"));
        let Some(&place) = self.names.get(base) else {
            return number("addr", text);
        };
        let addr = u64::from(self.segments[place].addr) + u64::from(number::<u32>("addr", offset)?);
        u32::try_from(addr).map_err(|_| Problem::new("addr", text, "0..2^32", "choose a smaller offset"))
    }

    fn instruction(&self, words: &[&str]) -> Result<Instr, Problem> {
        let Some(op) = Op::from_name(words[0]) else {
            return Err(unknown("instruction", words[0], "an instruction of the ISA (docs/isa.md)"));
        };
        let (mut values, mut waits, mut signals) = (Vec::new(), Vec::new(), Vec::new());
        for word in &words[1..] {
            let (name, value) = word.split_once('=').map_or((*word, None), |(name, value)| (name, Some(value)));
            match (name, value) {
                ("wait", Some(list)) => waits.extend(queues(op, "wait", list)?),
                ("signal", Some(list)) => signals.extend(queues(op, "signal", list)?),
                _ => {
                    let spec = Field::from_name(name).and_then(|field| op.spec().field(field));
                    let Some(spec) = spec else {
                        let known: Vec<_> = op.spec().fields.iter().map(|f| f.field.name()).collect();
                        return Err(unknown(op.name(), name, &format!("{}, wait, signal", known.join(", "))));
                    };
                    if values.iter().any(|(field, _)| *field == spec.field) {
                        let field = format!("{}.{name}", op.name());
                        return Err(Problem::new(field, word, "each field once", "remove the second one"));
                    }
                    values.push((spec.field, self.value(op, spec, value)?));
                }
            }
        }
        let instr = Instr::new(op, &values)?;
        let instr = waits.into_iter().fold(instr, Instr::waiting);
        Ok(signals.into_iter().fold(instr, Instr::signalling))
    }

    fn value(&self, op: Op, spec: &FieldSpec, text: Option<&str>) -> Result<i64, Problem> {
        let field = format!("{}.{}", op.name(), spec.field);
        match (spec.kind, text) {
            (Kind::Flag, None) => Ok(1),
            (_, None) => Err(Problem::new(field, "no value", spec.allowed(), "write name=value")),
            (Kind::Names(names), Some(text)) => names
                .iter()
                .position(|name| *name == text)
                .map(|at| at as i64)
                .ok_or_else(|| Problem::new(field, text, spec.allowed(), "choose one of them")),
            (_, Some(text)) if spec.field == Field::Addr => {
                self.address(text).map(i64::from).map_err(|p| Problem { field, ..p })
            }
            (_, Some(text)) => number(&field, text),
        }
    }

    fn finish(mut self) -> Result<Program, Error> {
        if self.machine.is_none() && self.problems.is_empty() {
            self.problems.push(missing(".machine", "a line with the sizes of the machine"));
        }
        let Some(machine) = self.machine.filter(|_| self.problems.is_empty()) else {
            return Err(Error::Invalid(self.problems));
        };
        self.marks.sort_by_key(|mark| mark.tag);
        let Self { segments, instrs, marks, outputs, .. } = self;
        let program = Program { machine, segments, instrs, marks, outputs };
        program.check()?;
        Ok(program)
    }
}

fn queues(op: Op, field: &str, list: &str) -> Result<Vec<Queue>, Problem> {
    if op.queue() == Queue::Control {
        let value = format!("{field}={list}");
        return Err(Problem::new(op.name(), value, "no tokens: fetch handles it", "remove it"));
    }
    let queue = |name| Queue::from_name(name).ok_or_else(|| unknown(field, name, "load, mm, vec, store"));
    list.split(',').map(queue).collect()
}

fn bytes(words: &[&str], segment: &mut Segment) -> Result<(), Problem> {
    for word in words {
        for pair in word.as_bytes().chunks(2) {
            let byte = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2 && !p.starts_with('+'));
            let byte = byte.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            segment.data.push(byte.ok_or_else(|| unknown("data", word, "pairs of hexadecimal digits"))?);
        }
    }
    Ok(())
}
