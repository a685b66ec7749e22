//! `LDW`, `LDH`, `LDP`.

use spec::isa::{Field, Instr, Op};
use spec::{Format, stream};

use super::Values;
use super::weights::Words;

impl Values {
    fn read(&self, addr: usize, bytes: usize) -> Result<&[u8], String> {
        self.memory
            .get(addr..addr + bytes)
            .ok_or_else(|| format!("bytes {addr:#x}..{:#x} lie behind the program's memory", addr + bytes))
    }

    pub(super) fn load(&mut self, instr: &Instr) -> Result<(), String> {
        let addr = instr.index(Field::Addr);
        match instr.op() {
            Op::Ldw => {
                let format = Format::ALL[instr.index(Field::Format)];
                let word_bits = self.preload_rows * self.cols * format.weight().bits() as usize;
                let packing = stream::packing(self.data_bits as u32, word_bits as u32);
                let count = instr.index(Field::Words);
                let beats = packing.beats(count as u64) as usize;
                // A segment's last beat need not be whole.
                let end = (addr + beats * self.data_bits / 8).min(self.memory.len());
                let bytes = self.memory.get(addr..end).ok_or("it reads behind the program's memory")?.to_vec();
                let stretch_bits = packing.beats_per_word as usize * self.data_bits;
                let share = packing.words_per_beat as usize;
                self.weights.push_back(Words::new(bytes, word_bits, (share, stretch_bits), count));
                Ok(())
            }
            Op::Ldh => self.head(instr, addr),
            _ => self.numbers(instr, addr),
        }
    }

    fn head(&mut self, instr: &Instr, addr: usize) -> Result<(), String> {
        let (tokens, dim, tiles) = (instr.index(Field::Tokens), instr.index(Field::Dim), instr.index(Field::Tiles));
        let stride = instr.index(Field::Stride) * self.data_bits / 8;
        let is_direct = instr.flag(Field::Mode);
        let (cols, bands) = (self.cols, self.preload_rows);
        let steps = self.rows.div_ceil(bands);
        let word = bands * cols;
        let mut words = vec![0_u8; tiles * steps * word];
        for token in 0..tokens {
            let bytes = self.read(addr + token * stride, dim)?;
            for (i, &byte) in bytes.iter().enumerate() {
                let (tile, row, col) =
                    if is_direct { (i / cols, token, i % cols) } else { (i / self.rows, i % self.rows, token) };
                if tile < tiles && row < self.rows && col < cols {
                    words[(tile * steps + row % steps) * word + row / steps * cols + col] = byte;
                }
            }
        }
        self.weights.push_back(Words::new(words, 8 * word, (1, 8 * word), tiles * steps));
        Ok(())
    }

    fn numbers(&mut self, instr: &Instr, mut addr: usize) -> Result<(), String> {
        if instr.flag(Field::Indirect) {
            let offset = (self.index).wrapping_mul(instr.get(Field::Stride) as u32);
            addr = (addr as u32).wrapping_add(offset) as usize;
        }
        let (n, dst) = (instr.index(Field::N), instr.index(Field::Dst));
        let kind = instr.index(Field::Type);
        let width = [1, 1, 2, 2, 4][kind];
        let bytes = self.memory.get(addr..addr + n * width).ok_or("it reads behind the program's memory")?;
        let params = self.params.get_mut(dst..dst + n).ok_or("the parameter memory does not hold it")?;
        for (param, bytes) in params.iter_mut().zip(bytes.chunks_exact(width)) {
            *param = match kind {
                0 => i32::from(bytes[0] as i8),
                1 => i32::from(bytes[0]),
                2 => i32::from(i16::from_le_bytes([bytes[0], bytes[1]])),
                3 => i32::from(u16::from_le_bytes([bytes[0], bytes[1]])),
                _ => i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            };
        }
        Ok(())
    }
}
