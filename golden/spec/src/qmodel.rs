//! Quantized layers and the activations that enter them: integer codes and the integers that give them meaning.

use serde::{Deserialize, Serialize};

use crate::kind::{Format, RequantMode};
use crate::scale::{Dyadic, RowScale};
use crate::tensor::Tensor;

/// Guard bits of aligned sums: `A[n] = round(P[n] · align[n] / 2^(15 - ALIGN_GUARD_BITS))`.
pub const ALIGN_GUARD_BITS: u32 = 8;

/// A linear layer in integers: `P[m, n] = Σ_k act[m, k] · weight[n, k]`, aligned and requantised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QLinear {
    /// Name in the checkpoint, without `.weight`.
    pub name: String,
    /// Codes of weights and activations.
    pub format: Format,
    /// Weight codes `[n, k]`: INT8 and INT4 as their value, E2M1 and PoT as their code 0..=15, sums
    /// of two PoT as the byte of their code.
    pub weight: Tensor<i8>,
    /// Alignment factors `[n]`, 0..=2^15: `round(2^15 · step[n] / max step)`.
    pub align: Vec<u16>,
    /// Sums of each channel's weight integers `[n]`, for activations with a zero point; fits 24 bits signed.
    pub sum: Vec<i32>,
    /// How rows are requantised.
    pub requant: Requant,
}

/// How a layer's rows are requantised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requant {
    /// The rule.
    pub mode: RequantMode,
    /// Dynamic modes: what one LSB of `A` is worth for activations of step 1, that is
    /// `max step / 2^ALIGN_GUARD_BITS`. Static mode: that, over the fixed step of the output.
    pub step: Dyadic,
}

/// Quantized activations of a layer's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QActs {
    /// Codes `[m, k]` as the hardware stores them: INT8 as its value (`q - 128` where there is a zero point), E2M1 as
    /// its code 0..=15.
    pub codes: Tensor<i8>,
    /// Step and zero point of each row `[m]`.
    pub scales: Vec<RowScale>,
}

/// Requantised rows: what a linear layer gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QRows {
    /// Values `[m, n]`: the stored byte (`q - 128` where there is a zero point).
    pub codes: Tensor<i8>,
    /// Step and zero point of each row `[m]`. In static mode the ratio that was applied to `A`, normalised.
    pub scales: Vec<RowScale>,
}

/// How a row (token) of activations is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActMode {
    /// Zero is code 0; the step comes from the largest magnitude.
    Symmetric,
    /// 0..=255 with a zero point, from the smallest and largest value, zero included. INT8 only.
    Asymmetric,
}

impl ActMode {
    /// Both modes, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Symmetric, Self::Asymmetric];

    /// Name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "symmetric",
            Self::Asymmetric => "asymmetric",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}
