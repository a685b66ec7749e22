//! A program: instructions, the memory they find, and what it all means to people.

use serde::{Deserialize, Serialize};

use super::field::Field;
use super::instr::Instr;
use super::machine::Machine;
use super::op::{Op, Queue};
use crate::error::Problem;
use crate::kind::Format;

/// What a machine is given: its memory, and the instructions that it executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The machine that it was made for.
    pub machine: Machine,
    /// Memory, in ascending order of addresses, without overlaps.
    pub segments: Vec<Segment>,
    /// Instructions in order; the last one is `HALT`.
    pub instrs: Vec<Instr>,
    /// Meaning of the `INFO` marks, in ascending order of tags.
    pub marks: Vec<Mark>,
    /// Where results are found when it is done.
    pub outputs: Vec<Output>,
}

/// A named range of memory; it starts on a beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Name: `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// First byte.
    pub addr: u32,
    /// Bytes.
    pub len: u32,
    /// What the first of them hold at the start; the others hold 0.
    pub data: Vec<u8>,
}

/// What happens from an `INFO` on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The tag of the `INFO`.
    pub tag: u32,
    /// First token (position in the sequence) that is worked on.
    pub token: u32,
    /// Tokens that are worked on.
    pub tokens: u32,
    /// Block of the model, if it belongs to one.
    pub layer: Option<u32>,
    /// What is done: `q_proj`, `attention`, `norm`.
    pub operator: String,
    /// Multiplications with their additions that its matrix products mean: no padding, causal attention, each
    /// probability once.
    pub macs: u64,
    /// Bytes that no machine can do without reading: weights, scales and parameters once a pass (a prefill, or one decoded
    /// token), inputs, keys and values of earlier tokens once.
    pub compulsory_bytes: u64,
    /// Bytes that no machine can do without writing: results, new keys and values once. They go beside those that are
    /// read, on channels of their own.
    pub compulsory_written: u64,
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Ids of generated tokens, 4 bytes each.
    Tokens,
    /// Aligned sums of the head, 8 bytes signed each.
    Logits,
    /// Steps of the logits, 8 bytes each: a dyadic as S holds it.
    Steps,
}

/// Where results are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// What they are.
    pub kind: OutputKind,
    /// First byte of row 0.
    pub addr: u32,
    /// Rows: generated tokens.
    pub rows: u32,
    /// Values of a row.
    pub cols: u32,
    /// Bytes from one row to the next.
    pub stride: u32,
}

impl OutputKind {
    /// Bytes of a value.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Tokens => 4,
            Self::Logits | Self::Steps => 8,
        }
    }
}

impl Output {
    /// Row `row` of the results in a memory that starts at address 0, each value extended by its sign; nothing where the
    /// memory does not have it.
    pub fn row(&self, memory: &[u8], row: u32) -> Option<Vec<i64>> {
        let bytes = self.kind.bytes() as usize;
        let start = usize::try_from(u64::from(self.addr) + u64::from(row) * u64::from(self.stride)).ok()?;
        let found = memory.get(start..start + self.cols as usize * bytes)?;
        let value = |b: &[u8]| match self.kind {
            OutputKind::Tokens => i64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            OutputKind::Logits | OutputKind::Steps => {
                i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
            }
        };
        Some(found.chunks_exact(bytes).map(value).collect())
    }
}

impl Segment {
    /// One past its last byte.
    pub fn end(&self) -> u64 {
        u64::from(self.addr) + u64::from(self.len)
    }
}

impl Program {
    /// Bytes of memory that it needs, from address 0 on.
    pub fn memory_bytes(&self) -> u64 {
        self.segments.last().map_or(0, Segment::end)
    }

    /// The memory before the start, from address 0 on; what no segment holds is 0.
    pub fn memory(&self) -> Vec<u8> {
        let mut memory = vec![0; usize::try_from(self.memory_bytes()).unwrap_or(usize::MAX)];
        for segment in &self.segments {
            let start = segment.addr as usize;
            memory[start..start + segment.data.len()].copy_from_slice(&segment.data);
        }
        memory
    }

