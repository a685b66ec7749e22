//! Words of the weight FIFO, as they came.

use spec::{Format, Operand};

/// Words of one load.
#[derive(Debug)]
pub(super) struct Words {
    bytes: Vec<u8>,
    /// Bits of a word; words in a stretch, bits from one stretch to the next.
    word_bits: usize,
    share: usize,
    stretch_bits: usize,
    next: usize,
    count: usize,
}

impl Words {
    /// `count` words of `word_bits`, `share` of them in every `stretch_bits`.
    pub fn new(bytes: Vec<u8>, word_bits: usize, (share, stretch_bits): (usize, usize), count: usize) -> Self {
        Self { bytes, word_bits, share, stretch_bits, next: 0, count }
    }

    pub fn word_bits(&self) -> usize {
        self.word_bits
    }

    pub fn is_empty(&self) -> bool {
        self.next == self.count
    }

    /// The next word: its first bit in [`Self::bytes`].
    pub fn take(&mut self) -> usize {
        let at = self.next / self.share * self.stretch_bits + self.next % self.share * self.word_bits;
        self.next += 1;
        at
    }

    /// A code of `bits` (4 or 8) at a bit.
    pub fn code(&self, at: usize, bits: usize) -> u8 {
        let byte = |i: usize| u16::from(self.bytes.get(i).copied().unwrap_or(0));
        let both = byte(at / 8) | byte(at / 8 + 1) << 8;
        ((both >> (at % 8)) as u8) & (u8::MAX >> (8 - bits))
    }

    /// Bytes from a bit that starts one.
    pub fn bytes_at(&self, at: usize, count: usize) -> Option<&[u8]> {
        at.is_multiple_of(8).then(|| self.bytes.get(at / 8..at / 8 + count)).flatten()
    }
}

/// Twice the values of E2M1 codes.
const E2M1: [i16; 8] = [0, 1, 2, 3, 4, 6, 8, 12];

fn pot4(code: u8) -> i16 {
    let size = match code & 7 {
        0 => 0,
        place => 64 >> (place - 1),
    };
    if code & 8 == 0 { size } else { -size }
}

/// The integer that a code stands for.
pub(super) fn integer(code: u8, operand: Operand) -> i16 {
    match operand {
        Operand::Int8 => i16::from(code as i8),
        Operand::Int4 => i16::from((code << 4) as i8 >> 4),
        Operand::E2m1 => {
            let size = E2M1[usize::from(code & 7)];
            if code & 8 == 0 { size } else { -size }
        }
        Operand::Pot4 => pot4(code & 15),
        Operand::Pot8 => pot4(code & 15) + pot4(code >> 4),
    }
}

/// All 256 codes of an operand.
pub(super) fn table(operand: Operand) -> [i16; 256] {
    std::array::from_fn(|code| integer(code as u8, operand))
}

/// Binary places of sums with MX scales.
pub(super) fn mx_places(format: Format) -> u32 {
    if format.acts_have_blocks() { 24 } else { 22 }
}

/// The E4M3 value times 2^9 of a code without its sign; the code of NaN counts as the number after 448.
pub(super) fn e4m3(code: u8) -> i64 {
    let (octave, eighths) = (code >> 3 & 15, i64::from(code & 7));
    if octave == 0 { eighths } else { (8 + eighths) << (octave - 1) }
}
