//! Every pluggable thing: number formats, PE kinds, requantisation modes, each with its name and width.

use serde::{Deserialize, Serialize};

/// How one operand of a PE is coded; golden, encoders and PEs each give it its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operand {
    /// Two's complement, 8 bits; quantizers use -127..=127, hardware accepts -128 too.
    Int8,
    /// Two's complement, 4 bits; quantizers use -7..=7, hardware accepts -8 too.
    Int4,
    /// FP4 E2M1 code: bit 3 sign, magnitudes 0, .5, 1, 1.5, 2, 3, 4, 6; its integer is the value times 2.
    E2m1,
    /// Power of two: bit 3 sign, code 0 zero, 1..=7 is 2^-(code-1); its integer is the value times 64.
    Pot4,
}

impl Operand {
    /// Every operand code, in the order in which tests loop over them.
    pub const ALL: [Self; 4] = [Self::Int8, Self::Int4, Self::E2m1, Self::Pot4];

    /// Bits of one code.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Int8 => 8,
            Self::Int4 | Self::E2m1 | Self::Pot4 => 4,
        }
    }

    /// Bits of the exact signed integer a code stands for (E2M1 times 2, PoT times 64).
    pub const fn int_bits(self) -> u32 {
        match self {
            Self::Int8 | Self::Pot4 => 8,
            Self::Int4 => 4,
            Self::E2m1 => 5,
        }
    }

    /// Binary places of that integer: the value is `integer / 2^int_frac_bits`.
    pub const fn int_frac_bits(self) -> u32 {
        match self {
            Self::Int8 | Self::Int4 => 0,
            Self::E2m1 => 1,
            Self::Pot4 => 6,
        }
    }

    /// Largest magnitude of that integer, over all codes.
    pub const fn magnitude(self) -> u32 {
        match self {
            Self::Int8 => 128,
            Self::Int4 => 8,
            Self::E2m1 => 12,
            Self::Pot4 => 64,
        }
    }

    /// Name, as in file names and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::E2m1 => "e2m1",
            Self::Pot4 => "pot4",
        }
    }
}

/// A number format of a linear layer: the pair of codes for weights and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// INT8 weights, INT8 activations.
    W8a8,
    /// INT4 weights, INT8 activations.
    W4a8,
    /// FP4 E2M1 weights, INT8 activations.
    Fp4a8,
    /// FP4 E2M1 weights and activations.
    Fp4,
    /// Power-of-two weights, INT8 activations.
    Pot4,
}

impl Format {
    /// Every format, in the order of reports; tests loop over it.
    pub const ALL: [Self; 5] = [Self::W8a8, Self::W4a8, Self::Fp4a8, Self::Fp4, Self::Pot4];

    /// Name on the command line and in Config files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::W8a8 => "w8a8",
            Self::W4a8 => "w4a8",
            Self::Fp4a8 => "fp4a8",
            Self::Fp4 => "fp4",
            Self::Pot4 => "pot4",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// Code of the weights.
    pub const fn weight(self) -> Operand {
        match self {
            Self::W8a8 => Operand::Int8,
            Self::W4a8 => Operand::Int4,
            Self::Fp4a8 | Self::Fp4 => Operand::E2m1,
            Self::Pot4 => Operand::Pot4,
        }
    }

    /// Code of the activations.
    pub const fn act(self) -> Operand {
        match self {
            Self::W8a8 | Self::W4a8 | Self::Fp4a8 | Self::Pot4 => Operand::Int8,
            Self::Fp4 => Operand::E2m1,
        }
    }

    /// The PE kind that a Config is given when it must be changed to offer this format.
    pub const fn pe_kind(self) -> PeKind {
        match self {
            Self::Pot4 => PeKind::Shift,
            Self::W8a8 | Self::W4a8 | Self::Fp4a8 | Self::Fp4 => PeKind::Mac,
        }
    }
}

/// The circuit of a processing element; every kind computes the same exact dot product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeKind {
    /// Multiply and accumulate.
    Mac,
    /// Shift and accumulate: power-of-two weights only.
    Shift,
}

impl PeKind {
    /// Every PE kind; tests loop over it.
    pub const ALL: [Self; 2] = [Self::Mac, Self::Shift];

    /// Name in Config files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Shift => "shift",
        }
    }

    /// Whether a PE of this kind can compute that format.
    pub const fn supports(self, format: Format) -> bool {
        match self {
            Self::Mac => !matches!(format, Format::Pot4),
            Self::Shift => matches!(format, Format::Pot4),
        }
    }
}

/// How finished rows of sums become 8-bit activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequantMode {
    /// Per token, from the row's largest magnitude, symmetric: `round(127·A / max|A|)`.
    Dynamic,
    /// Per token, from the row's minimum and maximum (zero included), with a zero point.
    Asymmetric,
    /// With a fixed dyadic ratio and saturation to -127..=127.
    Static,
}

impl RequantMode {
    /// Every mode; its place is its code in a `Run` command.
    pub const ALL: [Self; 3] = [Self::Dynamic, Self::Asymmetric, Self::Static];

    /// Name on the command line and in Config files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Asymmetric => "asymmetric",
            Self::Static => "static",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}
