//! What goes with the Verilog of the whole accelerator: test bench, constraints, scripts of vendors' tools, C driver.

mod bench;
mod header;
mod scripts;
mod stimulus;

use hdl::rtl::Design;
use spec::Config;

use self::stimulus::Stimulus;
use super::File;
use crate::error::Error;

/// Name of the unit on the command line.
pub const NAME: &str = crate::args::unit::TOP;

/// The test bench, which runs a small program.
///
/// # Errors
/// Those of [`Stimulus::new`].
pub fn test_bench(config: &Config, design: &Design) -> Result<Vec<File>, Error> {
    Ok(bench::bench(config, design, &Stimulus::new(config)?))
}

/// Constraints, scripts and driver for a top of those Verilog files.
pub fn package(config: &Config, top: &str, rtl: &[String]) -> Vec<File> {
    let mut files = scripts::scripts(config, top, rtl);
    files.push(File::new("systole.h", header::header()));
    files.push(File::new("systole_driver.h", include_str!("systole_driver.h")));
    files.push(File::new("systole_driver.c", include_str!("systole_driver.c")));
    files
}
