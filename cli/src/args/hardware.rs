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

/// Which hardware, where one has to be named only if another is wanted than the usual one.
#[derive(Args, Clone, Debug)]
pub struct OptionalHardwareArgs {
    #[command(flatten)]
    source: OptionalSource,
    #[command(flatten)]
    set: SetArgs,
}

#[derive(Args, Clone, Debug)]
#[group(id = "hardware", required = false, multiple = false)]
struct OptionalSource {
    /// Configuration file of the hardware
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Named configuration of the hardware [default: small]
    #[arg(long, value_name = "NAME", value_parser = preset_names())]
    preset: Option<String>,
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
        let loaded = self.set.load(self.source.config.as_deref(), self.source.preset.as_deref());
        loaded.unwrap_or_else(|| Err(Error::input("hardware", "none", "--config or --preset", "name one")))
    }
}

impl OptionalHardwareArgs {
    /// The configuration, valid; that of the preset `usual` if none was named.
    ///
    /// # Errors
    /// What is wrong with it, with the name of the file.
    pub fn load(&self, usual: &str) -> Result<Config, Error> {
        let loaded = self.set.load(self.source.config.as_deref(), self.source.preset.as_deref());
        loaded.unwrap_or_else(|| self.set.preset(usual))
    }
}

impl SetArgs {
    /// A file or a preset with these fields set; nothing if neither is named.
    fn load(&self, config: Option<&Path>, preset: Option<&str>) -> Option<Result<Config, Error>> {
        match (config, preset) {
            (Some(path), _) => Some(read(path).and_then(|text| self.apply(&text)).map_err(|e| e.of(path))),
            (None, Some(name)) => Some(self.preset(name)),
            (None, None) => None,
        }
    }

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
