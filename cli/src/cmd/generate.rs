//! `systole generate`: Verilog and what goes with it.

use std::path::PathBuf;

use serde_json::json;

use crate::args::hardware::HardwareArgs;
use crate::args::unit::{TOP, Unit, unit};
use crate::error::Error;
use crate::generate;
use crate::output::Output;
use crate::report::{Report, grouped};

/// Write the Verilog of a configuration, with test bench, file list, FuseSoC core and manifest
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole generate --preset base -o rtl\n  \
    systole generate --config mine.toml --unit array -o array\n  \
    systole generate --preset small --set array.rows=5 --unit engine -o rtl && cd rtl &&\n    \
    iverilog -g2005 -o tb.vvp -s tb_systole_engine *.v && vvp tb.vvp\n\n\
    The same configuration gives the same bytes in any folder.")]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Part of the hardware: the whole accelerator, the tile engine, or one of their units
    #[arg(long, value_name = "UNIT", value_parser = unit(), default_value = TOP)]
    unit: Unit,
    /// Folder to write to; it is created
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Write into a folder that holds other files too
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// For a configuration that is not valid, or a folder that cannot be written.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let config = args.hardware.load()?;
    let progress = output.spinner("generating");
    let design = args.unit.design(&config)?;
    let package = generate::package(&config, args.unit.name, &design)?;
    generate::write(&args.output, &package.files, args.force)?;
    progress.finish_and_clear();
    let bytes: usize = package.files.iter().map(|file| file.text.len()).sum();
    let folder = args.output.display().to_string();
    let text = format!(
        "{folder}: {} Verilog modules, top {}, test bench tb_{}, configuration {}; {} files, {} bytes",
        package.modules,
        package.top,
        package.top,
        config.hash(),
        package.files.len(),
        grouped(bytes as u64)
    );
    let names: Vec<&str> = package.files.iter().map(|file| file.name.as_str()).collect();
    let json = json!({
        "folder": folder,
        "top": package.top,
        "unit": args.unit.name,
        "config_hash": config.hash(),
        "manifest": generate::MANIFEST,
        "files": names,
    });
    Ok(Report::done(text, json))
}
