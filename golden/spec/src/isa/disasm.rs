//! A program as a document: [`super::assemble`] gives the program back.

use std::collections::HashSet;
use std::fmt::Write;

use super::field::{Field, FieldSpec, Kind};
use super::instr::Instr;
use super::op::Queue;
use super::program::{Mark, OutputKind, Program};

/// Bytes of data in a line.
const DATA_BYTES: usize = 32;

/// Fields that are written even where they hold their default.
const ALWAYS: [Field; 10] = [
    Field::Addr,
    Field::N,
    Field::Words,
    Field::Bytes,
    Field::Tokens,
    Field::Rows,
    Field::KTiles,
    Field::NTiles,
    Field::D,
    Field::A,
];

/// What is shown of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All of it: the text can be assembled.
    Everything,
    /// All but the bytes of the segments.
    WithoutData,
}

/// The text of a program.
pub fn disassemble(program: &Program, shown: Shown) -> String {
    let mut out = String::new();
    head(&mut out, program, shown).expect("a text takes what is written");
    code(&mut out, program).expect("a text takes what is written");
    if shown == Shown::Everything {
        data(&mut out, program).expect("a text takes what is written");
    }
    out
}

fn head(out: &mut String, program: &Program, shown: Shown) -> std::fmt::Result {
    let m = &program.machine;
    writeln!(out, "; {} instructions and {} bytes of memory for", program.instrs.len(), program.memory_bytes())?;
    writeln!(out, "; {} x {} PEs, {} lanes, a bus of {} bits", m.rows, m.cols, m.lanes, 8 * m.beat_bytes)?;
    let formats: Vec<_> = m.formats.iter().map(|f| f.name()).collect();
    write!(out, "\n.machine")?;
    for (name, value) in super::words::machine_fields(m) {
        write!(out, " {name}={value}")?;
    }
    writeln!(out, " formats={}", formats.join(","))?;
    writeln!(out, "\n; Memory")?;
    let width = program.segments.iter().map(|s| s.name.len()).max().unwrap_or(0);
    for s in &program.segments {
        let (name, addr, len) = (&s.name, s.addr, s.len);
        writeln!(out, ".segment {name:width$} addr={addr:#010x} len={len}")?;
    }
    if shown == Shown::WithoutData {
        let bytes: usize = program.segments.iter().map(|s| s.data.len()).sum();
        writeln!(out, "; {bytes} bytes of data are not shown")?;
    }
    if !program.outputs.is_empty() {
        writeln!(out, "\n; Results")?;
    }
    for o in &program.outputs {
        let kind = output_name(o.kind);
        let addr = address(program, o.addr);
        writeln!(out, ".output {kind} addr={addr} rows={} cols={} stride={}", o.rows, o.cols, o.stride)?;
    }
    let used: HashSet<i64> = program.instrs.iter().filter_map(|i| i.find(Field::Tag)).collect();
    for mark in program.marks.iter().filter(|m| !used.contains(&m.tag.into())) {
        mark_line(out, mark)?;
    }
    Ok(())
}

fn code(out: &mut String, program: &Program) -> std::fmt::Result {
    writeln!(out, "\n.code")?;
    let mut written = HashSet::new();
    for instr in &program.instrs {
        let tag = instr.find(Field::Tag).and_then(|tag| u32::try_from(tag).ok());
        if let Some(mark) = tag.and_then(|tag| program.mark(tag)) {
            writeln!(out, "\n; {}", title(mark))?;
            if written.insert(mark.tag) {
                mark_line(out, mark)?;
            }
        }
        writeln!(out, "{}", line(instr, Some(program)))?;
    }
    Ok(())
}

fn data(out: &mut String, program: &Program) -> std::fmt::Result {
    for segment in program.segments.iter().filter(|s| !s.data.is_empty()) {
        writeln!(out, "\n.data {}", segment.name)?;
        for bytes in segment.data.chunks(DATA_BYTES) {
            for byte in bytes {
                write!(out, "{byte:02x}")?;
            }
            out.push('\n');
        }
    }
    Ok(())
}

fn title(mark: &Mark) -> String {
    let tokens = match mark.tokens {
        0 | 1 => format!("token {}", mark.token),
        n => format!("tokens {} to {}", mark.token, mark.token.saturating_add(n - 1)),
    };
    match mark.layer {
        Some(layer) => format!("{tokens}, layer {layer}: {}", mark.operator),
        None => format!("{tokens}: {}", mark.operator),
    }
}

fn mark_line(out: &mut String, mark: &Mark) -> std::fmt::Result {
    write!(out, ".mark {} token={} tokens={}", mark.tag, mark.token, mark.tokens)?;
    if let Some(layer) = mark.layer {
        write!(out, " layer={layer}")?;
    }
    write!(out, " operator={}", mark.operator)?;
    for (name, count) in [("macs", mark.macs), ("bytes", mark.compulsory_bytes), ("written", mark.compulsory_written)] {
        if count > 0 {
            write!(out, " {name}={count}")?;
        }
    }
    writeln!(out)
}

/// Name of an output in assembly.
pub(super) fn output_name(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Tokens => "tokens",
        OutputKind::Logits => "logits",
        OutputKind::Steps => "steps",
    }
}

/// One instruction; addresses with the names of the program's segments.
pub fn line(instr: &Instr, program: Option<&Program>) -> String {
    let op = instr.op();
    let indent = if op.queue() == Queue::Control { "" } else { "  " };
    let mut text = format!("{indent}{:<5}", op.name());
    for spec in op.spec().fields {
        let value = instr.get(spec.field);
        if value == spec.default() && !ALWAYS.contains(&spec.field) {
            continue;
        }
        text.push(' ');
        text.push_str(&shown(spec, value, program));
    }
    let names = |queues: Vec<Queue>| queues.iter().map(|q| q.name()).collect::<Vec<_>>().join(",");
    let (waits, signals): (Vec<_>, Vec<_>) = (instr.waits().collect(), instr.signals().collect());
    if !waits.is_empty() {
        let _ = write!(text, " wait={}", names(waits));
    }
    if !signals.is_empty() {
        let _ = write!(text, " signal={}", names(signals));
    }
    text.truncate(text.trim_end().len());
    text
}

fn shown(spec: &FieldSpec, value: i64, program: Option<&Program>) -> String {
    let name = spec.field.name();
    match spec.kind {
        Kind::Flag if value == 1 => name.into(),
        Kind::Names(names) => format!("{name}={}", names[value as usize]),
        _ if spec.field == Field::Addr => {
            let addr = value as u32;
            format!("{name}={}", program.map_or_else(|| format!("{addr:#x}"), |p| address(p, addr)))
        }
        _ => format!("{name}={value}"),
    }
}

/// An address by the name of its segment.
fn address(program: &Program, addr: u32) -> String {
    match program.segment_at(addr) {
        Some(segment) if segment.addr == addr => segment.name.clone(),
        Some(segment) => format!("{}+{:#x}", segment.name, addr - segment.addr),
        None => format!("{addr:#x}"),
    }
}
