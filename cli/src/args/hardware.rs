//! The hardware: a configuration file or a preset, and fields set on the command line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use hdl::presets::{PRESETS, preset};
use spec::Config;

use super::set;
use crate::error::Error;

/// Most bytes of a configuration file.
const MAX_BYTES: u64 = 1 << 20;

/// Which hardware.
#[derive(Args, Clone, Debug)]
pub struct HardwareArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    set: SetArgs,
}

#[derive(Args, Clone, Debug)]
#[group(id = "hardware", required = true, multiple = false)]
struct Source {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Named configuration
    #[arg(long, value_name = "NAME", value_parser = preset_names())]
    preset: Option<String>,
}

/// Fields set on the command line.
#[derive(Args, Clone, Debug, Default)]
pub struct SetArgs {
    /// Set a field of the configuration, as in array.rows=5 or pe.formats=["pot4"]; may be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    assignments: Vec<String>,
}

/// Parses the name of a preset.
pub fn preset_names() -> PossibleValuesParser {
    PossibleValuesParser::new(PRESETS.map(|(name, _)| name))
}

impl HardwareArgs {
    /// The configuration, valid.
    ///
    /// # Errors
    /// What is wrong with it, with the name of the file.
    pub fn load(&self) -> Result<Config, Error> {
        match (&self.source.config, &self.source.preset) {
            (Some(path), _) => read(path).and_then(|text| self.set.apply(&text)).map_err(|e| e.of(path)),
            (None, Some(name)) => self.set.preset(name),
            (None, None) => unreachable!("clap requires one of them"),
        }
    }
}

impl SetArgs {
    /// A preset with these fields set.
    ///
    /// # Errors
    /// What is wrong with the result.
    pub fn preset(&self, name: &str) -> Result<Config, Error> {
        let text = preset(name).ok_or_else(|| {
            let names = PRESETS.map(|(name, _)| name).join(", ");
            Error::input("preset", format!("{name:?}"), &names, "choose one of them")
        })?;
        self.apply(text)
    }

    /// The configuration of a TOML text with these fields set.
    fn apply(&self, text: &str) -> Result<Config, Error> {
        if self.assignments.is_empty() {
            // The text as it stands keeps its line numbers in messages.
            return Ok(Config::from_toml(text)?);
        }
        Ok(Config::from_toml(&set::apply(text, &self.assignments)?)?)
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let refuse = |reason: &dyn std::fmt::Display| Error::Input(format!("cannot read: {reason}; check the path"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| refuse(&e))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| refuse(&e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse(&"larger than 1 MiB, so no configuration"));
    }
    String::from_utf8(bytes).map_err(|_| refuse(&"not UTF-8 text"))
}
