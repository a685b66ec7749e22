//! `systole image`: a program file as the memory image that firmware loads.

use std::path::PathBuf;

use serde_json::json;
use spec::Problem;
use spec::isa::{Machine, image};

use crate::args::hardware::HardwareArgs;
use crate::error::Error;
use crate::output::Output;
use crate::program_file;
use crate::report::Report;

/// Make the memory image that the C driver loads from a program file
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole image fairy.prog --preset small -o fairy.img\n  \
    systole image king.prog --config mine.toml --base 0x10000000 -o king.img\n\n\
    The configuration is the one that the program was lowered for; the driver compares its hash with the hardware's.\n\
    docs/hardware.md describes the format.")]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Program file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// First byte of the memory that is set aside for the accelerator, a multiple of 4096, decimal or hexadecimal
    #[arg(long, value_name = "ADDR", default_value = "0", value_parser = address)]
    base: u32,
    /// Image file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

fn address(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "give a 32-bit number, such as 0x10000000".to_string())
}

/// Runs the command.
///
/// # Errors
/// For what is no program file, a program of another machine, a base from which it does not fit, or a file that cannot be
/// written.
pub fn run(args: &Args, _: &Output) -> Result<Report, Error> {
    let config = args.hardware.load()?;
    let program = program_file::read(&args.file)?;
    if program.machine != Machine::new(&config) {
        let cure = "give the configuration that it was lowered for, with the same --set";
        let problem = Problem::new("machine", "another", format!("that of configuration {}", config.hash()), cure);
        return Err(Error::Input(problem.to_string()).of(&args.file));
    }
    let hash = u64::from_str_radix(&config.hash(), 16).expect("a hash has 16 hexadecimal digits");
    let moved = image::moved(&program, args.base)?;
    let bytes = image::to_bytes(&moved, hash)?;
    tool::write_atomic(&args.output, &bytes)?;
    let file = args.output.display().to_string();
    let (instrs, end) = (moved.instrs.len(), image::end(&moved));
    let text = format!(
        "{file}: {instrs} instructions, memory {:#010x}..{end:#010x}, configuration {}",
        args.base,
        config.hash()
    );
    let json = json!({
        "file": file, "file_bytes": bytes.len(), "instructions": instrs, "base": args.base, "end": end,
        "program_addr": image::code_addr(&moved), "config_hash": config.hash(),
    });
    Ok(Report::done(text, json))
}
