//! Frames: the values of a fixed list of signals in one cycle, packed into 64-bit words.

/// A signal of a frame. Up to 64 bits it lies within one word; wider ones start on a word and take whole words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Width in bits.
    pub width: u32,
    /// First word.
    pub word: usize,
    /// Lowest bit within it.
    pub shift: u32,
}

impl Field {
    /// Words that it touches.
    pub fn words(&self) -> usize {
        self.width.div_ceil(64) as usize
    }

    /// Lowest bit within the frame.
    pub fn lsb(&self) -> u32 {
        self.word as u32 * 64 + self.shift
    }

    fn mask(&self) -> u64 {
        if self.width >= 64 { u64::MAX } else { (1 << self.width) - 1 }
    }

    /// Puts a value into a frame of zeros.
    pub fn put(&self, frame: &mut [u64], value: &[u64]) {
        if self.width <= 64 {
            frame[self.word] |= (value[0] & self.mask()) << self.shift;
        } else {
            frame[self.word..self.word + self.words()].copy_from_slice(&value[..self.words()]);
        }
    }

    /// The value in a frame, if it has at most 64 bits; otherwise its lowest word.
    pub fn get(&self, frame: &[u64]) -> u64 {
        (frame[self.word] >> self.shift) & self.mask()
    }

    /// The value in a frame, lowest word first.
    pub fn get_limbs(&self, frame: &[u64]) -> Vec<u64> {
        if self.width <= 64 { vec![self.get(frame)] } else { frame[self.word..self.word + self.words()].to_vec() }
    }

    /// Sets every bit of the field in a mask of a frame.
    pub fn cover(&self, mask: &mut [u64]) {
        if self.width <= 64 {
            mask[self.word] |= self.mask() << self.shift;
        } else {
            mask[self.word..self.word + self.words()].fill(u64::MAX);
        }
    }

    /// The value as Verilog would write it, in hexadecimal.
    pub fn hex(&self, frame: &[u64]) -> String {
        let limbs = self.get_limbs(frame);
        let digits: String = limbs.iter().rev().map(|limb| format!("{limb:016x}")).collect();
        let wanted = self.width.div_ceil(4) as usize;
        format!("{}'h{}", self.width, &digits[digits.len() - wanted..])
    }
}

/// A fixed list of signals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The signals, in order.
    pub fields: Vec<Field>,
    /// Words of a frame.
    pub words: usize,
}

impl Frame {
    /// A frame of signals given by name and width.
    pub fn new(signals: impl IntoIterator<Item = (String, u32)>) -> Self {
        let mut fields = Vec::new();
        let mut next_bit = 0_u32;
        for (name, width) in signals {
            if width > 64 || next_bit % 64 + width > 64 {
                next_bit = next_bit.next_multiple_of(64);
            }
            fields.push(Field { name, width, word: (next_bit / 64) as usize, shift: next_bit % 64 });
            next_bit += if width > 64 { width.next_multiple_of(64) } else { width };
        }
        Self { fields, words: (next_bit.div_ceil(64) as usize).max(1) }
    }

    /// The signal of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_overlap_and_come_back() {
        let widths = [1, 1, 3, 64, 60, 65, 1, 200, 32, 32, 1, 64];
        let frame = Frame::new(widths.iter().enumerate().map(|(i, &w)| (format!("f{i}"), w)));
        let mut words = vec![0; frame.words];
        let value = |i: usize| -> Vec<u64> {
            let width = widths[i];
            let mut limbs: Vec<u64> = (0..width.div_ceil(64)).map(|l| crate::engine::stream::mix(l.into())).collect();
            if width % 64 != 0 {
                *limbs.last_mut().unwrap() &= (1 << (width % 64)) - 1;
            }
            limbs
        };
        for (i, field) in frame.fields.iter().enumerate() {
            field.put(&mut words, &value(i));
        }
        for (i, field) in frame.fields.iter().enumerate() {
            assert_eq!(field.get_limbs(&words), value(i), "{}", field.name);
        }
        let mut mask = vec![0; frame.words];
        frame.field("f2").unwrap().cover(&mut mask);
        assert_eq!(mask[0], 0b11100);
        assert_eq!(Frame::new([]).words, 1);
    }

    #[test]
    fn values_print_with_their_width() {
        let frame = Frame::new([("a".to_string(), 5), ("b".to_string(), 68)]);
        let mut words = vec![0; frame.words];
        frame.fields[0].put(&mut words, &[0x1f]);
        frame.fields[1].put(&mut words, &[0xabc, 0x7]);
        assert_eq!(frame.fields[0].hex(&words), "5'h1f");
        assert_eq!(frame.fields[1].hex(&words), "68'h70000000000000abc");
    }
}
