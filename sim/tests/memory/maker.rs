//! Load instructions with what they must produce, made from the contract: words of weights, parameters.

use std::collections::VecDeque;

use sim::memory::SparseMemory;
use spec::isa::{Field, Instr, Op};
use spec::{Config, Format, stream};

use crate::rig::{Rng, config};

/// An array of that shape on that bus, with INT8 and INT4 weights.
pub fn shaped(rows: u32, cols: u32, preload_rows: u32, data_bits: u32) -> Config {
    let mut config = config(data_bits);
    config.array.rows = rows;
    config.array.cols = cols;
    config.array.preload_rows = preload_rows;
    config.pe.formats = vec![Format::W8a8, Format::W4a8];
    config.vec.lanes = 16;
    config.vec.params = 300;
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

/// What a program must produce: words for the weight FIFO, and the parameter memory.
#[derive(Default)]
pub struct Wanted {
    pub words: VecDeque<Vec<u8>>,
    pub params: Vec<(usize, i32)>,
}

pub struct Maker<'a> {
    pub config: &'a Config,
    pub memory: SparseMemory,
    pub rng: Rng,
    pub wanted: Wanted,
    next: u32,
}

impl<'a> Maker<'a> {
    pub fn new(config: &'a Config, seed: u64) -> Self {
        Self { config, memory: SparseMemory::filled(0xcd), rng: Rng(seed), wanted: Wanted::default(), next: 0x1000 }
    }

    /// A stretch of memory that starts on a beat, filled with noise.
    fn stretch(&mut self, bytes: u32) -> u32 {
        let beat = self.config.beat_bytes();
        let addr = (self.next + beat * self.rng.below(5) as u32).next_multiple_of(beat);
        self.next = addr + bytes + beat;
        let content: Vec<u8> = (0..bytes).map(|_| self.rng.next() as u8).collect();
        self.memory.write(addr, &content);
        addr
    }

    fn byte(&self, addr: u32) -> u8 {
        self.memory.get(addr)
    }

    pub fn words(&mut self, format: Format, words: u32) -> Instr {
        let bits = self.config.preload_rows() * self.config.array.cols * format.weight().bits();
        let packing = stream::packing(self.config.bus.data_bits, bits);
        let beat = self.config.beat_bytes();
        let addr = self.stretch(packing.beats(words.into()) as u32 * beat);
        for w in 0..words {
            let first_bit = if packing.beats_per_word > 1 {
                8 * beat * packing.beats_per_word * w
            } else {
                8 * beat * (w / packing.words_per_beat) + bits * (w % packing.words_per_beat)
            };
            let bit = |i: u32| self.byte(addr + (first_bit + i) / 8) >> ((first_bit + i) % 8) & 1;
            let mut word = vec![0; self.config.weight_word_bits().div_ceil(8) as usize];
            for i in 0..bits {
                word[i as usize / 8] |= bit(i) << (i % 8);
            }
            self.wanted.words.push_back(word);
        }
        let format = Format::ALL.iter().position(|f| *f == format).unwrap();
        let fields = [(Field::Addr, addr.into()), (Field::Words, words.into()), (Field::Format, format as i64)];
        Instr::new(Op::Ldw, &fields).unwrap()
    }

    pub fn head(&mut self, direct: bool, tokens: u32, dim: u32, gap: u32) -> Instr {
        let (rows, cols, bands, steps) =
            (self.config.array.rows, self.config.array.cols, self.config.preload_rows(), self.config.preload_cycles());
        let beat = self.config.beat_bytes();
        let stride = dim.div_ceil(beat) + gap;
        let addr = self.stretch(tokens * stride * beat);
        let tiles = if direct { dim.div_ceil(cols) } else { dim.div_ceil(rows) };
        for t in 0..tiles {
            for s in 0..steps {
                let mut word = Vec::new();
                for r in (0..bands).map(|band| band * steps + s) {
                    for c in 0..cols {
                        let (row, byte) = if direct { (r, t * cols + c) } else { (c, t * rows + r) };
                        let exists = r < rows && row < tokens && byte < dim;
                        word.push(if exists { self.byte(addr + row * stride * beat + byte) } else { 0 });
                    }
                }
                self.wanted.words.push_back(word);
            }
        }
        let fields = [
            (Field::Addr, addr.into()),
            (Field::Tokens, tokens.into()),
            (Field::Dim, dim.into()),
            (Field::Stride, stride.into()),
            (Field::Mode, direct.into()),
            (Field::Tiles, tiles.into()),
        ];
        Instr::new(Op::Ldh, &fields).unwrap()
    }

    pub fn params(&mut self, kind: usize, n: u32, dst: u32, index: Option<u32>) -> Instr {
        let width = [1, 1, 2, 2, 4][kind];
        let beat = self.config.beat_bytes();
        let stride = beat * (1 + self.rng.below(3) as u32);
        let offset = index.map_or(0, |index| index * stride);
        let addr = self.stretch(offset + n * width);
        for i in 0..n {
            let at = addr + offset + i * width;
            let raw = (0..width).fold(0_u32, |v, b| v | u32::from(self.byte(at + b)) << (8 * b));
            let value = match kind {
                0 => i32::from(raw as i8),
                2 => i32::from(raw as i16),
                _ => raw as i32,
            };
            self.wanted.params.push(((dst + i) as usize, value));
        }
        let fields = [
            (Field::Addr, addr.into()),
            (Field::N, n.into()),
            (Field::Dst, dst.into()),
            (Field::Type, kind as i64),
            (Field::Indirect, index.is_some().into()),
            (Field::Stride, stride.into()),
        ];
        Instr::new(Op::Ldp, &fields).unwrap()
    }

    /// A random instruction; `index` is what IDX will hold.
    pub fn any(&mut self, index: u32) -> Instr {
        let (rows, cols, params) = (self.config.array.rows, self.config.array.cols, self.config.vec.params);
        match self.rng.below(4) {
            0 => {
                let format = self.config.pe.formats[self.rng.below(2) as usize];
                let words = 1 + self.rng.below(40) as u32;
                self.words(format, words)
            }
            1 => {
                let n = 1 + self.rng.below(100) as u32;
                let dst = self.rng.below(u64::from(params - n)) as u32;
                let (kind, indirect) = (self.rng.below(5) as usize, self.rng.one_in(2));
                self.params(kind, n, dst, indirect.then_some(index))
            }
            mode => {
                let most = if mode == 3 { rows } else { cols };
                let tokens = 1 + self.rng.below(most.into()) as u32;
                let dim = if self.rng.one_in(3) { 64 } else { 1 + self.rng.below(256) as u32 };
                let dim = dim.min(255 * rows.min(cols));
                let gap = self.rng.below(3) as u32;
                self.head(mode == 3, tokens, dim, gap)
            }
        }
    }
}

pub fn instr_limbs(instr: Instr) -> [u64; 2] {
    [instr.encode() as u64, (instr.encode() >> 64) as u64]
}
