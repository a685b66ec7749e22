//! Arguments that choose number formats and modes.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use spec::qmodel::ActMode;
use spec::{Format, RequantMode};

/// Parses the name of any number format, those of whole models included.
pub fn any_format() -> impl TypedValueParser<Value = Format> {
    let parser = PossibleValuesParser::new(Format::ALL.map(Format::name));
    parser.map(|name| Format::from_name(&name).expect("only listed names are let through"))
}

/// Name of the choice of a format for each layer.
const MIXED: &str = "mixed";

/// A format for all linear layers of a model, or one chosen for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The same for all but the head.
    Even(Format),
    /// For each its own.
    Mixed,
}

impl Choice {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Even(format) => format.name(),
            Self::Mixed => MIXED,
        }
    }
}

/// Parses the name of any number format, or `mixed`.
pub fn choice() -> impl TypedValueParser<Value = Choice> {
    let names = Format::ALL.map(Format::name).into_iter().chain([MIXED]);
    PossibleValuesParser::new(names).map(|name| Format::from_name(&name).map_or(Choice::Mixed, Choice::Even))
}

/// Arithmetic of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// The floating-point reference.
    Fp32,
    /// Integers.
    Integers(Choice),
}

/// Parses `fp32`, the name of any number format, or `mixed`.
pub fn arithmetic() -> impl TypedValueParser<Value = Arithmetic> {
    let names = ["fp32"].into_iter().chain(Format::ALL.map(Format::name)).chain([MIXED]);
    PossibleValuesParser::new(names).map(|name| match (Format::from_name(&name), name == MIXED) {
        (Some(format), _) => Arithmetic::Integers(Choice::Even(format)),
        (None, true) => Arithmetic::Integers(Choice::Mixed),
        (None, false) => Arithmetic::Fp32,
    })
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
