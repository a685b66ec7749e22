//! Packing of commands and payload words into beats, as `spec::stream` lays them out.

use spec::stream::{COMMAND_BITS, Command};

/// Beats of a stream, one after the other, each in `ceil(data_bits / 64)` limbs, lowest bits first.
#[derive(Clone, Debug)]
pub struct BeatWriter {
    data_bits: u32,
    limbs_per_beat: usize,
    limbs: Vec<u64>,
    used_bits: u32,
}

impl BeatWriter {
    /// A writer of beats of `data_bits`.
    pub fn new(data_bits: u32) -> Self {
        // A full beat, so that the first word opens a new one.
        Self { data_bits, limbs_per_beat: data_bits.div_ceil(64) as usize, limbs: Vec::new(), used_bits: data_bits }
    }

    /// Beats written so far.
    pub fn beats(&self) -> usize {
        self.limbs.len() / self.limbs_per_beat
    }

    /// The limbs of all beats.
    pub fn into_limbs(self) -> Vec<u64> {
        self.limbs
    }

    fn open_beat(&mut self) {
        self.limbs.resize(self.limbs.len() + self.limbs_per_beat, 0);
        self.used_bits = 0;
    }

    /// Ends a payload: what follows starts on a new beat.
    pub fn align(&mut self) {
        self.used_bits = self.data_bits;
    }

    /// A command, on beats of its own.
    pub fn command(&mut self, command: &Command) {
        let bits = command.encode();
        self.align();
        self.word(COMMAND_BITS);
        self.put(bits as u64, 64);
        self.put((bits >> 64) as u64, 64);
        self.align();
    }

    /// Opens a word of `word_bits`, to be filled with exactly that many bits by [`Self::put`].
    pub fn word(&mut self, word_bits: u32) {
        if self.used_bits + word_bits > self.data_bits {
            self.open_beat();
        }
    }

    /// The next `bits` of the word (64 at most), lowest first.
    pub fn put(&mut self, value: u64, bits: u32) {
        let mut left = bits;
        let mut value = value;
        while left > 0 {
            if self.used_bits == self.data_bits {
                self.open_beat();
            }
            let offset = self.used_bits % 64;
            let taken = left.min(64 - offset).min(self.data_bits - self.used_bits);
            let low = if taken == 64 { value } else { value & ((1 << taken) - 1) };
            let limb = self.limbs.len() - self.limbs_per_beat + (self.used_bits / 64) as usize;
            self.limbs[limb] |= low << offset;
            self.used_bits += taken;
            left -= taken;
            value = if taken == 64 { 0 } else { value >> taken };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words as the layout's text says, bit by bit: whole beats for wide words, shared beats for narrow ones.
    fn by_hand(data_bits: u32, word_bits: u32, words: &[Vec<bool>]) -> Vec<Vec<bool>> {
        let packing = spec::stream::packing(data_bits, word_bits);
        let mut beats = Vec::new();
        if packing.beats_per_word > 1 {
            for word in words {
                beats.extend(word.chunks(data_bits as usize).map(<[bool]>::to_vec));
            }
        } else {
            beats.extend(words.chunks(packing.words_per_beat as usize).map(<[Vec<bool>]>::concat));
        }
        for beat in &mut beats {
            beat.resize(data_bits as usize, false);
        }
        assert_eq!(beats.len() as u64, packing.beats(words.len() as u64));
        beats
    }

    #[test]
    fn words_of_any_width_share_or_span_beats() {
        for data_bits in [32, 64, 128, 256, 512] {
            for (element, count) in [(4, 1), (4, 3), (8, 1), (8, 7), (8, 9), (40, 1), (40, 3), (32, 1), (40, 16)] {
                let word_bits = element * count;
                let bit = |i: usize| (i * i / 7 + i).is_multiple_of(3);
                let words: Vec<Vec<bool>> = (0..11)
                    .map(|w| (0..word_bits as usize).map(|b| bit(w * word_bits as usize + b)).collect())
                    .collect();
                let mut writer = BeatWriter::new(data_bits);
                for word in &words {
                    writer.word(word_bits);
                    for bits in word.chunks(element as usize) {
                        let value = bits.iter().rev().fold(0, |v, &b| v << 1 | u64::from(b));
                        writer.put(value, element);
                    }
                }
                let expected = by_hand(data_bits, word_bits, &words);
                assert_eq!(writer.beats(), expected.len(), "{data_bits} {element} {count}");
                let limbs = writer.into_limbs();
                for (i, beat) in expected.iter().enumerate() {
                    let limbs = &limbs[i * data_bits.div_ceil(64) as usize..];
                    for (b, &expected) in beat.iter().enumerate() {
                        assert_eq!(limbs[b / 64] >> (b % 64) & 1 == 1, expected, "beat {i} bit {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn commands_start_and_end_on_beats() {
        let command = Command::Weights { format: 1, count: 0x12_3456 };
        let mut writer = BeatWriter::new(32);
        writer.word(8);
        writer.put(0xff, 8);
        writer.command(&command);
        writer.word(8);
        writer.put(0xee, 8);
        let bits = command.encode();
        assert_eq!(
            writer.into_limbs(),
            [0xff, bits as u32, (bits >> 32) as u32, (bits >> 64) as u32, (bits >> 96) as u32, 0xee].map(u64::from)
        );
    }
}
