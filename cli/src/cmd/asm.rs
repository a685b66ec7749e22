//! `systole asm`: a program file from assembly.

use std::path::PathBuf;

use serde_json::json;
use spec::isa::{assemble, container};

use crate::error::Error;
use crate::output::Output;
use crate::program_file;
use crate::report::Report;

/// Assemble a program of the accelerator
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole disasm fairy.prog -o fairy.s\n  systole asm fairy.s -o again.prog\n\n\
    The instructions are those of docs/isa.md; every line with a problem is named.")]
pub struct Args {
    /// Text to assemble
    #[arg(value_name = "FILE.s")]
    file: PathBuf,
    /// Program file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// For a text that cannot be read or is no program, with every line that has a problem; for a file that cannot be written.
pub fn run(args: &Args, _: &Output) -> Result<Report, Error> {
    let text = String::from_utf8(program_file::bytes(&args.file)?).map_err(|_| {
        Error::Input("not UTF-8 text; give assembly, as `systole disasm` writes it".into()).of(&args.file)
    })?;
    let program = assemble(&text).map_err(|e| Error::from(e).of(&args.file))?;
    let bytes = container::to_bytes(&program);
    tool::write_atomic(&args.output, &bytes)?;
    let file = args.output.display().to_string();
    let (instrs, memory) = (program.instrs.len(), program.memory_bytes());
    let said = format!("{file}: {instrs} instructions, {memory} bytes of memory");
    Ok(Report::done(
        said,
        json!({"file": file, "instructions": instrs, "memory_bytes": memory, "file_bytes": bytes.len()}),
    ))
}
