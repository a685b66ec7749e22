//! What is in a layer: bytes, ranges of its integers, channels that compute zeros.

use spec::model::QLayer;
use spec::qmodel::ActMode;

use crate::num;

/// What is in a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Weights, `N · K`.
    pub weights: u64,
    /// Bytes that the hardware needs of it.
    pub bytes: Bytes,
    /// Smallest and largest integer of its codes.
    pub ints: (i16, i16),
    /// Codes whose integer has the largest magnitude a quantizer gives.
    pub at_edge: u64,
    /// Codes that compute as zero.
    pub zeros: u64,
    /// Channels whose alignment factor is 0.
    pub silent: u64,
    /// Smallest and largest alignment factor of the other channels; none where all are silent.
    pub align: Option<(u16, u16)>,
    /// Smallest and largest scale of its blocks; none where channels have no blocks.
    pub scales: Option<(u8, u8)>,
}

/// Bytes of a layer's parts, together [`QLayer::packed_bytes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Codes: one a byte, those of 4 bits two.
    pub codes: u64,
    /// One a block.
    pub scales: u64,
    /// Two a channel; four more for the sum of weights where inputs have a zero point.
    pub alignment: u64,
}

impl Bytes {
    /// All of them.
    pub fn total(self) -> u64 {
        self.codes + self.scales + self.alignment
    }

    /// The bytes of a layer.
    pub fn of(layer: &QLayer) -> Self {
        let (n, k) = (layer.linear.weight.rows as u64, layer.linear.weight.cols as u64);
        let row = if layer.linear.format.weight().bits() == 4 { k.div_ceil(2) } else { k };
        let per_channel = if layer.acts == ActMode::Asymmetric { 2 + 4 } else { 2 };
        Self { codes: n * row, scales: layer.scales.data.len() as u64, alignment: n * per_channel }
    }
}

impl std::ops::Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            codes: self.codes + other.codes,
            scales: self.scales + other.scales,
            alignment: self.alignment + other.alignment,
        }
    }
}

impl Stats {
    /// What is in a layer that [`super::problems`] found nothing wrong with.
    pub fn of(layer: &QLayer) -> Self {
        let operand = layer.linear.format.weight();
        let ints: Vec<i16> = (0..=u8::MAX).map(|b| num::decode(operand, b as i8).unwrap_or(0)).collect();
        let edge = match operand {
            // Quantizers use the symmetric ranges.
            spec::Operand::Int8 | spec::Operand::Int4 => operand.magnitude() - 1,
            spec::Operand::E2m1 | spec::Operand::Pot4 | spec::Operand::Pot8 => operand.magnitude(),
        };
        let mut counts = [0_u64; 256];
        for &code in &layer.linear.weight.data {
            counts[usize::from(code as u8)] += 1;
        }
        let used = || counts.iter().zip(&ints).filter(|(count, _)| **count > 0);
        let count = |wanted: &dyn Fn(u32) -> bool| {
            used().filter(|(_, int)| wanted(int.unsigned_abs().into())).map(|(count, _)| count).sum()
        };
        let align = || layer.linear.align.iter().copied().filter(|&factor| factor > 0);
        let scales = || layer.scales.data.iter().copied();
        Self {
            weights: layer.linear.weight.data.len() as u64,
            bytes: Bytes::of(layer),
            ints: (used().map(|(_, &i)| i).min().unwrap_or(0), used().map(|(_, &i)| i).max().unwrap_or(0)),
            at_edge: count(&|magnitude| magnitude >= edge),
            zeros: count(&|magnitude| magnitude == 0),
            silent: (layer.linear.align.len() - align().count()) as u64,
            align: align().min().zip(align().max()),
            scales: scales().min().zip(scales().max()),
        }
    }
}

#[cfg(test)]
mod tests {
    use spec::Format;

    use super::*;
    use crate::layers::random::{Coding, Shape, random_model};

    fn layer(format: Format, codes: &[i8]) -> QLayer {
        let shape = Shape { hidden: 5, ffn: 4, blocks: 1, heads: 1, kv_heads: 1, head_dim: 2, vocab: 3, positions: 1 };
        let mut layer = random_model(&shape, &[Coding::new(format)], 1).blocks[0].gate.clone();
        layer.linear.weight.data.fill(0);
        layer.linear.weight.data[..codes.len()].copy_from_slice(codes);
        layer.linear.align = vec![0, 7, 32768, 9];
        layer
    }

    #[test]
    fn integers_are_counted_by_their_value() {
        let stats = Stats::of(&layer(Format::W8a8, &[-127, 127, 126, -3]));
        assert_eq!((stats.weights, stats.ints, stats.at_edge, stats.zeros), (20, (-127, 127), 2, 16));
        assert_eq!((stats.silent, stats.align, stats.scales), (1, Some((7, 32768)), None));
        // 7 and 15 are 6 and -6, 8 is the negative zero.
        let stats = Stats::of(&layer(Format::Fp4, &[7, 15, 8, 1]));
        assert_eq!((stats.ints, stats.at_edge, stats.zeros), ((-12, 12), 2, 17));
    }

    #[test]
    fn bytes_are_those_of_codes_scales_and_channels() {
        let bytes = |format| Bytes::of(&layer(format, &[]));
        assert_eq!(bytes(Format::W8a8), Bytes { codes: 20, scales: 0, alignment: 8 });
        assert_eq!(bytes(Format::W4a8), Bytes { codes: 12, scales: 4, alignment: 8 });
        let asymmetric = QLayer { acts: ActMode::Asymmetric, ..layer(Format::W4a8, &[]) };
        for layer in [layer(Format::W8a8, &[]), layer(Format::W4a8, &[]), asymmetric.clone()] {
            assert_eq!(Bytes::of(&layer).total(), layer.packed_bytes() as u64);
        }
        assert_eq!((Bytes::of(&asymmetric) + bytes(Format::W8a8)).total(), 12 + 4 + 24 + 28);
    }
}
