//! The documentation page of the ISA, made from the table.

use std::fmt::Write;

use super::field::{FieldSpec, Kind};
use super::op::{Op, Queue};

/// What the table of instructions cannot say: memories, tiles, order, rounding.
pub const PROSE: &str = include_str!("prose.md");

/// The text of `docs/isa.md`.
pub fn page() -> String {
    let mut out = String::from("# Instructions of the accelerator\n\n");
    out.push_str("Generated from the table in `golden/spec/src/isa`; a test keeps it up to date.\n\n");
    out.push_str(PROSE.trim_end());
    out.push_str("\n\n## Instructions\n\n");
    out.push_str("| Op | Code | Queue | Meaning |\n|---|---|---|---|\n");
    for op in Op::ALL {
        let spec = op.spec();
        let meaning = spec.meaning.replace('|', "\\|");
        writeln!(out, "| {} | {:#04x} | {} | {meaning} |", spec.name, spec.code, spec.queue.name()).expect("a text");
    }
    out.push_str("\n## Fields\n\nBits that no field uses are 0; so are `wait` and `signal` of control instructions.\n");
    for (queue, title) in [
        (Queue::Control, "Control"),
        (Queue::Load, "Load"),
        (Queue::Mm, "Matrix products"),
        (Queue::Store, "Store"),
        (Queue::Vec, "Vector unit"),
    ] {
        writeln!(out, "\n### {title}\n").expect("a text");
        out.push_str("| Op | Field | Bits | Values | Meaning |\n|---|---|---|---|---|\n");
        for op in Op::ALL.iter().filter(|op| op.queue() == queue) {
            for spec in op.spec().fields {
                let (name, field, bits) = (op.name(), spec.field, place(spec));
                writeln!(
                    out,
                    "| {name} | `{field}` | {bits} | {} | {} |",
                    values(spec),
                    spec.meaning.replace('|', "\\|")
                )
                .expect("a text");
            }
        }
    }
    out
}

fn place(spec: &FieldSpec) -> String {
    let top = spec.lsb + spec.bits - 1;
    if spec.bits == 1 { format!("{top}") } else { format!("{top}..{}", spec.lsb) }
}

fn values(spec: &FieldSpec) -> String {
    match spec.kind {
        Kind::Unsigned => "unsigned".into(),
        Kind::Count => "unsigned, at least 1".into(),
        Kind::OneMore => "unsigned, one less is stored".into(),
        Kind::Signed => "signed".into(),
        Kind::Flag => "flag".into(),
        Kind::Names(names) => {
            names.iter().enumerate().map(|(i, name)| format!("{i} {name}")).collect::<Vec<_>>().join(", ")
        }
    }
}