    /// The segment that holds an address.
    pub fn segment_at(&self, addr: u32) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.addr <= addr);
        self.segments[..after].last().filter(|s| u64::from(addr) < s.end())
    }

    /// The mark of a tag.
    pub fn mark(&self, tag: u32) -> Option<&Mark> {
        self.marks.binary_search_by_key(&tag, |m| m.tag).ok().map(|i| &self.marks[i])
    }

    /// The output of a kind.
    pub fn output(&self, kind: OutputKind) -> Option<&Output> {
        self.outputs.iter().find(|o| o.kind == kind)
    }

    /// Checks what does not depend on the instructions' arithmetic: order and overlap of segments, alignment of
    /// addresses, formats, sizes of memories, order of marks, one `HALT` at the end, as many tokens given as taken.
    ///
    /// # Errors
    /// The first problem of each instruction, all problems of the rest.
    pub fn check(&self) -> Result<(), crate::Error> {
        let mut problems = Vec::new();
        self.machine.check(&mut problems);
        self.check_segments(&mut problems);
        let cure = "lower the model again";
        if self.marks.windows(2).any(|m| m[0].tag >= m[1].tag) {
            problems.push(Problem::new("marks", "out of order", "ascending tags", cure));
        }
        let halts = self.instrs.iter().filter(|i| i.op() == Op::Halt).count();
        if halts != 1 || self.instrs.last().map(Instr::op) != Some(Op::Halt) {
            problems.push(Problem::new(
                "HALT",
                format!("{halts} times"),
                "once, at the end",
                "end the program with HALT",
            ));
        }
        for (at, instr) in self.instrs.iter().enumerate() {
            if let Some(problem) = self.problem_of(instr) {
                problems.push(Problem { field: format!("instruction {at}: {}", problem.field), ..problem });
            }
        }
        for from in Queue::ALL {
            for to in Queue::ALL {
                let given =
                    self.instrs.iter().filter(|i| i.op().queue() == from && i.signals().any(|q| q == to)).count();
                let taken = self.instrs.iter().filter(|i| i.op().queue() == to && i.waits().any(|q| q == from)).count();
                if taken != given {
                    let field = format!("tokens from {} to {}", from.name(), to.name());
                    let allowed = format!("as many as are given, {given}");
                    problems.push(Problem::new(
                        field,
                        format!("{taken} taken"),
                        allowed,
                        "pair every wait with a signal",
                    ));
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(crate::Error::Invalid(problems)) }
    }

    fn check_segments(&self, problems: &mut Vec<Problem>) {
        let mut next = 0;
        for segment in &self.segments {
            let field = format!("segment {}", segment.name);
            let cure = "lower the model again";
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            if segment.name.is_empty() || !segment.name.chars().all(legal) {
                problems.push(Problem::new(&field, format!("{:?}", segment.name), "a-z A-Z 0-9 _ .", cure));
            }
            if u64::from(segment.addr) < next || segment.end() > 1 << 32 {
                let allowed = format!("{next:#x}..={:#x}", (1_u64 << 32) - u64::from(segment.len));
                problems.push(Problem::new(&field, format!("{:#x}", segment.addr), allowed, cure));
            }
            if !segment.addr.is_multiple_of(self.machine.beat_bytes.max(1)) {
                let allowed = format!("a multiple of {}", self.machine.beat_bytes);
                problems.push(Problem::new(&field, format!("{:#x}", segment.addr), allowed, cure));
            }
            if segment.data.len() > segment.len as usize {
                let value = format!("{} bytes of data", segment.data.len());
                problems.push(Problem::new(&field, value, format!("0..={}", segment.len), cure));
            }
            next = segment.end().max(next);
        }
        let mut names: Vec<&str> = self.segments.iter().map(|s| s.name.as_str()).collect();
        names.sort_unstable();
        for twice in names.windows(2).filter(|n| n[0] == n[1]) {
            problems.push(Problem::new(format!("segment {}", twice[0]), "twice", "once", "give it another name"));
        }
    }

    fn has_format(&self, instr: &Instr) -> bool {
        instr.find(Field::Format).is_none_or(|format| self.machine.formats.contains(&Format::ALL[format as usize]))
    }

    /// What is wrong with an instruction on this machine.
    pub(super) fn problem_of(&self, instr: &Instr) -> Option<Problem> {
        let machine = &self.machine;
        let name = instr.op().name();
        let most = |field: Field, value: i64, limit: u32| {
            let allowed = format!("at most {limit}");
            (value > i64::from(limit))
                .then(|| Problem::new(format!("{name}.{field}"), value, allowed, "lower the model for this machine"))
        };
        let off_beat = |addr: &i64| !(*addr as u32).is_multiple_of(machine.beat_bytes.max(1));
        if let Some(addr) = instr.find(Field::Addr).filter(off_beat) {
            let allowed = format!("a multiple of {} bytes", machine.beat_bytes);
            return Some(Problem::new(format!("{name}.addr"), format!("{addr:#x}"), allowed, "start on a beat"));
        }
        let get = |field| instr.find(field).unwrap_or(0);
        match instr.op() {
            Op::Mm if !self.has_format(instr) => {
                let format = Format::ALL[instr.index(Field::Format)].name();
                let allowed: Vec<_> = machine.formats.iter().map(|f| f.name()).collect();
                Some(Problem::new("MM.format", format, allowed.join(", "), "lower the model for this machine"))
            }
            Op::Mm => {
                let rows = get(Field::Rows);
                most(Field::Act, get(Field::Act) + rows * get(Field::KTiles), machine.act_words)
                    .or_else(|| most(Field::Acc, get(Field::Acc) + rows * get(Field::NTiles), machine.acc_words))
            }
            Op::Ldp => most(Field::Dst, get(Field::Dst) + get(Field::N), machine.params),
            Op::Seta => most(Field::Used, get(Field::Used), machine.rows),
            op if op.is_row() => {
                let n = get(Field::N) * if op == Op::Vrop { 2 } else { 1 };
                let writes = get(Field::To) == 0 && instr.find(Field::Dst).is_some();
                let results =
                    if op == Op::Vblk { (n as u64).div_ceil(get(Field::Imm).max(1) as u64) as i64 } else { n };
                let dst = if writes { most(Field::Dst, get(Field::Dst) + results, machine.elements) } else { None };
                let a = match op {
                    Op::Vacc | Op::Vraw | Op::Vpar => None,
                    _ => most(Field::A, get(Field::A) + n, machine.elements),
                };
                dst.or(a)
            }
            _ => None,
        }
    }
}
