//! Steps of integer tensors.

use serde::{Deserialize, Serialize};

/// A positive ratio `mult / 2^shift`; normalised when `mult` is in `[2^15, 2^16)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dyadic {
    /// Mantissa, 16 bits unsigned.
    pub mult: u16,
    /// Binary places; negative for ratios above `mult`. Range -128..=127 wherever hardware sees it.
    pub shift: i16,
}

/// What travels with one row (token) of 8-bit or 4-bit activations: `x = (q - zp) · mult / 2^shift`.
///
/// For signed codes `q` is the code itself and `zp` is 0 in value; in the byte that hardware sees, codes are stored
/// as `q - 128`, so a symmetric row carries `zp = 128`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowScale {
    /// Step of the row.
    pub step: Dyadic,
    /// Zero point in 0..=255 of the unsigned code `stored + 128`; 128 for symmetric rows.
    pub zp: u8,
}
