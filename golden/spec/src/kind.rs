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
    /// Sum of two powers of two: a PoT code in the low four bits and one in the high four; its integer is the value times 64.
    Pot8,
}

impl Operand {
    /// Every operand code, in the order in which tests loop over them.
    pub const ALL: [Self; 5] = [Self::Int8, Self::Int4, Self::E2m1, Self::Pot4, Self::Pot8];

    /// Bits of one code.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Int8 | Self::Pot8 => 8,
            Self::Int4 | Self::E2m1 | Self::Pot4 => 4,
        }
    }

    /// Bits of the exact signed integer a code stands for (E2M1 times 2, PoT times 64).
    pub const fn int_bits(self) -> u32 {
        match self {
            Self::Int8 | Self::Pot4 => 8,
            Self::Int4 => 4,
            Self::E2m1 => 5,
            Self::Pot8 => 9,
        }
    }

    /// Binary places of that integer: the value is `integer / 2^int_frac_bits`.
    pub const fn int_frac_bits(self) -> u32 {
        match self {
            Self::Int8 | Self::Int4 => 0,
            Self::E2m1 => 1,
            Self::Pot4 | Self::Pot8 => 6,
        }
    }

    /// Largest magnitude of that integer, over all codes.
    pub const fn magnitude(self) -> u32 {
        match self {
            Self::Int8 | Self::Pot8 => 128,
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
            Self::Pot8 => "pot8",
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
    /// Weights that are sums of two powers of two, INT8 activations.
    Pot8,
    /// INT4 weights and activations.
    W4a4,
    /// FP4 E2M1 weights in blocks with a power-of-two scale (OCP MX), INT8 activations.
    Mxfp4a8,
    /// FP4 E2M1 weights and activations, both in blocks with a power-of-two scale (OCP MX).
    Mxfp4,
    /// FP4 E2M1 weights and activations, both in blocks with an E4M3 scale.
    Nvfp4,
}

impl Format {
    /// Every format, in the order of reports; tests loop over it.
    pub const ALL: [Self; 10] = [
        Self::W8a8,
        Self::W4a8,
        Self::W4a4,
        Self::Fp4a8,
        Self::Fp4,
        Self::Mxfp4a8,
        Self::Mxfp4,
        Self::Nvfp4,
        Self::Pot4,
        Self::Pot8,
    ];

    /// The formats that the tile engine computes, each with one step a channel.
    pub const PLAIN: [Self; 6] = [Self::W8a8, Self::W4a8, Self::Fp4a8, Self::Fp4, Self::Pot4, Self::Pot8];

    /// Name on the command line and in Config files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::W8a8 => "w8a8",
            Self::W4a8 => "w4a8",
            Self::Fp4a8 => "fp4a8",
            Self::Fp4 => "fp4",
            Self::Pot4 => "pot4",
            Self::Pot8 => "pot8",
            Self::W4a4 => "w4a4",
            Self::Mxfp4a8 => "mxfp4a8",
            Self::Mxfp4 => "mxfp4",
            Self::Nvfp4 => "nvfp4",
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
            Self::W4a8 | Self::W4a4 => Operand::Int4,
            Self::Fp4a8 | Self::Fp4 | Self::Mxfp4a8 | Self::Mxfp4 | Self::Nvfp4 => Operand::E2m1,
            Self::Pot4 => Operand::Pot4,
            Self::Pot8 => Operand::Pot8,
        }
    }

    /// Code of the activations.
    pub const fn act(self) -> Operand {
        match self {
            Self::W8a8 | Self::W4a8 | Self::Fp4a8 | Self::Pot4 | Self::Pot8 | Self::Mxfp4a8 => Operand::Int8,
            Self::W4a4 => Operand::Int4,
            Self::Fp4 | Self::Mxfp4 | Self::Nvfp4 => Operand::E2m1,
        }
    }

    /// The scalings that its weights can have, the best known first.
    pub const fn scalings(self) -> &'static [Scaling] {
        match self {
            Self::W8a8 | Self::Pot8 => &[Scaling::Channel, Scaling::Group32, Scaling::Group16],
            Self::W4a8 | Self::W4a4 | Self::Pot4 => &[Scaling::Group32, Scaling::Group16, Scaling::Channel],
            Self::Fp4a8 | Self::Fp4 => &[Scaling::Channel],
            Self::Mxfp4a8 | Self::Mxfp4 => &[Scaling::Mx32],
            Self::Nvfp4 => &[Scaling::Nv16],
        }
    }

    /// Whether activations carry a scale a block, as the weights do.
    pub const fn acts_have_blocks(self) -> bool {
        matches!(self, Self::W4a4 | Self::Mxfp4 | Self::Nvfp4)
    }

    /// The PE kind that a Config is given when it must be changed to offer this format.
    pub const fn pe_kind(self) -> PeKind {
        match self {
            Self::Pot4 | Self::Pot8 => PeKind::Shift,
            Self::W8a8
            | Self::W4a8
            | Self::W4a4
            | Self::Fp4a8
            | Self::Fp4
            | Self::Mxfp4a8
            | Self::Mxfp4
            | Self::Nvfp4 => PeKind::Mac,
        }
    }
}

