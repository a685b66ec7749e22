//! 4-bit codes and the scales of blocks.

use super::round_quotient;
use super::weights::e4m3;

/// Exponent of a block of zeros.
const NO_EXPONENT: i64 = -258;
/// Least and most E4M3 codes of a scale; 448 in units of 2^-9.
const E4M3_CODES: (u8, u8) = (1, 0x7e);
const E4M3_MOST: i128 = 448 << 9;

/// Twice the middles between the magnitudes of E2M1, doubled again, and whether the middle belongs to the upper one.
const E2M1_MIDDLES: [(i128, bool); 7] =
    [(1, false), (3, true), (5, false), (7, true), (10, false), (14, true), (20, false)];

/// The E2M1 code nearest to `sign·num / den / 4`.
fn e2m1(is_negative: bool, num: i128, den: i128) -> u8 {
    let reached = |&&(middle, belongs): &&(i128, bool)| {
        let edge = den.saturating_mul(middle);
        num > edge || (belongs && num == edge)
    };
    let magnitude = E2M1_MIDDLES.iter().take_while(reached).count() as u8;
    magnitude | u8::from(is_negative) << 3
}

/// What a `VCOD` makes of a block's elements: codes as 8 bits, and the scale byte.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coder {
    /// `round(z·factor / den)`, held within ±7.
    Integer { factor: i128, den: i128 },
    /// Nearest to `z·factor / den / 4`.
    Float { factor: i128, den: i128 },
}

impl Coder {
    /// For a kind by its place, the row's T, what S[s + 1] holds, the block's entry in VB.
    pub fn new(kind: i64, largest: i64, most: i64, block: i64) -> (Self, u8) {
        let t = i128::from(largest);
        match kind {
            0 => (Self::Integer { factor: 7, den: t }, 0),
            1 => {
                let group = (block as u8).max(1);
                (Self::Integer { factor: 255 * 7, den: t * i128::from(group) }, group)
            }
            2 => (Self::Float { factor: 24, den: t }, 0),
            3 => {
                let scale = most.saturating_sub(block).clamp(0, 255) as u8;
                let (left, right) = (2 - block.min(2), block - block.min(2));
                let float = Self::Float { factor: 1 << left.min(60), den: 1 << right.min(120) };
                (float, scale)
            }
            _ => {
                let code = block as u8;
                let den = t * i128::from(e4m3(code));
                (Self::Float { factor: 24 * E4M3_MOST, den }, code)
            }
        }
    }

    /// The code of an element.
    pub fn of(&self, z: i64) -> u8 {
        match *self {
            Self::Integer { factor, den } => {
                round_quotient(i128::from(z) * factor, den.max(1)).clamp(-7, 7) as i8 as u8
            }
            Self::Float { factor, den } => e2m1(z < 0, i128::from(z.unsigned_abs()) * factor, den),
        }
    }
}

/// `VEXN`: exponent of the E8M0 scale of a block whose largest magnitude is `m`, by the rule's place.
pub(super) fn exponent(m: i64, rule: i64) -> i64 {
    let m = i128::from(m.unsigned_abs());
    let Some(power) = m.checked_ilog2() else { return NO_EXPONENT };
    let above = match rule {
        1 => 2 * m > 3 << power,
        2 => 4 * m > 7 << power,
        _ => false,
    };
    i64::from(power) - 2 + i64::from(above)
}

/// `VE4M`: the E4M3 code nearest to `448·value / largest`, ties to the even code.
pub(super) fn e4m3_code(value: i64, largest: i64) -> i64 {
    // In units of 2^-10, so that middles are whole.
    let (num, den) = (2 * E4M3_MOST * i128::from(value.max(0)), i128::from(largest.max(1)));
    let (mut low, mut high) = (0, E4M3_CODES.1);
    while low < high {
        let code = (low + high) / 2;
        let edge = i128::from(e4m3(code) + e4m3(code + 1)) * den;
        // At least the next code: beyond the middle, or on it where the next one is even.
        if num > edge || (num == edge && code % 2 == 1) { low = code + 1 } else { high = code }
    }
    low.max(E4M3_CODES.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_nearest() {
        let (int4, _) = Coder::new(0, 100, 0, 0);
        assert_eq!([100, -100, 7, -7, 50, 0].map(|z| int4.of(z) as i8), [7, -7, 0, 0, 4, 0]);
        let (float, scale) = Coder::new(2, 6, 0, 0);
        assert_eq!([0, 1, 2, 3, 4, 5, 6, -5, -6].map(|z| float.of(z)), [0, 2, 4, 5, 6, 6, 7, 14, 15]);
        assert_eq!(scale, 0);
        let (mx, scale) = Coder::new(3, 0, 5, 1);
        assert_eq!(([0, 1, 12, 13, 100, -1].map(|z| mx.of(z)), scale), ([0, 1, 7, 7, 7, 9], 4));
    }

    #[test]
    fn scales_of_blocks() {
        assert_eq!([0, 1, 2, 4, 6, 7, 8].map(|m| exponent(m, 0)), [-258, -2, -1, 0, 0, 0, 1]);
        assert_eq!([6, 7, 8, 12, 13].map(|m| exponent(m, 1)), [0, 1, 1, 1, 2]);
        assert_eq!([7, 14, 15].map(|m| exponent(m, 2)), [0, 1, 2]);
        for code in 1..=0x7e {
            // 448·v / T with T = 448 << 9 is v in units of 2^-9.
            assert_eq!(e4m3_code(e4m3(code), 448 << 9), i64::from(code));
        }
        assert_eq!(e4m3_code(0, 5), 1);
        assert_eq!(e4m3_code(9, 5), 0x7e);
    }
}
