//! The registers as a section of the documentation.

use std::fmt::Write;

use super::{Access, COUNTER_BITS, COUNTER_COUNT, ERROR_CODES, REGISTERS, RegField, STALLS, counter, counter_offset};

/// Stands before the section in `docs/hardware.md`.
pub const BEGIN: &str = "<!-- registers: from the table in golden/spec/src/regs.rs, a test keeps them up to date -->\n";
/// Stands behind it.
pub const END: &str = "<!-- end of registers -->\n";

/// Tables of registers, fields, counters and errors.
pub fn section() -> String {
    let mut out = String::from("\n| Offset | Register | Access | After reset | Meaning |\n|---|---|---|---|---|\n");
    for r in REGISTERS {
        let access = match r.access {
            Access::Read => "read",
            Access::ReadWrite => "read, write",
            Access::WriteOneToClear => "read, 1 clears",
            Access::Pulse => "1 starts",
        };
        let reset = match (r.access, r.reset) {
            (Access::Read, 0) => "-".to_string(),
            (_, reset) => format!("{reset:#x}"),
        };
        writeln!(out, "| {:#05x} | `{}` | {access} | {reset} | {} |", r.offset, r.name, r.meaning).expect("a text");
    }
    out.push_str("\n| Register | Field | Bits | Meaning |\n|---|---|---|---|\n");
    for r in REGISTERS {
        for f in r.fields {
            writeln!(out, "| `{}` | `{}` | {} | {} |", r.name, f.name, place(f), f.meaning).expect("a text");
        }
    }
    writeln!(out, "\nCounters, {COUNTER_BITS} bits: the low word at the offset, the high one 4 bytes on.\n")
        .expect("a text");
    out.push_str("| Offset | Counter | Counts |\n|---|---|---|\n");
    for index in 0..COUNTER_COUNT {
        let (name, meaning) = counter(index).unwrap_or_default();
        let meaning = if (1..=STALLS.len()).contains(&index) { format!("cycles: {meaning}") } else { meaning.into() };
        writeln!(out, "| {:#05x} | `{name}` | {meaning} |", counter_offset(index as u32)).expect("a text");
    }
    out.push_str("\n| `STATUS.code` | Error | Meaning |\n|---|---|---|\n");
    for (code, (name, meaning)) in ERROR_CODES.iter().enumerate() {
        writeln!(out, "| {code} | {name} | {meaning} |").expect("a text");
    }
    out.push('\n');
    out
}

fn place(f: &RegField) -> String {
    let top = f.lsb + f.bits - 1;
    if f.bits == 1 { format!("{top}") } else { format!("{top}..{}", f.lsb) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_registers_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/hardware.md");
        let found = std::fs::read_to_string(path).unwrap();
        let (before, rest) = found.split_once(BEGIN).expect("the page has a place for the registers");
        let (registers, after) = rest.split_once(END).expect("the section has an end");
        if std::env::var_os("SYSTOLE_WRITE_DOCS").is_some() {
            std::fs::write(path, [before, BEGIN, &section(), END, after].concat()).unwrap();
        } else {
            assert!(registers == section(), "docs/hardware.md: run the test with SYSTOLE_WRITE_DOCS=1");
        }
    }
}
