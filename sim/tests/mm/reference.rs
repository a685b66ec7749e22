//! Matrix products as the machine defines them, in plain integers: tiles, headers, column feet.

use spec::{Config, Format, Operand, Scaling};

/// A small deterministic generator.
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// One product and its operands.
#[derive(Clone, Debug)]
pub struct Product {
    pub format: Format,
    pub scaling: Scaling,
    pub rows: usize,
    pub k: usize,
    pub n: usize,
    pub half: u64,
    pub bank: u64,
    pub act: usize,
    pub acc: usize,
    pub add: bool,
    /// Codes `[rows, k]` and scale bytes `[rows, blocks]` of activations.
    acts: Vec<u8>,
    act_scales: Vec<u8>,
    /// Codes `[n, k]` and scale bytes `[n, blocks]` of weights.
    weights: Vec<u8>,
    weight_scales: Vec<u8>,
}

/// The integer that a code stands for.
fn integer(operand: Operand, code: u8) -> i128 {
    let magnitude = |table: [i128; 8]| {
        let value = table[usize::from(code & 7)];
        if code & 8 == 0 { value } else { -value }
    };
    match operand {
        Operand::Int8 => i128::from(code as i8),
        Operand::Int4 => i128::from(((code << 4) as i8) >> 4),
        Operand::E2m1 => magnitude([0, 1, 2, 3, 4, 6, 8, 12]),
        Operand::Pot4 => magnitude([0, 64, 32, 16, 8, 4, 2, 1]),
        Operand::Pot8 => integer(Operand::Pot4, code & 15) + integer(Operand::Pot4, code >> 4),
    }
}

/// E4M3 times 2^9.
fn e4m3(code: u8) -> i128 {
    let (exponent, mantissa) = (code >> 3 & 15, i128::from(code & 7));
    if exponent == 0 { mantissa } else { (8 + mantissa) << (exponent - 1) }
}

impl Product {
    /// A product of random operands.
    pub fn random(
        (format, scaling): (Format, Scaling),
        (rows, k, n): (usize, usize, usize),
        random: &mut Random,
    ) -> Self {
        let blocks = scaling.blocks(k);
        let mut codes = |count: usize, operand: Operand| -> Vec<u8> {
            let code = |_| {
                let code = random.below(1 << operand.bits()) as u8;
                // An INT4 code of the activation buffer has its sign extended.
                if operand == Operand::Int4 { (((code << 4) as i8) >> 4) as u8 } else { code }
            };
            (0..count).map(code).collect()
        };
        let acts = codes(rows * k, format.act());
        let weights = codes(n * k, format.weight());
        let mut scales = |count: usize| -> Vec<u8> {
            let byte = |_| match scaling {
                // Mostly within reach, now and then above any number of places, sometimes "never counts".
                Scaling::Mx32 => match random.below(8) {
                    0 => random.below(256) as u8,
                    1 => 255,
                    _ => random.below(14) as u8,
                },
                Scaling::Nv16 => random.below(0x7f) as u8,
                _ => random.below(256) as u8,
            };
            (0..count).map(byte).collect()
        };
        let (act_scales, weight_scales) = (scales(rows * blocks), scales(n * blocks));
        let (half, bank, act, acc) = (0, 0, 0, 0);
        Self { format, scaling, rows, k, n, half, bank, act, acc, add: false, acts, act_scales, weights, weight_scales }
    }

    /// Rows of the array that a K tile uses.
    fn used(&self, config: &Config) -> usize {
        self.scaling.block().map_or(config.array.rows as usize, |block| block.min(config.array.rows as usize))
    }

    /// K tiles of a whole block, 0 without blocks.
    pub fn block_tiles(&self, config: &Config) -> usize {
        self.scaling.block().map_or(0, |block| block.div_ceil(self.used(config)))
    }

    /// The elements of K in each K tile, lane by lane, and the tile's block.
    fn tiles(&self, config: &Config) -> Vec<(Vec<usize>, usize)> {
        let used = self.used(config);
        let block = self.scaling.block().unwrap_or(self.k.next_multiple_of(used));
        let all: Vec<usize> = (0..self.k).collect();
        let in_blocks = all.chunks(block).enumerate();
        in_blocks.flat_map(|(b, block)| block.chunks(used).map(move |tile| (tile.to_vec(), b))).collect()
    }

    /// Tiles along K.
    pub fn k_tiles(&self, config: &Config) -> usize {
        self.tiles(config).len()
    }

    /// Tiles along N.
    pub fn n_tiles(&self, config: &Config) -> usize {
        self.n.div_ceil(config.array.cols as usize)
    }

    /// Header words of a block.
    pub fn header_words(&self, config: &Config) -> usize {
        let word_bits = (config.preload_rows() * config.array.cols * self.format.weight().bits()) as usize;
        if self.scaling.block().is_some() { (8 * config.array.cols as usize).div_ceil(word_bits) } else { 0 }
    }

