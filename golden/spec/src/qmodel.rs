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
    /// Weight codes `[n, k]`: INT8 and INT4 as their value, E2M1 and PoT as their code 0..=15.
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

/// A whole model in integers, with all that is needed to run it: what `quantize` makes and a QModel file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct QModel {
    /// Text of the checkpoint's `config.json`.
    pub config_json: String,
    /// Text of the checkpoint's `tokenizer.json`.
    pub tokenizer_json: String,
    /// Every numeric option that changes bits.
    pub options: QOptions,
    /// The linear layers, in the order in which they run; `lm_head` last.
    pub layers: Vec<QLayer>,
    /// Embedding table and norm weights, in the checkpoint's precision.
    pub floats: Vec<FloatTensor>,
}

/// A linear layer of a [`QModel`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QLayer {
    /// What the hardware computes.
    pub linear: QLinear,
    /// Step of the weight integers of a channel whose alignment factor is 2^15, the largest step of the layer: channel
    /// `n` has `weight_step · align[n] / 2^15`.
    pub weight_step: Dyadic,
}

/// Numeric options of a [`QModel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QOptions {
    /// Number format of all linear layers.
    pub format: Format,
    /// How finished rows become 8-bit activations.
    pub requant: RequantMode,
    /// How the inputs of linear layers are coded.
    pub acts: ActMode,
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

/// Precision of a floating-point tensor in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
}

/// A floating-point tensor; every element is a value of its precision.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatTensor {
    /// Name in the checkpoint.
    pub name: String,
    /// Precision in the checkpoint.
    pub dtype: FloatType,
    /// Shape, the last index runs fastest.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<f32>,
}
