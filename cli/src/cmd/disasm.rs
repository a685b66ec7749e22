//! `systole disasm`: a program file as a document.

use std::path::PathBuf;

use serde_json::json;
use spec::isa::{Shown, disassemble};

use crate::error::Error;
use crate::output::Output;
use crate::program_file;
use crate::report::Report;

/// Show a program of the accelerator as assembly, with what each part of it does
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  systole disasm fairy.prog --no-data | less\n  systole disasm fairy.prog -o fairy.s\n\n\
    The whole text can be assembled again; --no-data leaves the bytes of weights and tables away."
)]
pub struct Args {
    /// Program file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File to write instead of standard output
    #[arg(short, long, value_name = "FILE.s")]
    output: Option<PathBuf>,
    /// Leave the bytes of the memory image away
    #[arg(long)]
    no_data: bool,
}

/// Runs the command.
///
/// # Errors
/// For what is no program file, or a file that cannot be written.
pub fn run(args: &Args, _: &Output) -> Result<Report, Error> {
    let program = program_file::read(&args.file)?;
    let text = disassemble(&program, if args.no_data { Shown::WithoutData } else { Shown::Everything });
    let (instrs, memory) = (program.instrs.len(), program.memory_bytes());
    let mut json = json!({"instructions": instrs, "memory_bytes": memory, "machine": program.machine});
    match &args.output {
        None => {
            json["text"] = text.clone().into();
            Ok(Report { brief: text.clone(), ..Report::done(text, json) })
        }
        Some(path) => {
            tool::write_atomic(path, text.as_bytes())?;
            let file = path.display().to_string();
            json["file"] = file.clone().into();
            Ok(Report::done(format!("{file}: {instrs} instructions, {memory} bytes of memory"), json))
        }
    }
}
