//! Arguments that choose number formats and modes.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use spec::qmodel::ActMode;
use spec::{Format, RequantMode};

/// Parses the name of a number format.
pub fn format() -> impl TypedValueParser<Value = Format> {
    let parser = PossibleValuesParser::new(Format::PLAIN.map(Format::name));
    parser.map(|name| Format::from_name(&name).expect("only listed names are let through"))
}

/// Parses the name of any number format, those of whole models included.
pub fn any_format() -> impl TypedValueParser<Value = Format> {
    let parser = PossibleValuesParser::new(Format::ALL.map(Format::name));
    parser.map(|name| Format::from_name(&name).expect("only listed names are let through"))
}

/// Arithmetic of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// The floating-point reference.
    Fp32,
    /// Integers.
    Integers(Format),
}

/// Parses `fp32` or the name of any number format.
pub fn arithmetic() -> impl TypedValueParser<Value = Arithmetic> {
    let names = ["fp32"].into_iter().chain(Format::ALL.map(Format::name));
    PossibleValuesParser::new(names).map(|name| Format::from_name(&name).map_or(Arithmetic::Fp32, Arithmetic::Integers))
}

/// Parses the name of a requantisation mode.
pub fn requant() -> impl TypedValueParser<Value = RequantMode> {
    let parser = PossibleValuesParser::new(RequantMode::ALL.map(RequantMode::name));
    parser.map(|name| RequantMode::from_name(&name).expect("only listed names are let through"))
}

/// Parses the name of a mode of activations.
pub fn acts() -> impl TypedValueParser<Value = ActMode> {
    let parser = PossibleValuesParser::new(ActMode::ALL.map(ActMode::name));
    parser.map(|name| ActMode::from_name(&name).expect("only listed names are let through"))
}