/// What scales a layer's products beside the step of its channel: nothing, or one scale a block of K.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// One step a channel.
    Channel,
    /// Groups of 32 with an unsigned 8-bit factor.
    Group32,
    /// Groups of 16 with an unsigned 8-bit factor.
    Group16,
    /// Blocks of 32 with a power of two (OCP MX 1.0), held as how many binary places it lies below the channel's largest.
    Mx32,
    /// Blocks of 16 with an E4M3 scale.
    Nv16,
}

impl Scaling {
    /// Every scaling; tests loop over it.
    pub const ALL: [Self; 5] = [Self::Channel, Self::Group32, Self::Group16, Self::Mx32, Self::Nv16];

    /// Weights that share a scale, along K; `None` where the whole channel does.
    pub const fn block(self) -> Option<usize> {
        match self {
            Self::Channel => None,
            Self::Group32 | Self::Mx32 => Some(32),
            Self::Group16 | Self::Nv16 => Some(16),
        }
    }

    /// Blocks of a row of `k`, the last one perhaps not full; 0 where the whole channel shares a step.
    pub fn blocks(self, k: usize) -> usize {
        self.block().map_or(0, |block| k.div_ceil(block))
    }

    /// Guard bits g of aligned sums, `A = round(P · align / 2^(15 - g))`: scaled sums have fraction bits of their own, of
    /// which those that no step can see are dropped.
    pub const fn guard_bits(self) -> i32 {
        match self {
            Self::Channel | Self::Group32 | Self::Group16 => 8,
            Self::Mx32 => -8,
            Self::Nv16 => -16,
        }
    }

    /// Name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Group32 => "group32",
            Self::Group16 => "group16",
            Self::Mx32 => "mx32",
            Self::Nv16 => "nv16",
        }
    }
}

/// How the exponential of softmax and sigmoid is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpKind {
    /// A second-order polynomial on one octave (I-BERT's form).
    Poly,
    /// Shifts and adds: the chord of one octave (DI-Exp of I-LLM).
    Shift,
}

impl ExpKind {
    /// Both kinds; tests loop over it.
    pub const ALL: [Self; 2] = [Self::Poly, Self::Shift];

    /// Name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poly => "poly",
            Self::Shift => "shift",
        }
    }
}

/// How the power-of-two scale of an MXFP4 block follows from its largest magnitude `a`, `2^e <= a < 2^(e+1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleRule {
    /// `2^(e-2)`: what OCP MX 1.0 states; magnitudes above 6 scales saturate.
    Floor,
    /// The smallest power of two with `a <= 6` scales.
    NoClip,
    /// `2^(e-2)`, or twice that where `a` lies above 7 scales and so nearer to 8, a value of the next grid.
    RoundUpToGrid,
}

impl ScaleRule {
    /// Every rule; tests loop over it.
    pub const ALL: [Self; 3] = [Self::Floor, Self::NoClip, Self::RoundUpToGrid];

    /// Name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::NoClip => "no_clip",
            Self::RoundUpToGrid => "round_up_to_grid",
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

    /// Whether an array of PEs of this kind computes that format alone. A multiplier computes power-of-two weights too
    /// where other formats are offered beside them, since it then takes decoded INT8; sums of two, up to 128, it does not hold.
    pub const fn supports(self, format: Format) -> bool {
        match self {
            Self::Mac => !matches!(format, Format::Pot4 | Format::Pot8),
            Self::Shift => matches!(format, Format::Pot4 | Format::Pot8),
        }
    }
}

/// What stays in the PEs of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dataflow {
    /// Weights: a tile's weights stay while rows of activations pass; sums move.
    Ws,
    /// Outputs: sums stay until they are complete; weights and activations pass.
    Os,
}

impl Dataflow {
    /// Every dataflow.
    pub const ALL: [Self; 2] = [Self::Ws, Self::Os];

    /// Name in Config files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Os => "os",
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
