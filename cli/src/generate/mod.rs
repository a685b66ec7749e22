//! The files of a generated design.

mod folder;
mod fusesoc;
mod manifest;
mod stimulus;
mod testbench;
pub mod top;

use hdl::rtl::{Design, Header};
use spec::Config;

pub use folder::write;
pub use manifest::NAME as MANIFEST;

use crate::error::Error;

/// Generator and version, as generated files name it.
pub const GENERATOR: &str = concat!("systole ", env!("CARGO_PKG_VERSION"));

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Name, without a folder.
    pub name: String,
    /// Contents.
    pub text: String,
}

impl File {
    fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// What is generated of a unit.
pub struct Package {
    /// Name of the top module.
    pub top: String,
    /// Number of Verilog modules.
    pub modules: usize,
    /// All files, the manifest last.
    pub files: Vec<File>,
}

/// Generates a unit of a Config: Verilog, test bench, file list, FuseSoC core, manifest; for the whole accelerator also
/// constraints, scripts and driver. Equal Configs give equal bytes.
///
/// # Errors
/// If the description does not hold together for this Config.
pub fn package(config: &Config, unit: &str, design: &Design) -> Result<Package, Error> {
    let header = Header { generator: GENERATOR.to_string(), config_hash: config.hash() };
    let verilog: Vec<File> = design.emit(&header)?.into_iter().map(|(name, text)| File::new(name, text)).collect();
    let top = design.top.name.clone();
    let rtl: Vec<String> = verilog.iter().map(|file| file.name.clone()).collect();
    let bench = match unit {
        top::NAME => top::test_bench(config, design)?,
        crate::args::unit::ENGINE => testbench::engine(config, design, &stimulus::Stimulus::new(config)?),
        _ => testbench::unit(config, design),
    };
    let bench_names: Vec<String> = bench.iter().map(|file| file.name.clone()).collect();
    let mut files = verilog;
    files.extend(bench);
    if unit == top::NAME {
        files.extend(top::package(config, &top, &rtl));
    }
    files.push(File::new(format!("{top}.f"), rtl.iter().map(|name| format!("{name}\n")).collect::<String>()));
    files.push(File::new(format!("{top}.core"), fusesoc::core(&top, &rtl, &bench_names)));
    files.push(File::new("config.toml", config.to_toml()));
    files.push(File::new(MANIFEST, manifest::text(config, unit, &top, &files)));
    Ok(Package { top, modules: rtl.len(), files })
}
