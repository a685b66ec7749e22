//! `--unit`: which part of the hardware.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use hdl::rtl::Design;
use hdl::unit::table::{Build, UNITS};
use spec::Config;

use crate::error::Error;

/// A unit that a Config alone describes.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// Name on the command line.
    pub name: &'static str,
    build: Build,
}

/// The whole accelerator: what runs whole models.
pub const TOP: &str = "top";
/// The tile engine: what runs linear layers.
pub const ENGINE: &str = "engine";
/// The systolic array alone.
pub const ARRAY: &str = "array";

/// Parses the name of a unit.
pub fn unit() -> impl TypedValueParser<Value = Unit> {
    let parser = PossibleValuesParser::new(UNITS.iter().map(|(name, _)| *name));
    parser.map(|chosen| {
        let found = UNITS.iter().find(|(name, _)| *name == chosen);
        let &(name, build) = found.expect("only listed names are let through");
        Unit { name, build }
    })
}

impl Unit {
    /// The unit for a Config.
    ///
    /// # Errors
    /// If the description does not hold together for this Config.
    pub fn design(&self, config: &Config) -> Result<Design, Error> {
        Ok(Design::new((self.build)(config)?))
    }
}