    /// The activation buffer's words: address, codes `[rows of the array]`, scale byte.
    pub fn act_words(&self, config: &Config, random: &mut Random) -> Vec<(usize, Vec<u8>, u8)> {
        let blocks = self.scaling.blocks(self.k);
        let mut words = Vec::new();
        for (t, (elements, block)) in self.tiles(config).iter().enumerate() {
            for row in 0..self.rows {
                let mut codes = vec![0; config.array.rows as usize];
                for (lane, k) in elements.iter().enumerate() {
                    codes[lane] = self.acts[row * self.k + k];
                }
                // Where activations have no blocks their scale byte means nothing.
                let has_byte = self.format.acts_have_blocks() && self.scaling.block().is_some();
                let byte = if has_byte { self.act_scales[row * blocks + block] } else { random.below(256) as u8 };
                words.push((self.act + t * self.rows + row, codes, byte));
            }
        }
        words
    }

    /// The weight buffer's words, headers among them, as limbs of 64 bits.
    pub fn weight_words(&self, config: &Config) -> Vec<Vec<u64>> {
        let (cols, depth) = (config.array.cols as usize, config.preload_cycles() as usize);
        let bands = config.preload_rows() as usize;
        let bits = self.format.weight().bits() as usize;
        let blocks = self.scaling.blocks(self.k);
        let limbs = (config.weight_word_bits() as usize).div_ceil(64);
        let mut words = Vec::new();
        for n_tile in 0..self.n_tiles(config) {
            let channel = |c: usize| Some(n_tile * cols + c).filter(|n| *n < self.n);
            let mut last = None;
            for (elements, block) in self.tiles(config) {
                if self.scaling.block().is_some() && last != Some(block) {
                    last = Some(block);
                    let byte = |c| channel(c).map_or(0, |n| self.weight_scales[n * blocks + block]);
                    let bytes: Vec<u64> = (0..cols).map(|c| byte(c).into()).collect();
                    let word_bits = bands * cols * bits;
                    let string = pack(&bytes, 8, (8 * cols).next_multiple_of(word_bits).div_ceil(64));
                    for part in 0..self.header_words(config) {
                        let bit = |i: usize| {
                            let place = part * word_bits + i;
                            string.get(place / 64).map_or(0, |limb| limb >> (place % 64) & 1)
                        };
                        words.push(pack(&(0..word_bits).map(bit).collect::<Vec<_>>(), 1, limbs));
                    }
                }
                for step in 0..depth {
                    let code = |i: usize| {
                        let (r, c) = (i / cols * depth + step, i % cols);
                        match (elements.get(r), channel(c)) {
                            (Some(k), Some(n)) => u64::from(self.weights[n * self.k + k]) & ((1 << bits) - 1),
                            _ => 0,
                        }
                    };
                    words.push(pack(&(0..bands * cols).map(code).collect::<Vec<_>>(), bits, limbs));
                }
            }
        }
        words
    }

    /// What it adds to each sum: accumulator word, column, value.
    pub fn sums(&self, config: &Config) -> Vec<(usize, usize, i128)> {
        let cols = config.array.cols as usize;
        let blocks = self.scaling.blocks(self.k);
        let mut sums = Vec::new();
        for column in 0..self.n_tiles(config) * cols {
            for row in 0..self.rows {
                let word = self.acc + column / cols * self.rows + row;
                let value = if column < self.n { self.sum(row, column, blocks) } else { 0 };
                sums.push((word, column % cols, value));
            }
        }
        sums
    }

    fn sum(&self, row: usize, n: usize, blocks: usize) -> i128 {
        let product = |k: &usize| {
            integer(self.format.act(), self.acts[row * self.k + k])
                * integer(self.format.weight(), self.weights[n * self.k + k])
        };
        let all: Vec<usize> = (0..self.k).collect();
        let Some(block) = self.scaling.block() else { return all.iter().map(product).sum() };
        let scaled = |(b, block): (usize, &[usize])| {
            let s: i128 = block.iter().map(product).sum();
            let w = self.weight_scales[n * blocks + b];
            let a = self.act_scales[row * blocks + b];
            let has_a = self.format.acts_have_blocks();
            match self.scaling {
                Scaling::Channel => s,
                Scaling::Group32 | Scaling::Group16 => s * i128::from(w) * if has_a { i128::from(a) } else { 1 },
                Scaling::Mx32 => {
                    let (places, a) = if has_a { (24, u32::from(a)) } else { (22, 0) };
                    let below = u32::from(w) + a;
                    if below > places { 0 } else { s << (places - below) }
                }
                Scaling::Nv16 => s * e4m3(w) * e4m3(a),
            }
        };
        all.chunks(block).enumerate().map(scaled).sum()
    }
}

/// Values of `bits` bits side by side, the first lowest, in so many limbs.
pub fn pack(values: &[u64], bits: usize, limbs: usize) -> Vec<u64> {
    let mut packed = vec![0; limbs];
    for (i, value) in values.iter().enumerate() {
        for b in 0..bits {
            packed[(i * bits + b) / 64] |= (value >> b & 1) << ((i * bits + b) % 64);
        }
    }
    packed
}
