//! `systole new`: a configuration file to edit.

use std::path::PathBuf;

use serde_json::json;
use spec::Config;

use crate::args::hardware::{SetArgs, preset_names};
use crate::error::Error;
use crate::output::Output;
use crate::report::Report;

/// Write a configuration file with every field stated and explained
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole new mine.toml --preset small\n  \
    systole new odd.toml --preset small --set array.rows=5 --set array.cols=12\n  \
    systole new pot.toml --preset tiny --set pe.kind=shift --set 'pe.formats=[\"pot4\"]'")]
pub struct Args {
    /// File to write
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Named configuration to start from
    #[arg(long, value_name = "NAME", value_parser = preset_names())]
    preset: String,
    #[command(flatten)]
    set: SetArgs,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// For a configuration that is not valid, a file that exists, or one that cannot be written.
pub fn run(args: &Args, _: &Output) -> Result<Report, Error> {
    let config = args.set.preset(&args.preset)?;
    if !args.force && args.file.symlink_metadata().is_ok() {
        let text = "exists already; give another name, or --force to overwrite it";
        return Err(Error::Input(text.to_string()).of(&args.file));
    }
    tool::write_atomic(&args.file, explained(&config).as_bytes())?;
    let file = args.file.display().to_string();
    let text = format!(
        "{file}: {} x {} PEs ({}), formats {}, configuration {}",
        config.array.rows,
        config.array.cols,
        config.pe.kind.name(),
        config.pe.formats.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "),
        config.hash()
    );
    Ok(Report::done(text, json!({"file": file, "preset": args.preset, "config_hash": config.hash()})))
}

/// What each field means, in the order of the file.
const FIELDS: &[(&str, &str)] = &[
    ("design.prefix", "in front of every Verilog module's name"),
    ("array.rows", "rows R of PEs (1..=128): a tile's share of K"),
    ("array.cols", "columns C of PEs (1..=128): a tile's share of N"),
    (
        "array.dataflow",
        "what stays in the PEs: \"ws\" weights, \"os\" sums (preload_rows = 1, formats without block scales)",
    ),
    ("array.preload_rows", "rows of weights that enter a cycle; a tile takes at least rows / preload_rows cycles"),
    ("array.chunk_rows", "most tokens that are computed together (1..=1024); buffers may force fewer"),
    ("pe.kind", "\"mac\" (multiply and accumulate) or \"shift\" (power-of-two weights)"),
    (
        "pe.formats",
        "mac: any but pot8 (pot4 beside another), shift: pot4, pot8; first is default; whole models need w8a8",
    ),
    ("pe.product_register", "whether the product is registered before it is added"),
    ("requant.lanes", "values requantised side by side; the largest divisor of cols not above it is built"),
    ("requant.dividers", "dividers in each lane (1..=8)"),
    ("requant.quotient_bits", "quotient bits that a divider makes a cycle (1..=8)"),
    ("requant.modes", "dynamic, asymmetric, static"),
    ("buffer.act_bytes", "activation buffer, both halves"),
    ("buffer.acc_bytes", "accumulator memory, both banks"),
    ("buffer.weight_tiles", "weight tiles held ready (2..=64)"),
    ("buffer.channels", "most output channels of a layer"),
    (
        "vec.lanes",
        "values the vector unit takes a cycle; the largest power of two not above it that divides rows and cols",
    ),
    ("vec.elements", "vector memory, in elements of 64 bits"),
    ("vec.params", "parameter memory, in elements of 32 bits"),
    ("vec.dividers", "quotients that a lane has under way (1..=32)"),
    ("vec.quotient_bits", "quotient bits that a divider makes a cycle (1..=8)"),
    ("bus.data_bits", "width of AXI streams and of the memory port: 32, 64, 128, 256 or 512"),
    ("dma.outstanding", "read bursts under way at once (1..=16)"),
    ("dma.burst_beats", "most beats of a burst (1..=256)"),
];

/// The configuration as a file, each field with its meaning beside it.
fn explained(config: &Config) -> String {
    let mut section = String::new();
    let mut out = String::from("# Hardware of systole. Every field is stated; none has a default.\n\n");
    for line in config.to_toml().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.to_string();
        }
        let meaning = line.split_once(" = ").and_then(|(name, _)| {
            let field = format!("{section}.{name}");
            FIELDS.iter().find(|(known, _)| *known == field).map(|(_, meaning)| *meaning)
        });
        match meaning {
            Some(meaning) => out.push_str(&format!("{line:<28} # {meaning}\n")),
            None => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::presets::PRESETS;

    #[test]
    fn every_field_is_explained_and_the_file_gives_the_configuration_back() {
        for (name, text) in PRESETS {
            let config = Config::from_toml(text).unwrap();
            let file = explained(&config);
            assert_eq!(Config::from_toml(&file).unwrap(), config, "{name}");
            let fields = file.lines().filter(|l| !l.starts_with('#') && l.contains(" = "));
            assert!(fields.clone().all(|l| l.contains(" # ")), "{file}");
            assert_eq!(fields.count(), FIELDS.len());
        }
    }
}
